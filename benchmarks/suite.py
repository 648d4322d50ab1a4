"""The benchmarks there are, one line each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import simulated
from benchmarks.neural_predictivity import NeuralPredictivity
from benchmarks.representational_similarity import HUMAN, JUDGEMENT, MACAQUE, RepresentationalSimilarity

Benchmark = NeuralPredictivity | RepresentationalSimilarity

COWLEY = (
    "cowley2023_v4/readme_original.txt",
    "cowley2023_v4/images_*.zip",
    "cowley2023_v4/responses_*.npy",
)
COWLEY_NEAR = 0.93
"""Finds the copies in sessions 190925 (300 of 1200 pictures) and 210305 (200 of 400); in others, about 1 %."""
KRIEGESKORTE = (
    "kriegeskorte2008_92/Kriegeskorte_Neuron2008_supplementalData.mat",
    "kriegeskorte2008_92/92_brainRDMs.mat",
    "kriegeskorte2008_92/92_behavRDMs.mat",
)
RSA_ROLES = {  # the target that is scored, and the one that chooses the layer
    "macaqueIT": (MACAQUE, HUMAN),
    "humanIT": (HUMAN, MACAQUE),
    "judgement": (JUDGEMENT, HUMAN),
}
N_IMAGES, N_IMAGES_RSA, N_NEUROIDS = 300, 92, 24
SIMULATED_SESSIONS = {  # name to animal
    "simulated-1": "simulated animal A",
    "simulated-2": "simulated animal A",
    "simulated-3": "simulated animal B",
}


def cowley_sessions(store, **_):
    """Yield (name, session) of Cowley et al. (2023), one session in memory at a time.

    With a folder of studies, the sessions found there. Without one, or where it has none, all the registered
    ones: a download that broke off must not pass for the whole study.
    """
    from benchmarks.recordings import cowley2023

    if store.root is None or not cowley2023.sessions(store):
        for pattern in COWLEY:
            for file in store.registered(pattern):
                store.fetch(file)
    for name in cowley2023.sessions(store):
        yield name, cowley2023.load_session(store, name)


def kriegeskorte_dissimilarities(store, **_):
    """Return the images and dissimilarities of Kriegeskorte et al. (2008)."""
    from benchmarks.recordings import kriegeskorte2008

    return kriegeskorte2008.load(store)


def digits_sessions(model, n_steps: int, seed: int, each_layer, **_):
    """Yield (name, session), simulated from `true_place` of the model while it looks at digits."""
    stimuli = simulated.digits_stimuli(N_IMAGES)
    layer, step = simulated.true_place(model.layer_names, n_steps)
    activations = each_layer(model, stimuli, [layer], n_steps)
    streams = np.random.default_rng(seed).spawn(len(SIMULATED_SESSIONS))
    for rng, (name, animal) in zip(streams, SIMULATED_SESSIONS.items(), strict=True):
        session = simulated.simulated_session(
            activations, layer, step, N_NEUROIDS, simulated.NOISE, rng, stimuli=stimuli, animal=animal
        )
        yield name, session


def digits_dissimilarities(model, n_steps: int, seed: int, each_layer, **_):
    """Return dissimilarities of 92 digits, simulated from `true_place` of the model."""
    stimuli = simulated.digits_stimuli(N_IMAGES_RSA)
    layer, step = simulated.true_place(model.layer_names, n_steps)
    activations = each_layer(model, stimuli, [layer], n_steps)
    rng = np.random.default_rng(seed)
    return simulated.simulated_dissimilarities(activations, layer, step, simulated.NOISE, rng, stimuli=stimuli)


BENCHMARKS: tuple[Benchmark, ...] = (
    NeuralPredictivity("cowley2023.V4-ridge", COWLEY, cowley_sessions, near=COWLEY_NEAR),
    *(
        RepresentationalSimilarity(f"kriegeskorte2008.{what}-rsa", KRIEGESKORTE, kriegeskorte_dissimilarities, *roles)
        for what, roles in RSA_ROLES.items()
    ),
    NeuralPredictivity("simulated.V4-ridge", (), digits_sessions, simulated=True),
    *(
        RepresentationalSimilarity(f"simulated.{what}-rsa", (), digits_dissimilarities, *roles, simulated=True)
        for what, roles in RSA_ROLES.items()
    ),
)


def list_benchmarks() -> tuple[Benchmark, ...]:
    """Return the benchmarks: each has an ``identifier``, ``studies``, and ``available(store)``."""
    return BENCHMARKS


def load_benchmark(identifier: str, store=None, *, quick: bool = False, memory: int | None = None) -> Benchmark:
    """Return a benchmark: ``benchmark(model, n_steps=5, seed=0, progress=None)`` gives a `benchmarks.Score`.

    Nothing is read or downloaded before it is called.

    Parameters
    ----------
    identifier
        One of those in `list_benchmarks`.
    store
        A `neurocnnf.datastore.DataStore`; one with its defaults where None.
    quick
        A small subsample of the data: a check, not a result.
    memory
        Bytes it may take, if it knows such a bound; its own bound where None.

    Raises
    ------
    ValueError
        If there is no such benchmark.
    """
    for benchmark in BENCHMARKS:
        if benchmark.identifier == identifier:
            bound: dict[str, Any] = {"memory": memory} if memory is not None and hasattr(benchmark, "memory") else {}
            return replace(benchmark, store=store, quick=quick, **bound)
    known = ", ".join(benchmark.identifier for benchmark in BENCHMARKS)
    raise ValueError(f"benchmark: expected one of {known}, got {identifier!r}. Choose one of those.")

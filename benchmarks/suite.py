"""The benchmarks there are, one line each; where a study is missing, its simulated twin stands in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks import conditions, reaction_times, recognition_measures, simulated_people, soft_labels, sources
from benchmarks import timing_sources as timing
from benchmarks.behaviour import Behaviour
from benchmarks.benchmark import Benchmark
from benchmarks.it_decoding import ItDecoding
from benchmarks.neural_predictivity import NeuralPredictivity
from benchmarks.object_solution_time import compare_solution_times
from benchmarks.recognition_by_condition import RecognitionByCondition
from benchmarks.recordings import cifar10h, geirhos, kar2019
from benchmarks.representational_similarity import HUMAN, JUDGEMENT, MACAQUE, RepresentationalSimilarity
from benchmarks.simulated_observers import digits_soft_labels, digits_times
from benchmarks.speed_accuracy import SpeedAccuracy

RSA_ROLES = {  # the target that is scored, and the one that chooses the layer
    "macaqueIT": (MACAQUE, HUMAN),
    "humanIT": (HUMAN, MACAQUE),
    "judgement": (JUDGEMENT, HUMAN),
}
RECOGNITION = {
    "accuracy": recognition_measures.accuracy,
    "rt": recognition_measures.rt,
    "confusion": recognition_measures.confusion,
    "masking": recognition_measures.masking,
}
CIFAR10H = (cifar10h.COUNTS, cifar10h.PICTURES)
GEIRHOS = (geirhos.TRIALS, geirhos.PICTURES)

STUDIES: tuple[Benchmark, ...] = (
    *(
        NeuralPredictivity(
            f"cowley2023.V4-{metric}", sources.COWLEY, sources.cowley_sessions, near=sources.COWLEY_NEAR, metric=metric
        )
        for metric in ("ridge", "pls")
    ),
    *(
        RepresentationalSimilarity(
            f"kriegeskorte2008.{what}-rsa", sources.KRIEGESKORTE, sources.kriegeskorte_dissimilarities, *roles
        )
        for what, roles in RSA_ROLES.items()
    ),
    ItDecoding("zhang2011.IT-decoding", timing.ZHANG, timing.zhang_neurons),
    *(
        RecognitionByCondition(f"maniquet2025.{what}", sources.MANIQUET, sources.maniquet_answers, how)
        for what, how in RECOGNITION.items()
    ),
    SpeedAccuracy("kumbhar2021.sat", timing.KUMBHAR, timing.kumbhar_observers),
    Behaviour("cifar10h.soft-labels", CIFAR10H, cifar10h.load, soft_labels.compare_soft_labels),
    Behaviour("cifar10h.entropy", CIFAR10H, cifar10h.load, soft_labels.compare_entropy),
    Behaviour(
        "cifar10h.rt-by-image",
        (*CIFAR10H, cifar10h.RAW),
        cifar10h.load_reaction_times,
        reaction_times.compare_reaction_times,
    ),
    Behaviour("kar2019.ost", (kar2019.FILE,), kar2019.load, compare_solution_times),
    Behaviour("geirhos.accuracy-by-condition", GEIRHOS, geirhos.load, conditions.compare_accuracy),
    Behaviour("geirhos.rt-by-condition", GEIRHOS, geirhos.load, conditions.compare_times),
)
SIMULATED: tuple[Benchmark, ...] = (
    *(
        NeuralPredictivity(f"simulated.V4-{metric}", (), sources.digits_sessions, simulated=True, metric=metric)
        for metric in ("ridge", "pls")
    ),
    *(
        RepresentationalSimilarity(f"simulated.{what}-rsa", (), sources.digits_dissimilarities, *roles, simulated=True)
        for what, roles in RSA_ROLES.items()
    ),
    ItDecoding("simulated.IT-decoding", (), timing.digits_neurons, simulated=True),
    *(
        RecognitionByCondition(
            f"simulated.{what}", (), sources.digits_people, how, simulated_people.CONTROL, simulated=True
        )
        for what, how in RECOGNITION.items()
    ),
    SpeedAccuracy("simulated.sat", (), timing.digits_observers, simulated=True),
    Behaviour("simulated.soft-labels", (), digits_soft_labels, soft_labels.compare_soft_labels, simulated=True),
    Behaviour("simulated.entropy", (), digits_soft_labels, soft_labels.compare_entropy, simulated=True),
    Behaviour("simulated.rt-by-image", (), digits_times, reaction_times.compare_reaction_times, simulated=True),
)
BENCHMARKS = STUDIES + SIMULATED


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

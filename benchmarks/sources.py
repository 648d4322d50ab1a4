"""Where the benchmarks of V4, IT and recognition take recordings from: studies, or simulations of the same form."""

from __future__ import annotations

import numpy as np

from benchmarks import simulated, simulated_people
from benchmarks.clean_readout import answer

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
MANIQUET = tuple(
    f"maniquet2025_recurrence/{name}"
    for name in (
        "human_by_condition.csv",
        "performance_by_observer.csv.gz",
        "confusions.npz",
        "noise_ceilings.csv.gz",
        "lists.json",
        "stimuli_gray128_derived.npz",
    )
)
N_IMAGES, N_IMAGES_RSA, N_NEUROIDS, N_DIGITS = 300, 92, 24, 10
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


def maniquet_answers(store, **_):
    """Return the pictures and answers of Maniquet et al. (2025)."""
    from benchmarks.recordings import maniquet2025

    return maniquet2025.load(store)


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


def digits_people(model, n_steps: int, seed: int, each_layer, **_):
    """Return degraded digits, and people simulated to answer as the model does at its first and last step."""
    stimuli = simulated_people.degraded_digits(N_DIGITS, seed)
    conditions, categories = (list(dict.fromkeys(stimuli.table[name])) for name in ("condition", "category"))
    answers = answer(model, stimuli, conditions, categories, simulated_people.CONTROL, n_steps, each_layer, seed=seed)
    rng = np.random.default_rng(seed)
    people = simulated_people.simulated_people(answers, answers.layer, 0, n_steps, rng)
    return simulated_people.SimulatedStudy(stimuli, people)

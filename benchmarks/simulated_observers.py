"""Observers whose truth is known: they label, or take their time, as the model under test answers at one step.

They check the benchmarks of behaviour, and stand in where a study is not at hand. All that is made here says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_softmax
from scipy.stats import norm, rankdata

from benchmarks.answers import DIGITS, category_answers
from benchmarks.reaction_times import TimedImages
from benchmarks.simulated import digits_stimuli, true_place
from benchmarks.soft_labels import SoftLabels, label_entropy
from neurocnnf.stimuli import Stimuli

N_IMAGES, N_PEOPLE, N_SUBJECTS = 300, 51, 20
ENTROPY = 0.5
"""Mean entropy of the simulated people's labels, nats: about that of the 1,000 images of CIFAR-10H."""
TIME_NOISE = 1.0
"""Standard deviation of a single time's noise, in standard deviations of the images' true times."""


def digits_soft_labels(model, n_steps: int, seed: int, each_layer, **_) -> SoftLabels:
    """Simulate 51 people who label digits by the model's answers at `true_place`'s step, at a higher temperature.

    The models of digits are nearly certain of nearly all; people who were, too, would agree with any step.
    """
    shown, log_p, note = _truth(model, n_steps, seed, each_layer)
    counts = simulated_labels(soften(log_p, ENTROPY), N_PEOPLE, np.random.default_rng(seed))
    return SoftLabels(shown.stimuli, shown.labels, counts, DIGITS, (note,))


def digits_times(model, n_steps: int, seed: int, each_layer, **_) -> TimedImages:
    """Simulate 20 subjects who are slow with a digit as the model is unsure at `true_place`'s step."""
    shown, log_p, note = _truth(model, n_steps, seed, each_layer)
    true_times = label_entropy(np.exp(log_p))
    subjects, items, times = simulated_times(true_times, N_SUBJECTS, TIME_NOISE, np.random.default_rng(seed))
    return TimedImages(shown.stimuli, shown.labels, DIGITS, subjects, items, times, (note,))


def soften(log_probabilities: NDArray, entropy: float) -> NDArray[np.float64]:
    """Bring log probabilities (image, category) to the temperature at which their mean entropy (nats) is as given."""

    def excess(log_temperature):
        softened = log_softmax(log_probabilities / np.exp(log_temperature), axis=-1)
        return label_entropy(np.exp(softened)).mean() - entropy

    return log_softmax(log_probabilities / np.exp(brentq(excess, -10, 10)), axis=-1)


def simulated_labels(log_probabilities: NDArray, n_people: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `n_people` labels of each image: log probabilities (image, category) to counts (image, category)."""
    p = np.exp(log_probabilities.astype(np.float64))
    return rng.multinomial(n_people, p / p.sum(axis=-1, keepdims=True))


def simulated_times(true_times: NDArray, n_subjects: int, noise: float, rng: np.random.Generator):
    """Simulate subjects who see every image once.

    Parameters
    ----------
    true_times
        (image,), any unit: only their order counts (normal scores); images that do not differ are noise alone.
    n_subjects, noise
        How many; standard deviation of the noise of a time, in standard deviations of the true times.
    rng
        Source of the noise.

    Returns
    -------
    subjects, items, times
        (trial,) each.
    """
    scores = norm.ppf((rankdata(true_times) - 0.5) / len(true_times))
    spread = scores.std()
    standard = (scores - scores.mean()) / (spread if spread > 0 else 1.0)
    subjects, items = np.divmod(np.arange(n_subjects * len(standard)), len(standard))
    return subjects, items, standard[items] + noise * rng.standard_normal(len(items))


def _truth(model, n_steps, seed, each_layer):
    """Give digits, the model's answers (image, category) at the true step, and a note."""
    stimuli: Stimuli = digits_stimuli(N_IMAGES)
    labels = stimuli.table["label"].to_numpy(np.int64)
    shown = SoftLabels(stimuli, labels, np.zeros((len(labels), len(DIGITS)), np.int64), DIGITS)
    _, step = true_place(model.layer_names, n_steps)
    answers = category_answers(model, shown, n_steps, each_layer, seed)
    return shown, answers.log_probabilities[step], f"simulated observers, made from the model's answers at step {step}"

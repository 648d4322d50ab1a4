"""Image-level behavioural patterns i1 and i2n of two-alternative object recognition, at every step.

Source: Rajalingham, Issa et al. (2018) J Neurosci 38:7255. Where that study and Brain-Score differ, Brain-Score's
form is used, so that the figures compare: a model's response is its probabilities, without simulated trials, and
false alarms are averaged over the images of one object.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

CAP = 5.0
"""Largest d' either way: Rajalingham et al. (2018), methods, "behavioral metrics"."""

HALVES_RULE = "Pearson r between the patterns of two halves of the trials, uncorrected (Rajalingham et al. 2018)"


@dataclass(frozen=True)
class Trials:
    """Two-alternative answers of observers.

    Parameters
    ----------
    image
        (trial,), index of the image shown.
    distractor
        (trial,), index of the object offered beside the one shown.
    chosen
        (trial,), index of the object chosen.
    """

    image: NDArray[np.int64]
    distractor: NDArray[np.int64]
    chosen: NDArray[np.int64]

    def subset(self, index) -> Trials:
        """Return some of the trials, by integers or a mask."""
        return Trials(self.image[index], self.distractor[index], self.chosen[index])

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.image)


def distractor_rates(probabilities: NDArray, truth: ArrayLike) -> NDArray[np.float64]:
    """Turn a model's probabilities into rates of choosing each distractor over the object shown.

    Parameters
    ----------
    probabilities
        (..., image, object), such as (step, image, object).
    truth
        (image,), index of the object shown.

    Returns
    -------
    ndarray
        float64, (..., image, object): p(distractor) / (p(distractor) + p(object shown)); NaN at the object shown.

    Raises
    ------
    ValueError
        If shapes disagree or a true object is not among those answered.
    """
    probabilities, truth = np.asarray(probabilities, np.float64), np.asarray(truth)
    _check(probabilities, truth)
    shown = probabilities[..., np.arange(len(truth)), truth][..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = probabilities / (probabilities + shown)
    rates[..., np.arange(len(truth)), truth] = np.nan
    return rates


def response_rates(trials: Trials, truth: ArrayLike, n_objects: int) -> NDArray[np.float64]:
    """Share of trials in which observers chose each distractor, among those that offered it.

    Parameters
    ----------
    trials
        What was offered and chosen.
    truth
        (image,), index of the object shown.
    n_objects
        Objects in all.

    Returns
    -------
    ndarray
        float64, (image, object); NaN at the object shown, and where a distractor was never offered.

    Raises
    ------
    ValueError
        If a trial offers the object shown as its own distractor, or the answer was not offered.
    """
    truth = np.asarray(truth)
    shown = truth[trials.image]
    same = int((trials.distractor == shown).sum())
    other = int(((trials.chosen != shown) & (trials.chosen != trials.distractor)).sum())
    if same or other:
        raise ValueError(
            "trials: expected answers that are the object shown or its distractor, and another one as distractor, got "
            f"{other} answers that were not offered and {same} distractors that were shown. Correct or drop the trials."
        )
    cell = trials.image * n_objects + trials.distractor
    size = len(truth) * n_objects
    offered = np.bincount(cell, minlength=size)
    chosen = np.bincount(cell, weights=trials.chosen == trials.distractor, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (chosen / offered).reshape(len(truth), n_objects)


def image_dprimes(rates: NDArray, truth: ArrayLike, cap: float = CAP) -> NDArray[np.float64]:
    """Discriminability of each image from each distractor: z(hit rate) - z(false alarm rate), capped.

    The hit rate is one minus the image's rate of choosing the distractor. The false alarm rate is the mean over the
    distractor's own images of the rate of choosing this image's object.

    Parameters
    ----------
    rates
        (..., image, object), from `distractor_rates` or `response_rates`.
    truth
        (image,).
    cap
        Largest d' either way.

    Returns
    -------
    ndarray
        float64, (..., image, object), the pattern i2; NaN where a rate is unknown.
    """
    rates, truth = np.asarray(rates, np.float64), np.asarray(truth)
    _check(rates, truth)
    n_objects = rates.shape[-1]
    by_object = [_nanmean(rates[..., truth == each, :], axis=-2) for each in range(n_objects)]
    false_alarms = np.stack(by_object, axis=-2)  # (..., object shown, object chosen)
    with np.errstate(invalid="ignore"):
        result = norm.ppf(1 - rates) - norm.ppf(np.swapaxes(false_alarms, -1, -2)[..., truth, :])
    return np.clip(result, -cap, cap)


def normalise(dprimes: NDArray, truth: ArrayLike) -> NDArray[np.float64]:
    """Subtract from each image's d' the mean over images of the same object and distractor: i2 becomes i2n.

    Parameters
    ----------
    dprimes
        (..., image, object), from `image_dprimes`.
    truth
        (image,).
    """
    result, truth = np.array(dprimes, np.float64), np.asarray(truth)
    _check(result, truth)
    for shown in np.unique(truth):
        own = truth == shown
        result[..., own, :] -= _nanmean(result[..., own, :], axis=-2)[..., None, :]
    return result


def i1(dprimes: NDArray) -> NDArray[np.float64]:
    """Mean d' of each image over distractors: (..., image)."""
    return _nanmean(dprimes, axis=-1)


def pattern_agreement(model: NDArray, observers: NDArray, n_dims: int) -> tuple[NDArray[np.float64], NDArray]:
    """Pearson correlation of a model's pattern with the observers', at every step.

    Parameters
    ----------
    model
        (..., image) for i1, (..., image, object) for i2.
    observers
        The same without leading dims.
    n_dims
        Dims of one pattern: 1 or 2.

    Returns
    -------
    r, n_used
        (...): correlation over the entries known on both sides, and how many those are of `observers.size`. r is NaN
        where nothing varies.
    """
    model, observers = np.asarray(model, np.float64), np.asarray(observers, np.float64)
    if observers.ndim != n_dims or model.shape[model.ndim - n_dims :] != observers.shape:
        raise ValueError(
            f"pattern_agreement: expected a pattern of {n_dims} dims that ends the model's shape, got {model.shape} "
            f"and {observers.shape}. Pass (step, image[, object]) and (image[, object])."
        )
    rows = model.reshape(-1, observers.size)
    known = np.isfinite(rows) & np.isfinite(observers.ravel())
    r = [_pearson(row[k], observers.ravel()[k]) for row, k in zip(rows, known, strict=True)]
    lead = model.shape[: model.ndim - n_dims]
    return np.reshape(r, lead), known.sum(axis=1).reshape(lead)


def trial_halves(n_trials: int, rng: np.random.Generator, n_splits: int = 10):
    """Draw random halves of the trials: a list of (first, second), indices; an odd trial goes to the second."""
    orders = (rng.permutation(n_trials) for _ in range(n_splits))
    return [(order[: n_trials // 2], order[n_trials // 2 :]) for order in orders]


def halves_ceiling(
    trials: Trials,
    truth: ArrayLike,
    n_objects: int,
    halves: Iterable[tuple[NDArray, NDArray]],
    pattern: Callable[[NDArray], NDArray],
) -> float:
    """Mean over splits of the agreement between two halves' patterns: the rule `HALVES_RULE`.

    A model is to be compared with the pattern of one half too (both rest on as many trials), as Brain-Score does.

    Parameters
    ----------
    trials, truth, n_objects
        As `response_rates` takes them.
    halves
        From `trial_halves`.
    pattern
        From rates (image, object) to the pattern (image,) or (image, object).
    """
    r = []
    for both in halves:
        first, second = (pattern(response_rates(trials.subset(half), truth, n_objects)) for half in both)
        r.append(pattern_agreement(first, second, second.ndim)[0])
    return float(np.mean(r))


def _pearson(x, y) -> float:
    if len(x) < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    length = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / length) if length > 0 else float("nan")


def _nanmean(values, axis):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what is nowhere known stays NaN
        return np.nanmean(values, axis=axis)


def _check(values, truth):
    if values.ndim < 2 or values.shape[-2] != len(truth) or (len(truth) and truth.max() >= values.shape[-1]):
        raise ValueError(
            f"expected (..., image={len(truth)}, object) with every true object among the objects, got "
            f"{values.shape} and objects up to {truth.max() if len(truth) else None}. Pass the object of each image."
        )

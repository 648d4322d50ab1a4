"""Models' probabilities beside people's labels: how much they say about them, and whether the same images are unsure.

Sources: Peterson, Battleday, Griffiths and Russakovsky (2019) ICCV (cross-entropy to people's labels, second-best
accuracy); Battleday, Peterson and Griffiths (2020) Nat Commun 11:5418 (likelihood of labels, with a temperature
that is fitted by cross-validation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, rel_entr, xlogy
from scipy.stats import spearmanr

from benchmarks.behaviour import Ceiling, Rows, draw_items, table_row
from benchmarks.ceilings import spearman_brown
from benchmarks.readout import object_folds
from benchmarks.solution_time import bootstrap_spearman
from neurocnnf.stimuli import Stimuli

INFORMATION_RULE = "information that the other people's labels hold about each label (one label's worth of prior)"
RELIABILITY_RULE = "sqrt of Spearman-Brown reliability between halves of the people's labels (Spearman)"
N_SPLITS, N_FOLDS = 50, 5
LOG_TEMPERATURES = (-3.0, 4.0)


@dataclass(frozen=True)
class SoftLabels:
    """Images, and how many people named each category for them.

    Parameters
    ----------
    stimuli
        What was shown.
    labels
        int64, (image,), index into `categories`.
    counts
        int64, (image, category), number of people.
    categories
        Names of the classes, in the counts' order.
    notes
        What a reader has to know.
    """

    stimuli: Stimuli
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    categories: tuple[str, ...]
    notes: tuple[str, ...] = ()


def label_entropy(labels: ArrayLike) -> NDArray[np.float64]:
    """Entropy, nats, of counts or probabilities (..., category): (...)."""
    labels = np.asarray(labels, np.float64)
    p = labels / labels.sum(axis=-1, keepdims=True)
    return -xlogy(p, p).sum(axis=-1)


def information(log_probabilities: NDArray, labels: ArrayLike) -> NDArray[np.float64]:
    """Measure what probabilities say about people's labels, as a share of what there is to say.

    1 + (mean log probability of an image's labels) / log(number of categories) = 1 - cross-entropy / log C: 1 for
    someone who is certain and always right, 0 for even probabilities, below 0 for someone confidently wrong.

    Parameters
    ----------
    log_probabilities
        (..., image, category), natural logarithms.
    labels
        (..., image, category), counts or probabilities.

    Returns
    -------
    ndarray
        float64, (..., image).
    """
    labels = np.asarray(labels, np.float64)
    p = labels / labels.sum(axis=-1, keepdims=True)
    gained = np.where(p > 0, p * np.where(p > 0, log_probabilities, 0), 0).sum(axis=-1)
    return 1 + gained / np.log(labels.shape[-1])


def fit_temperature(log_probabilities: NDArray, labels: ArrayLike) -> float:
    """Temperature that makes people's labels most likely: log p is divided by it, and normalised again.

    Parameters
    ----------
    log_probabilities, labels
        (image, category).
    """

    def loss(log_temperature):
        return -information(log_softmax(log_probabilities / np.exp(log_temperature), axis=-1), labels).mean()

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))


def calibrate(log_probabilities: NDArray, labels: ArrayLike, folds: NDArray):
    """Bring probabilities to the temperature that was fitted on the other folds' images, at every step.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    labels
        (image, category).
    folds
        (image,).

    Returns
    -------
    log_probabilities, temperatures
        (step, image, category) and (step, fold).
    """
    result, names = np.empty_like(log_probabilities), np.unique(folds)
    temperatures = np.empty((len(result), len(names)))
    for step, values in enumerate(log_probabilities):
        for column, fold in enumerate(names):
            left = folds == fold
            temperatures[step, column] = fit_temperature(values[~left], labels[~left])
            result[step, left] = log_softmax(values[left] / temperatures[step, column], axis=-1)
    return result, temperatures


def deal_halves(counts: NDArray, rng: np.random.Generator, n_splits: int = N_SPLITS):
    """Deal each image's labels into two halves at random, without putting any back.

    Parameters
    ----------
    counts
        int, (image, category).

    Returns
    -------
    first, second
        int, (split, image, category); an odd label goes to the second.
    """
    counts = np.asarray(counts, np.int64)
    dealt = [rng.multivariate_hypergeometric(row, row.sum() // 2, n_splits, method="marginals") for row in counts]
    first = np.stack(dealt, axis=1)
    return first, counts - first


def information_ceiling(counts: NDArray) -> tuple[Ceiling, float]:
    """Measure what an image's other labels say about each of them; and what nobody can exceed.

    Each label is predicted from the other people's shares, smoothed by one label spread over all categories, or what
    nobody else said would be impossible. Someone who knew the true shares would say somewhat more. The upper bound is
    the information in all labels about themselves. (Halves would predict from 25 labels, and set the ceiling lower.)

    Parameters
    ----------
    counts
        int, (image, category).

    Returns
    -------
    ceiling, upper
        Of the mean of `information` over images.
    """
    n_categories, n = counts.shape[-1], counts.sum(axis=-1, keepdims=True)
    others = (np.maximum(counts - 1, 0) + 1 / n_categories) / n
    upper = 1 - label_entropy(counts).mean() / np.log(n_categories)
    return Ceiling(float(information(np.log(others), counts).mean()), INFORMATION_RULE), float(upper)


def reliability_ceiling(halves: tuple[NDArray, NDArray]) -> Ceiling:
    """Largest expected rank correlation with a quantity that was measured with noise.

    Parameters
    ----------
    halves
        (split, image) twice: the quantity from one half of the people, and from the other.
    """
    r = np.mean([spearmanr(a, b)[0] for a, b in zip(*halves, strict=True)])
    reliability = float(spearman_brown(r))
    return Ceiling(float(np.sqrt(reliability)) if reliability > 0 else float("nan"), RELIABILITY_RULE)


def _rank_rows(metric: str, model: NDArray, people: NDArray, halves, counts: NDArray) -> Rows:
    """Rank correlation over images of (step, image) with (image,), at every step."""
    ceiling, rows = reliability_ceiling(halves), []
    for step, values in enumerate(model):
        varies = np.ptp(values) > 0
        raw = float(spearmanr(values, people)[0]) if varies else float("nan")
        samples = bootstrap_spearman(values, people, counts)
        rows.append(table_row(metric, step, raw, samples, ceiling, (len(people) if varies else 0, len(people))))
    return rows


def compare_soft_labels(log_probabilities: NDArray, data: SoftLabels, seed: int, n_resamples: int) -> Rows:
    """Compare probabilities with the people's labels of each image, at every step.

    Metrics: ``information``, of probabilities at the temperature fitted on other images (5 folds); ``off-truth``,
    Spearman correlation over images of the probability, and of the share of labels, that is not the right class's.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    data, seed, n_resamples
        Labels; of folds, halves and resamples of images.

    Returns
    -------
    list of dict
        Columns beside the usual: ``ceiling_upper``, ``cross_entropy`` and ``cross_entropy_uncalibrated`` (nats),
        ``temperature`` (mean over folds), ``jensen_shannon`` (bits), ``accuracy`` against the classes,
        ``second_best_accuracy`` over the ``n_second`` images for which people have one second choice.
    """
    for_halves, for_images = np.random.default_rng(seed).spawn(2)
    labels, counts = np.asarray(data.labels), np.asarray(data.counts)
    draws = draw_items(len(counts), n_resamples, for_images)
    calibrated, temperatures = calibrate(log_probabilities, counts, object_folds(labels, N_FOLDS, seed))
    ceiling, upper = information_ceiling(counts)
    gained = information(calibrated, counts)
    plain, scale = information(log_probabilities, counts).mean(axis=-1), np.log(counts.shape[1])
    n, rows = (len(counts), len(counts)), []
    for step, values in enumerate(gained):
        samples = draws @ values / len(values)
        row = table_row("information", step, float(values.mean()), samples, ceiling, n, ceiling_upper=upper)
        row |= {
            "cross_entropy": scale * (1 - values.mean()),
            "cross_entropy_uncalibrated": scale * (1 - plain[step]),
            "temperature": temperatures[step].mean(),
            "jensen_shannon": jensen_shannon(np.exp(calibrated[step]), counts).mean(),
            "accuracy": float((calibrated[step].argmax(axis=-1) == labels).mean()),
        }
        row["second_best_accuracy"], row["n_second"] = second_best(calibrated[step], counts)
        rows.append(row)
    image = np.arange(len(labels))
    off = 1 - np.exp(log_probabilities[:, image, labels])
    halves = tuple(1 - h[:, image, labels] / h.sum(axis=-1) for h in deal_halves(counts, for_halves))
    return rows + _rank_rows("off-truth", off, 1 - counts[image, labels] / counts.sum(axis=1), halves, draws)


def compare_entropy(log_probabilities: NDArray, data: SoftLabels, seed: int, n_resamples: int) -> Rows:
    """Compare how unsure the model and people are: Spearman of entropies over images, at every step.

    Metrics: ``entropy``, of the softmax at temperature 1 (ranks, so nothing is fitted) with that of people's labels;
    ``entropy-within-class``, both taken as differences from their class's mean, so that hard classes do not count.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    data, seed, n_resamples
        Labels; of halves and resamples of images.
    """
    for_halves, for_images = np.random.default_rng(seed).spawn(2)
    counts, labels = np.asarray(data.counts), np.asarray(data.labels)
    draws = draw_items(len(counts), n_resamples, for_images)
    model, people = label_entropy(np.exp(log_probabilities)), label_entropy(counts)
    halves = tuple(label_entropy(h) for h in deal_halves(counts, for_halves))
    rows = _rank_rows("entropy", model, people, halves, draws)
    within = [centre_within(values, labels) for values in (model, people)]
    halves = tuple(centre_within(h, labels) for h in halves)
    return rows + _rank_rows("entropy-within-class", *within, halves, draws)


def centre_within(values: NDArray, groups: NDArray) -> NDArray[np.float64]:
    """Subtract from (..., item) the mean over the items of the same group."""
    result = np.array(values, np.float64)
    for group in np.unique(groups):
        own = groups == group
        result[..., own] -= result[..., own].mean(axis=-1, keepdims=True)
    return result


def jensen_shannon(probabilities: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Jensen-Shannon divergence, bits, of probabilities from shares of labels, (image, category): (image,)."""
    p = labels / labels.sum(axis=-1, keepdims=True)
    middle = (p + probabilities) / 2
    return (rel_entr(p, middle) + rel_entr(probabilities, middle)).sum(axis=-1) / (2 * np.log(2))


def second_best(log_probabilities: NDArray, counts: NDArray) -> tuple[float, int]:
    """Share of images on which the model's second choice is the people's, and how many have one.

    Images on which people agree fully, or their second choices tie, have no second choice.

    Parameters
    ----------
    log_probabilities, counts
        (image, category).
    """
    ordered = np.sort(counts, axis=1)
    has = (ordered[:, -2] > 0) & (ordered[:, -2] > ordered[:, -3]) & (ordered[:, -1] > ordered[:, -2])
    people, model = counts.argsort(axis=1)[has, -2], log_probabilities.argsort(axis=1)[has, -2]
    return (float((people == model).mean()) if has.any() else float("nan")), int(has.sum())

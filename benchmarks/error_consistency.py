"""Error consistency: how far a model and observers err on the same images, beyond what their accuracies imply.

Source: Geirhos, Meding and Wichmann (2020) NeurIPS 33, equations 1 to 3 (Cohen's kappa of right and wrong).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

SUBJECTS_RULE = "mean over pairs of subjects of their error consistency (Geirhos et al. 2020)"


def kappa(first: ArrayLike, second: ArrayLike, counts: NDArray | None = None) -> NDArray[np.float64]:
    """Cohen's kappa between two series of right and wrong answers.

    Observed consistency is the share of images on which both are right or both wrong; expected consistency is that of
    independent answers with the same two accuracies; kappa = (observed - expected) / (1 - expected).

    Parameters
    ----------
    first, second
        (..., image), 1 right, 0 wrong; images with NaN on either side are left out.
    counts
        (resample, image), how often each image is taken; each once by default.

    Returns
    -------
    ndarray
        float64, (...), or (..., resample) with `counts`; NaN where both are always right, or both always wrong: there
        is then nothing that could be beyond chance.

    Raises
    ------
    ValueError
        If an answer is neither right nor wrong.
    """
    first, second = np.broadcast_arrays(np.asarray(first, np.float64), np.asarray(second, np.float64))
    for answers in (first, second):
        if not (np.isnan(answers) | (answers == 0) | (answers == 1)).all():
            raise ValueError("answers: expected 1 (right), 0 (wrong) or NaN (not shown), got others. Use 1, 0, NaN.")
    weights = np.ones((1, first.shape[-1])) if counts is None else np.asarray(counts, np.float64)
    known = ~(np.isnan(first) | np.isnan(second))
    a, b = np.where(known, first, 0), np.where(known, second, 0)
    n = known @ weights.T
    with np.errstate(invalid="ignore", divide="ignore"):
        right_a, right_b, both = (x.astype(np.float64) @ weights.T / n for x in (a, b, a * b))
        observed = 1 - right_a - right_b + 2 * both
        expected = right_a * right_b + (1 - right_a) * (1 - right_b)
        result = np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)
    return result[..., 0] if counts is None else result


def by_condition(model: ArrayLike, subjects: ArrayLike, conditions: ArrayLike) -> NDArray[np.float64]:
    """Error consistency of a model with each subject in each condition, at every step.

    Parameters
    ----------
    model
        (..., image), such as (step, image): 1 right, 0 wrong.
    subjects
        (subject, image), NaN where the subject was not shown the image.
    conditions
        (image,).

    Returns
    -------
    ndarray
        (..., subject, condition), conditions sorted. Its mean over conditions, then subjects, is the score; unlike
        Brain-Score's it keeps its sign.
    """
    model, subjects = np.asarray(model, np.float64), np.asarray(subjects, np.float64)
    conditions = np.asarray(conditions)
    columns = [conditions == condition for condition in np.unique(conditions)]
    return np.stack([kappa(model[..., None, c], subjects[:, c]) for c in columns], axis=-1)


def between_subjects(subjects: ArrayLike, conditions: ArrayLike) -> NDArray[np.float64]:
    """Error consistency of each pair of subjects in each condition: (pair, condition), conditions sorted.

    Parameters
    ----------
    subjects
        (subject, image), 1 right, 0 wrong, NaN where not shown.
    conditions
        (image,).

    Raises
    ------
    ValueError
        If there are fewer than two subjects.
    """
    subjects = np.asarray(subjects, np.float64)
    if len(subjects) < 2:
        raise ValueError(f"subjects: expected at least 2 to compare, got {len(subjects)}. Add subjects.")
    pairs = itertools.combinations(range(len(subjects)), 2)
    return np.stack([by_condition(subjects[a], subjects[[b]], conditions)[0] for a, b in pairs])


def subjects_ceiling(subjects: ArrayLike, conditions: ArrayLike) -> float:
    """Mean of `between_subjects` over conditions, then pairs: the rule `SUBJECTS_RULE`; undefined kappas are left out.

    Parameters
    ----------
    subjects, conditions
        As `between_subjects` takes them.
    """
    table = between_subjects(subjects, conditions)
    known = np.isfinite(table)
    if not known.any():
        return float("nan")
    n = known.sum(axis=1)
    return float((np.where(known, table, 0).sum(axis=1)[n > 0] / n[n > 0]).mean())

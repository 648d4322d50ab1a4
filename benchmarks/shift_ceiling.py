"""How far people's own profile over conditions moves between a mask and none: the ceiling of a model's shift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.profiles import correlate

SHIFT_RULE = "shift / that of people, masked at step 0 and unmasked at the last: 2 (1 - r)"
NO_RULE_SHIFT = "none: people's own shift is no larger than their errors alone make"
NO_RULE_FLAT = "none: people's accuracies vary no more than their errors alone make"
SHIFT_RULES = (SHIFT_RULE, NO_RULE_SHIFT, NO_RULE_FLAT)
N_NULL_DRAWS = 2000
SMALLEST_VARIANCE = 1e-12  # of an accuracy that is never wrong


def shift_ceiling(published: NDArray, errors: NDArray, metric: str, rng: np.random.Generator) -> tuple[float, str]:
    """Shift of a model that is people behind a mask at first, and people without one at last: 2 (1 - r).

    Two noisy profiles of one shape differ, too: what they would in all but one of twenty draws is no ceiling. A mask
    may lower or flatten the shape, which no correlation sees; so each profile keeps its mean and, less what errors
    add, its variance. The ceiling is an upper bound, as errors add to it.

    Parameters
    ----------
    published, errors
        (masking, condition): accuracies and their standard errors.
    metric
        As in `benchmarks.profiles.correlate`.
    rng
        Source of `N_NULL_DRAWS` pairs of profiles that differ by errors alone.

    Returns
    -------
    ceiling, rule
        NaN where errors alone would make as much, or a profile varies no more than they would make it.
    """
    shift = 2 * (1 - float(correlate(*published, metric)))
    means = published.mean(axis=1, keepdims=True)
    variances = published.var(axis=1, ddof=1, keepdims=True) - np.square(errors).mean(axis=1, keepdims=True)
    if not (np.isfinite(shift) and (variances > 0).all()):
        return float("nan"), NO_RULE_FLAT
    weights = variances / np.maximum(np.square(errors), SMALLEST_VARIANCE)
    shape = np.sum(weights * (published - means) / np.sqrt(variances), axis=0)
    shape = (shape - shape.mean()) / shape.std(ddof=1)
    same = means + np.sqrt(variances) * shape
    drawn = same + errors * rng.standard_normal((N_NULL_DRAWS, *errors.shape))
    by_chance = 2 * (1 - correlate(drawn[:, 0], drawn[:, 1], metric))
    return (shift, SHIFT_RULE) if shift > np.quantile(by_chance, 0.95) else (float("nan"), NO_RULE_SHIFT)

"""Statistics that respect censoring: an unsolved presentation is later than its horizon, not missing.

Dropping unsolved presentations keeps the easy ones and inflates a correlation; giving them a number invents
one. Here a censored time takes part in every comparison whose outcome is known, and in no other.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.inference import percentile_interval, permutation_p, permuted_blocks


@dataclass(frozen=True)
class Concordance:
    """Agreement in order between censored times and an outcome.

    Parameters
    ----------
    somers_d
        (concordant - discordant) / comparable pairs, -1 to 1; NaN without a comparable pair.
    c_index
        Harrell's C, (concordant + half the pairs tied in outcome) / comparable pairs = (somers_d + 1) / 2.
    n_comparable, n_pairs
        Pairs whose order in time is known, and all pairs.
    """

    somers_d: float
    c_index: float
    n_comparable: int
    n_pairs: int


def restricted_mean(times: ArrayLike, observed: ArrayLike, horizon: float) -> float:
    """Kaplan-Meier restricted mean: the area under the estimated survival curve from 0 to the horizon.

    Where every censored time is the last step looked at, this is the plain mean with the horizon put in place
    of censored times; with censoring at different times it is not, and the product-limit estimate (Kaplan &
    Meier, J. Am. Stat. Assoc. 53:457, 1958) is what is used. Past the last time the curve is held level to
    the horizon.

    Parameters
    ----------
    times
        (presentation,), solution step, or where not `observed` the time up to which there was none.
    observed
        bool, (presentation,).
    horizon
        End of the integral, in the units of `times`; for steps, ``n_steps + 1``.

    Returns
    -------
    float
        In the units of `times`; NaN if there are no presentations.

    Raises
    ------
    ValueError
        If shapes disagree, a time is not finite, is negative or lies past the horizon.
    """
    times, observed = _check_times(times, observed)
    if len(times) and times.max() > horizon:
        raise ValueError(
            f"restricted_mean: expected times up to horizon {horizon}, got {times.max()}. Raise the horizon."
        )
    if not len(times):
        return float("nan")
    knots, index = np.unique(times, return_inverse=True)
    leaving = np.bincount(index, minlength=len(knots))
    solved = np.bincount(index, weights=observed, minlength=len(knots))
    at_risk = len(times) - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    survival = np.cumprod(1.0 - solved / at_risk)
    widths = np.diff(np.concatenate([knots, [horizon]]))
    return float(knots[0] + (survival * widths).sum())


def restricted_means(times: ArrayLike, observed: ArrayLike, groups: ArrayLike, n_groups: int, horizon: float):
    """Return `restricted_mean` of every group, float64 (group,), NaN for a group without presentations.

    Parameters
    ----------
    times, observed, horizon
        As in `restricted_mean`.
    groups
        (presentation,), group of each presentation, 0 to `n_groups` - 1.
    n_groups
        Number of groups.
    """
    times, observed, groups = np.asarray(times), np.asarray(observed), np.asarray(groups)
    order = np.argsort(groups, kind="stable")
    cuts = np.searchsorted(groups[order], np.arange(n_groups + 1))
    parts = [order[a:b] for a, b in itertools.pairwise(cuts)]
    return np.array([restricted_mean(times[part], observed[part], horizon) for part in parts])


class ConcordanceCounter:
    """Count concordant pairs fast, for many weightings of the same times and outcomes.

    A pair is comparable if its order in time is known: the earlier time is observed, and the other is later,
    or censored at the same time or later. Two observed at the same time, or two censored, are not comparable
    (Harrell et al., JAMA 247:2543, 1982). Equal outcomes in a comparable pair count for neither side.

    Times are ranked and the ranks written in binary. The order of any two different ranks is decided by the
    highest bit in which they differ, so every pair is counted once, at that bit, among presentations that
    agree in all higher bits; there one running sum over the outcomes' order counts all pairs. That takes O(n
    log n log t) for t different times; the sorting is done here, once, and weighting costs O(n log t).

    Parameters
    ----------
    times, observed
        (presentation,), as in `restricted_mean`.
    outcome
        (presentation,), what should rise with time: a reaction time. Finite.

    Raises
    ------
    ValueError
        If shapes disagree, or times or outcomes are not finite.
    """

    def __init__(self, times: ArrayLike, observed: ArrayLike, outcome: ArrayLike):
        times, self.observed = _check_times(times, observed)
        outcome = np.asarray(outcome, np.float64)
        if outcome.shape != times.shape or not np.isfinite(outcome).all():
            raise ValueError(
                f"ConcordanceCounter: expected {len(times)} finite outcomes, got shape {outcome.shape} with "
                f"{np.count_nonzero(~np.isfinite(outcome))} not finite. Clean the trials first."
            )
        # Censored at t comes after observed at t, and ties only with others censored at t.
        _, rank = np.unique(times * 2.0 + ~self.observed, return_inverse=True)
        _, outcome_rank = np.unique(outcome, return_inverse=True)
        self._levels = []
        for bit in range(int(rank.max(initial=0)).bit_length()):
            block = rank >> (bit + 1)
            order = np.lexsort((outcome_rank, block))
            later = (rank[order] >> bit) & 1 == 1
            block_start = _run_starts(block[order])
            tie_start = np.maximum(block_start, _run_starts(outcome_rank[order], block[order]))
            tie_end = _run_ends(tie_start)
            block_end = _run_ends(block_start)
            at = np.flatnonzero(later)
            self._levels.append((order, later, at, block_start[at], tie_start[at], tie_end[at], block_end[at]))

    def count(self, weights: NDArray | None = None) -> tuple[NDArray, NDArray]:
        """Return weighted (concordant - discordant) and comparable pairs, each (resample,).

        Parameters
        ----------
        weights
            (resample, presentation), how often each presentation is taken; all once by default.
        """
        n = len(self.observed)
        weights = np.ones((1, n)) if weights is None else np.asarray(weights, np.float64)
        difference, comparable = np.zeros(len(weights)), np.zeros(len(weights))
        for order, later, at, block_start, tie_start, tie_end, block_end in self._levels:
            taken = weights[:, order]
            earlier = np.zeros((len(weights), n + 1))
            np.cumsum(taken * (~later & self.observed[order]), axis=1, out=earlier[:, 1:])
            faster = earlier[:, tie_start] - earlier[:, block_start]
            slower = earlier[:, block_end] - earlier[:, tie_end]
            weight = taken[:, at]
            difference += (weight * (faster - slower)).sum(axis=1)
            comparable += (weight * (earlier[:, block_end] - earlier[:, block_start])).sum(axis=1)
        return difference, comparable

    def somers_d(self, weights: NDArray | None = None, chunk: int = 64) -> NDArray[np.float64]:
        """Return Somers' D for each weighting, (resample,), NaN where no pair is comparable.

        Parameters
        ----------
        weights
            As in `count`.
        chunk
            Resamples worked on at a time; bounds memory.
        """
        parts = [None] if weights is None else [weights[a : a + chunk] for a in range(0, len(weights), chunk)]
        counts = [self.count(part) for part in parts]
        difference, comparable = (np.concatenate(part) for part in zip(*counts, strict=True))
        return np.where(comparable > 0, difference / np.where(comparable > 0, comparable, 1.0), np.nan)


def concordance(times: ArrayLike, observed: ArrayLike, outcome: ArrayLike) -> Concordance:
    """Return the concordance of censored times with an outcome, all presentations once.

    See `ConcordanceCounter` for the rule, the parameters and what it raises.
    """
    difference, comparable = (float(part[0]) for part in ConcordanceCounter(times, observed, outcome).count())
    somers_d = difference / comparable if comparable else float("nan")
    n = len(np.asarray(times))
    return Concordance(somers_d, (somers_d + 1) / 2, round(comparable), n * (n - 1) // 2)


def concordance_interval(columns, cells, resampled) -> tuple[float, float, float]:
    """Somers' D over trials, with its 95 % interval: subjects and objects drawn anew.

    Parameters
    ----------
    columns
        Times, observed and outcome, each (trial,).
    cells
        Index of the subject and of the object, each (trial,).
    resampled
        How often each subject (resample, subject) and each object (resample, object) is taken.

    Returns
    -------
    Estimate, low and high; NaN where no pair is comparable.
    """
    counter = ConcordanceCounter(*columns)
    (subject, item), (subjects, objects), drawn = cells, resampled, [np.empty(0)]
    for a in range(0, len(subjects), 128):  # trial weights of all resamples at once would be large
        b = a + 128
        drawn.append(counter.somers_d(subjects[a:b][:, subject] * objects[a:b][:, item]))
    return float(counter.somers_d()[0]), *percentile_interval(np.concatenate(drawn))


def concordance_rows(columns, cells, resampled, n_permutations: int, seed: int) -> list[tuple]:
    """Concordance over trials, with interval and p value, and what leaving unsolved trials out would give.

    Parameters
    ----------
    columns, cells, resampled
        As in `concordance_interval`.
    n_permutations, seed
        Of the permutations of objects (`inference.permuted_blocks`), for the p value of ``somers_d``.

    Returns
    -------
    list
        Statistic, estimate, low, high, p and number of trials used, for ``somers_d``, ``c_index`` and
        ``somers_d_drop_unsolved`` (no p value: it is reported as a warning, not as a test).
    """
    times, observed, outcome = (np.asarray(column) for column in columns)
    (subject, item), rows = cells, {}
    for name, use in (("somers_d", np.ones(len(times), bool)), ("somers_d_drop_unsolved", observed)):
        used = times[use], observed[use], outcome[use]
        interval = concordance_interval(used, (subject[use], item[use]), resampled)
        shuffles = permuted_blocks(item[use], n_permutations if name == "somers_d" else 0, seed)
        p = permutation_p(interval[0], permuted_somers_d(*used, shuffles))
        rows[name] = (*interval, p, int(use.sum()))
    estimate, low, high, *rest = rows["somers_d"]
    rows["c_index"] = ((estimate + 1) / 2, (low + 1) / 2, (high + 1) / 2, *rest)
    return [(name, *row) for name, row in rows.items()]


def permuted_somers_d(times, observed, outcome, shuffles: NDArray, chunk: int = 100) -> NDArray[np.float64]:
    """Somers' D with times permuted, (permutation,), NaN where no pair is comparable.

    Goes through the different observed times one by one, all permutations at once: made for steps, of which
    there are few. `shuffles`, (permutation, trial): which trial's time and censoring each outcome is paired
    with.
    """
    times, observed = _check_times(times, observed)
    knots, rank = np.unique(times * 2.0 + ~observed, return_inverse=True)
    order = np.argsort(outcome, kind="stable")
    start = _run_starts(np.asarray(outcome)[order])
    end, result = _run_ends(start), [np.empty(0)]
    for a in range(0, len(shuffles), chunk):
        ranks = rank[shuffles[a : a + chunk][:, order]]
        total, comparable = np.zeros(len(ranks)), np.zeros(len(ranks))
        for level in np.flatnonzero(knots % 2 == 0):  # odd knots are censored times
            earlier = np.zeros((len(ranks), len(order) + 1))
            np.cumsum(ranks == level, axis=1, out=earlier[:, 1:])
            later = ranks > level
            total += (later * (earlier[:, start] + earlier[:, end] - earlier[:, -1:])).sum(axis=1)
            comparable += later.sum(axis=1) * earlier[:, -1]
        result.append(np.where(comparable > 0, total / np.maximum(comparable, 1), np.nan))
    return np.concatenate(result)


def _check_times(times, observed):
    """Return times (float64) and observed (bool), checked."""
    times, observed = np.asarray(times, np.float64), np.asarray(observed, bool)
    if times.ndim != 1 or times.shape != observed.shape:
        raise ValueError(
            f"censored times: expected times and observed of one shape (presentation,), got {times.shape} "
            f"and {observed.shape}. Pass one of each per presentation."
        )
    if len(times) and not (np.isfinite(times).all() and times.min() >= 0):
        raise ValueError(
            "censored times: expected finite times of 0 or more, got others. Give an unsolved presentation "
            "the last step looked at and observed=False, not NaN."
        )
    return times, observed


def _run_starts(*keys) -> NDArray[np.int64]:
    """Index at which the run of equal keys that holds each position starts."""
    new = np.ones(len(keys[0]), bool)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))


def _run_ends(starts) -> NDArray[np.int64]:
    """Index just past the run that holds each position, from `_run_starts`."""
    return np.searchsorted(starts, starts, side="right")

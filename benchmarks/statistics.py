"""Is one model, or one step, better than another? Paired tests on resamples that two scores share.

Both scores were resampled with the same draws of images, neurons or observers (see `benchmarks.resamples`), so the
difference has a bootstrap distribution of its own, in which what both share cancels. The test is of that distribution,
shifted to no difference: p is the share of shifted differences at least as far from zero as the one observed, with
the observed one counted in (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 16; Davison and
Hinkley 1997, equation 4.11). With n resamples no p is below 1 / (n + 1).

Over layers and steps: ``p_max_t`` controls the chance of any false finding, taking the tests' dependence from the
resamples themselves (Westfall and Young 1993, single step); ``p_holm`` does so under any dependence; ``p_fdr``
controls the share of false findings (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from benchmarks.bootstrap import interval
from benchmarks.resamples import ONE_NUMBER
from benchmarks.score import Score

IDENTICAL, UNKNOWN = "the same in every resample", "too few resamples have a value"
MIN_SHARE = 0.99
"""Of resamples that must have a value in both scores: the rest would make a test too sure."""


@dataclass(frozen=True)
class PairedTest:
    """A difference between two scores, first minus second.

    Parameters
    ----------
    difference
        Of the estimates.
    low, high
        95 % bootstrap interval.
    p
        Two-sided; NaN where nothing was tested, and `note` says why.
    n_resamples
        With a value in both.
    note
        "" where a test was made.
    """

    difference: float
    low: float
    high: float
    p: float
    n_resamples: int
    note: str = ""


def paired_test(first: NDArray, second: NDArray) -> PairedTest:
    """Test the difference of two quantities that were resampled together.

    Parameters
    ----------
    first, second
        (resample + 1,): the estimate, then its resamples; row by row the same draw.

    Raises
    ------
    ValueError
        If the two differ in length.
    """
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise ValueError(
            f"samples: expected two vectors of one length (estimate, then resamples), got shapes {first.shape} and "
            f"{second.shape}. Score both with the same seed and the same --quick."
        )
    differences = first - second
    observed, drawn = float(differences[0]), differences[1:]
    kept = drawn[np.isfinite(drawn)]
    if not np.isfinite(observed) or len(kept) < MIN_SHARE * len(drawn):
        return PairedTest(observed, float("nan"), float("nan"), float("nan"), len(kept), UNKNOWN)
    if not kept.any() and observed == 0:
        return PairedTest(0.0, 0.0, 0.0, float("nan"), len(kept), IDENTICAL)
    as_far = np.abs(kept - observed) >= abs(observed)
    low, high = interval(kept)
    return PairedTest(observed, low, high, float((1 + as_far.sum()) / (1 + len(kept))), len(kept))


def paired_tests(pairs: dict[tuple, tuple[NDArray, NDArray]], names: tuple[str, ...]) -> pd.DataFrame:
    """Make many paired tests, and correct them for their number.

    Parameters
    ----------
    pairs
        Key to the two vectors of a `paired_test`.
    names
        Columns that the parts of the keys go to.

    Returns
    -------
    pandas.DataFrame
        `names`, difference, low, high, p, p_max_t, p_holm, p_fdr, n_tests, n_resamples, note. Comparisons of what is
        the same in every resample are no tests, and do not count as such.
    """
    tests = {key: paired_test(*pair) for key, pair in pairs.items()}
    rows = [dict(zip(names, key, strict=True)) | vars(test) for key, test in tests.items()]
    columns = ["difference", "low", "high", "p", "p_max_t", "p_holm", "p_fdr", "n_tests", "n_resamples", "note"]
    table = pd.DataFrame(rows).reindex(columns=[*names, *columns])
    tested = table["p"].notna().to_numpy()
    table["n_tests"] = int(tested.sum())
    if tested.any():
        p = table.loc[tested, "p"].to_numpy()
        table.loc[tested, "p_holm"] = multipletests(p, method="holm")[1]
        table.loc[tested, "p_fdr"] = multipletests(p, method="fdr_bh")[1]
        differences = np.stack([np.subtract(*pair) for pair in pairs.values()], axis=1)
        table.loc[tested, "p_max_t"] = max_t(differences[:, tested])
    return table


def max_t(differences: NDArray) -> NDArray[np.float64]:
    """Adjust p for the largest of several dependent statistics.

    Parameters
    ----------
    differences
        (resample + 1, comparison): observed differences first.

    Returns
    -------
    ndarray
        (comparison,): share of resamples whose largest |d* - d| / se, over all comparisons, reaches |d| / se.
    """
    observed, drawn = differences[0], differences[1:]
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    spread = drawn.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.nanmax(np.abs(drawn - observed) / spread, axis=1)
        statistic = np.abs(observed) / spread
    return (1 + (largest[:, None] >= statistic).sum(axis=0)) / (1 + len(drawn))


def compare_models(first: Score, second: Score, quantity: str = "value") -> PairedTest:
    """Test whether two models differ in a benchmark's one number.

    Parameters
    ----------
    first, second
        Scores of one benchmark, with the same seed.
    quantity
        "value", or "raw" where there is no ceiling.

    Raises
    ------
    ValueError
        If the scores do not share their resamples, or have no such number.
    """
    check_paired(first, second)
    return paired_test(_number(first, quantity), _number(second, quantity))


def compare_layers(first: Score, second: Score) -> pd.DataFrame:
    """Test, for each layer that both models have, every step of the first against the last step of the second.

    With a feedforward control second, that is step 0: every layer and step of CNN-F against the control's layer.

    Returns
    -------
    pandas.DataFrame
        As in `paired_tests`, with ``layer`` and ``step`` (of the first); raw scores.

    Raises
    ------
    ValueError
        If the scores do not share their resamples, or have no layer in common.
    """
    check_paired(first, second)
    last = {layer: step for layer, step in sorted(_places(second), key=lambda place: place[1])}
    pairs = {
        (layer, step): (first.samples["raw", layer, step], second.samples["raw", layer, last[layer]])
        for layer, step in _places(first)
        if layer in last
    }
    if not pairs:
        raise ValueError(
            f"layers: expected one that both models have, got {_layers(first)} and {_layers(second)}. "
            "Compare the one number with compare_models."
        )
    return paired_tests(_vectors(pairs), ("layer", "step"))


def compare_steps(score: Score, reference: int = 0) -> pd.DataFrame:
    """Test every layer's later steps against a step of the same layer.

    Parameters
    ----------
    score
        Of a recurrent model.
    reference
        The step that the others are compared with; 0 is the feedforward sweep.

    Returns
    -------
    pandas.DataFrame
        As in `paired_tests`, with ``layer`` and ``step``; raw scores, step minus reference.

    Raises
    ------
    ValueError
        If the benchmark keeps no samples, or the reference is not among the steps.
    """
    _check_kept(score)
    places = _places(score)
    pairs = {
        (layer, step): (score.samples["raw", layer, step], score.samples["raw", layer, reference])
        for layer, step in places
        if step != reference and (layer, reference) in places
    }
    if not pairs:
        steps = sorted({step for _, step in places})
        raise ValueError(f"reference: expected one of several steps {steps}, got {reference}. Score a recurrent model.")
    return paired_tests(_vectors(pairs), ("layer", "step"))


def check_paired(first: Score, second: Score) -> None:
    """Raise ValueError unless two scores rest on the same draws of the same recordings."""
    for score in (first, second):
        _check_kept(score)
    if first.simulated or second.simulated:
        raise ValueError(
            "scores: expected recordings that both models are compared with, got simulated ones, which are made from "
            "the model itself. Compare on a real study."
        )
    for what in ("seed", "data_sha256"):
        one, other = (score.provenance.get(what) for score in (first, second))
        if first.benchmark != second.benchmark or one != other or len(first.samples) != len(second.samples):
            raise ValueError(
                f"scores: expected one benchmark, seed, data and number of resamples, got {first.benchmark} (seed "
                f"{first.provenance.get('seed')}, {len(first.samples)} rows) and {second.benchmark} (seed "
                f"{second.provenance.get('seed')}, {len(second.samples)} rows). Score both again alike."
            )


def _check_kept(score: Score) -> None:
    if score.samples.empty:
        raise ValueError(
            f"{score.model} on {score.benchmark}: expected bootstrap samples, got none. This benchmark keeps none; "
            "compare intervals."
        )


def _number(score: Score, quantity: str) -> NDArray:
    found = [column for column in score.samples if column[:2] == (quantity, ONE_NUMBER)]
    if not found:
        raise ValueError(
            f"{score.model} on {score.benchmark}: expected the number {quantity!r}, got none. "
            "Without a ceiling there is raw alone."
        )
    return score.samples[found[-1]].to_numpy(np.float64)


def _places(score: Score) -> list[tuple[str, int]]:
    """List (layer, step) with raw samples."""
    return [(layer, step) for quantity, layer, step in score.samples if quantity == "raw" and layer != ONE_NUMBER]


def _layers(score: Score) -> str:
    return ", ".join(dict.fromkeys(layer for layer, _ in _places(score)))


def _vectors(pairs) -> dict[tuple, tuple[NDArray, NDArray]]:
    return {key: (a.to_numpy(np.float64), b.to_numpy(np.float64)) for key, (a, b) in pairs.items()}

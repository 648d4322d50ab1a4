"""Steps against milliseconds: how well each step of a layer matches each time bin of a recording.

Each function gives (step, time_bin). What steps and time bins have in common is computed once: a step's Gram matrix and
decomposition serve all time bins, which are just more targets; a time bin's dissimilarities are ranked once for all
steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.bootstrap import N_RESAMPLES
from benchmarks.cka import cka_matrix
from benchmarks.gram import gram
from benchmarks.neural_predictivity import N_FOLDS, StepScore, make_design, predict, score_predictions
from benchmarks.rsa import correlation_rdm, similarities


def time_resolved_predictivity(
    products: Sequence[NDArray],
    responses: NDArray,
    repeats: NDArray | None = None,
    *,
    metric: str = "ridge",
    seed: int | Sequence[int] = 0,
    n_folds: int = N_FOLDS,
    n_resamples: int = N_RESAMPLES,
) -> pd.DataFrame:
    """Score each step of a layer on each time bin, with the same folds and resamples.

    Parameters
    ----------
    products
        For each step (presentation, presentation), from `benchmarks.streamed.each_gram`.
    responses
        (presentation, neuroid, time_bin).
    repeats
        (presentation, neuroid, time_bin, repetition), padded with NaN, or None: then there is no ceiling.
    metric
        ``"ridge"``, with a penalty for each neuroid and time bin, or ``"pls"``, with components for each time bin.
    seed, n_folds, n_resamples
        As in `benchmarks.neural_predictivity.make_design`.

    Returns
    -------
    DataFrame
        A row for each step and time bin: ``step``, ``time_bin`` (both counted from 0), and the columns of
        `benchmarks.neural_predictivity.score_predictions`.

    Raises
    ------
    ValueError
        If the responses are not three-dimensional, or as `benchmarks.neural_predictivity.predict`.
    """
    responses = _checked(responses)
    n_bins = responses.shape[2]
    designs = [
        make_design(responses[:, :, k], None if repeats is None else repeats[:, :, k], seed, n_folds, n_resamples)
        for k in range(n_bins)
    ]
    rows: list[dict] = []
    scores: list[StepScore] = []
    for step, one in enumerate(products):
        if not step or one is not products[step - 1]:
            scores = _score_bins(one, responses, designs, metric)
        rows += [{"step": step, "time_bin": k, **score.row} for k, score in enumerate(scores)]
    return pd.DataFrame(rows)


def _score_bins(products, responses, designs, metric) -> list[StepScore]:
    folds = designs[0].folds
    n, n_neuroids, n_bins = responses.shape
    if metric == "pls":  # components are shared by the neuroids of a time bin, not by time bins
        fits = [predict(products, design.responses, folds, metric) for design in designs]
        return [score_predictions(*fit, design) for fit, design in zip(fits, designs, strict=True)]
    predictions, fit = predict(products, responses.reshape(n, -1), folds, metric)
    by_bin = predictions.reshape(n, n_neuroids, n_bins)
    return [score_predictions(by_bin[:, :, k], fit, design) for k, design in enumerate(designs)]


def time_resolved_rsa(
    distances: Sequence[NDArray], responses: NDArray, metric: str = "spearman"
) -> NDArray[np.float64]:
    """Compare each step's dissimilarities with those of each time bin.

    Parameters
    ----------
    distances
        For each step (pair,), from `benchmarks.streamed.each_rdm`.
    responses
        (presentation, neuroid, time_bin); their correlation distances are compared with.
    metric
        One of `benchmarks.rsa.METRICS`.

    Returns
    -------
    ndarray
        (step, time_bin), float64; NaN where an image's pattern is constant.

    Raises
    ------
    ValueError
        If the responses are not three-dimensional, or the metric is unknown.
    """
    responses = _checked(responses)
    theirs = [correlation_rdm(responses[:, :, k]) for k in range(responses.shape[2])]
    return similarities(np.stack(list(distances)), np.stack(theirs), metric)


def time_resolved_cka(products: Sequence[NDArray], responses: NDArray, *, debiased: bool = True) -> NDArray[np.float64]:
    """Align each step of a layer with each time bin: (step, time_bin), by `benchmarks.cka.linear_cka`.

    Parameters
    ----------
    products
        For each step (presentation, presentation), from `benchmarks.streamed.each_gram`.
    responses
        (presentation, neuroid, time_bin).
    debiased
        As in `benchmarks.cka.linear_cka`.

    Raises
    ------
    ValueError
        If the responses are not three-dimensional.
    """
    responses = _checked(responses)
    theirs = [gram(responses[:, :, k]) for k in range(responses.shape[2])]
    return cka_matrix(products, theirs, debiased=debiased)


def _checked(responses) -> NDArray[np.float64]:
    responses = np.asarray(responses, dtype=np.float64)
    if responses.ndim != 3:
        raise ValueError(
            f"responses: expected (presentation, neuroid, time_bin), got shape {responses.shape}. Transpose them, or "
            "score a recording without time bins by benchmarks.neural_predictivity."
        )
    return responses

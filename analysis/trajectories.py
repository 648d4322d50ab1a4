"""Where representations go over steps: distance, curvature, dissimilarity of steps, and readouts across time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmarks.bootstrap import interval
from benchmarks.readout import fit_readout

N_RESAMPLES = 1000


def distances(features: NDArray) -> NDArray[np.float64]:
    """‖f_t − f_{t−1}‖ over the mean length of f, (step - 1, presentation), of features (step, presentation, unit).

    Over each presentation's mean length over steps, so that layers can be compared.
    """
    features = _checked(features)
    length = np.linalg.norm(features, axis=2).mean(axis=0)
    return np.linalg.norm(np.diff(features, axis=0), axis=2) / np.maximum(length, np.finfo(float).tiny)


def curvature(features: NDArray) -> NDArray[np.float64]:
    """Angle between successive displacements, degrees, (step - 2, presentation); NaN where one of them is nothing.

    0: straight on; 90: no matter where it came from; 180: back (Hénaff et al. 2019, Nat. Neurosci. 22:984).
    """
    moved = np.diff(_checked(features), axis=0)
    length = np.linalg.norm(moved, axis=2)
    product = length[1:] * length[:-1]
    cosine = (moved[1:] * moved[:-1]).sum(axis=2) / np.where(product > 0, product, np.nan)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def straightness(features: NDArray) -> NDArray[np.float64]:
    """Distance from the first step to the last over the distance travelled, (presentation,); 1: a straight line."""
    features = _checked(features)
    path = np.linalg.norm(np.diff(features, axis=0), axis=2).sum(axis=0)
    return np.linalg.norm(features[-1] - features[0], axis=1) / np.where(path > 0, path, np.nan)


def mean_step(features: NDArray) -> NDArray[np.float64]:
    """Step at which a presentation moved on average, Σ t d_t / Σ d_t, (presentation,): large for late layers."""
    moved = distances(features)
    total = moved.sum(axis=0)
    steps = np.arange(1, len(moved) + 1)
    return (steps[:, None] * moved).sum(axis=0) / np.where(total > 0, total, np.nan)


def step_dissimilarities(features: NDArray) -> NDArray[np.float64]:
    """1 − Pearson correlation of activations between steps, averaged over presentations, (step, step)."""
    features = _checked(features)
    centred = features - features.mean(axis=2, keepdims=True)
    length = np.linalg.norm(centred, axis=2, keepdims=True)
    centred = centred / np.where(length > 0, length, np.nan)
    return 1 - np.einsum("ipu,jpu->ijp", centred, centred).mean(axis=2)


def temporal_generalisation(features: NDArray, labels: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
    """Accuracy of a readout trained at step i and tested at step j, (step trained, step tested), objects held out.

    King & Dehaene (2014, Trends Cogn. Sci. 18:203). High off the diagonal: the same code, held; low: a code that moves.

    Parameters
    ----------
    features
        (step, object, unit).
    labels, folds
        (object,), as in `benchmarks.readout.fit_readout`.
    """
    features, labels, folds = np.asarray(features), np.asarray(labels), np.asarray(folds)
    readouts = [fit_readout(features[step : step + 1], labels, folds) for step in range(len(features))]
    return np.array([(one.decide(features, folds).argmax(axis=2) == labels).mean(axis=1) for one in readouts])


def layer_table(layers: Mapping[str, NDArray], seed: int = 0) -> pd.DataFrame:
    """Summarise layers: a row for each layer and measure, means over presentations with 95 % intervals.

    Parameters
    ----------
    layers
        Layer -> features (step, presentation, unit), shallow to deep.
    seed
        Of the bootstrap over presentations (the same presentations are drawn for all layers).

    Returns
    -------
    pandas.DataFrame
        layer, measure ("distance" and "curvature" by step; "total distance", "straightness", "mean step"), step (NaN
        for measures of the whole way), mean, low, high, n_used, n_total (presentations).
    """
    rows: list[tuple] = []
    for layer, features in layers.items():
        moved, bent = distances(features), curvature(features)
        measures = [("distance", step + 1, row) for step, row in enumerate(moved)]
        measures += [("curvature", step + 2, row) for step, row in enumerate(bent)]
        measures += [("total distance", np.nan, moved.sum(axis=0)), ("straightness", np.nan, straightness(features))]
        measures += [("mean step", np.nan, mean_step(features))]
        rows += [(layer, name, step, *_mean(values, seed)) for name, step, values in measures]
    return pd.DataFrame(rows, columns=["layer", "measure", "step", "mean", "low", "high", "n_used", "n_total"])


def steps_table(layers: Mapping[str, NDArray]) -> pd.DataFrame:
    """Tidy `step_dissimilarities` of layers: layer, step, other_step, dissimilarity, n_used (presentations)."""
    parts = []
    for layer, features in layers.items():
        square = step_dissimilarities(features)
        step, other = np.indices(square.shape).reshape(2, -1)
        table = pd.DataFrame({"step": step, "other_step": other, "dissimilarity": square.ravel()})
        parts.append(table.assign(layer=layer, n_used=features.shape[1]))
    return pd.concat(parts, ignore_index=True)


def _mean(values: NDArray, seed: int) -> tuple[float, float, float, int, int]:
    """Mean of the defined values, its bootstrap interval, how many they are, of how many."""
    used = values[np.isfinite(values)]
    if not len(used):
        return float("nan"), float("nan"), float("nan"), 0, len(values)
    drawn = np.random.default_rng([seed, 5]).integers(0, len(used), (N_RESAMPLES, len(used)))
    return float(used.mean()), *interval(used[drawn].mean(axis=1)), len(used), len(values)


def _checked(features) -> NDArray[np.float64]:
    features = np.asarray(features, np.float64)
    if features.ndim != 3 or len(features) < 3:
        raise ValueError(
            f"trajectories: expected features (step of 3 or more, presentation, unit), got {features.shape}. "
            "Record at least two feedback passes."
        )
    return features

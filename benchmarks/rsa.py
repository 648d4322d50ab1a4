"""Representational dissimilarity, and how alike two matrices of it are.

Dissimilarities travel as condensed vectors: the pairs (i, j), i < j, of a symmetric matrix, row by row, the
order of ``scipy.spatial.distance.squareform``.

Sources: Kriegeskorte, Mur and Bandettini (2008) Front Syst Neurosci 2:4; Diedrichsen et al. (2021) Neurons
Behav Data Anal Theory (cosine similarity of dissimilarities); Nili et al. (2014) PLoS Comput Biol 10:e1003553
(Kendall's τ-a, for models that predict ties).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.matrix import product, self_product

METRICS = ("pearson", "spearman", "kendall", "cosine")

SMALLEST_RADIX = 10_000
"""Values from which on a radix sort pays."""

SMALLEST_VARIANCE = 1e-20
"""Variance over units, relative to the mean square, below which a pattern is constant: no correlation."""


def correlation_rdm(features: NDArray) -> NDArray[np.float64]:
    """One minus the Pearson correlation of each pair of patterns, from one matrix product in float64.

    Parameters
    ----------
    features
        (presentation, unit), any float type.

    Returns
    -------
    ndarray
        (pair,), float64, between 0 and 2; NaN for the pairs of a pattern that is constant over units or not
        finite.

    Raises
    ------
    ValueError
        If there are fewer than two presentations or two units.
    """
    features = np.asarray(features)
    if features.ndim != 2 or min(features.shape) < 2:
        raise ValueError(
            f"features: expected (presentation, unit) with at least 2 of each, got shape {features.shape}. "
            "Flatten the units of a layer, and show two images or more."
        )
    patterns = unit_patterns(features)
    return distances_of_patterns(self_product(patterns))


def unit_patterns(features: NDArray) -> NDArray[np.float64]:
    """Centre each pattern over units and scale it to unit length: inner products are then correlations.

    Parameters
    ----------
    features
        (presentation, unit), any float type.

    Returns
    -------
    ndarray
        (presentation, unit), float64; NaN for a pattern that is constant or not finite.
    """
    patterns = features.astype(np.float64)
    power = np.einsum("ij,ij->i", patterns, patterns) / patterns.shape[1]
    patterns -= patterns.mean(axis=1, keepdims=True)
    squares = np.einsum("ij,ij->i", patterns, patterns)
    varies = squares / patterns.shape[1] > SMALLEST_VARIANCE * power
    with np.errstate(invalid="ignore"):
        patterns /= np.sqrt(np.where(varies, squares, np.nan))[:, None]
    return patterns


def distances_of_patterns(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one minus the correlations (presentation, presentation) of all pairs: (pair,), between 0 and 2."""
    return np.clip(1 - upper_triangle(correlations), 0, 2)


def upper_triangle(matrix: NDArray) -> NDArray:
    """Return the pairs (i, j), i < j, of one square matrix, row by row: (pair,)."""
    return np.concatenate([row[i + 1 :] for i, row in enumerate(matrix)])


def condensed(dissimilarities: NDArray) -> NDArray[np.float64]:
    """Return the pairs (i, j), i < j, of a matrix or a stack of matrices; condensed vectors pass through.

    Parameters
    ----------
    dissimilarities
        (pair,) or (..., image, image), symmetric.

    Returns
    -------
    ndarray
        (..., pair), float64.

    Raises
    ------
    ValueError
        If a matrix is not square and symmetric.
    """
    matrix = np.asarray(dissimilarities, dtype=np.float64)
    if matrix.ndim == 1:
        return matrix
    if matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"dissimilarities: expected (pair,) or square (..., image, image), got shape {matrix.shape}. "
            "Pass one vector, or matrices."
        )
    if not np.allclose(matrix, np.swapaxes(matrix, -1, -2), equal_nan=True):
        raise ValueError(
            "dissimilarities: expected symmetric matrices, got d(i, j) that differs from d(j, i). Average the halves."
        )
    first, second = np.triu_indices(matrix.shape[-1], k=1)
    return matrix[..., first, second]


def compare(first: NDArray, second: NDArray, metric: str) -> float:
    """Similarity of two condensed dissimilarity vectors.

    Parameters
    ----------
    first, second
        (pair,).
    metric
        ``"pearson"``: correlation. ``"spearman"``: correlation of midranks. ``"kendall"``: τ-a, concordant minus
        discordant pairs over all pairs, so that a tie counts as no agreement. ``"cosine"``: inner product over the
        product of norms, about zero and not about the mean.

    Returns
    -------
    float
        NaN where either holds a NaN or (for Pearson and Spearman) does not vary; τ-a is then 0.

    Raises
    ------
    ValueError
        If the metric is unknown or the vectors differ in length.
    """
    check_metric(metric)
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"expected two condensed vectors of one length, got shapes {first.shape} and {second.shape}. "
            "Compare dissimilarities of the same images."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    if metric == "kendall":
        return kendall_tau_a(first, second)
    return float(standardise(first, metric) @ standardise(second, metric))


def similarities(first: NDArray, second: NDArray, metric: str) -> NDArray[np.float64]:
    """`compare` each of some condensed vectors with each of others; each is ranked or scaled once.

    Parameters
    ----------
    first, second
        (a, pair) and (b, pair).
    metric
        As in `compare`.

    Returns
    -------
    ndarray
        (a, b), float64.
    """
    check_metric(metric)
    if metric == "kendall":
        return np.array([[compare(one, other, metric) for other in second] for one in first])
    scaled = [
        np.stack([standardise(one, metric) if np.isfinite(one).all() else np.full(len(one), np.nan) for one in vectors])
        for vectors in (first, second)
    ]
    return product(scaled[0], scaled[1].T)


def kendall_tau_a(first: NDArray, second: NDArray) -> float:
    """Kendall's τ-a of two finite vectors (pair,), in O(n log n); NaN for fewer than two pairs.

    scipy counts concordant less discordant pairs and divides by the geometric mean of the untied ones (τ-b); here
    all pairs divide it.
    """
    n_all = len(first) * (len(first) - 1) / 2
    if not n_all:
        return float("nan")
    untied = [n_all - _n_tied(values) for values in (first, second)]
    if not all(untied):
        return 0.0
    return float(kendalltau(first, second, variant="b").statistic * np.sqrt(untied[0] * untied[1]) / n_all)


def _n_tied(values) -> float:
    sizes = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float(np.sum(sizes * (sizes - 1) / 2))


def check_metric(metric: str) -> None:
    """Raise ValueError, naming the metrics there are, if `metric` is not one of them."""
    if metric not in METRICS:
        raise ValueError(f"metric: expected one of {', '.join(METRICS)}, got {metric!r}. Choose one of those.")


def standardise(dissimilarities: NDArray, metric: str) -> NDArray[np.float64]:
    """Scale a condensed vector so that the inner product of two such vectors is the metric.

    Parameters
    ----------
    dissimilarities
        (pair,), finite.
    metric
        ``"pearson"``: centred, of unit length. ``"spearman"``: centred midranks of unit length. ``"cosine"``: unit
        length.

    Returns
    -------
    ndarray
        (pair,), float64; NaN where nothing varies (Pearson, Spearman) or all is zero (cosine).

    Raises
    ------
    ValueError
        For ``"kendall"``, which is not such an inner product.
    """
    check_inner_product(metric)
    values = np.asarray(dissimilarities, dtype=np.float64)
    if metric == "spearman":
        values = midranks(values) - (len(values) + 1) / 2
    elif metric == "pearson":
        values = _centred(values)
    norm = np.sqrt(values @ values)
    return values / norm if norm > 0 else np.full(values.shape, np.nan)


def check_inner_product(metric: str) -> None:
    """Raise ValueError if `metric` is not an inner product of vectors standardised one by one."""
    if metric not in ("pearson", "spearman", "cosine"):
        raise ValueError(f"metric: expected pearson, spearman or cosine, got {metric!r}. Use compare for τ-a.")


def _centred(values):
    """Subtract the mean; what rounding leaves of constant values becomes 0."""
    return np.zeros_like(values) if (values == values[:1]).all() else values - values.mean()


def midranks(values: NDArray) -> NDArray[np.float64]:
    """Ranks from 1, ties shared, of a vector without NaN."""
    order = ascending(values)
    ordered = values[order]
    ranks = np.empty(len(values))
    if (ordered[1:] != ordered[:-1]).all():
        ranks[order] = np.arange(1, len(values) + 1)
        return ranks
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks


def ascending(values: NDArray) -> NDArray[np.int64]:
    """Find the order of a vector without NaN; long vectors by radix, which is twice as fast as comparing.

    48 bits of a value's place between smallest and largest are sorted, 16 at a time. Where values differ by less than
    these resolve, and came out of order, they are compared after all.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < SMALLEST_RADIX:
        return np.argsort(values)
    low = values.min()
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = (2.0**48 - 1) / (values.max() - low)
        if not 0 < scale < np.inf:
            return np.argsort(values)
        keys = ((values - low) * scale).astype(np.uint64)
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    for bits in (16, 32):
        digits = (keys >> np.uint64(bits)).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
    ordered = values[order]
    return order if (ordered[1:] >= ordered[:-1]).all() else np.argsort(values)

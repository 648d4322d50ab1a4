"""Products and eigenvectors of large matrices, by the BLAS that scipy brings.

That of numpy 1.26, which Brain-Score needs, does not know the newest processors: on those it computes as on one of
2004, five times as slowly. Both give the same numbers but for the order of summation.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.blas import get_blas_funcs


def product(first: NDArray, second: NDArray) -> NDArray:
    """Return ``first @ second`` of two matrices of one float type, float32 or float64, row by row in memory."""
    if not first.size or not second.size:
        return first @ second
    return _multiply(1.0, first, second)


def subtract_product(total: NDArray, first: NDArray, second: NDArray) -> None:
    """Subtract ``first @ second`` in place from a matrix that lies row by row in memory, all of one float type.

    Raises
    ------
    ValueError
        If the matrix lies otherwise or is of another type, where only a copy would be changed.
    """
    if not first.size or not second.size:
        return
    found = _multiply(-1.0, first, second, beta=1.0, c=total.T, overwrite_c=True)
    if not np.shares_memory(found, total):
        raise ValueError(
            f"total: expected {found.dtype}, row by row in memory, got {total.dtype} with strides {total.strides}. "
            "Pass np.ascontiguousarray of it."
        )


def self_product(matrix: NDArray) -> NDArray:
    """Return ``matrix @ matrix.T``, exactly symmetric, for half the work of `product`."""
    if not matrix.size:
        return matrix @ matrix.T
    multiply = get_blas_funcs("syrk", (matrix,))
    columns, turned = _columns(matrix)
    whole = multiply(1.0, columns, trans=turned).T  # on and below the diagonal
    for i in range(len(whole)):
        whole[i, i + 1 :] = whole[i + 1 :, i]
    return whole


def eigenvectors(symmetric: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ascending eigenvalues (n,) and eigenvectors (n, n), in columns, of a symmetric matrix.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return scipy.linalg.eigh(symmetric, driver="evd")


def _multiply(factor: float, first, second, **added):
    """Return ``factor * first @ second``, and what BLAS's options for its transpose add."""
    multiply = get_blas_funcs("gemm", (first, second))
    # Turned around, since BLAS reads columns: C' = B' A'.
    b, turned_b = _columns(second.T)
    a, turned_a = _columns(first.T)
    return multiply(factor, b, a, trans_a=turned_b, trans_b=turned_a, **added).T


def _columns(matrix):
    """Return a matrix or its transpose, whichever lies column by column in memory, and whether it is the transpose."""
    if matrix.flags.f_contiguous:
        return matrix, False
    return np.ascontiguousarray(matrix).T, True

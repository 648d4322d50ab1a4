"""Products against numpy's, over the ways in which a matrix can lie in memory."""

import numpy as np
import pytest

from benchmarks.matrix import eigenvectors, product, self_product, subtract_product

LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every second column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "upside down": lambda x: x[::-1],
}


@pytest.mark.parametrize("first", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-5)], ids=["float64", "float32"])
def test_products_are_numpys_however_the_matrices_lie_in_memory(first, second, dtype, tolerance):
    rng = np.random.default_rng(0)
    a = first(rng.standard_normal((30, 20)).astype(dtype))
    b = second(rng.standard_normal((20, 7)).astype(dtype))
    expected = np.einsum("ij,jk->ik", a.astype(np.float64), b.astype(np.float64))
    found = product(a, b)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=20 * tolerance)
    total = np.ones((30, 7), dtype)
    subtract_product(total, a, b)
    np.testing.assert_allclose(total, 1 - expected, atol=20 * tolerance)
    squares = self_product(a)
    assert squares.dtype == dtype
    assert (squares == squares.T).all()
    np.testing.assert_allclose(squares, np.einsum("ij,kj->ik", a, a, dtype=np.float64), atol=20 * tolerance)


@pytest.mark.parametrize(("n", "k", "m"), [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_products_of_empty_matrices_are_numpys(n, k, m):
    a, b = np.ones((n, k)), np.ones((k, m))
    np.testing.assert_array_equal(product(a, b), a @ b)
    np.testing.assert_array_equal(self_product(a), a @ a.T)
    total = np.ones((n, m))
    subtract_product(total, a, b)
    np.testing.assert_array_equal(total, np.ones((n, m)))


@pytest.mark.parametrize("total", [np.ones((3, 4), order="F"), np.ones((3, 4), np.float32)], ids=["columns", "float32"])
def test_a_total_of_which_only_a_copy_would_change_is_refused(total):
    with pytest.raises(ValueError, match="row by row in memory"):
        subtract_product(total, np.ones((3, 2)), np.ones((2, 4)))


def test_eigenvectors_rebuild_the_matrix():
    a = np.random.default_rng(0).standard_normal((40, 25))
    values, vectors = eigenvectors(a @ a.T)
    assert (np.diff(values) >= 0).all()
    np.testing.assert_allclose(vectors * values @ vectors.T, a @ a.T, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(40), atol=1e-13)


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="infs or NaNs"):
        eigenvectors(np.full((3, 3), np.nan))

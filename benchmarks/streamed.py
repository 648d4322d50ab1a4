"""Gram matrices and dissimilarities of a model's layers at every step, within a budget of memory, and exact.

Stimuli are shown in chunks, and every layer at every step is read from one pass. As many chunks' activations are kept
as the budget has room for, and each later chunk is multiplied with those; what did not fit begins another pass over the
stimuli from there. So memory is bounded for any number of units, and costs passes, never accuracy: no unit is left out
and nothing is projected. Where all activations fit there is one pass.

A layer below the level that is reconstructed stays the same over steps: a step whose activations equal those of the
step before is neither kept nor multiplied again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gram import centred, inner_products
from benchmarks.inputs import MEMORY_BUDGET, EachLayer
from benchmarks.rsa import distances_of_patterns, unit_patterns

CHUNK = 128
"""Presentations shown at once."""

Chunk = dict[str, list[NDArray]]
"""Layer to activations (presentation, unit) at each step; unchanged steps are one object."""


def each_gram(
    model: Any,
    stimuli: Any,
    layers: Sequence[str],
    n_steps: int,
    each_layer: EachLayer,
    memory: int = MEMORY_BUDGET,
) -> Iterator[tuple[str, list[NDArray[np.float64]]]]:
    """Yield each layer and its centred Gram matrix at every step, as `benchmarks.gram.gram` of all presentations.

    Parameters
    ----------
    model, stimuli, layers, n_steps, each_layer
        ``each_layer(model, stimuli, layers, n_steps)`` as in `neurocnnf.record`.
    memory
        Bytes for activations and matrices together.

    Yields
    ------
    layer
        Name, in order.
    products
        ``n_steps + 1`` matrices (presentation, presentation), float64; where a step equals the one before, it is
        the same object.

    Raises
    ------
    ValueError
        If the budget does not hold the matrices of one layer twice over.
    """

    def centre(first: NDArray) -> Callable[[NDArray], NDArray]:
        # near their mean float32 products lose nothing; what remains of it is removed from the products
        shift = first.mean(axis=0, dtype=np.float64).astype(first.dtype)
        return lambda activations: activations - shift

    for layer, products in _each_product(model, stimuli, layers, n_steps, each_layer, memory, centre):
        yield layer, _each_distinct(products, centred)


def each_rdm(
    model: Any,
    stimuli: Any,
    layers: Sequence[str],
    n_steps: int,
    each_layer: EachLayer,
    memory: int = MEMORY_BUDGET,
) -> Iterator[tuple[str, list[NDArray[np.float64]]]]:
    """Yield each layer and its correlation distances (pair,) at every step, as `benchmarks.rsa.correlation_rdm`.

    Parameters and errors are those of `each_gram`.
    """
    patterns = _each_product(model, stimuli, layers, n_steps, each_layer, memory, lambda _: unit_patterns)
    for layer, products in patterns:
        yield layer, _each_distinct(products, distances_of_patterns)


def _each_distinct(products, function):
    """Apply a function to each step's matrix, once where steps share it."""
    out: list[NDArray[np.float64]] = []
    for step, one in enumerate(products):
        same = step > 0 and one is products[step - 1]
        out.append(out[-1] if same else function(one))
    return out


def _each_product(model, stimuli, layers, n_steps, each_layer, memory, make_form):
    n = len(stimuli)
    matrices = 8 * n * n * (n_steps + 1)
    per_pass = memory // (2 * matrices)
    if per_pass < 1:
        raise ValueError(
            f"memory: expected at least {2 * matrices / 1e9:.3g} GB, twice the Gram matrices of {n} presentations at "
            f"{n_steps + 1} steps, got {memory / 1e9:.3g} GB. Raise it, or score fewer steps or presentations."
        )
    for start in range(0, len(layers), per_pass):
        group = list(layers[start : start + per_pass])
        room = memory - len(group) * matrices
        forms: dict[str, Callable[[NDArray], NDArray]] = {}

        def show(rows, group=group, forms=forms) -> Chunk:
            recorded = each_layer(model, stimuli.subset(rows), group, n_steps)
            return {layer: _formed(recorded.pop(layer), layer, forms, make_form) for layer in group}

        products = {layer: np.empty((n_steps + 1, n, n)) for layer in group}
        changed = {layer: np.arange(n_steps + 1) == 0 for layer in group}
        _fill(products, changed, show, n, room)
        for layer in group:
            filled = products.pop(layer)
            # the last step that changed, for every step
            yield layer, _shared(list(filled), changed[layer])


def _shared(matrices, changed):
    for step in range(1, len(matrices)):
        if not changed[step]:
            matrices[step] = matrices[step - 1]
    return matrices


def _formed(activations: NDArray, layer: str, forms, make_form) -> list[NDArray]:
    """Bring a chunk (step, presentation, unit) to the form that is multiplied; unchanged steps become one object."""
    if layer not in forms:
        forms[layer] = make_form(activations[0])
    steps: list[NDArray] = []
    for step, values in enumerate(activations):
        same = step > 0 and np.array_equal(values, activations[step - 1])
        steps.append(steps[-1] if same else forms[layer](values))
    return steps


def _fill(products, changed, show: Callable[[slice], Chunk], n: int, room: int) -> None:
    """Multiply all pairs of chunks, in as many passes as the room for activations asks for."""
    start = 0
    while start < n:
        held: list[tuple[slice, Chunk]] = []
        left, end = room, start
        for first in range(start, n, CHUNK):
            rows = slice(first, min(first + CHUNK, n))
            chunk = show(rows)
            # the next chunk must fit too, as it is multiplied with those held
            left -= _n_bytes(chunk) if first == end else 0
            if first == end and (not held or left >= _n_bytes(chunk)):
                held.append((rows, chunk))
                end = rows.stop
            for other_rows, other in held:
                _multiply(products, changed, rows, chunk, other_rows, other)
        start = end


def _n_bytes(chunk: Chunk) -> int:
    return sum({id(values): values.nbytes for steps in chunk.values() for values in steps}.values())


def _multiply(products, changed, rows, chunk, other_rows, other) -> None:
    for layer, steps in chunk.items():
        others, filled = other[layer], products[layer]
        for step, values in enumerate(steps):
            if step and values is steps[step - 1] and others[step] is others[step - 1]:
                block = filled[step - 1, rows, other_rows]
            else:
                changed[layer][step] = True
                block = inner_products(values, others[step])
            filled[step, rows, other_rows] = block
            filled[step, other_rows, rows] = block.T

"""Which steps a time bin sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurocnnf.clock import StepClock

POLICIES = ("nearest", "hold", "error")


def as_bins(time_bins: Sequence) -> list[tuple[float, float]]:
    """Return (start, end) in ms; Brain-Score's bins may be 0-dimensional arrays that hold a tuple."""
    return [tuple(one.tolist() if isinstance(one, np.ndarray) else one) for one in time_bins]


def step_weights(
    time_bins: Sequence[tuple[float, float]], clock: StepClock, n_steps: int, outside: str
) -> NDArray[np.float32]:
    """Return how much of each time bin each step fills, as (time_bin, step) whose rows sum to 1.

    Parameters
    ----------
    time_bins
        (start, end) in ms after stimulus onset.
    clock, n_steps
        Steps 0 … n_steps last from ``clock.time_bins``.
    outside
        "nearest": time without a step is ignored; a bin wholly outside sees the first or last step. "hold": the last
        step lasts for ever; a bin that begins before the first one is refused. "error": every bin must lie within the
        steps.

    Raises
    ------
    ValueError
        If a bin ends before it begins, or is refused.
    """
    steps = clock.time_bins(n_steps)
    first, last = steps[0, 0], steps[-1, 1]
    bins = np.asarray(time_bins, dtype=np.float64).reshape(-1, 2)
    for start, end in bins:
        if not end > start:
            raise ValueError(f"time_bins: expected start < end, got ({start:g}, {end:g}). Times are in ms.")
        refused = start < first if outside != "nearest" else False
        refused |= end > last and outside == "error"
        if refused:
            raise ValueError(
                f"time_bins: expected bins within {first:g} to {last:g} ms, got ({start:g}, {end:g}), and outside="
                f"{outside!r}. Pass another clock, more steps, or outside='nearest'."
            )
    if outside == "hold":
        steps[-1, 1] = max(last, bins[:, 1].max())
    overlap = np.minimum(bins[:, None, 1], steps[None, :, 1]) - np.maximum(bins[:, None, 0], steps[None, :, 0])
    overlap = overlap.clip(min=0)
    none = overlap.sum(axis=1) == 0
    overlap[none & (bins[:, 0] < first), 0] = 1
    overlap[none & (bins[:, 0] >= first), -1] = 1
    return np.float32(overlap / overlap.sum(axis=1, keepdims=True))

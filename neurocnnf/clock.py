"""Steps to milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StepClock:
    """When each step happens in the brain. An assumption, and so never implicit: whoever needs times passes a clock.

    Parameters
    ----------
    onset_ms
        Time after stimulus onset at which step 0 begins.
    ms_per_step
        Duration of one step.

    Raises
    ------
    ValueError
        If a step does not last longer than nothing, or begins before the stimulus.
    """

    onset_ms: float
    ms_per_step: float

    def __post_init__(self):
        if not (self.ms_per_step > 0 and self.onset_ms >= 0):
            raise ValueError(
                f"StepClock: expected onset_ms >= 0 and ms_per_step > 0, got {self.onset_ms} and {self.ms_per_step}. "
                "Times are in milliseconds after stimulus onset."
            )

    def time_bins(self, n_steps: int) -> NDArray[np.float64]:
        """Return (time_bin_start, time_bin_end) in ms of steps 0 … n_steps, as an array (step, 2)."""
        start = self.onset_ms + self.ms_per_step * np.arange(n_steps + 1, dtype=np.float64)
        return np.stack([start, start + self.ms_per_step], axis=1)

    def step_at(self, time_ms: float) -> int:
        """Return the step that is under way at a time, or raise ValueError before the first."""
        if time_ms < self.onset_ms:
            raise ValueError(
                f"time: expected at least onset_ms = {self.onset_ms} ms, got {time_ms} ms. No step has begun by then."
            )
        step = int((time_ms - self.onset_ms) // self.ms_per_step)
        # Rounding may be off by one at a bin's edge; `time_bins` decides.
        starts = self.time_bins(step + 1)[:, 0]
        return int((starts <= time_ms).sum()) - 1

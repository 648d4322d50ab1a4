"""A Brain-Score model in our benchmarks: its regions are layers, its time bins steps."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from brainscore_vision.model_interface import BrainModel
from numpy.typing import NDArray

from benchmarks.brainscore.adapter import REGIONS, BrainModelAdapter
from benchmarks.brainscore.image_files import written

STATIC = ((70, 170),)
"""The time bin of Majaj et al. (2015), which Brain-Score asks models without time for."""


class Foreign:
    """What our benchmarks ask of a model, answered by a ``BrainModel``; made by `foreign`."""

    def __init__(self, model: BrainModel, regions: tuple[str, ...], time_bins: tuple[tuple[int, int], ...]):
        self.model, self.layer_names, self.time_bins = model, regions, time_bins
        self.name, self.recurrent = model.identifier, len(time_bins) > 1

    def each_layer(self, stimuli, layers: Sequence[str], n_steps: int) -> dict[str, NDArray[np.float32]]:
        """Return region -> float32 (step, presentation, unit); stimuli are written to a folder that is removed.

        They fill the model's field of view.

        Raises
        ------
        ValueError
            If there are fewer time bins than steps.
        """
        if n_steps >= len(self.time_bins):
            raise ValueError(
                f"n_steps: expected at most {len(self.time_bins) - 1} for {self.name!r}, whose steps are "
                f"{len(self.time_bins)} time bins, got {n_steps}. Pass n_steps={len(self.time_bins) - 1}, or more bins."
            )
        bins = list(self.time_bins[: n_steps + 1])
        with tempfile.TemporaryDirectory() as folder:
            shown = written(stimuli, Path(folder))
            return {region: self._look(region, bins, shown) for region in layers}

    def _look(self, region: str, bins: list[tuple[int, int]], shown) -> NDArray[np.float32]:
        self.model.start_recording(region, time_bins=bins)
        recorded: Any = self.model.look_at(shown)
        if "time_bin" not in recorded.dims:
            recorded = recorded.expand_dims("time_bin")
        values = recorded.transpose("time_bin", "presentation", "neuroid")
        order = {name: row for row, name in enumerate(values["stimulus_id"].values)}
        return np.float32(values.values[:, [order[name] for name in shown["stimulus_id"]]])


def foreign(model: BrainModel, regions: Sequence[str] = REGIONS, time_bins: Sequence[tuple[int, int]] = STATIC):
    """Make a Brain-Score model ready for our benchmarks.

    Parameters
    ----------
    model
        Any ``BrainModel``; one of ours gives back the model inside.
    regions
        Recording targets that are scored as layers.
    time_bins
        (start, end) in ms, one for each step; one bin makes a model without steps.
    """
    if isinstance(model, BrainModelAdapter) and time_bins == STATIC and model.shows_every_step:
        return model.model
    model.start_task(BrainModel.Task.passive, None)
    return Foreign(model, tuple(regions), tuple((int(start), int(end)) for start, end in time_bins))

"""A torch module with a loop, as a model that benchmarks can score: what the user says about it, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurocnnf.record import CHUNK, prepare

Unroll = Callable[[Tensor, int], Sequence[Mapping[str, Tensor]]]


class OwnModel:
    """A module, and a function that says what its layers do at each step.

    Parameters
    ----------
    module
        Its weights tell it from others; it is set to evaluation mode.
    unroll
        ``unroll(images, n_steps)`` takes images (image, channel, y, x) in [-1, 1] and returns ``n_steps + 1`` mappings
        of layer to activations (image, …).
    name
        As it stands in scores.
    image_size, channels
        What its images are resized and converted to, as in `neurocnnf.record.prepare`.
    recurrent
        Whether it has steps beyond the first.

    Raises
    ------
    ValueError
        If `unroll` gives another number of steps than was asked for, or layers that differ between steps.
    """

    def __init__(
        self,
        module: nn.Module,
        unroll: Unroll,
        *,
        name: str,
        image_size: int,
        channels: int = 3,
        recurrent: bool = True,
    ):
        self.module, self._unroll, self.name = module.eval(), unroll, name
        self.image_size, self.channels, self.recurrent = image_size, channels, recurrent
        self.parameters, self.state_dict = module.parameters, module.state_dict
        blank = torch.zeros(1, channels, image_size, image_size).to(next(module.parameters()))
        steps = self._steps(blank, 1 if recurrent else 0)
        self.layer_names = tuple(steps[0])

    def each_layer(self, stimuli, layers: Sequence[str], n_steps: int) -> dict[str, NDArray[np.float32]]:
        """Return layer -> float32 (step, presentation, unit), `neurocnnf.record.CHUNK` images at a time."""
        chunks: dict[str, list[NDArray[np.float32]]] = {layer: [] for layer in layers}
        for start in range(0, len(stimuli), CHUNK):
            steps = self._steps(prepare(stimuli.images[start : start + CHUNK], self), n_steps)
            for layer in layers:
                chunks[layer].append(np.stack([step[layer].flatten(1).float().cpu().numpy() for step in steps]))
        return {layer: np.concatenate(parts, axis=1) for layer, parts in chunks.items()}

    def _steps(self, images: Tensor, n_steps: int) -> Sequence[Mapping[str, Tensor]]:
        with torch.no_grad():
            steps = self._unroll(images, n_steps)
        if len(steps) != n_steps + 1 or any(tuple(step) != tuple(steps[0]) for step in steps):
            got = "; ".join(", ".join(step) for step in steps)
            raise ValueError(
                f"unroll of {self.name!r}: expected {n_steps + 1} steps with the same layers, got {len(steps)}: {got}. "
                "Return one mapping for each of steps 0 … n_steps."
            )
        return steps

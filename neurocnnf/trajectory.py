"""What a model went through while it looked at images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neurocnnf.validation import check_layers, check_step

if TYPE_CHECKING:
    from neurocnnf.unrolled import UnrolledModel


class Trajectory:
    """The logits of every step; activations and reconstructions when asked for.

    Keeping every layer at every step would take 50 times the memory of the answers, and most users read one or two. A
    model call is pure, so what was not kept is computed again from the images when it is read. To take many layers out
    of many images use `neurocnnf.record`.

    Attributes
    ----------
    logits : Tensor
        (step = n_steps + 1, image, class).
    images : Tensor
        The images looked at, (image, channel, y, x).
    """

    def __init__(self, model: UnrolledModel, images: Tensor, logits: Tensor, *, compiled: bool, chunk: int):
        self.logits, self.images = logits, images
        self._model, self._compiled, self._chunk = model, compiled, chunk
        self._weights_version = self._read_weights_version()

    @property
    def n_steps(self) -> int:
        """Number of feedback passes."""
        return len(self.logits) - 1

    @property
    def reconstructions(self) -> Tensor:
        """Reconstructions at `feedback_to` (n_steps, image, channel, y, x); element k is made in step k + 1."""
        if not self._model.predicted_layers:
            raise ValueError(
                f"reconstructions: expected a model with feedback, got {self._model.name}, which has none. Use a cnnf."
            )
        if not self.n_steps:
            raise ValueError("reconstructions: expected n_steps >= 1, got 0. Unroll with feedback first.")
        return self._collect(self.n_steps, lambda out: out.reconstruction, ())

    @property
    def pixel_reconstructions(self) -> Tensor:
        """The reconstructions carried on down to the pixels (n_steps, image, channel, y, x); see `CNNF.project`."""
        reconstructions = self.reconstructions
        with torch.set_grad_enabled(self.logits.requires_grad):
            return torch.stack([self._model.project(r, self.images) for r in reconstructions])

    def activation(self, layer: str, step: int) -> Tensor:
        """Return a layer's activation (image, ...) at a step.

        Raises
        ------
        ValueError
            If the model has no such layer, or the step was not taken.
        RuntimeError
            If the weights have changed since the images were looked at.
        """
        (layer,) = check_layers(layer, self._model)
        check_step(step, self.n_steps)
        return self._collect(step, lambda out: out.activations[layer] if out.step == step else None, (layer,))[0]

    def _collect(self, n_steps: int, take, layers: tuple[str, ...]) -> Tensor:
        if self._read_weights_version() != self._weights_version:
            raise RuntimeError(
                "Trajectory: expected the weights that the images were looked at with, got changed ones. Unroll again."
            )
        chunks = (self.images,) if self.logits.requires_grad else self.images.split(self._chunk)
        with torch.set_grad_enabled(self.logits.requires_grad):
            pieces = []
            for images in chunks:
                outs = self._model.steps(images, n_steps, layers=layers, compiled=self._compiled)
                pieces.append(torch.stack([v for v in map(take, outs) if v is not None]))
            return torch.cat(pieces, dim=1)

    def _read_weights_version(self) -> tuple[tuple[int, int], ...]:
        return tuple((p.data_ptr(), p._version) for p in self._model.parameters())

"""CNN-F: a CNN that reconstructs its input from its own answer and looks again, step by step.

Source: Huang, Gornet, Dai, Yu, Nguyen, Tsao & Anandkumar (2020), *Neural Networks with Recurrent Generative Feedback*,
NeurIPS, arXiv 2007.09200. Where paper and the authors' implementation differ, the implementation is followed.

With ``f`` the activation at the level that is reconstructed (``feedback_to``) and ``r_t`` the reconstruction there,

    f_0 = feedforward sweep,    f_t = f_{t-1} + ρ (r_t - f_{t-1}),    logits_t = levels above(f_t).

A call is a pure function of (weights, images, n_steps): nothing is remembered in the modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from neurocnnf.trajectory import Trajectory
from neurocnnf.validation import check_chunk, check_feedback, check_images, check_layers, check_n_steps


class StepOutput(NamedTuple):
    """What one step gives."""

    step: int
    logits: Tensor  # (image, class)
    reconstruction: Tensor | None  # at feedback_to; None at step 0
    activations: dict[str, Tensor]  # of the layers asked for, (image, ...)


class CNNF(nn.Module):
    """A stack of levels that is walked forward and back.

    Parameters
    ----------
    levels
        Name -> level (see `neurocnnf.levels`), from the image up; the last gives the logits.
    feedback_levels
        For each possible ``feedback_to``, the index of the first level above what is reconstructed.
    feedback_to
        Level that is reconstructed: 0 pixels, otherwise an intermediate one.
    feedback_rate
        ρ in [0, 1], of both the feature update and AdaReLU's residual update.
    image_size, channels
        Of the images, in pixels.
    recurrent
        False for a feedforward control: the same stack, only ever swept once.
    name
        Architecture's name, for messages and provenance.
    """

    def __init__(
        self,
        levels: Mapping[str, nn.Module],
        *,
        feedback_levels: tuple[int, ...],
        feedback_to: int,
        feedback_rate: float,
        image_size: int,
        channels: int,
        recurrent: bool,
        name: str,
    ):
        super().__init__()
        check_feedback(feedback_to, feedback_rate, len(feedback_levels), name)
        self.levels = nn.ModuleDict(levels)
        self.feedback_to, self.feedback_rate = int(feedback_to), float(feedback_rate)
        self.image_size, self.channels = image_size, channels
        self.recurrent, self.name = recurrent, name
        self.layer_names: tuple[str, ...] = tuple(levels)
        self.card: dict = {}
        self._first = feedback_levels[feedback_to]
        self._compiled: dict[str, object] = {}

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self._stack[-1].bias.shape[0]

    @property
    def reconstructed_layer(self) -> str | None:
        """Name of the layer that is reconstructed, or None for the pixels."""
        return self.layer_names[self._first - 1] if self._first else None

    @property
    def feedback_layers(self) -> tuple[str, ...]:
        """Names of the layers that feedback reaches; the others do the same at every step."""
        return self.layer_names[max(self._first - 1, 0) :]

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, and of the images that they take."""
        return next(self.parameters()).dtype

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (image, class) of the feedforward sweep, step 0."""
        return self.unroll(images, 0).logits[0]

    def unroll(self, images: Tensor, n_steps: int, *, compiled: bool = False, chunk: int = 32) -> Trajectory:
        """Look at images for `n_steps` feedback passes.

        Parameters
        ----------
        images
            (image, channel, y, x), in [-1, 1], of the weights' dtype and device.
        n_steps
            Number of feedback passes, the paper's k; 0 is the plain CNN.
        compiled
            Use ``torch.compile``: pays off beyond some thousands of images, after half a minute of compiling.
        chunk
            Images unrolled at a time where no gradient is asked for; bounds memory, does not change results.

        Returns
        -------
        Trajectory
            The logits of every step, and any layer's activation or reconstruction on demand.

        Raises
        ------
        ValueError, TypeError
            For images of a wrong shape, type or range, a number of steps that the model cannot take, or a `chunk` < 1.
        """
        check_images(images, self)
        check_n_steps(n_steps, self)
        chunk = check_chunk(chunk)
        pieces = [
            torch.stack([out.logits for out in self.steps(piece, n_steps, compiled=compiled)])
            for piece in self._chunks(images, chunk)
        ]
        return Trajectory(self, images, torch.cat(pieces, dim=1), compiled=compiled, chunk=chunk)

    def predict(self, images: Tensor, n_steps: int, readout: str = "average", **unroll_options) -> Tensor:
        """Return the answer (image,) after `n_steps`.

        Parameters
        ----------
        images, n_steps, **unroll_options
            As in `unroll`.
        readout
            "average" over the logits of all steps (the paper's better setting) or "last" step's.
        """
        if readout not in ("average", "last"):
            raise ValueError(f"readout: expected 'average' or 'last', got {readout!r}. Choose one of the two.")
        logits = self.unroll(images, n_steps, **unroll_options).logits
        return (logits.mean(0) if readout == "average" else logits[-1]).argmax(-1)

    def steps(
        self, images: Tensor, n_steps: int, *, layers: tuple[str, ...] = (), compiled: bool = False
    ) -> Iterator[StepOutput]:
        """Yield steps 0 … n_steps one by one, keeping none: the form for streaming over many images.

        Parameters
        ----------
        images, n_steps, compiled
            As in `unroll`; not checked, not divided into chunks.
        layers
            Names of the layers whose activations each step carries. That of `reconstructed_layer` is f_t; layers below
            keep what they did in the feedforward sweep.
        """
        sweep = self._function("_sweep", compiled)
        again = self._function("_again", compiled)
        feature, activations, memory = sweep(images.contiguous(memory_format=torch.channels_last))
        yield StepOutput(0, activations[-1], None, self._select(activations, layers))
        for step in range(1, n_steps + 1):
            reconstruction, feature, above, memory = again(activations[-1], feature, memory)
            below = (*activations[: self._first - 1], feature) if self._first else ()
            activations = below + above
            yield StepOutput(step, activations[-1], reconstruction, self._select(activations, layers))

    def project(self, reconstruction: Tensor, images: Tensor) -> Tensor:
        """Carry a reconstruction at `feedback_to` on down to the pixels, to look at it.

        The levels below take no part in the recurrence; their gates are those of the feedforward sweep.

        Parameters
        ----------
        reconstruction
            (image, ...) as in `Trajectory.reconstructions`, of one step.
        images
            The images that were looked at.

        Returns
        -------
        Tensor
            (image, channel, y, x).
        """
        x, memories = images, []
        for level in self._stack[: self._first]:
            x, memory = level.sweep(x)
            memories.append((level, memory))
        for level, memory in reversed(memories):
            reconstruction, _ = level.feedback(reconstruction, memory)
        return reconstruction

    def load_reference_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load weights under the authors' parameter names; see `neurocnnf.reference`."""
        from neurocnnf.reference import load_reference_state_dict

        load_reference_state_dict(self, state)

    def check_layers(self, layers) -> tuple[str, ...]:
        """Return `layers` as a tuple, or raise ValueError for none, a repeated one or an unknown one."""
        return check_layers(layers, self)

    @property
    def _stack(self) -> list[Any]:
        return list(self.levels.values())

    def _sweep(self, images: Tensor):
        """Step 0: feature at feedback_to, every level's output, and the memory of the levels above."""
        x, feature, activations, memory = images, images, [], []
        for i, level in enumerate(self._stack):
            if i == self._first:
                feature = x
            x, kept = level.sweep(x)
            activations.append(x)
            if i >= self._first:
                memory.append(kept)
        return feature, tuple(activations), tuple(memory)

    def _again(self, logits: Tensor, feature: Tensor, memory: tuple):
        """One later step: feedback from the logits to feedback_to, feature update, forward again."""
        levels = self._stack[self._first :]
        g, kept = logits, []
        for level, remembered in zip(reversed(levels), reversed(memory), strict=True):
            g, signal = level.feedback(g, remembered)
            kept.append(signal)
        feature = torch.lerp(feature, g, self.feedback_rate)
        x, activations, updated = feature, [], []
        for level, remembered, signal in zip(levels, memory, reversed(kept), strict=True):
            x, remembered = level.step(x, remembered, signal, self.feedback_rate)
            activations.append(x)
            updated.append(remembered)
        return g, feature, tuple(activations), tuple(updated)

    def _select(self, activations: tuple[Tensor, ...], layers: tuple[str, ...]) -> dict[str, Tensor]:
        return {name: activations[self.layer_names.index(name)] for name in layers}

    def _chunks(self, images: Tensor, chunk: int) -> tuple[Tensor, ...]:
        # With a graph to keep, chunks would save nothing.
        return (images,) if torch.is_grad_enabled() else images.split(chunk)

    def _function(self, name: str, compiled: bool):
        if not compiled:
            return getattr(self, name)
        if name not in self._compiled:
            self._compiled[name] = torch.compile(getattr(self, name), dynamic=False, fullgraph=True)
        return self._compiled[name]

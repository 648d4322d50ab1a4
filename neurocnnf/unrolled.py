"""What every model that is unrolled over steps has in common, whatever its recurrence."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from neurocnnf.trajectory import Trajectory
from neurocnnf.validation import check_chunk, check_each_step, check_images, check_layers, check_n_steps, check_readout

PIXELS = "pixels"  # the name under which a prediction of the image itself goes


class StepOutput(NamedTuple):
    """What one step gives."""

    step: int
    logits: Tensor  # (image, class)
    reconstruction: Tensor | None  # at feedback_to; None at step 0, and of a model without feedback
    activations: dict[str, Tensor]  # of the layers asked for, (image, ...)
    predictions: dict[str, Tensor] = {}  # noqa: RUF012 - of `predicted_layers`, where asked for; none at step 0


_logits = operator.attrgetter("logits")  # mapped, it lets go of a step before the next one is computed


def read_out(logits: Sequence[Tensor] | Tensor, readout: str) -> Tensor:
    """Return the logits (image, class) that answer after the steps of `logits`: the "last" or their "average"."""
    return logits[-1] if readout == "last" else torch.stack(tuple(logits)).mean(0)


class UnrolledModel(nn.Module):
    """A stack of levels and a rule by which the answer at one step leads to the next.

    A call is a pure function of (weights, images, n_steps): nothing is remembered in the modules. Subclasses say what
    a step is (`steps`); the parameters outside ``levels`` are those that the recurrence adds to the trunk.

    Parameters
    ----------
    levels
        Name -> level (see `neurocnnf.levels`), from the image up; the last gives the logits.
    image_size, channels
        Of the images, in pixels.
    recurrent
        False for a feedforward control: the same stack, only ever swept once.
    name
        Architecture's name, for messages and provenance.
    """

    feedback_to: int | None = None
    feedback_rate: float | None = None

    def __init__(self, levels: Mapping[str, nn.Module], *, image_size: int, channels: int, recurrent: bool, name: str):
        super().__init__()
        self.levels = nn.ModuleDict(levels)
        self.image_size, self.channels = image_size, channels
        self.recurrent, self.name = recurrent, name
        self.layer_names: tuple[str, ...] = tuple(levels)
        self.card: dict = {}
        self._compiled: dict[str, object] = {}

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self._stack[-1].bias.shape[0]

    @property
    def reconstructed_layer(self) -> str | None:
        """Name of the layer that is reconstructed; None for the pixels, or where nothing is."""
        return None

    @property
    def feedback_layers(self) -> tuple[str, ...]:
        """Names of the layers that change over steps; the others do the same at every step."""
        return self.layer_names

    @property
    def predicted_layers(self) -> tuple[str, ...]:
        """Names of the layers (or "pixels") whose activation the model's feedback predicts."""
        return ()

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, and of the images that they take."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are, and the images that they take."""
        return next(self.parameters()).device

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
            torch.stack(list(map(_logits, self.steps(piece, n_steps, compiled=compiled))))
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
        check_readout(readout)
        return read_out(self.unroll(images, n_steps, **unroll_options).logits, readout).argmax(-1)

    @abstractmethod
    def steps(
        self,
        images: Tensor,
        n_steps: int,
        *,
        layers: tuple[str, ...] = (),
        predictions: bool = False,
        compiled: bool = False,
    ) -> Iterator[StepOutput]:
        """Yield steps 0 … n_steps one by one, keeping none: the form for streaming over many images.

        Parameters
        ----------
        images, n_steps, compiled
            As in `unroll`; not checked, not divided into chunks. Or (step, image, channel, y, x), what is seen anew at
            each step (`neurocnnf.glimpses`): the state is carried on, and a feedforward control sees each alone.
        layers
            Names of the layers whose activations each step carries.
        predictions
            Whether each later step carries what feedback predicts of the `predicted_layers`.

        Raises
        ------
        ValueError
            If images are given for each step, but not for n_steps + 1.
        """

    def project(self, reconstruction: Tensor, images: Tensor) -> Tensor:
        """Carry a reconstruction on down to the pixels of `images`; it is of the pixels already, unless overridden."""
        return reconstruction

    def check_layers(self, layers) -> tuple[str, ...]:
        """Return `layers` as a tuple, or raise ValueError for none, a repeated one or an unknown one."""
        return check_layers(layers, self)

    @property
    def _stack(self) -> list[Any]:
        return list(self.levels.values())

    def _select(self, activations: tuple[Tensor, ...], layers: tuple[str, ...]) -> dict[str, Tensor]:
        return {name: activations[self.layer_names.index(name)] for name in layers}

    def _views(self, images: Tensor, n_steps: int) -> Sequence[Tensor]:
        """Return what is seen at steps 0 … n_steps, with the channels last: the same images, or each step's own."""
        if images.ndim == 4:
            return (images.contiguous(memory_format=torch.channels_last),) * (n_steps + 1)
        check_each_step(images, n_steps)
        return [view.contiguous(memory_format=torch.channels_last) for view in images]

    def _chunks(self, images: Tensor, chunk: int) -> tuple[Tensor, ...]:
        # With a graph to keep, chunks would save nothing.
        return (images,) if torch.is_grad_enabled() else images.split(chunk)

    def _function(self, name: str, compiled: bool):
        if not compiled:
            return getattr(self, name)
        if name not in self._compiled:
            self._compiled[name] = torch.compile(getattr(self, name), dynamic=False, fullgraph=True)
        return self._compiled[name]

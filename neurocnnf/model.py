"""CNN-F: a CNN that reconstructs its input from its own answer and looks again, step by step.

Source: Huang, Gornet, Dai, Yu, Nguyen, Tsao & Anandkumar (2020), *Neural Networks with Recurrent Generative Feedback*,
NeurIPS, arXiv 2007.09200. Where paper and the authors' implementation differ, the implementation is followed.

With ``f`` the activation at the level that is reconstructed (``feedback_to``) and ``r_t`` the reconstruction there,

    f_0 = feedforward sweep,    f_t = f_{t-1} + ρ (r_t - f_{t-1}),    logits_t = levels above(f_t).

Where every step has images of its own, f moves by what their feature moves by, e the sweep up to `feedback_to`:

    f_t = f'_t + ρ (r_t - f'_t),    f'_t = f_{t-1} + e_t - e_{t-1}.

What feedback has added, gates and signals are carried from image to image; with one image it is the same equation.

A call is a pure function of (weights, images, n_steps): nothing is remembered in the modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from neurocnnf.unrolled import PIXELS, StepOutput, UnrolledModel
from neurocnnf.validation import check_feedback


class CNNF(UnrolledModel):
    """A stack of levels that is walked forward and back.

    Parameters
    ----------
    levels, image_size, channels, recurrent, name
        As in `UnrolledModel`.
    feedback_levels
        For each possible ``feedback_to``, the index of the first level above what is reconstructed.
    feedback_to
        Level that is reconstructed: 0 pixels, otherwise an intermediate one.
    feedback_rate
        ρ in [0, 1], of both the feature update and AdaReLU's residual update.
    blocks
        Names of the layers that end a block of convolutions; the paper's training loss compares the feedback there.
    """

    def __init__(
        self,
        levels: Mapping[str, nn.Module],
        *,
        feedback_levels: tuple[int, ...],
        feedback_to: int,
        feedback_rate: float,
        blocks: tuple[str, ...] = (),
        **shape,
    ):
        check_feedback(feedback_to, feedback_rate, len(feedback_levels), shape["name"])
        super().__init__(levels, **shape)
        self.feedback_to: int = int(feedback_to)
        self.feedback_rate: float = float(feedback_rate)
        self._first = feedback_levels[feedback_to]
        self._blocks = tuple(b for b in blocks if self.layer_names.index(b) >= self._first)

    @property
    def reconstructed_layer(self) -> str | None:
        """Name of the layer that is reconstructed, or None for the pixels."""
        return self.layer_names[self._first - 1] if self._first else None

    @property
    def feedback_layers(self) -> tuple[str, ...]:
        """Names of the layers that feedback reaches; the others do the same at every step."""
        return self.layer_names[max(self._first - 1, 0) :]

    @property
    def predicted_layers(self) -> tuple[str, ...]:
        """The layer that is reconstructed and, above it, the end of each block of convolutions."""
        return (self.reconstructed_layer or PIXELS, *self._blocks)

    def steps(
        self,
        images: Tensor,
        n_steps: int,
        *,
        layers: tuple[str, ...] = (),
        predictions: bool = False,
        compiled: bool = False,
    ) -> Iterator[StepOutput]:
        """Yield steps 0 … n_steps; see `UnrolledModel.steps`.

        The activation of `reconstructed_layer` is f_t; layers below do what they did in the feedforward sweep, of the
        images of the step.
        """
        sweep = self._function("_sweep", compiled)
        again = self._function("_again", compiled)
        first, *later = self._views(images, n_steps)
        feature, activations, memory = sweep(first)
        logits = activations[-1]
        yield StepOutput(0, logits, None, self._select(activations, layers))
        if images.ndim == 5 and not self.recurrent:
            for step, seen in enumerate(later, start=1):
                activations = sweep(seen)[1]
                yield StepOutput(step, activations[-1], None, self._select(activations, layers))
            return
        below = activations[: max(self._first - 1, 0)] if layers else ()
        del activations
        moves = self._moves(feature, later) if images.ndim == 5 else None
        for step in range(1, n_steps + 1):
            if moves:
                below, moved = next(moves)
                feature = feature + moved
            reconstruction, feature, above, memory, predicted = again(logits, feature, memory, predictions)
            logits = above[-1]
            selected = self._select((*below, *((feature,) if self._first else ()), *above), layers)
            yield StepOutput(step, logits, reconstruction, selected, predicted)
            # While the next step is computed, nothing of this one but logits, feature and memory takes room.
            del reconstruction, above, selected, predicted

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

    def _moves(self, before: Tensor, later: Sequence[Tensor]) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """Yield each later step's layers below what is reconstructed, and e_t - e_{t-1}; `before` is e_0."""
        for seen in later:
            outputs = [seen]
            for level in self._stack[: self._first]:
                outputs.append(level.sweep(outputs[-1])[0])
            yield tuple(outputs[1:-1]), outputs[-1] - before
            before = outputs[-1]

    def _again(self, logits: Tensor, feature: Tensor, memory: tuple, predictions: bool = False):
        """One later step: feedback from the logits to feedback_to, feature update, forward again."""
        g, signals, predicted = self._feed_back(logits, memory, predictions)
        feature = torch.lerp(feature, g, self.feedback_rate)
        activations, updated = self._feed_forward(feature, memory, signals)
        return g, feature, activations, updated, predicted

    def _feed_back(self, logits: Tensor, memory: tuple, predictions: bool):
        """Walk down: the reconstruction, each level's own signal (from below up), and what is said of blocks' ends."""
        g, signals, below = logits, [], {}
        names = (self.reconstructed_layer or PIXELS, *self.layer_names[self._first :])
        for i in reversed(range(len(memory))):
            g, signal = self._feedback_level(i, g, memory[i])
            signals.append(signal)
            if predictions and names[i] in self.predicted_layers:
                below[names[i]] = g
        return g, signals[::-1], below

    def _feedback_level(self, i: int, g: Tensor, remembered):
        """Feedback through the i-th level above feedback_to."""
        return self._stack[self._first + i].feedback(g, remembered)

    def _feed_forward(self, feature: Tensor, memory: tuple, signals: list):
        """Walk up from the feature: every level's output and what it remembers."""
        x, activations, updated = feature, [], []
        for level, remembered, signal in zip(self._stack[self._first :], memory, signals, strict=True):
            x, remembered = level.step(x, remembered, signal, self.feedback_rate)
            activations.append(x)
            updated.append(remembered)
        return tuple(activations), tuple(updated)

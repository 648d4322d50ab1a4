"""Controls: CNN-F with a part of its feedback taken away, and what hangs on that part."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from neurocnnf import layers
from neurocnnf.model import CNNF


class UntiedCNNF(CNNF):
    """Feedback with weights of its own: no longer the inverse of the same generative model.

    They are drawn at random, and learn from the first batch with feedback on only: CNN-F's have learnt with the
    feedforward sweep until then. What this control loses is due to both.

    Parameters
    ----------
    backward_levels
        The levels above `feedback_to` as another seed draws them; only their convolutions and linear maps are used.
    """

    def __init__(self, levels, *, backward_levels, **options):
        super().__init__(levels, **options)
        self.backward_levels = nn.ModuleDict(
            {name: copy.deepcopy(backward_levels[name]) for name in self.layer_names[self._first :]}
        )
        for level in self.backward_levels.modules():
            for name in [name for name, _ in level.named_parameters(recurse=False) if name.startswith("bias")]:
                setattr(level, name, None)  # feedback has no bias

    def _feedback_level(self, i: int, g: Tensor, remembered):
        return self.backward_levels[self.layer_names[self._first + i]].feedback(g, remembered)


class UngatedCNNF(CNNF):
    """Feedback through a plain transposed network: no AdaReLU and no AdaPool, but ReLU and max-pooling.

    Feedback passes every unit, in residual blocks too, and spreads evenly over each pooled window; the forward half of
    a step is the plain sweep, from the updated feature: the levels above are not drawn towards their feedback either,
    which AdaReLU does. What is left of CNN-F is the feature update.
    """

    def _feedback_level(self, i: int, g: Tensor, remembered):
        g, _ = self._stack[self._first + i].feedback(g, layers.open_gates(remembered))
        return g, ()

    def _feed_forward(self, feature: Tensor, memory: tuple, signals: list):
        x, activations, updated = feature, [], []
        for level in self._stack[self._first :]:
            x, remembered = level.sweep(x)
            activations.append(x)
            updated.append(remembered)
        return tuple(activations), tuple(updated)


class ShuffledCNNF(CNNF):
    """Feedback that belongs to another image: each image gets the reconstruction and signals of its neighbour's.

    The amount, the statistics and the weights of the feedback stay; only what it says of *this* image is lost. The one
    model whose answer depends on the company an image is in: on the order of the images, and on the size of the chunks
    that they are unrolled in.
    """

    def _feed_back(self, logits: Tensor, memory: tuple, predictions: bool):
        if len(logits) < 2:
            raise ValueError(
                f"{self.name}: expected at least 2 images in a chunk, whose feedback is exchanged, got {len(logits)}. "
                "Pass more, or another chunk."
            )
        g, signals, predicted = super()._feed_back(logits, memory, predictions)
        return _exchange(g), [_exchange(signal) for signal in signals], predicted


def _exchange(signal):
    if isinstance(signal, Tensor):
        return torch.roll(signal, 1, dims=0)
    return tuple(_exchange(s) for s in signal)

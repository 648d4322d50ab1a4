"""Control: convolutional recurrence within each layer, and no feedback between layers.

Source: Spoerer, McClure & Kriegeskorte (2017), *Recurrent convolutional neural networks: a better model of biological
object recognition*, Frontiers in Psychology 8:1551, their "BL"; Spoerer et al. (2020), PLOS Computational Biology 16:
e1008215. With ``y_l,t`` what layer l does at step t before pooling,

    y_l,t = ReLU(InsNorm(B_l * pool(y_{l-1},t) + L_l * y_l,t-1) + b_l),      step 0 without the term of t-1.

Normalisation and bias are the trunk's (theirs: batch or local response normalisation), so that the recurrence is all
that differs from CNN-F. One thing comes with it: the last answer has a size of its own, and a faint image's drive does
not, so that from step 1 on the first layer's answer, and accuracy, depend on contrast. A wide ResNet's stem and blocks
neither rectify nor pool what they give; there the rule is ours. The lateral weights see the last answer normalised and
rectified, as the next level does, but for its bias:

    y_l,t = B_l(y_{l-1},t) + L_l * ReLU(InsNorm(y_l,t-1)).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurocnnf.layers import ins_norm, normalise
from neurocnnf.levels import ConvLevel, ConvolutionalLevel, ConvPoolLevel
from neurocnnf.unrolled import StepOutput, UnrolledModel


class LateralModel(UnrolledModel):
    """A trunk (`UnrolledModel`) whose layers of convolutions see their own last answer.

    The lateral weights begin at zero: an untrained model does the same at every step.
    """

    def __init__(self, levels, **shape):
        super().__init__(levels, **shape)
        self.lateral = nn.ParameterDict(
            {
                name: nn.Parameter(torch.zeros(level.n_out, level.n_out, 3, 3))
                for name, level in self.levels.items()
                if isinstance(level, ConvolutionalLevel)
            }
        )

    def steps(
        self,
        images: Tensor,
        n_steps: int,
        *,
        layers: tuple[str, ...] = (),
        predictions: bool = False,
        compiled: bool = False,
    ) -> Iterator[StepOutput]:
        """Yield steps 0 … n_steps; see `UnrolledModel.steps`. There are no predictions to carry."""
        step_once = self._function("_step", compiled)
        before: tuple[Tensor, ...] | None = None
        for step, seen in enumerate(self._views(images, n_steps)):
            activations, before = step_once(seen, before)
            yield StepOutput(step, activations[-1], None, self._select(activations, layers))

    def _step(self, images: Tensor, before: tuple[Tensor, ...] | None):
        """Sweep up once; every level's output, and what the next step's lateral weights see of the convolutional."""
        x, activations = images, []
        shown: list[Tensor] = []
        for name, level in zip(self.layer_names, self._stack, strict=True):
            if isinstance(level, ConvolutionalLevel):
                lateral = None if before is None else F.conv2d(before[len(shown)], self.lateral[name], padding=1)
                x, seen = _look(level, x, lateral)
                shown.append(seen)
            else:
                x, _ = level.sweep(x)
            activations.append(x)
        return tuple(activations), tuple(shown)


def _look(level: ConvolutionalLevel, x: Tensor, lateral: Tensor | None) -> tuple[Tensor, Tensor]:
    """Give what a level answers, and what its lateral weights will see of that."""
    if isinstance(level, ConvLevel):
        y = torch.relu(normalise(_joined(level.conv(x), lateral), level.bias))
        return (F.max_pool2d(y, 2) if isinstance(level, ConvPoolLevel) else y), y
    y = _joined(level.sweep(x)[0], lateral)
    return y, torch.relu(ins_norm(y))


def _joined(drive: Tensor, lateral: Tensor | None) -> Tensor:
    return drive if lateral is None else drive + lateral

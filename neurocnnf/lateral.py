"""Control: convolutional recurrence within each layer, and no feedback between layers.

Source: Spoerer, McClure & Kriegeskorte (2017), *Recurrent convolutional neural networks: a better model of biological
object recognition*, Frontiers in Psychology 8:1551, their "BL"; Spoerer et al. (2020), PLOS Computational Biology 16:
e1008215. With ``y_l,t`` what layer l does at step t before pooling,

    y_l,t = ReLU(InsNorm(B_l * pool(y_{l-1},t) + L_l * y_l,t-1) + b_l),      step 0 without the second term.

Normalisation and bias are the trunk's (theirs: batch or local response normalisation), so that the recurrence is all
that differs from CNN-F.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurocnnf.layers import inverse_rms
from neurocnnf.levels import ConvLevel, ConvPoolLevel, LinearLevel
from neurocnnf.unrolled import StepOutput, UnrolledModel


class LateralModel(UnrolledModel):
    """A trunk of plain convolutions (`UnrolledModel`) whose layers see their own last answer.

    The lateral weights begin at zero: an untrained model does the same at every step.
    """

    def __init__(self, levels, **shape):
        super().__init__(levels, **shape)
        check_convolutions(self)
        self.lateral = nn.ParameterDict(
            {
                name: nn.Parameter(torch.zeros(level.conv.weight.shape[0], level.conv.weight.shape[0], 3, 3))
                for name, level in self.levels.items()
                if isinstance(level, ConvLevel)
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
        unpooled: tuple[Tensor, ...] | None = None
        for step, seen in enumerate(self._views(images, n_steps)):
            activations, unpooled = step_once(seen, unpooled)
            yield StepOutput(step, activations[-1], None, self._select(activations, layers))

    def _step(self, images: Tensor, last: tuple[Tensor, ...] | None):
        """Sweep up once; every level's output, and what the convolutional ones did before pooling."""
        x, activations = images, []
        unpooled: list[Tensor] = []
        for name, level in zip(self.layer_names, self._stack, strict=True):
            if isinstance(level, ConvLevel):
                drive = level.conv(x)
                if last is not None:
                    drive = drive + F.conv2d(last[len(unpooled)], self.lateral[name], padding=1)
                x = torch.relu(torch.addcmul(level.bias, drive, inverse_rms(drive)))
                unpooled.append(x)
                if isinstance(level, ConvPoolLevel):
                    x = F.max_pool2d(x, 2)
            else:
                x, _ = level.sweep(x)
            activations.append(x)
        return tuple(activations), tuple(unpooled)


def check_convolutions(model: UnrolledModel) -> None:
    """Raise ValueError unless the trunk is made of plain convolutions and linear levels."""
    for name, level in zip(model.layer_names, model._stack, strict=True):
        if not isinstance(level, (ConvLevel, LinearLevel)):
            raise ValueError(
                f"{model.name}: expected a trunk of plain convolutions, got a {type(level).__name__} ({name}). "
                "Use the trunk fashion or digits."
            )

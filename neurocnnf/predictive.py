"""Control: predictive coding, where feedback predicts the layer below and its error drives the update.

Source: Choksi, Mozafari, Biggs O'May, Ador, Alamia & VanRullen (2021), *Predify: augmenting deep neural networks with
brain-inspired predictive coding dynamics*, NeurIPS; update rule and scale of the gradient as in the authors' library.
With ``m_0`` the image, ``m_n`` what layer n of convolutions represents (of a wide ResNet, its stem and its blocks),
``D_n`` its decoder and ``p_n,t = D_n m_n,t``,

    m_n,t = β level_n(m_{n-1},t) + λ p_{n+1},t-1 + (1 - β - λ) m_n,t-1 - α ∂/∂m_n ‖p_n,t-1 - m_{n-1},t-1‖² / √C_n

with C_n the number of values that one unit of layer n reaches through its decoder, and λ = 0 in the topmost. Step 0 is
the feedforward sweep. Theirs trains the decoders alone on a fixed network; here they learn along with the trunk, as
CNN-F's feedback does.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurocnnf.levels import ConvolutionalLevel
from neurocnnf.unrolled import PIXELS, StepOutput, UnrolledModel

# Choksi et al. (2021), their networks for ImageNet.
FEEDFORWARD, FEEDBACK, ERROR = 0.8, 0.1, 0.01  # β, λ, α


class Decoder(nn.Module):
    """Linear prediction of the layer below: upsampling where that layer is finer, then a 3×3 convolution.

    Parameters
    ----------
    n_rep, n_below
        Channels of the layer that predicts and of the one that is predicted.
    scale
        Upsampling, 1 or 2.
    """

    def __init__(self, n_rep: int, n_below: int, scale: int):
        super().__init__()
        self.scale = scale
        # Zero: an untrained decoder predicts nothing, and learns from its error at once, being linear.
        self.weight = nn.Parameter(torch.zeros(n_below, n_rep, 3, 3))

    @property
    def reach(self) -> int:
        """Number of values below that one unit reaches, C_n: the kernel grown by the upsampling, in every channel."""
        return self.weight.shape[0] * (self.scale + 2) ** 2

    def forward(self, m: Tensor) -> Tensor:
        """Predict (image, below, y · scale, x · scale) from (image, rep, y, x)."""
        if self.scale > 1:
            m = F.interpolate(m, scale_factor=self.scale)
        return F.conv2d(m, self.weight, padding=1)

    def error_gradient(self, error: Tensor) -> Tensor:
        """Carry an error (image, below, ...) back through the transpose to (image, rep, y, x)."""
        g = F.conv2d(error, self.weight.flip(2, 3).transpose(0, 1), padding=1)
        return F.avg_pool2d(g, self.scale) * self.scale**2 if self.scale > 1 else g


class PredictiveModel(UnrolledModel):
    """A trunk (`UnrolledModel`) with a decoder from each layer of convolutions, which come first, to the one below."""

    def __init__(self, levels, **shape):
        super().__init__(levels, **shape)
        coded = {name: level for name, level in self.levels.items() if isinstance(level, ConvolutionalLevel)}
        self._coded = list(coded)
        self.decoders = nn.ModuleDict(
            {name: Decoder(level.n_out, level.n_in, level.stride) for name, level in coded.items()}
        )

    @property
    def predicted_layers(self) -> tuple[str, ...]:
        """The pixels and every convolutional layer but the topmost."""
        return (PIXELS, *self._coded[:-1])

    def steps(
        self,
        images: Tensor,
        n_steps: int,
        *,
        layers: tuple[str, ...] = (),
        predictions: bool = False,
        compiled: bool = False,
    ) -> Iterator[StepOutput]:
        """Yield steps 0 … n_steps; see `UnrolledModel.steps`. The reconstruction is that of the pixels."""
        sweep, again = self._function("_sweep", compiled), self._function("_again", compiled)
        first, *later = self._views(images, n_steps)
        activations = sweep(first)
        yield StepOutput(0, activations[-1], None, self._select(activations, layers))
        for step, seen in enumerate(later, start=1):
            activations, predicted = again(seen, activations[: len(self._coded)])
            named = dict(zip(self.predicted_layers, predicted, strict=True)) if predictions else {}
            yield StepOutput(step, activations[-1], predicted[0], self._select(activations, layers), named)

    def _sweep(self, images: Tensor) -> tuple[Tensor, ...]:
        x, activations = images, []
        for level in self._stack:
            x, _ = level.sweep(x)
            activations.append(x)
        return tuple(activations)

    def _again(self, images: Tensor, represented: tuple[Tensor, ...]):
        decoders = list(self.decoders.values())
        predicted = tuple(decode(m) for decode, m in zip(decoders, represented, strict=True))
        below = (images, *represented[:-1])
        x, activations = images, []
        for n, level in enumerate(self._stack):
            x, _ = level.sweep(x)
            if n < len(represented):
                feedback = FEEDBACK if n + 1 < len(represented) else 0.0
                push = decoders[n].error_gradient(predicted[n] - below[n]) * (2 * ERROR / decoders[n].reach ** 0.5)
                x = FEEDFORWARD * x + (1 - FEEDFORWARD - feedback) * represented[n] - push
                if feedback:
                    x = x + feedback * predicted[n + 1]
            activations.append(x)
        return tuple(activations), predicted

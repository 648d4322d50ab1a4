"""What training minimises."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def stepwise_cross_entropy(logits: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Return the mean over steps and images of the cross-entropy.

    Parameters
    ----------
    logits
        One (image, class) per step.
    labels
        (image,), int64.
    """
    return torch.stack([F.cross_entropy(step, labels) for step in logits]).mean()


def reconstruction_error(reconstructions: Sequence[Tensor], feature: Tensor) -> Tensor:
    """Return the mean squared error between each step's reconstruction and the feedforward feature.

    Parameters
    ----------
    reconstructions
        One (image, channel, y, x) per feedback pass, at `feedback_to`.
    feature
        The feature there in the feedforward sweep. It is a target: no gradient flows into it, or the network could
        make its features easier to reconstruct by making them empty.
    """
    return torch.stack([F.mse_loss(r, feature.detach()) for r in reconstructions]).mean()

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
    return torch.stack([F.cross_entropy(_precise(step), labels) for step in logits]).mean()


def adversarial_cross_entropy(logits: Sequence[Tensor], labels: Tensor, clean_weight: float) -> Tensor:
    """Return the mean over steps of (λ CE(clean) + CE(adversarial)) / 2 (Huang et al. 2020, the authors' scripts).

    Parameters
    ----------
    logits
        One (image, class) per step: first the clean images, then as many adversarial ones made of them.
    labels
        (image,), int64, of the clean images.
    clean_weight
        λ_clean.
    """
    n = len(labels)
    clean = stepwise_cross_entropy([step[:n] for step in logits], labels)
    return (clean_weight * clean + stepwise_cross_entropy([step[n:] for step in logits], labels)) / 2


def reconstruction_error(reconstructions: Sequence[Tensor], feature: Tensor, *, relative: bool = False) -> Tensor:
    """Return the mean squared error between each step's reconstruction and the feedforward feature.

    Parameters
    ----------
    reconstructions
        One (image, channel, y, x) per feedback pass, at `feedback_to`.
    feature
        The feature there in the feedforward sweep. It is a target: no gradient flows into it, or the network could
        make its features easier to reconstruct by making them empty.
    relative
        Divide by the mean square of the feature, which must not be all zeros: 1 is what a reconstruction of nothing but
        zeros gets.
    """
    target = _precise(feature.detach())
    error = torch.stack([F.mse_loss(_precise(r), target) for r in reconstructions]).mean()
    return error / target.square().mean() if relative else error


def _precise(x: Tensor) -> Tensor:
    # Sums over many images lose too much in bfloat16.
    return x.float() if x.dtype == torch.bfloat16 else x

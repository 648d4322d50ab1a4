"""AutoAttack (Croce & Hein 2020, arXiv 2003.01690), by the Adversarial Robustness Toolbox: the check by others' code.

Three attacks, each of what the ones before it left: APGD on cross-entropy; APGD on the difference of logits ratio,
which no scale of the logits can hide from; Square, which uses no gradient. The first is idle where a model is so sure
that cross-entropy is 0 in float32, as ``cnnf-mnist`` mostly is. The standard ensemble aims its second attack at each
wrong class in turn, and has a fourth, FAB, that looks for the nearest adversarial image, at ten gradients a step: both
are left out, and the toolbox's APGD gives its last image, not the worst on its way, so that what is run here is weaker.
Its gradients are the model's own, hidden where those are (`neurocnnf.smooth_gates`). An image that the ensemble does
not turn comes back as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from neurocnnf.attacks import answer_logits, ball
from neurocnnf.unrolled import UnrolledModel


def auto_attack(
    model: UnrolledModel,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    n_iterations: int,
    n_queries: int,
    generator: torch.Generator,
    n_steps: int = 0,
    readout: str = "last",
) -> Tensor:
    """Attack one answer.

    Parameters
    ----------
    model, images, labels, epsilon, generator, n_steps, readout
        As in `neurocnnf.attacks.pgd`.
    n_iterations
        Gradients of each APGD at most, from one random start.
    n_queries
        Images that Square tries for each image.

    Returns
    -------
    Tensor
        Of the shape of `images`, within `epsilon` of them and in [-1, 1].
    """
    # Imported here: it takes seconds, and nothing else needs it.
    from art.attacks.evasion import AutoAttack, AutoProjectedGradientDescent, SquareAttack
    from art.estimators.classification import PyTorchClassifier

    if not epsilon:
        return images.clone()
    with torch.enable_grad(), torch.random.fork_rng(devices=[]), _seeded(generator):
        # A copy: the toolbox sets modes, gradients and devices.
        answer = _Answer(copy.deepcopy(model).requires_grad_(False), n_steps, readout)
        classifier = PyTorchClassifier(
            answer,
            nn.CrossEntropyLoss(),
            input_shape=tuple(images.shape[1:]),
            nb_classes=answer(images[:1]).shape[-1],
            clip_values=(-1.0, 1.0),
            device_type="cpu" if images.device.type == "cpu" else "gpu",
        )
        common = {"norm": np.inf, "eps": epsilon, "batch_size": len(images)}
        quiet = common | {"verbose": False}
        climb = quiet | {"eps_step": 2 * epsilon, "max_iter": n_iterations, "nb_random_init": 1}
        attacks = [
            AutoProjectedGradientDescent(classifier, loss_type="cross_entropy", **climb),
            AutoProjectedGradientDescent(classifier, loss_type="difference_logits_ratio", **climb),
            SquareAttack(classifier, max_iter=n_queries, **quiet),
        ]
        ensemble = AutoAttack(classifier, eps_step=2 * epsilon, attacks=attacks, **common)
        attacked = ensemble.generate(x=images.cpu().float().numpy(), y=labels.cpu().numpy())
    # Projections in float32 overstep by rounding.
    return torch.clamp(torch.from_numpy(attacked).to(images), *ball(images, epsilon))


class _Answer(nn.Module):
    """The logits of one answer, as of a network without steps."""

    def __init__(self, model: UnrolledModel, n_steps: int, readout: str):
        super().__init__()
        self.model, self.n_steps, self.readout = model, n_steps, readout

    def forward(self, images: Tensor) -> Tensor:
        return answer_logits(self.model, images.to(self.model.dtype), self.n_steps, self.readout).float()


@contextmanager
def _seeded(generator: torch.Generator) -> Iterator[None]:
    """Draw from numpy's global state, which the toolbox uses, as the generator says; then put it back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(int(torch.randint(2**31, (), generator=generator)))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002

"""Adversarial images: what changes a model's answer most within a small distance of an image.

White-box: `pgd`, through the feedforward sweep alone (``n_steps=0``, Huang et al.'s "first") or through all the steps
of the answer that is evaluated ("e2e"). Black-box: `spsa`, which only reads logits, and images made on another model.
`neurocnnf.smooth_gates` replaces the gradient of the hard gates, `neurocnnf.auto_attack` is the check by others' code,
`neurocnnf.robustness` measures a model with all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from neurocnnf.unrolled import UnrolledModel, read_out
from neurocnnf.validation import check_readout

SPSA_DISTANCE = 0.01
BETAS, ADAM_EPS = (0.9, 0.999), 1e-8  # Kingma & Ba (2015)


def pgd(
    model: UnrolledModel,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    step_size: float,
    n_attack_steps: int,
    generator: torch.Generator,
    n_steps: int = 0,
    readout: str = "last",
    start: Tensor | None = None,
    compiled: bool = False,
) -> Tensor:
    """Climb the cross-entropy by the sign of its gradient, from a random start (Madry et al. 2018, arXiv 1706.06083).

    What is climbed in its place is `log_odds_against`, of which it is an increasing function for each image: the signs
    are the same, but for the rounding of softmax, which misleads where a model is sure of its answer.

    Parameters
    ----------
    model
        Any unrolled model; its weights stay as they are, and get no gradient.
    images, labels
        (image, channel, y, x) in [-1, 1], and (image,).
    epsilon, step_size
        Radius in L∞ and length of one attack step, on the images' scale.
    n_attack_steps
        Number of gradients.
    generator
        Of the random start; on the CPU, so that every device starts from the same images.
    n_steps
        Of the model's steps the gradient goes through (with 0: the feedforward sweep alone, the paper's "first").
    readout
        Which logits are attacked: those of the "last" step, or the "average" over the steps.
    start
        Where to go on climbing, instead of from a random place; nothing is drawn then.
    compiled
        As in `UnrolledModel.unroll`.

    Returns
    -------
    Tensor
        Of the shape of `images`, within `epsilon` of them and in [-1, 1].
    """
    low, high = ball(images, epsilon)
    attacked = _random_start(images, low, high, epsilon, generator) if start is None else start
    with _frozen(model), torch.enable_grad():
        for _ in range(n_attack_steps):
            attacked = attacked.detach().requires_grad_()
            logits = answer_logits(model, attacked, n_steps, readout, compiled=compiled)
            (gradient,) = torch.autograd.grad(log_odds_against(logits, labels).sum(), attacked)
            attacked = torch.clamp(attacked + step_size * gradient.sign(), low, high)
    return attacked.detach()


def pgd_until_wrong(
    model: UnrolledModel,
    images: Tensor,
    labels: Tensor,
    *,
    n_attack_steps: int,
    generator: torch.Generator,
    n_steps: int,
    readout: str,
    stretch: int = 5,
    **options,
) -> Tensor:
    """Do as `pgd`, but let an image rest once the answer under attack is wrong: at least as strong, for less work.

    Parameters
    ----------
    model, images, labels, n_attack_steps, generator, n_steps, readout, **options
        As in `pgd`.
    stretch
        Attack steps between two looks at the answers.
    """
    attacked, active = images.clone(), torch.arange(len(images), device=images.device)
    place = None
    for done in range(0, n_attack_steps, stretch):
        place = pgd(
            model, images[active], labels[active], n_attack_steps=min(stretch, n_attack_steps - done),
            generator=generator, n_steps=n_steps, readout=readout, start=place, **options,
        )  # fmt: skip
        attacked[active] = place
        with torch.no_grad():
            right = answer_logits(model, place, n_steps, readout).argmax(-1) == labels[active]
        active, place = active[right], place[right]
        if not len(active):
            break
    return attacked


def spsa(
    model: UnrolledModel,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    step_size: float,
    n_attack_steps: int,
    n_pairs: int,
    generator: torch.Generator,
    n_steps: int = 0,
    readout: str = "last",
) -> Tensor:
    """Descend the margin of the right class without gradients (Uesato et al. 2018, arXiv 1802.05666, algorithm 1).

    The gradient is estimated from the margins at random pairs of images (`spsa_gradient`); Adam takes the steps, from
    the image itself. Not misled by hard gates or vanishing gradients, because it uses none; but a weak attack, unless
    given thousands of pairs for each image.

    Parameters
    ----------
    model, images, labels, epsilon, n_steps, readout
        As in `pgd`.
    step_size
        Adam's learning rate, on the images' scale.
    n_attack_steps
        Number of estimated gradients.
    n_pairs
        Pairs of images per estimate.
    generator
        Of the perturbations, on the CPU.

    Returns
    -------
    Tensor
        Of the shape of `images`, within `epsilon` of them and in [-1, 1].
    """
    low, high = ball(images, epsilon)
    attacked, mean, square = images.clone(), torch.zeros_like(images), torch.zeros_like(images)

    def margins(seen: Tensor, image: int) -> Tensor:
        logits = read_out(model.unroll(seen.clamp(-1, 1), n_steps, chunk=len(seen)).logits, readout)
        return margin(logits, labels[image].expand(len(seen)))

    with torch.no_grad():
        for step in range(1, n_attack_steps + 1):
            gradient = torch.stack(
                [
                    spsa_gradient(lambda seen, i=i: margins(seen, i), attacked[i], n_pairs, generator)
                    for i in range(len(images))
                ]
            )
            mean = torch.lerp(gradient, mean, BETAS[0])
            square = torch.lerp(gradient**2, square, BETAS[1])
            scale = (square / (1 - BETAS[1] ** step)).sqrt() + ADAM_EPS
            attacked = torch.clamp(attacked - step_size * mean / (1 - BETAS[0] ** step) / scale, low, high)
    return attacked


def spsa_gradient(function, place: Tensor, n_pairs: int, generator: torch.Generator) -> Tensor:
    """Estimate a gradient by simultaneous perturbation (Spall 1992): all pairs in one call of the function.

    Parameters
    ----------
    function
        Takes (candidate, *shape of place), gives (candidate,).
    place
        Where the gradient is wanted.
    n_pairs
        Pairs ``place ± 0.01 v`` with v of random signs.
    generator
        Of the signs, on the CPU.

    Returns
    -------
    Tensor
        Of the shape of `place`: mean over pairs of (f(+) - f(-)) / 0.02 · v, unbiased up to the third derivatives.
    """
    signs = torch.randint(0, 2, (n_pairs, *place.shape), generator=generator).to(place) * 2 - 1
    values = function(torch.cat([place + SPSA_DISTANCE * signs, place - SPSA_DISTANCE * signs]))
    slope = (values[:n_pairs] - values[n_pairs:]) / (2 * SPSA_DISTANCE)
    return torch.tensordot(slope, signs, 1) / n_pairs


def log_odds_against(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the log odds that the answer is another than the right class, (image,).

    With these odds m, cross-entropy is log(1 + exp m), and its gradient that of m times the probability of a wrong
    answer. In float32 the right class's probability rounds to 1 from m = -17 on: its logit then drops out of the
    gradient, and what is left pushes elsewhere. ``cnnf-mnist`` is as sure of 96 of 100 digits from step 1 on, where
    30 % of the pixels had the wrong sign. An attack so misled would pass for robustness (Carlini & Wagner 2017, arXiv
    1608.04644).
    """
    right, others = _right_and_others(logits, labels)
    return others.logsumexp(-1) - right


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the right class's logit minus the largest of the others, (image,); negative where the answer is wrong."""
    right, others = _right_and_others(logits, labels)
    return right - others.amax(-1)


def _right_and_others(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the right class's logit (image,), and the logits with it at minus infinity."""
    index = labels[:, None]
    return logits.gather(-1, index)[:, 0], logits.scatter(-1, index, -torch.inf)


def answer_logits(
    model: UnrolledModel, images: Tensor, n_steps: int, readout: str, *, compiled: bool = False
) -> Tensor:
    """Return the logits (image, class) that the answer after `n_steps` is read from, with their gradient.

    Raises
    ------
    ValueError
        For a readout other than "last" and "average".
    """
    check_readout(readout)
    return read_out([out.logits for out in model.steps(images, n_steps, compiled=compiled)], readout)


def ball(images: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return the lowest and the highest image within `epsilon` of `images`, in [-1, 1]."""
    return (images - epsilon).clamp(min=-1), (images + epsilon).clamp(max=1)


def _random_start(images: Tensor, low: Tensor, high: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    start = torch.rand(images.shape, generator=generator) * 2 - 1
    return torch.clamp(images + epsilon * start.to(images), low, high)


@contextmanager
def _frozen(model: UnrolledModel) -> Iterator[None]:
    """Ask for no gradient of the weights: one of the images alone costs a third less."""
    needed = [p.requires_grad for p in model.parameters()]
    model.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, need in zip(model.parameters(), needed, strict=True):
            parameter.requires_grad_(need)

"""Which attacks a model's robustness is measured with, how hard they try, and which answers each is aimed at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from neurocnnf.attacks import pgd, pgd_until_wrong, spsa
from neurocnnf.auto_attack import auto_attack
from neurocnnf.recipes import Attack
from neurocnnf.smooth_gates import smooth_gates
from neurocnnf.unrolled import UnrolledModel
from neurocnnf.validation import READOUTS


@dataclass(frozen=True)
class Effort:
    """How hard the attacks try.

    Attributes
    ----------
    n_restarts
        Random starts of each PGD, of which every image keeps the worst; SPSA begins at the image, once.
    strong_steps
        Attack steps of the strong PGD, each 2.5 ε / strong_steps long (Madry et al. 2018); the weak one is the paper's.
    n_costly
        SPSA and AutoAttack attack so many of the images, the first ones: they cost hundreds of sweeps per image.
    spsa_steps, spsa_pairs
        Estimated gradients, each from so many pairs. Adam's steps are ε / 5 long.
    auto_iterations, auto_queries
        Gradients of each APGD of AutoAttack, and images that its Square tries (`neurocnnf.auto_attack`).
    """

    n_restarts: int = 2
    strong_steps: int = 50
    n_costly: int = 20
    spsa_steps: int = 10
    spsa_pairs: int = 32
    auto_iterations: int = 100
    auto_queries: int = 200


QUICK = Effort(
    n_restarts=1, strong_steps=20, n_costly=4, spsa_steps=4, spsa_pairs=16, auto_iterations=10, auto_queries=10
)

# Takes (images, labels, n_steps, readout, generator), gives attacked images. n_steps is None for a gradient
# through step 0 whose images are held against the answers of every step: it must not rest at the first wrong one.
Make = Callable[[Tensor, Tensor, int | None, str, torch.Generator], Tensor]


@dataclass(frozen=True)
class Run:
    """An attack: its name, which of first, e2e and transfer it does, and on how many images, from how many starts."""

    name: str
    gradients: tuple[str, ...]
    make: Make
    n_images: int
    n_restarts: int

    def targets(self, gradient: str, steps: int) -> list[tuple[int | None, str]]:
        """List the answers to aim at, (step, readout); None is the feedforward sweep, for the answers of all steps."""
        if gradient == "e2e":
            # At step 0 the readouts are one.
            return [(k, r) for k in range(steps + 1) for r in (READOUTS if k else READOUTS[:1])]
        # A feedforward sweep alone has been attacked by then.
        return [(None, "last")] if steps or gradient != "first" else []


def attack_runs(
    model: UnrolledModel, attack: Attack, effort: Effort, n_images: int, control: UnrolledModel | None
) -> Iterator[Run]:
    """List the attacks on a model.

    None of them compiles it: a compiled gradient of 30 digits through five steps is 1.1 to 1.2 times as fast, SPSA's 64
    images 1.2 times, but takes one number of images for each half a minute of compiling, where letting images rest that
    have fallen (`pgd_until_wrong`) makes that number another every few gradients.

    Parameters
    ----------
    model, attack, effort, control
        As in `neurocnnf.robustness.robustness`.
    n_images
        How many there are.
    """
    weak = {"epsilon": attack.epsilon, "step_size": attack.step_size, "n_attack_steps": attack.n_attack_steps}
    strong = {
        "epsilon": attack.epsilon,
        "step_size": 2.5 * attack.epsilon / effort.strong_steps,
        "n_attack_steps": effort.strong_steps,
    }

    def climb(net: UnrolledModel, settings: dict, context=nullcontext) -> Make:
        def make(x, y, n_steps, readout, generator):
            with context():
                if n_steps is None:
                    return pgd(net, x, y, generator=generator, **settings)
                return pgd_until_wrong(net, x, y, generator=generator, n_steps=n_steps, readout=readout, **settings)

        return make

    def estimate(x, y, n_steps, readout, generator):
        return spsa(
            model, x, y, epsilon=attack.epsilon, step_size=attack.epsilon / 5, n_attack_steps=effort.spsa_steps,
            n_pairs=effort.spsa_pairs, generator=generator, n_steps=n_steps or 0, readout=readout,
        )  # fmt: skip

    def ensemble(x, y, n_steps, readout, generator):
        return auto_attack(
            model, x, y, epsilon=attack.epsilon, n_iterations=effort.auto_iterations, n_queries=effort.auto_queries,
            generator=generator, n_steps=n_steps, readout=readout,
        )  # fmt: skip

    both, starts = ("first", "e2e"), effort.n_restarts
    weak_name, strong_name = f"pgd-{attack.n_attack_steps}", f"pgd-{effort.strong_steps}"
    yield Run(weak_name, both, climb(model, weak), n_images, starts)
    yield Run(strong_name, both, climb(model, strong), n_images, starts)
    # Of a model without hard gates, the strong one once more: so that all meet as many attacks through all steps.
    yield Run(f"{strong_name}-smooth", ("e2e",), climb(model, strong, smooth_gates), n_images, starts)
    n_costly = min(effort.n_costly, n_images)
    yield Run("spsa", both, estimate, n_costly, 1)
    # Images that it does not turn come back as they were, and say nothing of the answers of other steps: no "first".
    yield Run("autoattack", ("e2e",), ensemble, n_costly, 1)
    if control is not None:
        yield Run(f"transfer-{weak_name}", ("transfer",), climb(control, weak), n_images, starts)

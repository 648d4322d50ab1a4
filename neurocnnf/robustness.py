"""Accuracy under attack at every step: a model's robustness, measured so that it can be believed.

Follows Carlini et al. (2019, arXiv 1902.06705) and Athalye et al. (2018, arXiv 1802.00420): each number is of the worst
of several starts, of weak and strong, white-box and black-box attacks, each aimed at the very answer that is evaluated;
the row "any" counts an image as right only where *no* attack changed the answer. An image whose clean answer is wrong
is wrong under every attack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pandas as pd
import torch
from scipy.stats import binomtest
from torch import Tensor

from neurocnnf.attacks import READOUTS, pgd, pgd_until_wrong, spsa
from neurocnnf.auto_attack import auto_attack
from neurocnnf.images import load_training_set, to_model_range
from neurocnnf.lesions import ShuffledCNNF
from neurocnnf.progress import Progress
from neurocnnf.recipes import Attack, find_recipe
from neurocnnf.smooth_gates import smooth_gates
from neurocnnf.unrolled import UnrolledModel
from neurocnnf.validation import check_images, check_n_steps

BATCH = 50
ANY = "any"
CLEAN = "clean"


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
_Make = Callable[[Tensor, Tensor, int | None, str, torch.Generator], Tensor]


@dataclass(frozen=True)
class _Run:
    """An attack: its name, which of first, e2e and transfer it does, and on how many images, from how many starts.

    `e2e_from` is the first step whose answers it attacks through all steps: at step 0, what the last *first* found
    stands, where there was one.
    """

    name: str
    gradients: tuple[str, ...]
    make: _Make
    n_images: int
    n_restarts: int
    e2e_from: int = 1


def attack_of(data: str) -> Attack:
    """Return the paper's ε and PGD step for a training set: CIFAR-10's, or Fashion-MNIST's for all others."""
    name = "cifar10" if data.startswith("cifar") else "fashion-mnist"
    attack = find_recipe(f"cnnf-{name}-adversarial").attack
    assert attack is not None
    return attack


def robustness_on(
    model: UnrolledModel,
    data: str,
    *,
    epsilons: list[float] | None = None,
    n_images: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
    **options,
) -> pd.DataFrame:
    """Measure a model's robustness on test images of a training set, by the paper's attack for it.

    Parameters
    ----------
    model, progress, **options
        As in `robustness`.
    data
        Name of the training set.
    epsilons
        Radii; the paper's one for such images where None. The length of an attack step grows with ε.
    n_images
        So many images, the first ones after the test set was shuffled with `seed`: some sets come sorted by class.

    Returns
    -------
    pandas.DataFrame
        As from `robustness`, all ε below one another, with the columns model, kind (first word of the model's name) and
        data before; n_total is the size of the whole test set.
    """
    raw, classes = load_training_set(data, "test")
    order = torch.randperm(len(raw), generator=torch.Generator().manual_seed(seed))[:n_images]
    images = to_model_range(raw[order.numpy()]).to(model.device, model.dtype)
    labels = torch.as_tensor(classes)[order].to(model.device)
    paper, tables = attack_of(data), []
    for epsilon in epsilons or [paper.epsilon]:
        attack = replace(paper, epsilon=epsilon, step_size=paper.step_size * epsilon / paper.epsilon)
        tables.append(robustness(model, images, labels, attack, seed=seed, progress=progress, **options))
    table = pd.concat(tables, ignore_index=True).assign(n_total=len(raw))
    for place, (column, value) in enumerate(
        (("model", model.name), ("kind", model.name.split("-")[0]), ("data", data))
    ):
        table.insert(place, column, value)
    return table


def robustness(
    model: UnrolledModel,
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    n_steps: int = 5,
    *,
    control: UnrolledModel | None = None,
    effort: Effort | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure accuracy at every step, clean and under every attack.

    Parameters
    ----------
    model
        Recurrent, or feedforward, which has step 0 only; there *e2e* is *first*.
    images, labels
        (image, channel, y, x) in [-1, 1], and (image,); of the model's type and device.
    attack
        ε, and length and number of steps of the weak PGD.
    n_steps
        Feedback passes.
    control
        On which the images of the transfer attack are made, with the weak PGD; none is done without.
    effort
        How hard the attacks try.
    seed
        Of every start and perturbation, each attack with a generator of its own.
    progress
        Called with (model and attack, answers attacked, all answers).

    Returns
    -------
    pandas.DataFrame
        Columns attack ("clean", "pgd-7", "pgd-50", "pgd-50-smooth": through `smooth_gates`, "spsa", "autoattack",
        "transfer-pgd-7"; "any"), gradient ("none"; "first": through step 0 alone; "e2e": through all steps of the
        answer; "transfer"; "any"), readout, step, epsilon, accuracy, n_correct, n_used, n_total, low, high (Wilson's
        95 % interval). Step k is the answer after k feedback passes: of its own logits ("last"), or the mean of all up
        to it.

    Raises
    ------
    ValueError, TypeError
        For images or a number of steps that the model cannot take, an ε or number of images below what is possible, or
        a model that answers several images together.
    """
    steps, effort = (n_steps if model.recurrent else 0), effort or Effort()
    if isinstance(model, ShuffledCNNF):
        raise ValueError(
            f"robustness: expected a model that looks at each image alone, got {model.name}, whose feedback is another "
            "image's. Attack another one."
        )
    check_images(images, model)
    check_n_steps(steps, model)
    if not 0 <= attack.epsilon < float("inf"):
        raise ValueError(f"epsilon: expected 0 or more, on images in [-1, 1], got {attack.epsilon!r}. Take e.g. 0.2.")
    right = _right(model, images, labels, steps)
    found = [(CLEAN, "none", right)]
    runs = list(_runs(model, attack, effort, len(images), control))
    total = sum(len(_targets(gradient, steps, run.e2e_from)) for run in runs for gradient in run.gradients)
    done, first = 0, right
    for run in runs:
        n = run.n_images
        for gradient in run.gradients:
            survived = right[..., :n].clone()
            if gradient == "e2e" and run.e2e_from:
                survived[:, 0] = first[:, 0, :n]
            for step, readout in _targets(gradient, steps, run.e2e_from):
                done += 1
                generator = torch.Generator().manual_seed(seed * 10_000 + done)
                _attack(model, run, images[:n], labels[:n], survived, step, readout, generator)
                if progress:
                    progress(f"{model.name}: {run.name} {gradient}", done, total)
            first = survived if gradient == "first" else first
            found.append((run.name, gradient, survived))
    return _table(found, attack.epsilon, len(images))


def by_step(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out accuracies by step: a row per attack, gradient, readout and ε, in the order of `table`."""
    rows = ["epsilon", "attack", "gradient", "readout", "n_used"]
    return table.pivot_table(index=rows, columns="step", values="accuracy", sort=False).reset_index()


def _runs(
    model: UnrolledModel, attack: Attack, effort: Effort, n_images: int, control: UnrolledModel | None
) -> Iterator[_Run]:
    """List the attacks."""
    weak = {"epsilon": attack.epsilon, "step_size": attack.step_size, "n_attack_steps": attack.n_attack_steps}
    strong = {
        "epsilon": attack.epsilon,
        "step_size": 2.5 * attack.epsilon / effort.strong_steps,
        "n_attack_steps": effort.strong_steps,
    }

    def climb(net: UnrolledModel, settings: dict, context=nullcontext) -> _Make:
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
    yield _Run(weak_name, both, climb(model, weak), n_images, starts)
    yield _Run(strong_name, both, climb(model, strong), n_images, starts)
    if model.recurrent:  # the feedforward sweep has no gates of feedback
        yield _Run(f"{strong_name}-smooth", ("e2e",), climb(model, strong, smooth_gates), n_images, starts)
    n_costly = min(effort.n_costly, n_images)
    yield _Run("spsa", both, estimate, n_costly, 1)
    # Images that it does not turn come back as they were, and say nothing of the answers of other steps: no "first".
    yield _Run("autoattack", ("e2e",), ensemble, n_costly, 1, e2e_from=0)
    if control is not None:
        yield _Run(f"transfer-{weak_name}", ("transfer",), climb(control, weak), n_images, starts)


def _targets(gradient: str, steps: int, e2e_from: int) -> list[tuple[int | None, str]]:
    """List the answers to aim at, (step, readout); None is the feedforward sweep, for the answers of all steps."""
    if gradient != "e2e":
        return [(None, "last")]
    # At step 0 the readouts are one.
    return [(k, r) for k in range(e2e_from, steps + 1) for r in (READOUTS if k else READOUTS[:1])]


def _attack(
    model: UnrolledModel,
    run: _Run,
    images: Tensor,
    labels: Tensor,
    survived: Tensor,
    step: int | None,
    readout: str,
    generator: torch.Generator,
) -> None:
    """Attack the answers that are still right, and strike from `survived` (readout, step, image) those that fall."""
    last = survived.shape[1] - 1
    target = (slice(None), slice(None)) if step is None else (READOUTS.index(readout) if step else slice(None), step)
    for _ in range(run.n_restarts):
        standing = survived[target].reshape(-1, len(images)).any(0).nonzero()[:, 0]
        for some in standing.split(BATCH) if len(standing) else ():
            attacked = run.make(images[some], labels[some], step, readout, generator)
            right = _right(model, attacked, labels[some], last if step is None else step)
            survived[(*target, some)] &= right[target]


def _right(model: UnrolledModel, images: Tensor, labels: Tensor, n_steps: int) -> Tensor:
    """Say which answers are right: bool (readout, step, image)."""
    with torch.no_grad():
        logits = model.unroll(images, n_steps, chunk=BATCH).logits
    counts = torch.arange(1, n_steps + 2, device=logits.device)[:, None, None]
    return torch.stack([logits, logits.cumsum(0) / counts]).argmax(-1) == labels


def _table(found: list[tuple[str, str, Tensor]], epsilon: float, n_total: int) -> pd.DataFrame:
    """Count, with the intervals; and what no attack changed."""
    left = found[0][2].clone()
    for _, _, survived in found:
        left[..., : survived.shape[-1]] &= survived
    rows = []
    for attack, gradient, survived in [*found, (ANY, ANY, left)]:
        n = survived.shape[-1]
        for readout, by_step in zip(READOUTS, survived.sum(-1).tolist(), strict=True):
            for step, correct in enumerate(by_step):
                interval = binomtest(correct, n).proportion_ci(method="wilson")
                rows.append(
                    {
                        "attack": attack, "gradient": gradient, "readout": readout, "step": step,
                        "epsilon": 0.0 if attack == CLEAN else epsilon, "accuracy": correct / n, "n_correct": correct,
                        "n_used": n, "n_total": n_total, "low": interval.low, "high": interval.high,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)

"""Accuracy under attack at every step: a model's robustness, measured so that it can be believed.

Follows Carlini et al. (2019, arXiv 1902.06705) and Athalye et al. (2018, arXiv 1802.00420): each number is of the worst
of several starts, of weak and strong, white-box and black-box attacks, each aimed at the very answer that is evaluated;
the rows "any" count an image as right only where *no* attack changed the answer. One is of the five attacks through all
steps, which every model meets alike: models are compared by it. The other is of those made through step 0 alone, or on
another model, as well, of which a feedforward model meets none. An image whose clean answer is wrong is wrong under
every attack.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest
from torch import Tensor

from neurocnnf.attack_runs import Effort, Run, attack_runs
from neurocnnf.images import load_training_set, to_model_range
from neurocnnf.lesions import ShuffledCNNF
from neurocnnf.progress import Progress
from neurocnnf.recipes import Attack, find_recipe
from neurocnnf.unrolled import UnrolledModel
from neurocnnf.validation import READOUTS, check_images, check_n_steps

BATCH = 50
ANY = "any"
CLEAN = "clean"
E2E = "e2e"


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
    last_only: bool = False,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure accuracy at every step, clean and under every attack.

    Parameters
    ----------
    model
        Recurrent, or feedforward, which has step 0 only. At step 0 *first* is *e2e*.
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
    last_only
        Attack, and return, the last step's own answers alone, through all steps: the same numbers for far fewer aims.
    seed
        Of every start and perturbation, each answer under each attack with a generator of its own.
    workers
        Processes, of one thread each where there are several; what is found does not depend on their number, but for
        the order of summation where the one process has several threads.
    progress
        Called with (model and attack, answers attacked, all answers).

    Returns
    -------
    pandas.DataFrame
        Columns attack ("clean", "pgd-7", "pgd-50", "pgd-50-smooth": through `smooth_gates`, "spsa", "autoattack",
        "transfer-pgd-7"; "any"), gradient ("none"; "first": through step 0 alone; "e2e": through all steps of the
        answer; "transfer"; "any"), readout, step, epsilon, accuracy, n_correct, n_used (of "any": the images that every
        attack was given), n_total, low, high (Wilson's 95 % interval). Step k is the answer after k feedback passes: of
        its own logits ("last"), or the mean of all up to it.

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
    against = _Against(model, attack, effort, images, labels, control, right, seed)
    runs = against.runs()
    every = (
        _Aim(i, gradient, *target)
        for i, run in enumerate(runs)
        for gradient in run.gradients
        for target in run.targets(gradient, steps)
    )
    # The numbers are the generators': what an attack draws does not depend on which others there are.
    last = (E2E, steps, READOUTS[0])
    aims = {number: aim for number, aim in enumerate(every, start=1) if not last_only or aim[1:] == last}
    found = {
        (i, g): right[..., : run.n_images].clone()
        for i, run in enumerate(runs)
        for g in run.gradients
        if g == E2E or not last_only
    }
    for done, (aim, survived) in enumerate(_survivors(against, aims, workers), start=1):
        found[aim.run, aim.gradient] &= survived
        if progress:
            progress(f"{model.name}: {runs[aim.run].name} {aim.gradient}", done, len(aims))
    rows = [(runs[i].name, gradient, survived) for (i, gradient), survived in found.items()]
    table = _table([(CLEAN, "none", right), *rows], attack.epsilon, len(images))
    if not last_only:
        return table
    kept = (table["step"] == steps) & (table["readout"] == READOUTS[0]) & (table["gradient"] != ANY)
    return table[kept].reset_index(drop=True)


def by_step(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out accuracies by step: a row per attack, gradient, readout and ε, in the order of `table`."""
    rows = ["epsilon", "attack", "gradient", "readout", "n_used"]
    return table.pivot_table(index=rows, columns="step", values="accuracy", sort=False).reset_index()


class _Aim(NamedTuple):
    """One answer under one attack: what can be attacked by itself."""

    run: int
    gradient: str
    step: int | None
    readout: str


@dataclass(frozen=True)
class _Against:
    """A model, its images, and which of its answers to them are right without an attack."""

    model: UnrolledModel
    attack: Attack
    effort: Effort
    images: Tensor
    labels: Tensor
    control: UnrolledModel | None
    right: Tensor
    seed: int

    def runs(self) -> list[Run]:
        return list(attack_runs(self.model, self.attack, self.effort, len(self.images), self.control))

    def survivors(self, number: int, aim: _Aim) -> Tensor:
        """Attack the answers that are right, and strike those that fall: bool (readout, step, image)."""
        run = self.runs()[aim.run]
        generator = torch.Generator().manual_seed(self.seed * 10_000 + number)
        images, labels = self.images[: run.n_images], self.labels[: run.n_images]
        survived = self.right[..., : run.n_images].clone()
        readouts = READOUTS.index(aim.readout) if aim.step else slice(None)
        target = (slice(None), slice(None)) if aim.step is None else (readouts, aim.step)
        last = survived.shape[1] - 1 if aim.step is None else aim.step
        for _ in range(run.n_restarts):
            standing = survived[target].reshape(-1, len(images)).any(0).nonzero()[:, 0]
            for some in standing.split(BATCH) if len(standing) else ():
                attacked = run.make(images[some], labels[some], aim.step, aim.readout, generator)
                survived[(*target, some)] &= _right(self.model, attacked, labels[some], last)[target]
        return survived


def _survivors(against: _Against, aims: dict[int, _Aim], workers: int) -> Iterator[tuple[_Aim, Tensor]]:
    """Attack, here or in processes of their own; yield what survived each aim, in any order."""
    if workers == 1:
        for number, aim in aims.items():
            yield aim, against.survivors(number, aim)
        return
    # Not forked: a process that has run torch's threads cannot be copied safely.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _begin, (against,))
    try:
        # The last ones take longest: begun first, none of them is waited for by itself.
        futures = {pool.submit(_survivors_there, *each): each[1] for each in reversed(aims.items())}
        for future in as_completed(futures):
            yield futures[future], torch.from_numpy(future.result()).to(against.right.device)
    finally:
        pool.shutdown(cancel_futures=True)


_there: _Against  # in a process of a pool, what it attacks


def _begin(against: _Against) -> None:
    global _there
    torch.set_num_threads(1)
    _there = against


def _survivors_there(number: int, aim: _Aim) -> np.ndarray:
    return _there.survivors(number, aim).cpu().numpy()  # a tensor would travel as a file that has to stay open


def _right(model: UnrolledModel, images: Tensor, labels: Tensor, n_steps: int) -> Tensor:
    """Say which answers are right: bool (readout, step, image)."""
    with torch.no_grad():
        logits = model.unroll(images, n_steps, chunk=BATCH).logits
    counts = torch.arange(1, n_steps + 2, device=logits.device)[:, None, None]
    return torch.stack([logits, logits.cumsum(0) / counts]).argmax(-1) == labels


def _table(found: list[tuple[str, str, Tensor]], epsilon: float, n_total: int) -> pd.DataFrame:
    """Count, with the intervals; and what no attack changed, of the images that every attack was given."""
    fewest = min(survived.shape[-1] for *_, survived in found)
    worst = [
        (ANY, name, torch.stack([one[..., :fewest] for _, gradient, one in found if gradient in of]).all(0))
        for name, of in ((E2E, ("none", E2E)), (ANY, {gradient for _, gradient, _ in found}))
    ]
    through_all = {attack: survived for attack, gradient, survived in found if gradient == E2E}
    rows = []
    for attack, gradient, survived in [*found, *worst]:
        if gradient == "first":  # at step 0 both gradients are one; what the first run changed there, "any" has counted
            survived = torch.cat([through_all[attack][:, :1], survived[:, 1:]], dim=1)
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

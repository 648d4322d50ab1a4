"""How well a model's layers predict neurons at every step: cross-validated ridge or PLS, per session.

Raw score of a session, layer and step: Pearson r of held-out predictions with responses in each fold,
averaged over folds, median over neuroids. Normalised: the median over neuroids of r / sqrt(reliability), for
sessions with repeats. Intervals resample images (within folds) and neuroids, with predictions and ceilings held fixed.
Presentations of (nearly) the same picture are averaged first: see `benchmarks.copies`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks import ceilings
from benchmarks.benchmark import Benchmark, Run
from benchmarks.bootstrap import (
    N_RESAMPLES,
    count_draws,
    draw_neuroids,
    fold_correlations,
    interval,
    median_resamples,
)
from benchmarks.copies import merge_copies
from benchmarks.inputs import MEMORY_BUDGET
from benchmarks.layer_choice import average_sessions
from benchmarks.pls import pls_predictions
from benchmarks.ridge import ridge_predictions
from benchmarks.score import Score
from benchmarks.splits import in_place, make_folds
from benchmarks.streamed import each_gram

METRICS = ("ridge", "pls")
N_FOLDS = 5
QUICK_IMAGES, QUICK_RESAMPLES = 200, 200


class Session(Protocol):
    """Responses of some neuroids to some stimuli; see `benchmarks.recordings` and `benchmarks.simulated`."""

    stimuli: Any
    responses: Any  # DataArray (presentation, neuroid)
    repeats: Any  # DataArray (presentation, neuroid, repetition) or None
    animal: str


@dataclass(frozen=True)
class Design:
    """What is drawn once per session, and shared by its layers and steps so that they can be compared.

    Parameters
    ----------
    responses
        (presentation, neuroid).
    folds
        Held-out presentations of each fold.
    counts
        (resample, presentation).
    neuroids
        (resample, neuroid), indices.
    ceiling
        (neuroid,), largest expected r; NaN where there are no repeats.
    """

    responses: NDArray[np.float64]
    folds: tuple[NDArray[np.int64], ...]
    counts: NDArray[np.float64]
    neuroids: NDArray[np.int64]
    ceiling: NDArray[np.float64]


@dataclass(frozen=True)
class StepScore:
    """One layer at one step: numbers for the table, and the bootstrap samples they came from."""

    row: Mapping[str, Any]
    raw_samples: NDArray[np.float64]
    normalised_samples: NDArray[np.float64]


def make_design(
    responses: NDArray,
    repeats: NDArray | None,
    seed: int | Sequence[int],
    n_folds: int = N_FOLDS,
    n_resamples: int = N_RESAMPLES,
) -> Design:
    """Draw a session's folds and resamples, and find its ceiling.

    Parameters
    ----------
    responses
        (presentation, neuroid).
    repeats
        (presentation, neuroid, repetition) or None.
    seed
        Of everything drawn. Folds, resamples and split halves have streams of their own.
    """
    responses = np.asarray(responses, dtype=np.float64)
    for_folds, for_resamples, for_halves = np.random.default_rng(seed).spawn(3)
    folds = make_folds(len(responses), n_folds, for_folds)
    counts = count_draws(folds, n_resamples, for_resamples)
    neuroids = draw_neuroids(responses.shape[1], n_resamples, for_resamples)
    ceiling = np.full(responses.shape[1], np.nan)
    if repeats is not None:
        ceiling = ceilings.split_half(np.asarray(repeats), for_halves).ceiling
    return Design(responses, folds, counts, neuroids, ceiling)


def predict(products: NDArray, responses: NDArray, folds, metric: str) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Predict every presentation from the folds that it is not in.

    Parameters
    ----------
    products
        (presentation, presentation), from `benchmarks.streamed.each_gram`.
    responses
        (presentation, neuroid).
    folds
        Held-out presentations of each fold; together all presentations, once.
    metric
        ``"ridge"`` or ``"pls"``.

    Returns
    -------
    predictions
        (presentation, neuroid); NaN for neuroids that could not be fitted.
    fit
        What the fit says about itself: ``penalties_at_edge`` or ``n_components``, the smallest of all folds.

    Raises
    ------
    ValueError
        If the metric is unknown.
    """
    if metric == "ridge":
        ridge = ridge_predictions(products, responses, folds)
        return in_place(ridge.predictions, folds, len(responses)), {"penalties_at_edge": ridge.share_at_edge}
    if metric == "pls":
        pls = pls_predictions(products, responses, folds)
        return in_place(pls.predictions, folds, len(responses)), {"n_components": int(pls.n_components.min())}
    raise ValueError(f"metric: expected one of {', '.join(METRICS)}, got {metric!r}. Choose one of those.")


def score_products(products: NDArray, design: Design, metric: str) -> StepScore:
    """Score one layer at one step.

    Parameters
    ----------
    products
        (presentation, presentation), from `benchmarks.streamed.each_gram`.
    design
        Of the session.
    metric
        ``"ridge"`` or ``"pls"``.

    Returns
    -------
    StepScore
        As `score_predictions`.
    """
    return score_predictions(*predict(products, design.responses, design.folds, metric), design)


def score_predictions(predictions: NDArray, fit: Mapping[str, float], design: Design) -> StepScore:
    """Score held-out predictions.

    Parameters
    ----------
    predictions, fit
        From `predict`.
    design
        Of the session.

    Returns
    -------
    StepScore
        ``n_used`` counts neuroids with a raw score, ``n_normalised`` those with a ceiling too; without any
        the scores are NaN.
    """
    r = fold_correlations(predictions, design.responses, design.folds)
    samples = fold_correlations(predictions, design.responses, design.folds, design.counts)
    raw, low, high, raw_samples = _median_with_interval(r, samples, design.neuroids)
    normalised, n_low, n_high, n_samples = _median_with_interval(
        r / design.ceiling, samples / design.ceiling, design.neuroids
    )
    has_ceiling = np.isfinite(design.ceiling)
    row = {
        "raw": raw,
        "raw_low": low,
        "raw_high": high,
        "ceiling": float(np.median(design.ceiling[has_ceiling])) if has_ceiling.any() else float("nan"),
        "ceiling_rule": ceilings.RIDGE_RULE if has_ceiling.any() else ceilings.NO_RULE,
        "normalised": normalised,
        "normalised_low": n_low,
        "normalised_high": n_high,
        "n_used": int(np.isfinite(r).sum()),
        "n_total": len(r),
        "n_normalised": int(np.isfinite(r / design.ceiling).sum()),
        "n_presentations": len(design.responses),
        **fit,
    }
    return StepScore(row, raw_samples, n_samples)


def _median_with_interval(values, samples, neuroids):
    finite = np.isfinite(values)
    if not finite.any():
        return float("nan"), float("nan"), float("nan"), np.full(len(samples), np.nan)
    resampled = median_resamples(samples, neuroids)
    return float(np.median(values[finite])), *interval(resampled), resampled


def score_layer(products: Sequence[NDArray], design: Design, metric: str) -> list[StepScore]:
    """Score a layer at every step; a step that is the one before is not computed again.

    Parameters
    ----------
    products
        For each step (presentation, presentation), from `benchmarks.streamed.each_gram`.
    design
        Of the session.
    metric
        ``"ridge"`` or ``"pls"``.
    """
    scores: list[StepScore] = []
    for step, one in enumerate(products):
        same = step > 0 and one is products[step - 1]
        scores.append(scores[-1] if same else score_products(one, design, metric))
    return scores


@dataclass(frozen=True)
class NeuralPredictivity(Benchmark):
    """A benchmark of neural predictivity; calling it scores a model.

    `value` is at the last step; each session's layer is chosen by the sessions of the other animals.

    Parameters
    ----------
    identifier, studies, simulated, store, quick, each_layer
        As in `Benchmark`.
    source
        Yields (name, session), one session in memory at a time.
    near
        Likeness of two pictures of the study from which on they count as one; see `benchmarks.copies.copy_groups`.
    metric
        ``"ridge"``, a penalty for each neuroid (`benchmarks.ridge`), or ``"pls"``, 25 components that all neuroids of
        a session share (`benchmarks.pls`).
    memory
        Bytes for a model's activations and what is made of them; see `benchmarks.streamed`.
    """

    QUICK_NOTE: ClassVar[str] = "quick: a small subsample of images, not a result"

    near: float = 1.0
    metric: str = "ridge"
    memory: int = MEMORY_BUDGET

    def _score(self, run: Run, data: Iterable[tuple[str, Session]]) -> Score:
        results: dict[tuple[str, str, int], StepScore] = {}
        animals: dict[str, str] = {}
        merged: dict[str, int] = {}
        for name, shown in quick_sessions(data) if self.quick else data:
            session, merged[name] = merge_copies(shown, self.near)
            animals[name] = session.animal
            repeats = None if session.repeats is None else session.repeats.values
            n_resamples = QUICK_RESAMPLES if self.quick else N_RESAMPLES
            # A stream for each session: sessions of one size would else be resampled alike.
            own_seed = (run.seed, zlib.crc32(name.encode()))
            design = make_design(session.responses.values, repeats, own_seed, n_resamples=n_resamples)
            recorded = each_gram(run.model, session.stimuli, run.layers, run.n_steps, run.each_layer, self.memory)
            for done, (layer, products) in enumerate(recorded, start=1):
                scores = score_layer(products, design, self.metric)
                results |= {(name, layer, step): one for step, one in enumerate(scores)}
                run.tell(f"session {name}", done, len(run.layers))
        score = average_sessions(results, animals, self.identifier, run.model.name, run.n_steps, self.simulated)
        copies = ", ".join(f"{n} in {name}" for name, n in merged.items() if n)
        copied = (f"presentations of a picture shown before, averaged into its first: {copies}",) if copies else ()
        return replace(score, notes=score.notes + copied)


def quick_sessions(sessions: Iterable[tuple[str, Session]]) -> Iterator[tuple[str, Session]]:
    """Keep the first session of two animals, each with at most `QUICK_IMAGES` images."""
    animals: set[str] = set()
    for name, session in sessions:
        if session.animal in animals:
            continue
        animals.add(session.animal)
        index = np.arange(min(QUICK_IMAGES, len(session.stimuli)))
        smaller: Any = replace(
            cast(Any, session),
            stimuli=session.stimuli.subset(index),
            responses=session.responses.isel(presentation=index),
            repeats=None if session.repeats is None else session.repeats.isel(presentation=index),
        )
        yield name, smaller
        if len(animals) == 2:  # enough for a layer chosen by the other animal
            return

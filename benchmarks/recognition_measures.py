"""What a model's answers to manipulated pictures have in common with people's: four measures, at every step.

Each measure takes a model's answers from one layer and gives a `Match` per target, metric and step. The first target
by the first metric at the last step is what a benchmark reports as its one number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import observers
from benchmarks.bootstrap import count_draws
from benchmarks.ceilings import N_SPLITS
from benchmarks.clean_readout import Answers
from benchmarks.profiles import METRICS, condition_means, correlate, off_diagonal
from benchmarks.shift_ceiling import shift_ceiling

PROFILE_RULE = "r / sqrt(Spearman-Brown split-half reliability over observers, within experiments)"
ERROR_RULE = "r / sqrt(1 - error variance / variance over conditions), published standard errors × design effect"
NO_RULE_GIVEN = "none: partial correlation"
NO_RULE_RANKS = "none: standard errors of ranks unknown"
NO_RULE_CHANGE = "none: difference of correlations"
NO_RULE_GAIN = "none: reliability of the masking effect unknown"
MOSTLY_RIGHT = 0.5
"""Participants whose confusions hold fewer right answers than this had their keys mixed up in the file: their answers
are nearly always the same wrong category, while no observer's accuracy is below it."""


@dataclass(frozen=True)
class Match:
    """A model at one step beside people.

    Parameters
    ----------
    target, metric, step
        What is compared, how, and when.
    raw
        The similarity.
    samples
        (resample,), of pictures and people.
    ceiling, rule
        Largest expected value, NaN without one, and how it was found.
    more
        Further columns for the table.
    """

    target: str
    metric: str
    step: int
    raw: float
    samples: NDArray[np.float64]
    ceiling: float
    rule: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class People:
    """People's answers, resampled and with ceilings: made once, compared with every layer and step.

    Parameters
    ----------
    humans
        `benchmarks.recordings.maniquet2025.Humans`.
    experiment
        int64 (condition,), conditions seen by the same observers.
    accuracy, rt_ms
        (resample, condition): published values, plus what a resample of observers adds to their mean.
    errors
        (masking, condition), standard errors of masked and unmasked accuracy: the published ones, over trials, times
        how much larger those over observers are than those over trials.
    of_observer
        int64 (observer,), the experiment of each.
    seed
        Of the splits.
    """

    humans: Any
    experiment: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    rt_ms: NDArray[np.float64]
    errors: NDArray[np.float64]
    of_observer: NDArray[np.int64]
    seed: int

    @property
    def n_resamples(self) -> int:
        """Number of resamples."""
        return len(self.accuracy)

    def published(self, what: str, masking: str = "all") -> NDArray[np.float64]:
        """Return a published profile, (condition,)."""
        return self.humans.by_condition[what].sel(masking=masking).to_numpy()

    def ceiling(self, values, metric: str, given=()) -> float:
        """Return the ceiling of a correlation with a mean over observers; see `observers.profile_ceiling`."""
        alike = partial(correlate, metric=metric, given=given)
        rng = np.random.default_rng([self.seed, 1])
        return observers.profile_ceiling(np.asarray(values), self.of_observer, alike, rng, N_SPLITS)


def meet_people(humans, n_resamples: int, seed: int) -> People:
    """Resample people, and prepare what ceilings need.

    Parameters
    ----------
    humans
        `benchmarks.recordings.maniquet2025.Humans`.
    n_resamples, seed
        Number and seed of the resamples.
    """
    accuracy, rt = humans.accuracy.to_numpy(), humans.rt_ms.to_numpy()
    of_observer, experiment = observers.experiments(np.isfinite(accuracy))
    resampled = []
    for values, what in ((accuracy, "accuracy"), (rt, "rt_ms")):
        # the same seed: the same people are drawn for both
        drawn = observers.resampled_means(values, of_observer, n_resamples, np.random.default_rng([seed, 2]))
        published = humans.by_condition[what].sel(masking="all").to_numpy()
        resampled.append(published + drawn - np.nanmean(values, axis=0))
    over_observers = np.nanstd(accuracy, axis=0, ddof=1) / np.sqrt(np.isfinite(accuracy).sum(axis=0))
    sem = humans.by_condition["accuracy_sem"]
    errors = sem.sel(masking=["masked", "unmasked"]).to_numpy()
    over_trials = sem.sel(masking="all").to_numpy()
    larger = np.divide(over_observers, over_trials, out=np.ones_like(over_trials), where=over_trials > 0)
    errors = errors * np.maximum(larger, 1)
    return People(humans, experiment, *resampled, errors, of_observer, seed)


def draw_pictures(answers: Answers, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Draw originals with replacement within their categories, in all conditions the same: (resample, presentation)."""
    kinds = tuple(np.flatnonzero(answers.category_of_original == one) for one in range(len(answers.categories)))
    return count_draws(kinds, n_resamples, np.random.default_rng([seed, 3]))[:, answers.original]


def profiles(values: NDArray, answers: Answers, drawn: NDArray | None = None) -> NDArray[np.float64]:
    """Average (…, presentation) by condition; see `condition_means`."""
    return condition_means(values, answers.condition, len(answers.conditions), drawn)


def accuracy(answers: Answers, layer: str, people: People, drawn: NDArray) -> Iterator[Match]:
    """Correlate the model's accuracy with people's, over conditions, at every step, and say how that has changed."""
    right = answers.right(layer)
    model, resampled = profiles(right, answers), profiles(right, answers, drawn)
    human = people.published("accuracy")
    for metric in METRICS:
        ceiling = people.ceiling(people.humans.accuracy, metric)
        samples = correlate(resampled, people.accuracy[:, None], metric)
        raws = correlate(model, human, metric)
        for step, raw in enumerate(raws):
            more = {"accuracy": float(model[step].mean()), "human_accuracy": float(human.mean())}
            yield Match("accuracy", metric, step, float(raw), samples[:, step], ceiling, PROFILE_RULE, more)
        yield from _changes("accuracy", metric, raws, samples)


def _changes(target: str, metric: str, raws: NDArray, samples: NDArray) -> Iterator[Match]:
    """Say how much more alike each later step is than step 0, for the same pictures and people."""
    for step in range(1, len(raws)):
        change, changes = float(raws[step] - raws[0]), samples[:, step] - samples[:, 0]
        yield Match(f"{target}, change since step 0", metric, step, change, changes, float("nan"), NO_RULE_CHANGE)


def steps_until_right(right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count, for every horizon, the steps that a presentation spends unsolved; (horizon, presentation).

    Row k is min(solution step, k + 1): a presentation that is not solved by step k is censored there, and its mean is
    the Kaplan-Meier mean restricted to k + 1 steps. Row 0 is the error of the feedforward sweep.

    Parameters
    ----------
    right
        (step, presentation).
    """
    return np.cumsum(~np.logical_or.accumulate(right, axis=0), axis=0)


def uncertainty(decisions: NDArray) -> NDArray[np.float64]:
    """How little lies between the best two answers, (…, presentation), of decision values (…, presentation, category).

    0 at most: the second largest less the largest.
    """
    ordered = np.sort(decisions, axis=-1)
    return (ordered[..., -2] - ordered[..., -1]).astype(float)


def rt(answers: Answers, layer: str, people: People, drawn: NDArray) -> Iterator[Match]:
    """Correlate the model's time with people's, over conditions; what is known at step 0 is the feedforward null.

    Targets: "reaction time", with the steps until solved of the steps 0 … k in row k; "within experiments", with
    differences between experiments (other people) taken from both; "beyond error at step 0", with that error held
    constant; "from uncertainty at step 0", of the feedforward sweep's readout, with either of two kinds of people's
    times.
    """
    right = answers.right(layer)
    unsolved = 1 - np.logical_or.accumulate(right, axis=0).mean(axis=1)
    spent = steps_until_right(right)
    unsure = uncertainty(answers.decisions[layer][:1])
    dummies = [(people.experiment == one).astype(float) for one in np.unique(people.experiment)[1:]]
    model, resampled = profiles(spent, answers), profiles(spent, answers, drawn)
    doubt, doubt_resampled = profiles(unsure, answers), profiles(unsure, answers, drawn)
    compared = (
        ("reaction time", model, resampled, [], []),
        ("within experiments", model, resampled, dummies, dummies),
        ("beyond error at step 0", model, resampled, [model[0]], [resampled[:, :1]]),
        ("from uncertainty at step 0", doubt, doubt_resampled, [], []),
        ("from uncertainty at step 0, within experiments", doubt, doubt_resampled, dummies, dummies),
    )
    human = people.published("rt_ms")
    for target, values, draws, given, given_drawn in compared:
        for metric in METRICS:
            beyond = target.startswith("beyond")
            ceiling = float("nan") if beyond else people.ceiling(people.humans.rt_ms, metric, given)
            rule = NO_RULE_GIVEN if beyond else PROFILE_RULE
            samples = correlate(draws, people.rt_ms[:, None], metric, given_drawn)
            for step, raw in enumerate(correlate(values, human, metric, given)):
                more = {"unsolved": float(unsolved[step])}
                yield Match(target, metric, step, float(raw), samples[:, step], ceiling, rule, more)


def kept_participants(confusions: NDArray) -> NDArray[np.bool_]:
    """Say which participants mostly gave right answers: (participant,); see `MOSTLY_RIGHT`."""
    confusions = np.asarray(confusions)
    return np.trace(confusions, axis1=1, axis2=2) >= MOSTLY_RIGHT * confusions.sum(axis=(1, 2))


def confusion(answers: Answers, layer: str, people: People, drawn: NDArray) -> Iterator[Match]:
    """Correlate which categories are taken for which others, right answers left out, all conditions together.

    Targets: "confusions", of participants who mostly gave right answers; "confusions, all participants", as published.
    """
    n = len(answers.categories)
    cells = np.eye(n * n)[answers.labels * n + answers.given(layer)]  # (step, presentation, cell)
    model = off_diagonal(cells.sum(axis=1).reshape(-1, n, n))
    resampled = off_diagonal(np.stack([drawn @ one for one in cells], axis=1).reshape(len(drawn), -1, n, n))
    everyone = people.humans.confusions.to_numpy()
    kept = kept_participants(everyone)
    for target, counted in (("confusions", everyone[kept]), ("confusions, all participants", everyone)):
        cell = off_diagonal(counted)
        nobody = np.zeros(len(cell), np.int64)  # whose experiment is which is not known here
        counts = count_draws((np.arange(len(cell)),), people.n_resamples, np.random.default_rng([people.seed, 4]))
        for metric in METRICS:
            rng = np.random.default_rng([people.seed, 5])
            ceiling = observers.profile_ceiling(cell, nobody, partial(correlate, metric=metric), rng, N_SPLITS)
            samples = correlate(resampled, (counts @ cell)[:, None], metric)
            raws = correlate(model, cell.sum(axis=0), metric)
            for step, raw in enumerate(raws):
                more = {"n_participants": len(cell), "n_participants_total": len(everyone)}
                yield Match(target, metric, step, float(raw), samples[:, step], ceiling, PROFILE_RULE, more)
            yield from _changes(target, metric, raws, samples)


def masking(answers: Answers, layer: str, people: People, drawn: NDArray) -> Iterator[Match]:
    """Ask whether early steps are like people whom a mask cut short, and later steps like people it did not.

    Targets: "shift towards unmasked", how much more the likeness to unmasked than to masked people is at a step than
    at step 0; "masked" and "unmasked", the likenesses themselves; "gain", whether later steps help in the conditions
    in which people are helped by the absence of a mask.
    """
    right = answers.right(layer)
    model, resampled = profiles(right, answers), profiles(right, answers, drawn)
    published = np.stack([people.published("accuracy", kind) for kind in ("masked", "unmasked")])
    rng = np.random.default_rng([people.seed, 6])
    people_drawn = published + people.errors * rng.standard_normal((people.n_resamples, *published.shape))
    effect, effect_drawn = (values[..., 1, :] - values[..., 0, :] for values in (published, people_drawn))
    for metric in METRICS:
        likeness = correlate(model[:, None], published, metric)  # (step, masking)
        samples = correlate(resampled[:, :, None], people_drawn[:, None], metric)
        more, more_samples = likeness[:, 1] - likeness[:, 0], samples[..., 1] - samples[..., 0]
        largest, rule = shift_ceiling(published, people.errors, metric, np.random.default_rng([people.seed, 7]))
        gain = correlate(model - model[0], effect, metric)
        gain_samples = correlate(resampled - resampled[:, :1], effect_drawn[:, None], metric)
        for step in range(len(model)):
            shift, shifts = more[step] - more[0], more_samples[:, step] - more_samples[:, 0]
            if len(model) == 1:  # a feedforward model has nothing that could shift
                shift, shifts = np.nan, np.full(len(drawn), np.nan)
            yield Match("shift towards unmasked", metric, step, float(shift), shifts, largest, rule)
            for place, kind in enumerate(("masked", "unmasked")):
                raw, drawn_raw = float(likeness[step, place]), samples[:, step, place]
                ceiling = observers.error_ceiling(published[place], people.errors[place])
                known = metric == "pearson"
                ceiling, its_rule = (ceiling, ERROR_RULE) if known else (float("nan"), NO_RULE_RANKS)
                yield Match(kind, metric, step, raw, drawn_raw, ceiling, its_rule)
            if step:
                gained = float(gain[step])
                yield Match("gain", metric, step, gained, gain_samples[:, step], float("nan"), NO_RULE_GAIN)

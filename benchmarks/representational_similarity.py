"""How alike a model's layers are to IT, or to people's judgement, in which images they hold similar, at every step.

Raw score of a target, metric, layer and step: the mean over subjects of the similarity between the layer's
correlation distances and the subject's dissimilarities. Normalised, where there are subjects: divided by the
upper noise ceiling. Intervals resample images, with subjects and ceiling held fixed; an image is never compared with
itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks import ceilings, resampled_rsa, rsa
from benchmarks.benchmark import Benchmark, Run
from benchmarks.bootstrap import N_RESAMPLES, interval, pair_counts
from benchmarks.inputs import MEMORY_BUDGET
from benchmarks.layer_choice import choose_by_target
from benchmarks.score import Score
from benchmarks.streamed import each_rdm

HUMAN, MACAQUE, JUDGEMENT = "human IT", "macaque IT", "judgement"
METRIC = "spearman"
TARGET_METRICS = ("spearman", "cosine")
QUICK_RESAMPLES = 200


class Dissimilarities(Protocol):
    """Stimuli and dissimilarities between them; see `benchmarks.recordings` and `benchmarks.simulated`."""

    stimuli: Any
    macaque_it: Any  # (pair,) or (image, image)
    human_it: Any  # DataArray (subject, session, presentation, presentation_2)
    judgements: Any  # DataArray (subject, presentation, presentation_2), scale arbitrary per subject


@dataclass(frozen=True)
class Target:
    """Dissimilarities that a model is compared with, by one metric, ready for many comparisons.

    Parameters
    ----------
    name, metric
        Such as "human IT" and "spearman".
    subjects
        (subject, pair).
    counts
        (resample, pair).
    ceiling
        (lower, upper) noise ceiling; NaN where there is one subject or none is known.
    resampled
        (resample, pair): the subjects, standardised within each resample, averaged, times the counts. Its
        product with a layer's standardised dissimilarities, summed over pairs, is the mean similarity over
        subjects.
    """

    name: str
    metric: str
    subjects: NDArray[np.float64]
    counts: NDArray[np.float64]
    ceiling: tuple[float, float]
    resampled: NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One layer at one step against one target: numbers for the table, and bootstrap samples."""

    row: Mapping[str, Any]
    samples: NDArray[np.float64]


def make_target(name: str, subjects: NDArray, metric: str, counts: NDArray, ceiling=None) -> Target:
    """Prepare a target.

    Parameters
    ----------
    name, metric
        As in `Target`.
    subjects
        (subject, pair); one row where subjects are not known.
    counts
        (resample, pair), from `pair_counts`.
    ceiling
        (lower, upper); from the subjects where None.
    """
    subjects = np.atleast_2d(np.asarray(subjects, dtype=np.float64))
    if ceiling is None:
        ceiling = ceilings.rsa_noise_ceiling(subjects, metric)
    resampled = resampled_rsa.resampled_mean(subjects, metric, counts) * counts
    return Target(name, metric, subjects, counts, ceiling, resampled)


def compare_with_targets(distances: NDArray, targets: Sequence[Target], n_images: int) -> list[Comparison]:
    """Compare a layer's dissimilarities with those of targets.

    Images whose pattern is constant have no correlation distance. They are left out of the comparison on both
    sides, and counted: ``n_used`` images of ``n_total``.

    Parameters
    ----------
    distances
        (pair,), from `benchmarks.rsa.correlation_rdm`.
    targets
        What they are compared with, in the same resamples.
    n_images
        Images that the pairs are of.

    Raises
    ------
    ValueError
        If the targets' resamples are not the same array.
    """
    if any(target.counts is not targets[0].counts for target in targets):
        raise ValueError("targets: expected the same resamples of all, got others. Make them with one make_targets.")
    # Standardising inside the resamples is what takes time: once for all targets of a metric.
    alike: dict[tuple[str, bytes], list[int]] = {}
    for place, target in enumerate(targets):
        known = np.isfinite(distances) & np.isfinite(target.subjects).all(axis=0)
        alike.setdefault((target.metric, known.tobytes()), []).append(place)
    found: dict[int, Comparison] = {}
    for (metric, pairs), places in alike.items():
        known = np.frombuffer(pairs, dtype=bool)
        group = [targets[place] for place in places]
        if known.any() and not known.all():
            counts = group[0].counts[:, known]
            group = [make_target(one.name, one.subjects[:, known], metric, counts, one.ceiling) for one in group]
        others = [one.resampled for one in group]
        samples = np.full((len(group), len(targets[0].counts)), np.nan)
        if known.any():
            samples = resampled_rsa.resampled_products(distances[known], metric, group[0].counts, others)
        for place, target, drawn in zip(places, group, samples, strict=True):
            found[place] = _comparison(distances[known], known, target, drawn, n_images)
    return [found[place] for place in range(len(targets))]


def _comparison(distances, pairs, target: Target, samples, n_images: int) -> Comparison:
    first, second = np.triu_indices(n_images, k=1)
    n_used = len(np.union1d(first[pairs], second[pairs]))
    raw = float("nan")
    if n_used > 2:
        raw = float(np.mean([rsa.compare(distances, one, target.metric) for one in target.subjects]))
    else:
        samples = np.full_like(samples, np.nan)
    lower, upper = target.ceiling
    has_ceiling = np.isfinite(upper) and upper > 0
    low, high = interval(samples)
    scale = upper if has_ceiling else float("nan")
    row = {
        "raw": raw,
        "raw_low": low,
        "raw_high": high,
        "ceiling": upper,
        "ceiling_rule": ceilings.RSA_RULE if has_ceiling else ceilings.NO_RULE_RSA,
        "normalised": raw / scale,
        "normalised_low": low / scale,
        "normalised_high": high / scale,
        "n_used": n_used,
        "n_total": n_images,
        "ceiling_lower": lower,
        "n_subjects": len(target.subjects) if has_ceiling else 0,
    }
    return Comparison(row, samples)


def compare_layer(distances: Sequence[NDArray], targets: Sequence[Target], n_images: int) -> list[list[Comparison]]:
    """Compare a layer with every target, at every step; a step that is the one before is not compared again.

    Parameters
    ----------
    distances
        For each step (pair,), from `benchmarks.streamed.each_rdm`.
    targets
        What it is compared with.
    n_images
        Images that the pairs are of.

    Returns
    -------
    list of lists
        Step, then target.
    """
    compared: list[list[Comparison]] = []
    for step, one in enumerate(distances):
        if step and one is distances[step - 1]:
            compared.append(compared[-1])
        else:
            compared.append(compare_with_targets(one, targets, n_images))
    return compared


def subjects_of(data: Dissimilarities, name: str) -> NDArray[np.float64]:
    """Return (subject, pair) of a target; (pair,) where no subjects are known.

    Parameters
    ----------
    data
        The study.
    name
        "human IT" (sessions averaged), "macaque IT" (one matrix over all neurons, without subjects) or "judgement".

    Raises
    ------
    ValueError
        If there is no such target.
    """
    if name == HUMAN:
        return rsa.condensed(data.human_it.mean("session").transpose("subject", ...).values)
    if name == MACAQUE:
        return rsa.condensed(np.asarray(data.macaque_it))
    if name == JUDGEMENT:
        return rsa.condensed(data.judgements.transpose("subject", ...).values)
    raise ValueError(f"target: expected one of {HUMAN}, {MACAQUE}, {JUDGEMENT}, got {name!r}. Choose one.")


def make_targets(
    data: Dissimilarities, names: Sequence[str], seed: int, n_resamples: int = N_RESAMPLES
) -> list[Target]:
    """Prepare targets, each by both metrics.

    Parameters
    ----------
    data
        The study.
    names
        As in `subjects_of`.
    seed
        Of the resamples, which all targets share.
    n_resamples
        Number of bootstrap resamples.
    """
    counts = pair_counts(len(data.stimuli), n_resamples, np.random.default_rng(seed))
    subjects = {name: subjects_of(data, name) for name in names}
    return [make_target(name, rdms, metric, counts) for name, rdms in subjects.items() for metric in TARGET_METRICS]


@dataclass(frozen=True)
class RepresentationalSimilarity(Benchmark):
    """A benchmark of representational similarity; calling it scores a model.

    `value` is Spearman with the target that is scored, at the last step, of the layer that the other chooses; missing
    where the target has no subjects, and so no ceiling.

    Parameters
    ----------
    identifier, studies, simulated, store, quick, each_layer
        As in `Benchmark`.
    source
        Returns `Dissimilarities`.
    scored, chooser
        The target that is scored, and another that chooses the layer; see `subjects_of`.
    memory
        Bytes for a model's activations and what is made of them; see `benchmarks.streamed`.
    """

    scored: str = HUMAN
    chooser: str = MACAQUE
    memory: int = MEMORY_BUDGET

    def _score(self, run: Run, data: Dissimilarities) -> Score:
        n_resamples = QUICK_RESAMPLES if self.quick else N_RESAMPLES
        targets = make_targets(data, (self.scored, self.chooser), run.seed, n_resamples)
        results: dict[tuple[str, str, str, int], Comparison] = {}
        recorded = each_rdm(run.model, data.stimuli, run.layers, run.n_steps, run.each_layer, self.memory)
        for done, (layer, distances) in enumerate(recorded, start=1):
            for step, compared in enumerate(compare_layer(distances, targets, len(data.stimuli))):
                for target, one in zip(targets, compared, strict=True):
                    results[target.name, target.metric, layer, step] = one
            run.tell(self.identifier, done, len(run.layers))
        roles = (self.scored, self.chooser, METRIC)
        return choose_by_target(results, roles, self.identifier, run.model.name, run.n_steps, self.simulated)

"""How alike a model's layers are to IT, or to people's judgement, in which images they hold similar, at every step.

Raw score of a target, metric, layer and step: the mean over subjects of the similarity between the layer's
correlation distances and the subject's dissimilarities. Normalised, where there are subjects: divided by the
upper noise ceiling. Intervals resample images, with subjects and ceiling held fixed; an image is never compared with
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks import ceilings, rsa
from benchmarks.bootstrap import N_RESAMPLES, interval, pair_counts
from benchmarks.inputs import (
    MEMORY_BUDGET,
    EachLayer,
    as_model,
    default_each_layer,
    files_available,
    files_used,
    open_store,
)
from benchmarks.layer_choice import choose_by_target
from benchmarks.score import Score, make_provenance, used_steps
from benchmarks.streamed import each_rdm
from neurocnnf.progress import Progress

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
    resampled = np.zeros_like(counts)
    for subject in subjects:
        resampled += rsa.resampled_standardise(subject, metric, counts)
    resampled *= counts / len(subjects)
    return Target(name, metric, subjects, counts, ceiling, resampled)


def compare_with_target(distances: NDArray, target: Target, n_images: int) -> Comparison:
    """Compare a layer's dissimilarities with a target's.

    Images whose pattern is constant have no correlation distance. They are left out of the comparison on both
    sides, and counted: ``n_used`` images of ``n_total``.

    Parameters
    ----------
    distances
        (pair,), from `benchmarks.rsa.correlation_rdm`.
    target
        What it is compared with.
    n_images
        Images that the pairs are of.
    """
    known = np.isfinite(distances) & np.isfinite(target.subjects).all(axis=0)
    first, second = np.triu_indices(n_images, k=1)
    n_used = len(np.union1d(first[known], second[known]))
    raw, samples = float("nan"), np.full(len(target.counts), np.nan)
    if n_used > 2:
        if not known.all():
            target = make_target(
                target.name, target.subjects[:, known], target.metric, target.counts[:, known], target.ceiling
            )
        raw = float(np.mean([rsa.compare(distances[known], one, target.metric) for one in target.subjects]))
        standard = rsa.resampled_standardise(distances[known], target.metric, target.counts)
        samples = np.einsum("ij,ij->i", standard, target.resampled)
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
            compared.append([compare_with_target(one, target, n_images) for target in targets])
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
class RepresentationalSimilarity:
    """A benchmark of representational similarity; calling it scores a model.

    Parameters
    ----------
    identifier
        ``<study>.<what>-<metric>``.
    studies
        Names, or patterns of names, of the files it needs from the data store.
    source
        ``source(store, model, n_steps, seed, each_layer)`` returns `Dissimilarities`.
    scored, chooser
        The target that is scored, and another that chooses the layer; see `subjects_of`.
    simulated
        Whether the recordings are simulated.
    store
        Where the files are; a `DataStore` with its defaults where None.
    quick
        Fewer resamples: a check, not a result.
    each_layer
        What records the model; `neurocnnf.record.each_layer` where None.
    memory
        Bytes for a model's activations and what is made of them; see `benchmarks.streamed`.
    """

    identifier: str
    studies: tuple[str, ...]
    source: Callable[..., Dissimilarities]
    scored: str = HUMAN
    chooser: str = MACAQUE
    simulated: bool = False
    store: Any = None
    quick: bool = False
    each_layer: EachLayer | None = None
    memory: int = MEMORY_BUDGET

    def available(self, store=None) -> bool:
        """Say whether the files are at hand without downloading."""
        return files_available(self.studies, store or self.store)

    def __call__(
        self,
        model,
        n_steps: int = 5,
        seed: int = 0,
        progress: Progress | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> Score:
        """Score a model at every layer and step.

        Parameters
        ----------
        model
            With ``name``, ``layer_names``, ``recurrent``; a feedforward one is scored at step 0.
        n_steps
            Feedback passes.
        seed
            Of the resamples.
        progress
            Called with (what, done, total).
        layers
            Names; all of the model's where None.

        Returns
        -------
        Score
            `value`: Spearman with the target that is scored, at the last step, of the layer that the other chooses;
            missing where the target has no subjects, and so no ceiling.
        """
        model = as_model(model)
        n_steps = used_steps(model, n_steps)
        layers = tuple(model.layer_names if layers is None else layers)
        each_layer = self.each_layer or default_each_layer()
        store = open_store(self.studies, self.store)
        data = self.source(store=store, model=model, n_steps=n_steps, seed=seed, each_layer=each_layer)
        targets = make_targets(data, (self.scored, self.chooser), seed, QUICK_RESAMPLES if self.quick else N_RESAMPLES)
        results: dict[tuple[str, str, str, int], Comparison] = {}
        recorded = each_rdm(model, data.stimuli, layers, n_steps, each_layer, self.memory)
        for done, (layer, distances) in enumerate(recorded, start=1):
            for step, compared in enumerate(compare_layer(distances, targets, len(data.stimuli))):
                for target, one in zip(targets, compared, strict=True):
                    results[target.name, target.metric, layer, step] = one
            if progress:
                progress(f"{model.name}: {self.identifier}", done, len(layers))
        score = choose_by_target(
            results, (self.scored, self.chooser, METRIC), self.identifier, model.name, n_steps, self.simulated
        )
        quick = ("quick: few resamples, not a result",) if self.quick else ()
        provenance = make_provenance(model, n_steps, seed, store, files_used(self.studies, store))
        return replace(score, notes=quick + score.notes, provenance=provenance)

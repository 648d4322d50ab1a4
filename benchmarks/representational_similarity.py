"""How alike a model's layers and IT are in which images they hold similar, at every step.

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
    EachLayer,
    as_model,
    default_each_layer,
    each_activation,
    files_available,
    files_used,
    open_store,
)
from benchmarks.layer_choice import choose_by_target
from benchmarks.score import Score, make_provenance, used_steps
from neurocnnf.progress import Progress

SCORED, CHOOSER, METRIC = "human IT", "macaque IT", "spearman"
QUICK_RESAMPLES = 200


class Dissimilarities(Protocol):
    """Stimuli and dissimilarities between them; see `benchmarks.recordings` and `benchmarks.simulated`."""

    stimuli: Any
    macaque_it: Any  # (pair,) or (image, image)
    human_it: Any  # DataArray (subject, session, presentation, presentation_2)


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


def compare_layer(activations: NDArray, targets: Sequence[Target]) -> list[list[Comparison]]:
    """Compare a layer with every target, at every step; a step equal to the one before is not computed again.

    Parameters
    ----------
    activations
        (step, presentation, unit).
    targets
        What it is compared with.

    Returns
    -------
    list of lists
        Step, then target.
    """
    compared: list[list[Comparison]] = []
    for step, features in enumerate(activations):
        if step and np.array_equal(features, activations[step - 1]):
            compared.append(compared[-1])
        else:
            distances = rsa.correlation_rdm(features)
            compared.append([compare_with_target(distances, target, len(features)) for target in targets])
    return compared


def make_targets(data: Dissimilarities, seed: int, n_resamples: int = N_RESAMPLES) -> list[Target]:
    """Prepare human IT (subjects averaged over their sessions) and macaque IT (no subjects), by both metrics.

    Parameters
    ----------
    data
        The study.
    seed
        Of the resamples, which all targets share.
    n_resamples
        Number of bootstrap resamples.
    """
    human = rsa.condensed(data.human_it.mean("session").transpose("subject", ...).values)
    macaque = rsa.condensed(np.asarray(data.macaque_it))
    counts = pair_counts(len(data.stimuli), n_resamples, np.random.default_rng(seed))
    pairs = ((SCORED, human), (CHOOSER, macaque))
    return [make_target(name, rdms, metric, counts) for name, rdms in pairs for metric in rsa.METRICS]


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
    simulated
        Whether the recordings are simulated.
    store
        Where the files are; a `DataStore` with its defaults where None.
    quick
        Fewer resamples: a check, not a result.
    each_layer
        What records the model; `neurocnnf.record.each_layer` where None.
    """

    identifier: str
    studies: tuple[str, ...]
    source: Callable[..., Dissimilarities]
    simulated: bool = False
    store: Any = None
    quick: bool = False
    each_layer: EachLayer | None = None

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
            `value`: Spearman with human IT at the last step, of the layer that macaque IT chooses.
        """
        model = as_model(model)
        n_steps = used_steps(model, n_steps)
        layers = tuple(model.layer_names if layers is None else layers)
        each_layer = self.each_layer or default_each_layer()
        store = open_store(self.studies, self.store)
        data = self.source(store=store, model=model, n_steps=n_steps, seed=seed, each_layer=each_layer)
        targets = make_targets(data, seed, QUICK_RESAMPLES if self.quick else N_RESAMPLES)
        results: dict[tuple[str, str, str, int], Comparison] = {}
        recorded = each_activation(model, data.stimuli, layers, n_steps, each_layer)
        for done, (layer, activations) in enumerate(recorded, start=1):
            for step, compared in enumerate(compare_layer(activations, targets)):
                for target, one in zip(targets, compared, strict=True):
                    results[target.name, target.metric, layer, step] = one
            if progress:
                progress(f"{model.name}: {self.identifier}", done, len(layers))
        score = choose_by_target(
            results, (SCORED, CHOOSER, METRIC), self.identifier, model.name, n_steps, self.simulated
        )
        quick = ("quick: few resamples, not a result",) if self.quick else ()
        provenance = make_provenance(model, n_steps, seed, store, files_used(self.studies, store))
        return replace(score, notes=quick + score.notes, provenance=provenance)

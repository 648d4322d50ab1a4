"""The solution step: the first step at which the right category can be read out, censored if never."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.censored import restricted_means
from benchmarks.readout import choose_layer, fit_readout, object_folds
from neurocnnf.progress import Progress

Rule = Literal["first", "stays"]


@dataclass(frozen=True)
class SolutionSteps:
    """Solution steps, right-censored.

    Parameters
    ----------
    step
        int64, (presentation,), the solution step where `solved`; elsewhere the last step looked at, by which
        the presentation was still not solved.
    solved
        bool, (presentation,).
    n_steps
        Last step looked at.
    """

    step: NDArray[np.int64]
    solved: NDArray[np.bool_]
    n_steps: int

    @property
    def reported(self) -> NDArray[np.float64]:
        """Solution step, (presentation,), NaN where unsolved: in a table no number may pass for a step."""
        return np.where(self.solved, self.step, np.nan)


def solution_steps(decisions: NDArray, labels: ArrayLike, rule: Rule = "first") -> SolutionSteps:
    """Find the solution step of each presentation.

    Parameters
    ----------
    decisions
        (step, presentation, category), finite decision values; the readout's answer is the largest, and a tie
        for the largest is no answer.
    labels
        (presentation,), index of the right category.
    rule
        ``"first"``: the first step with the right answer. ``"stays"``: the first step from which on the
        answer is right at every step up to the last.

    Raises
    ------
    ValueError
        If the rule is unknown, shapes disagree, a label is not a category, or a decision value is not finite.
    """
    right = right_margin(decisions, labels) > 0
    if rule == "stays":
        right = np.logical_and.accumulate(right[::-1], axis=0)[::-1]
    elif rule != "first":
        raise ValueError(f"solution_steps: expected rule 'first' or 'stays', got {rule!r}. Choose one of the two.")
    solved, n_steps = right.any(axis=0), len(right) - 1
    return SolutionSteps(np.where(solved, right.argmax(axis=0), n_steps), solved, n_steps)


def right_margin(decisions: NDArray, labels: ArrayLike) -> NDArray[np.float64]:
    """Return the right category's decision value minus the largest other one, (step, presentation).

    At step 0 this is the feedforward sweep's own confidence in the right answer; above 0 means answered
    rightly.

    Raises
    ------
    ValueError
        If shapes disagree, a label is not a category, or a decision value is not finite.
    """
    decisions, labels = np.asarray(decisions, np.float64), np.asarray(labels)
    if decisions.ndim != 3 or decisions.shape[1] != len(labels) or decisions.shape[2] < 2:
        raise ValueError(
            f"right_margin: expected decisions (step, presentation={len(labels)}, category of 2 or more), "
            f"got {decisions.shape}. Pass one label per presentation."
        )
    if not np.isfinite(decisions).all():
        raise ValueError(
            "right_margin: expected finite decision values, got "
            f"{np.count_nonzero(~np.isfinite(decisions))} that are not. Check the model's activations."
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < decisions.shape[2]):
        raise ValueError(
            f"right_margin: expected labels 0 to {decisions.shape[2] - 1}, got {labels.min()} to "
            f"{labels.max()}. Number the categories as the readout does."
        )
    row = np.arange(len(labels))
    right = decisions[:, row, labels]
    others = decisions.copy()
    others[:, row, labels] = -np.inf
    return right - others.max(axis=2)


def decode(
    activations: Callable,
    objects,
    labels: ArrayLike,
    stimuli,
    stimulus_object: ArrayLike,
    layers: Sequence[str],
    folds: ArrayLike,
    chunk: int = 128,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float32], str, dict[str, list[float]]]:
    """Train on whole objects, choose the layer, and decode the stimuli at every step, streamed.

    Of the whole objects as many layers as `activations` holds, or one chunk of the stimuli, are in memory at a time; of
    the stimuli only the decision values are kept.

    Parameters
    ----------
    activations
        Function of (stimuli, layers) that yields (layer, activations (step, presentation, unit)). The only way to the
        model.
    objects, stimuli
        Whole objects, and what is decoded; `stimuli` must have ``subset(slice)`` and a length.
    labels, folds
        (object,), as in `fit_readout`.
    stimulus_object
        (presentation,), index of the object that each stimulus shows.
    layers
        Candidate layers, shallow to deep.
    chunk
        Stimuli shown at a time.
    progress
        Called with what is being done, how much is done, and of how much.

    Returns
    -------
    decisions
        float32, (step, presentation, category).
    layer
        The layer chosen, by `choose_layer`.
    accuracy
        Of each layer: held-out accuracy on whole objects at each step.
    """
    report = progress or (lambda what, done, total: None)
    folds, stimulus_object = np.asarray(folds), np.asarray(stimulus_object)
    accuracy, best = {}, {}
    for number, (layer, values) in enumerate(activations(objects, layers)):
        readout = fit_readout(values, labels, folds)
        accuracy[layer] = readout.accuracy.tolist()
        best = {**best, layer: readout}
        chosen = choose_layer(best)
        best = {chosen: best[chosen]}  # the readouts of one layer only: weights of all layers would be large
        report("readout of whole objects", number + 1, len(layers))
    chosen = choose_layer(best)
    decisions = []
    for start in range(0, len(stimuli), chunk):
        part = slice(start, min(start + chunk, len(stimuli)))
        ((_, values),) = activations(stimuli.subset(part), [chosen])
        decisions.append(best[chosen].decide(values, folds[stimulus_object[part]]))
        report(f"stimuli decoded from {chosen}", part.stop, len(stimuli))
    return np.concatenate(decisions, axis=1), chosen, accuracy


def decode_all(nets, objects, occluded, seed: int = 0, progress: Progress | None = None):
    """Decode the same stimuli from several networks, with the same folds of objects.

    Parameters
    ----------
    nets
        Role -> (function for `decode`, candidate layers).
    objects, occluded
        `Stimuli` with columns object_id and category in the whole objects' table, object_id in the other.
    seed, progress
        Of the folds, and as in `decode`.

    Returns
    -------
    decisions
        One array (step, presentation, category) per role.
    table
        The occluded stimuli's table with columns category and label (its number in the decisions).
    provenance
        Categories, and per role: layer, n_steps, whole_object_accuracy.

    Raises
    ------
    ValueError
        If an occluded stimulus shows an object of which there is no whole picture.
    """
    categories = sorted(objects.table["category"].unique())
    labels = pd.Index(categories).get_indexer(objects.table["category"])
    item = pd.Index(objects.table["object_id"]).get_indexer(occluded.table["object_id"])
    if (item < 0).any():
        raise ValueError(
            f"decode_all: expected a whole picture of every occluded object, got {(item < 0).sum()} stimuli "
            "without one. Leave these stimuli out before decoding."
        )
    folds, provenance, decisions = object_folds(labels, seed=seed), {"categories": categories}, []
    for role, (activations, layers) in nets.items():
        whole = (activations, objects, labels, occluded, item, layers, folds)
        values, layer, accuracy = decode(*whole, progress=progress)
        decisions.append(values)
        provenance[role] = {"layer": layer, "n_steps": len(values) - 1, "whole_object_accuracy": accuracy}
    table = occluded.table.assign(label=labels[item], category=np.asarray(categories)[labels[item]])
    return decisions, table, provenance


def object_table(trials, kept, stimuli, steps, decisions, control_decisions) -> pd.DataFrame:
    """Summarise the model's side by object: one row per object that the stimuli or the trials name.

    Parameters
    ----------
    trials, kept
        All trials (object_id, category where known), and those that count.
    stimuli
        Columns object_id, category, label, occluded_percent; one row per presentation.
    steps
        Solution steps of the presentations.
    decisions, control_decisions
        (step, presentation, category); step 0 gives the confidence in the right answer.

    Returns
    -------
    DataFrame
        The columns of `recognition_time.RecognitionTimes.objects` that need no human time.
    """
    labels, n = stimuli["label"].to_numpy(), steps.n_steps
    category = pd.concat([f.set_index("object_id")["category"] for f in (stimuli, trials) if "category" in f])
    # An object whose category nobody names is kept, without one.
    ids = np.unique(np.concatenate([stimuli["object_id"], trials["object_id"]]))
    category = category[~category.index.duplicated()].reindex(ids)
    item = pd.Index(category.index).get_indexer(stimuli["object_id"])
    per_stimulus = pd.DataFrame(
        {
            "model_time_drop_unsolved": steps.reported,
            "n_solved": steps.solved,
            "step0_confidence": right_margin(decisions[:1], labels)[0],
            "control_confidence": right_margin(control_decisions[:1], labels)[0],
            "mean_occlusion": stimuli["occluded_percent"].to_numpy(float),
        }
    )
    grouped = per_stimulus.groupby(item)
    table = grouped.mean().assign(n_solved=grouped["n_solved"].sum(), n_stimuli=grouped.size())
    table = table.reindex(range(len(category)))
    table["model_time"] = restricted_means(steps.step, steps.solved, item, len(category), n + 1)
    table["solved_fraction"] = table["n_solved"] / table["n_stimuli"]
    table[["n_solved", "n_stimuli"]] = table[["n_solved", "n_stimuli"]].fillna(0).astype(int)
    table["n_trials"] = kept.groupby("object_id").size().reindex(category.index, fill_value=0).to_numpy()
    table.insert(0, "object_id", category.index)
    table.insert(1, "category", category.to_numpy())
    return table

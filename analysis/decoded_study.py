"""Show a study's occluded objects to several models once, and keep what all readouts of time need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.solution_step import decode_all
from benchmarks.inputs import default_each_layer, each_activation
from benchmarks.readout import object_folds
from neurocnnf.progress import Progress
from neurocnnf.stimuli import Stimuli


@dataclass(frozen=True)
class DecodedStudy:
    """What models answered, and how far they moved, for the stimuli of a study.

    Parameters
    ----------
    decisions
        Model -> float32 (step, presentation, category): decision values of the linear readout, or None of a model.
    movement
        Model -> float64 (step - 1, presentation): ‖f_t − f_{t−1}‖ / ‖f_t‖ in the layer read out, t = 1 … n_steps.
    table
        Row per presentation: stimulus_id, object_id, category, label, occluded_percent, fold (of the object).
    trials
        Row per trial, as `benchmarks.recordings.tang2018.load_trials` gives them; read back, without bubble_centers.
    provenance
        Settings; of `decode_models` also, per model: layer, n_steps, whole_object_accuracy; of
        `decoded_files.read_decoded` ``layers``, model to the layer read out.
    """

    decisions: Mapping[str, NDArray[np.float32]]
    movement: Mapping[str, NDArray[np.float64]]
    table: pd.DataFrame
    trials: pd.DataFrame
    provenance: dict

    @property
    def shown(self) -> pd.DataFrame:
        """The trials whose stimulus the models saw."""
        return self.trials[self.trials["stimulus_id"].isin(self.table["stimulus_id"])]

    def right(self, trials: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """Say for each model which of some trials' stimuli it answers right, (step, trial); all are in the table."""
        at, labels = pd.Index(self.table["stimulus_id"]).get_indexer(trials["stimulus_id"]), self.table["label"]
        return {name: (values.argmax(axis=2) == labels.to_numpy())[:, at] for name, values in self.decisions.items()}


def load_tang2018(store, n_stimuli: int | None = None):
    """Give trials, whole objects and occluded stimuli of Tang et al. (2018, experiment v2).

    Parameters
    ----------
    store
        The data store with the study's files.
    n_stimuli
        For quick checks: about so many occluded stimuli, evenly taken; all where None.
    """
    from benchmarks.recordings import tang2018
    from benchmarks.recordings.tang2018_stimuli import resize

    trials = tang2018.load_trials(store, experiment="v2")
    objects = tang2018.load_objects(store)
    occluded = tang2018.occluded_stimuli(trials, objects)
    # Through the same enlargement as the occluded ones: else the readout would be trained on sharper pictures.
    pictures = [resize(picture[..., 0], occluded.images.shape[1]) for picture in objects.images[:]]
    objects = replace(objects, images=np.stack(pictures)[..., None])
    if n_stimuli is not None and n_stimuli < len(occluded):
        occluded = occluded.subset(slice(None, None, len(occluded) // n_stimuli))
    return trials, objects, occluded


def decode_models(
    models: Sequence,
    trials: pd.DataFrame,
    objects: Stimuli,
    occluded: Stimuli,
    n_steps: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> DecodedStudy:
    """Decode occluded stimuli from each model with readouts trained on whole objects (see `solution_step.decode`).

    Parameters
    ----------
    models
        Recurrent or not; of those that are not, step 0 alone is run.
    trials, objects, occluded
        As `load_tang2018` gives them. Where the stimuli's table has no occluded_percent, it comes from the trials.
    n_steps, seed
        Feedback passes; seed of the folds of objects (the same for all models).
    progress
        Called with what is being done, how much is done, and of how much.
    """
    nets, moved = {}, {}
    for model in models:
        moved[model.name] = []
        nets[model.name] = (_watched(model, objects, n_steps, moved[model.name]), model.feedback_layers)
    decisions, table, provenance = decode_all(nets, objects, occluded, seed, progress)
    categories = pd.Index(provenance["categories"])
    labels = categories.get_indexer(objects.table["category"])
    folds = pd.Series(object_folds(labels, seed=seed), index=objects.table["object_id"].to_numpy())
    table["fold"] = table["object_id"].map(folds)
    if "occluded_percent" not in table:
        table["occluded_percent"] = table["stimulus_id"].map(trials.groupby("stimulus_id")["occluded_percent"].mean())
    movement = {name: np.concatenate(parts, axis=1) for name, parts in moved.items()}
    answers = dict(zip(nets, decisions, strict=True))
    return DecodedStudy(answers, movement, table, trials, {"n_steps": n_steps, "seed": seed, **provenance})


def _watched(model, objects, n_steps: int, moved: list):
    """Give the function that `decode` wants; how far occluded stimuli moved is kept on the side."""
    run = n_steps if model.recurrent else 0

    def activations(stimuli, layers):
        for layer, values in each_activation(model, stimuli, layers, run, default_each_layer()):
            if stimuli is not objects:
                moved.append(relative_movement(values))
            yield layer, values

    return activations


def relative_movement(features: NDArray) -> NDArray[np.float64]:
    """‖f_t − f_{t−1}‖ / ‖f_t‖ of features (step, presentation, unit), float64 (step - 1, presentation)."""
    length = np.linalg.norm(np.asarray(features, np.float64), axis=2)
    moved = np.linalg.norm(np.diff(np.asarray(features, np.float64), axis=0), axis=2)
    return moved / np.maximum(length[1:], np.finfo(float).tiny)

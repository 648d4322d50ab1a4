"""Show the stimuli of Tang et al. (2018) to one model, and keep what every analysis of its times needs.

Run ``python -m analysis.decode_stage cnnf-cifar-gray --out build/decoded/cnnf-cifar-gray/tang2018``. Models are decoded
side by side, and a model that is added leaves the others as they are. Without the study, ``--simulate-missing`` takes
occluded handwritten digits and simulated observers, under another name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.decoded_files import answers_table
from analysis.decoded_study import DecodedStudy, decode_models, load_tang2018
from analysis.simulated_study import simulated_data
from analysis.timing_stage import run_timing_stage
from analysis.trajectories import layer_table, steps_table, temporal_generalisation
from benchmarks.inputs import default_each_layer
from benchmarks.readout import object_folds
from neurocnnf.display import progress_bar

STUDY_FILES = ("tang2018_occlusion/data_occlusion_klab325v2.mat", "tang2018_occlusion/display_all_images.jpg")
ORIGINALS = ("tang2018_occlusion/KLAB325.mat",)
"""The pictures themselves: read where they are at hand, instead of the thumbnails."""
SHOWN_FOR_TRAJECTORIES, QUICK_STIMULI = 120, 400


def decoded(models: Sequence, source, n_steps: int, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Decode the study from one model.

    Parameters
    ----------
    models
        One model.
    source
        ``source(seed)`` returns trials, whole objects, occluded stimuli.
    n_steps, seed
        Feedback passes of a recurrent model; of folds and resamples.
    quick
        Of the stage; `source` has taken it into account.

    Returns
    -------
    dict
        ``answers`` (`decoded_files.answers_table`), ``trials``, ``layers`` (model, layer, n_steps, and accuracy with
        whole objects by layer); of a recurrent model also `trajectory_tables`.

    Raises
    ------
    ValueError
        For another number of models than one.
    """
    if len(models) != 1:
        raise ValueError(f"decode_stage: expected one model, got {len(models)}. Run the stage once for each.")
    trials, objects, occluded = source(seed=seed)
    with progress_bar() as progress:
        study = decode_models(models, trials, objects, occluded, n_steps, seed, progress)
    model = models[0]
    found = study.provenance[model.name]
    tables = {
        "answers": answers_table(study, model.name),
        "trials": trials.drop(columns="bubble_centers", errors="ignore"),
        "layers": pd.DataFrame([{"model": model.name, **found}]),
    }
    return tables | (trajectory_tables(model, study, objects, occluded, n_steps, seed) if model.recurrent else {})


def trajectory_tables(
    model, study: DecodedStudy, objects, occluded, n_steps: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Make tables of one recurrent model's trajectories.

    Returns
    -------
    dict
        ``trajectories`` (`trajectories.layer_table`) and ``steps`` (`trajectories.steps_table`) of some occluded
        stimuli; ``generalisation``: accuracy of a readout of whole objects, trained at one step, tested at another.
    """
    shown = occluded.subset(slice(None, None, max(1, len(occluded) // SHOWN_FOR_TRAJECTORIES)))
    each_layer = default_each_layer()
    layers = each_layer(model, shown, model.layer_names, n_steps)
    labels = pd.Index(study.provenance["categories"]).get_indexer(objects.table["category"])
    layer = study.provenance[model.name]["layer"]
    folds = object_folds(labels, seed=seed)
    accuracy = temporal_generalisation(each_layer(model, objects, [layer], n_steps)[layer], labels, folds)
    trained, tested = np.indices(accuracy.shape).reshape(2, -1)
    across = pd.DataFrame({"layer": layer, "trained": trained, "tested": tested, "accuracy": accuracy.ravel()})
    tables = {"trajectories": layer_table(layers, seed), "generalisation": across.assign(n_used=len(labels))}
    return {name: one.assign(model=model.name) for name, one in {**tables, "steps": steps_table(layers)}.items()}


def real_data(store, quick: bool = False, **_):
    """Trials, whole objects and occluded stimuli of Tang et al. (2018); few of these where `quick`."""
    return load_tang2018(store, QUICK_STIMULI if quick else None)


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write ``<out>.<table>.csv`` for each table, and ``<out>.json``, unless up to date; return the stem."""
    parts = real_data, simulated_data, decoded
    return run_timing_stage(__doc__ or "", argv, STUDY_FILES, *parts, where_here=ORIGINALS)


if __name__ == "__main__":
    print(stage())

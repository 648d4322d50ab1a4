"""What experiments share that train networks from scratch: images, and runs that are done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.tables import as_csv
from neurocnnf import stages
from neurocnnf.progress import Progress


def load_split(data: str, split: str, n_test: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load images (image, y, x, channel) and labels: `n_test` of the test set, shuffled once and for all."""
    from neurocnnf.images import load_training_set

    images, labels = load_training_set(data, split)
    if split == "test":  # some sets come sorted by class
        some = np.random.default_rng(0).permutation(len(labels))[:n_test]
        images, labels = images[some], labels[some]
    return images, labels


def in_parts(images: NDArray[np.uint8], function: Callable, size: int = 500):
    """Apply a function of uint8 images to `size` of them at a time, without gradients, and join what it returns."""
    import torch

    with torch.no_grad():
        return torch.cat([function(part) for part in np.array_split(images, -(-len(images) // size))])


def run_each(
    folder: Path,
    inputs: Mapping[str, str],
    jobs: Sequence[tuple],
    make: Callable[..., pd.DataFrame],
    progress: Progress,
    what: str,
) -> pd.DataFrame:
    """Run what has not been run yet, each job a stage of its own.

    Parameters
    ----------
    folder
        For a table per job, named by its parts.
    inputs
        What all jobs depend on.
    jobs
        What `make` takes, one after another.
    make
        Returns a job's table.
    progress
        Called with (`what`, jobs done, all jobs).
    what
        Name of the experiment.

    Returns
    -------
    pandas.DataFrame
        All tables, as read back from their files.
    """
    tables = []
    for done, job in enumerate(jobs, start=1):
        path = folder / f"{'-'.join(map(str, job))}.csv"

        def write(job: tuple = job, path: Path = path) -> None:
            stages.write_atomically(path, as_csv(make(*job)))

        stages.run_stage(path, {**inputs, "run": " ".join(map(str, job))}, write, say=lambda line: None)
        tables.append(pd.read_csv(path))
        progress(what, done, len(jobs))
    return pd.concat(tables, ignore_index=True)


def run_inputs(data: str, settings: Mapping[str, object], modules: Sequence[Path]) -> dict[str, str]:
    """Name what every run depends on: settings, the networks' code and some modules of analysis, data, versions."""
    from neurocnnf.images import training_set_provenance
    from neurocnnf.stage_inputs import VERSIONS

    here = Path(__file__).resolve()
    inputs = {name: str(value) for name, value in settings.items()}
    inputs["source"] = stages.source_hash([here.parents[1] / "neurocnnf"])
    inputs |= {f"source:{path.name}": stages.file_hash(path) for path in (here, *modules)}
    inputs |= {f"data:{file}": sha for file, sha in training_set_provenance(data)["sha256"].items()}
    return inputs | stages.package_versions(VERSIONS)

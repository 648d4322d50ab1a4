"""Stimuli that are files: Brain-Score names them, ours are read from them when they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet
from numpy.typing import NDArray
from PIL import Image

from neurocnnf.stimuli import Stimuli

MIXED_SIZE = 224  # usual among Brain-Score's models


class ImageFiles:
    """Image files as a lazy array, uint8 (presentation, y, x, 3); none is read before it is asked for.

    Where files differ in size, all are resized to `MIXED_SIZE` pixels a side (bilinear, antialiased): what a model does
    with an image must not depend on which of the others comes first.
    """

    def __init__(self, paths: Sequence[str | Path]):
        self.paths = np.array([str(path) for path in paths])
        sizes = {_size(path) for path in self.paths}
        self.size = sizes.pop() if len(sizes) == 1 else (MIXED_SIZE, MIXED_SIZE)

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.paths)

    def __getitem__(self, index) -> NDArray[np.uint8]:
        """Return the images at `index`, a slice or integers."""
        return np.stack([self._read(path) for path in self.paths[index]])

    def _read(self, path: str) -> NDArray[np.uint8]:
        with Image.open(path) as image:
            colour = image.convert("RGB")
        if colour.size != self.size:
            colour = colour.resize(self.size, Image.Resampling.BILINEAR)
        return np.asarray(colour)


def _size(path: str) -> tuple[int, int]:
    with Image.open(path) as image:  # reads no pixels
        return image.size


def shown(stimuli) -> tuple[Stimuli, NDArray[np.int64], dict[str, Any]]:
    """Read what Brain-Score shows.

    Parameters
    ----------
    stimuli
        A `StimulusSet`, or paths of images.

    Returns
    -------
    tuple
        Stimuli, each file once; the row of each presentation in them; column name to values per presentation.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not len(stimuli):
        raise ValueError("stimuli: expected at least one image, got none. Pass a StimulusSet or a list of paths.")
    if isinstance(stimuli, pd.DataFrame):
        paths = [str(stimuli.get_stimulus(one)) for one in stimuli["stimulus_id"]]
        columns = {str(name): stimuli[name].to_numpy() for name in stimuli.columns}
    else:
        paths = [str(path) for path in stimuli]
        columns = {"stimulus_id": np.array([Path(path).stem for path in paths])}
    columns = {**columns, "stimulus_path": np.array(paths)}
    files, rows = np.unique(paths, return_inverse=True)
    table = pd.DataFrame({"stimulus_id": files})
    identifier = getattr(stimuli, "identifier", None) or "paths"
    return Stimuli(ImageFiles(files), table, identifier), rows, columns


def written(stimuli: Stimuli, folder: Path) -> StimulusSet:
    """Write stimuli as PNG files and name them for Brain-Score.

    The set has no identifier, so that Brain-Score keeps no activations under its name.
    """
    paths: dict[str, str] = {}
    for row, name in enumerate(stimuli.table["stimulus_id"]):
        image = np.asarray(stimuli.images[row : row + 1])[0]
        paths[name] = str(folder / f"{row}.png")
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(paths[name])
    table = StimulusSet(stimuli.table[["stimulus_id"]].copy())
    table.stimulus_paths, table.identifier = paths, None
    return table

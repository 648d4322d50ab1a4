"""Images to show a model or an observer, with a table that says what each one is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class ImageArray(Protocol):
    """Anything that gives uint8 images (presentation, y, x, channel) by slice or integer array."""

    def __len__(self) -> int:
        """Return the number of presentations."""
        ...

    def __getitem__(self, index) -> NDArray[np.uint8]:
        """Return the images at `index`."""
        ...


@dataclass(frozen=True)
class Stimuli:
    """A set of presentations.

    Parameters
    ----------
    images
        uint8, (presentation, y, x, channel) with 1 or 3 channels. Lazy arrays are welcome: only slices are read.
    table
        One row per presentation; the column ``stimulus_id`` names each one, once.
    identifier
        Name of the set, as it appears in provenance.
    degrees
        Visual angle of the image's width, where the study states it.

    Raises
    ------
    ValueError
        If the table and the images differ in number, or ``stimulus_id`` is missing or repeated.
    """

    images: ImageArray
    table: pd.DataFrame
    identifier: str
    degrees: float | None = None

    def __post_init__(self):
        if len(self.images) != len(self.table):
            raise ValueError(
                f"Stimuli {self.identifier!r}: expected one table row per image, "
                f"got {len(self.table)} rows for {len(self.images)} images. Pass the matching rows."
            )
        if "stimulus_id" not in self.table:
            raise ValueError(
                f"Stimuli {self.identifier!r}: expected a column 'stimulus_id', "
                f"got {list(self.table.columns)}. Add one unique name per presentation."
            )
        repeated = self.table["stimulus_id"][self.table["stimulus_id"].duplicated()]
        if len(repeated):
            raise ValueError(
                f"Stimuli {self.identifier!r}: expected unique stimulus_id, got {repeated.iloc[0]!r} more than "
                f"once (row {repeated.index[0]}). Rename or drop the repeats."
            )

    def __len__(self) -> int:
        """Return the number of presentations."""
        return len(self.table)

    def subset(self, index) -> Stimuli:
        """Return the presentations at `index` (a slice, integers or a boolean mask), in that order."""
        index = np.arange(len(self))[index]
        return replace(self, images=self.images[index], table=self.table.iloc[index].reset_index(drop=True))

"""The occluded stimuli of Tang et al. (2018), rebuilt from their bubble centres.

A bubble is a Gaussian window, sigma 14 pixels, on a picture of 256 × 256; between bubbles the picture is
gray: ``occluded = (picture / 255 - 0.5) * mask + 0.5`` with ``mask`` the largest of the bubbles at each
pixel, and 0 where that is below 1e-8.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from neurocnnf.stimuli import Stimuli

FRAME = 256  # pixels a side; bubble centres are positions in this frame
SIGMA = 14.0  # pixels of the frame
FAINTEST = 1e-8
CHUNK = 4  # presentations rendered at once: few enough to stay in the processor's cache (2.5 × faster than 64)

RENDERED = "rendered"
NO_PICTURE = "object has no picture"
OCCLUDER = "behind an occluder whose look the files do not give"
_log = logging.getLogger(__name__)


def bubble_masks(centers: ArrayLike, size: int = FRAME) -> NDArray[np.float64]:
    """Render how visible each pixel is through each presentation's bubbles.

    At other sizes than 256 the same windows are sampled at the centres of the larger pixels. At 28 the images
    differ from those rendered at 256 and averaged down by 0.16 gray levels on average.

    Parameters
    ----------
    centers
        Integers (presentation, bubble): position in the 256 × 256 frame counted down columns from 1 (MATLAB's
        linear index); 0 where a presentation has fewer bubbles. No bubble at all means a whole object.
    size
        Pixels a side of the result.

    Returns
    -------
    (presentation, y, x), 0 (gray) … 1 (the object as it is).

    Raises
    ------
    ValueError
        If a centre lies outside the frame.
    """
    centers = _checked(centers)
    # Pixel centres of the output, in the frame's pixel coordinates.
    grid = (np.arange(size) + 0.5) * FRAME / size - 0.5
    masks = np.zeros((len(centers), size, size))
    for column in centers.T:
        x, y = np.divmod(column - 1, FRAME)
        across, down = (np.exp(-((grid - at[:, None]) ** 2) / (2 * SIGMA**2)) for at in (x, y))
        down[column == 0] = 0
        np.maximum(masks, down[:, :, None] * across[:, None, :], out=masks)
    masks[masks < FAINTEST] = 0
    masks[~(centers > 0).any(axis=1)] = 1
    return masks


def occlude(pictures: NDArray[np.uint8], masks: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Fade pictures to gray where their masks are 0.

    Parameters
    ----------
    pictures
        uint8 (presentation, y, x).
    masks
        (presentation, y, x), 0 … 1.

    Returns
    -------
    uint8 (presentation, y, x); halves are rounded up, so gray is 128.
    """
    return np.floor(((pictures / 255 - 0.5) * masks + 0.5) * 255 + 0.5).astype(np.uint8)


class OccludedImages:
    """Occluded images that are rendered when they are read, uint8 (presentation, y, x, 1).

    Parameters
    ----------
    pictures
        uint8 (object, y, x), whole objects at any size.
    which
        Integers (presentation,): the object each presentation shows.
    centers
        Integers (presentation, bubble), as in `bubble_masks`.
    size
        Pixels a side of the images.

    Raises
    ------
    ValueError
        If a centre lies outside the frame.
    """

    def __init__(self, pictures, which: ArrayLike, centers: ArrayLike, size: int = FRAME):
        self.size = size
        self._pictures = np.stack([resize(picture, size) for picture in pictures])
        self._which = np.asarray(which)
        self._centers = _checked(centers)

    def __len__(self) -> int:
        """Return the number of presentations."""
        return len(self._which)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of all images together."""
        return len(self), self.size, self.size, 1

    def __getitem__(self, index) -> NDArray[np.uint8]:
        """Render the images at `index`: a slice, integers or a boolean mask."""
        index = np.arange(len(self))[index]
        rows = np.atleast_1d(index)
        images = np.empty((len(rows), self.size, self.size, 1), dtype=np.uint8)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            masks = bubble_masks(self._centers[part], self.size)
            images[start : start + CHUNK, ..., 0] = occlude(self._pictures[self._which[part]], masks)
        return images if np.ndim(index) else images[0]


def resize(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a gray picture, uint8 (y, x), to `size` pixels a side by bicubic interpolation."""
    if picture.shape == (size, size):
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))


def occluded_stimuli(trials: pd.DataFrame, objects: Stimuli, size: int = FRAME) -> Stimuli:
    """Rebuild what was on the screen: one presentation per exact stimulus, in order of first appearance.

    Left out, counted by `rendering_coverage` and logged: objects without a picture, and objects behind an
    explicit occluder (experiment v3).

    Parameters
    ----------
    trials
        As from `tang2018.load_trials`.
    objects
        Whole objects, as from `tang2018.load_objects`.
    size
        Pixels a side of the images.

    Returns
    -------
    Images uint8 (presentation, size, size, 1), rendered on access; table columns stimulus_id, object_id,
    category, display, occluded_percent (NaN where the study does not give it), n_bubbles, bubble_centers.

    Raises
    ------
    ValueError
        If no stimulus can be rendered, or a bubble centre lies outside the frame.
    """
    coverage = rendering_coverage(trials, objects)
    left_out = coverage[(coverage["status"] != RENDERED) & (coverage["n_stimuli"] > 0)]
    summary = "; ".join(
        f"{row.status}: {row.n_stimuli} stimuli, {row.n_trials} trials" for row in left_out.itertuples()
    )
    kept = trials[_status(trials, objects) == RENDERED].drop_duplicates("stimulus_id")
    if kept.empty:
        raise ValueError(
            f"occluded_stimuli: expected at least one stimulus that can be rendered, got none of "
            f"{trials['stimulus_id'].nunique()} ({summary or 'no trials'}). Pass the objects' pictures."
        )
    if summary:
        _log.warning("tang2018: not all stimuli can be rendered (%s)", summary)
    columns = ["stimulus_id", "object_id", "category", "display", "occluded_percent"]
    table = kept[[*columns, "n_bubbles", "bubble_centers"]].reset_index(drop=True)
    which = pd.Index(objects.table["object_id"]).get_indexer(table["object_id"])
    pictures = np.asarray(objects.images[:])[..., 0]
    images = OccludedImages(pictures, which, padded(table["bubble_centers"]), size)
    return Stimuli(images, table, "tang2018.occluded")


def rendering_coverage(trials: pd.DataFrame, objects: Stimuli) -> pd.DataFrame:
    """Count what can be rendered and what cannot, with the reason.

    Parameters
    ----------
    trials, objects
        As in `occluded_stimuli`.

    Returns
    -------
    Columns status, n_stimuli, n_objects, n_trials; one row per status, zeros included.
    """
    groups = trials.groupby(_status(trials, objects))
    counts = pd.DataFrame(
        {
            "n_stimuli": groups["stimulus_id"].nunique(),
            "n_objects": groups["object_id"].nunique(),
            "n_trials": groups.size(),
        }
    )
    counts = counts.reindex([RENDERED, NO_PICTURE, OCCLUDER], fill_value=0)
    return counts.rename_axis("status").reset_index()


def padded(centers) -> NDArray[np.int64]:
    """Stack tuples of bubble centres into integers (presentation, bubble), 0 where there is no bubble."""
    width = max((len(each) for each in centers), default=0)
    return np.array([(*each, *(0,) * (width - len(each))) for each in centers], dtype=np.int64)


def _status(trials, objects):
    """Say of each trial whether its stimulus can be rendered, or why not."""
    has_picture = trials["object_id"].isin(objects.table["object_id"])
    status = np.select([trials["display"] == "occluder", ~has_picture], [OCCLUDER, NO_PICTURE], RENDERED)
    return pd.Series(status, index=trials.index)


def _checked(centers):
    centers = np.asarray(centers)
    outside = centers[(centers < 0) | (centers > FRAME**2)]
    if outside.size:
        raise ValueError(
            f"Bubble centres: expected linear indices 1 … {FRAME**2} in {FRAME} × {FRAME} pixels "
            f"(0: no bubble), got {outside[0]}. Count down columns, from 1."
        )
    return centers

"""Presentations that show the same picture again, or nearly: they must not stand on both sides of a fold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

SIZE = 28  # pixels a side at which pictures are compared


def merge_copies(session: Any, near: float = 1.0) -> tuple[Any, int]:
    """Average the responses to copies of a picture into its first showing.

    A ridge regression that is tested on a picture whose copy it was trained on scores its memory of that picture.

    Parameters
    ----------
    session
        With ``stimuli``, ``responses`` (presentation, neuroid) and ``repeats``; see
        `benchmarks.neural_predictivity.Session`. Of the repeats, those of the first showing are kept.
    near
        As in `copy_groups`.

    Returns
    -------
    session, n_merged
        Each picture once, in the order of the first showings; and how many presentations went into earlier ones.
    """
    groups = copy_groups(session.stimuli.images[:], near)
    first, member = np.unique(groups, return_inverse=True)
    if len(first) == len(groups):
        return session, 0
    values = np.asarray(session.responses.values, np.float64)
    mean = np.zeros((len(first), values.shape[1]))
    np.add.at(mean, member, values)
    mean /= np.bincount(member)[:, None]
    merged = replace(
        session,
        stimuli=session.stimuli.subset(first),
        responses=session.responses.isel(presentation=first).copy(data=mean),
        repeats=None if session.repeats is None else session.repeats.isel(presentation=first),
    )
    return merged, len(groups) - len(first)


def copy_groups(images: NDArray[np.uint8], near: float = 1.0) -> NDArray[np.int64]:
    """Say which picture each presentation shows.

    Parameters
    ----------
    images
        uint8 (presentation, y, x, channel).
    near
        Pearson r of two small pictures (28 × 28, gray) above which they count as one, as do chains of such pairs. At
        1 only pictures that are equal in every byte do: what is near depends on the kind of picture.

    Returns
    -------
    NDArray
        int64 (presentation,): index of the first presentation of the same picture.
    """
    _, equal = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)
    same = equal.ravel()[:, None] == equal.ravel()
    if near < 1:
        same |= _correlations(images) > near
    _, group = connected_components(same)
    _, first, member = np.unique(group, return_index=True, return_inverse=True)
    return first[member]


def _correlations(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return Pearson's r of each two pictures, small and in gray; 0 with one that is all of one gray."""
    size = min(SIZE, *images.shape[1:3])
    gray = torch.from_numpy(np.ascontiguousarray(images)).float().mean(-1)[:, None]
    small = F.adaptive_avg_pool2d(gray, size).flatten(1).double().numpy()
    small -= small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    small = np.divide(small, length, out=np.zeros_like(small), where=length > 0)
    return small @ small.T

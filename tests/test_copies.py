"""Pictures shown twice count once, whatever is between their showings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from benchmarks.copies import copy_groups, merge_copies
from benchmarks.sources import COWLEY_NEAR
from neurocnnf.stimuli import Stimuli


@dataclass(frozen=True)
class Session:
    stimuli: Any
    responses: Any
    repeats: Any


def pictures(n=6, size=28):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def session(images, repeats=None):
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(len(images))]})
    responses = xr.DataArray(np.arange(2.0 * len(images)).reshape(-1, 2), dims=("presentation", "neuroid"))
    return Session(Stimuli(images, table, "test"), responses, repeats)


def test_groups_equal_those_of_numpys_correlations():
    images = pictures()
    noise = np.random.default_rng(1).integers(-20, 21, (3, 28, 28, 3))
    images = np.concatenate([images, np.clip(images[:3] + noise, 0, 255).astype(np.uint8)])
    small = images.mean(axis=-1).reshape(len(images), -1)
    expected = [int(np.flatnonzero(row > 0.9)[0]) for row in np.corrcoef(small)]
    assert len(set(expected)) < len(images)  # else the test would show nothing
    np.testing.assert_array_equal(copy_groups(images, 0.9), expected)


def test_equal_pictures_without_contrast_are_copies_and_different_ones_are_not():
    images = np.full((3, 8, 8, 1), 7, np.uint8)
    images[2] = 9
    np.testing.assert_array_equal(copy_groups(images), [0, 0, 2])


def test_a_chain_of_near_pairs_is_one_picture():
    x = np.linspace(0, 2 * np.pi, 28 * 28, endpoint=False)
    waves = [np.cos(x - shift) for shift in (0, 0.2, 0.4)]  # correlations cos(.2) = .98 and cos(.4) = .92
    images = np.stack([np.uint8(127 + 120 * wave).reshape(28, 28, 1) for wave in waves])
    np.testing.assert_array_equal(copy_groups(images, 0.95), [0, 0, 0])
    np.testing.assert_array_equal(copy_groups(images), [0, 1, 2])


def test_responses_to_copies_are_averaged_into_the_first_showing():
    images = pictures()[[0, 1, 0, 2, 0]]
    repeats = xr.DataArray(np.arange(20.0).reshape(5, 2, 2), dims=("presentation", "neuroid", "repetition"))
    merged, n = merge_copies(session(images, repeats))
    assert n == 2
    assert merged.stimuli.table["stimulus_id"].tolist() == ["s0", "s1", "s3"]
    np.testing.assert_array_equal(merged.stimuli.images, pictures()[[0, 1, 2]])
    np.testing.assert_array_equal(merged.responses, [[4, 5], [2, 3], [6, 7]])  # (0 + 4 + 8) / 3
    np.testing.assert_array_equal(merged.repeats, repeats.values[[0, 1, 3]])


def test_a_session_without_copies_is_left_as_it_is():
    whole = session(pictures())
    assert merge_copies(whole) == (whole, 0)


@pytest.mark.parametrize(("name", "n_pictures"), [("190925", 900), ("210305", 200), ("201025", 1190)])
def test_copies_among_the_pictures_of_a_real_study_are_found(studies, name, n_pictures):
    from benchmarks.recordings import cowley2023

    images = cowley2023.load_session(studies, name).stimuli.images[:]
    groups = copy_groups(images, COWLEY_NEAR)
    assert len(np.unique(groups)) == n_pictures

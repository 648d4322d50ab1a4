"""Stimuli keep images and table together, and refuse what does not match."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from neurocnnf import Stimuli


@pytest.fixture
def stimuli():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    table = pd.DataFrame({"stimulus_id": list("abcde"), "number": range(5)}, index=[10, 20, 30, 40, 50])
    return Stimuli(images, table, "numbers", degrees=8.0)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [4, 2, 0]),
        (slice(3, 99), [3, 4]),
        ([4, 0, 2], [4, 0, 2]),
        (np.array([True, False, False, True, False]), [0, 3]),
        (slice(0, 0), []),
    ],
)
def test_a_subset_keeps_images_and_rows_together_in_the_order_asked_for(stimuli, index, expected):
    part = stimuli.subset(index)
    assert len(part) == len(part.images) == len(expected)
    assert part.images[:, 0, 0, 0].tolist() == expected
    assert part.table["number"].tolist() == expected
    assert part.table["stimulus_id"].tolist() == ["abcde"[i] for i in expected]
    assert part.table.index.tolist() == list(range(len(expected)))
    assert (part.identifier, part.degrees) == ("numbers", 8.0)
    assert len(stimuli) == 5  # the whole stays as it was


def test_a_subset_of_repeats_is_refused(stimuli):
    with pytest.raises(ValueError, match=r"expected unique stimulus_id, got 'b' more than once"):
        stimuli.subset([1, 1])


def test_images_and_rows_must_be_as_many(stimuli):
    with pytest.raises(
        ValueError, match=r"Stimuli 'x': expected one table row per image, got 5 rows for 4 images. Pass"
    ):
        Stimuli(stimuli.images[:4], stimuli.table, "x")


def test_the_table_must_name_each_presentation(stimuli):
    with pytest.raises(ValueError, match=r"Stimuli 'x': expected a column 'stimulus_id', got \['number'\]. Add one"):
        Stimuli(stimuli.images, stimuli.table[["number"]], "x")


def test_the_first_repeated_name_and_its_row_are_told(stimuli):
    table = stimuli.table.assign(stimulus_id=list("abcbc"))
    with pytest.raises(
        ValueError, match=r"Stimuli 'x': .* got 'b' more than once \(row 40\). Rename or drop the repeats."
    ):
        Stimuli(stimuli.images, table, "x")


def test_a_set_of_stimuli_is_not_changed_in_place(stimuli):
    with pytest.raises(dataclasses.FrozenInstanceError):
        stimuli.identifier = "other"


def test_degrees_are_unknown_unless_the_study_states_them(stimuli):
    assert Stimuli(stimuli.images, stimuli.table, "x").degrees is None

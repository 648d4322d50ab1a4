"""Samples of a score survive their file, and belong to its table."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import resamples


def make_samples():
    rng = np.random.default_rng(0)
    parts = resamples.one_number(2, (0.5, rng.random(7)), (0.75, rng.random(7)))
    parts["raw", "block1.conv", 0] = 0.25, rng.random(7)
    return resamples.tabulate(parts)


def note(stem, samples):
    stem.with_name(stem.name + ".json").write_text(json.dumps({"samples": resamples.columns_as_lists(samples)}))


def test_the_estimate_comes_first_and_the_resamples_follow():
    samples = make_samples()
    assert samples.shape == (8, 3)
    assert samples.iloc[0].tolist() == [0.5, 0.75, 0.25]
    assert list(samples) == [("raw", "", 2), ("value", "", 2), ("raw", "block1.conv", 0)]


def test_without_a_ceiling_there_is_no_value():
    assert list(resamples.one_number(1, (0.5, np.zeros(3)))) == [("raw", "", 1)]


def test_samples_survive_their_file_and_give_the_same_bytes_twice(tmp_path):
    stem, samples = tmp_path / "model.study.V4-ridge", make_samples()
    (path,) = resamples.to_file(samples, stem)
    note(stem, samples)
    first = path.read_bytes()
    pd.testing.assert_frame_equal(resamples.from_file(stem), samples)
    resamples.to_file(samples, stem)
    assert path.read_bytes() == first


def test_a_benchmark_that_keeps_none_writes_none(tmp_path):
    empty = resamples.tabulate({})
    assert resamples.to_file(empty, tmp_path / "x") == []
    note(tmp_path / "x", empty)
    assert resamples.from_file(tmp_path / "x").empty


def test_a_file_that_does_not_fit_its_note_is_refused(tmp_path):
    samples = make_samples()
    resamples.to_file(samples, tmp_path / "x")
    note(tmp_path / "x", samples.iloc[:, :2])
    with pytest.raises(ValueError, match=r"x\.samples\.npy: expected \(resample, 2 columns\).*got shape \(8, 3\)"):
        resamples.from_file(tmp_path / "x")

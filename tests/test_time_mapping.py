"""Latencies of time courses, and the stage that maps steps onto them."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis import timing_coverage as cover
from analysis.time_mapping import latencies, rise_time
from analysis.timing_stage import run_timing_stage
from benchmarks.it_courses import TimeCourse, time_bins
from neurocnnf.datastore import DataMissing

TIMES = time_bins().mean(axis=1)


def step_curves(at, n=400, noise=0.02, seed=0):
    """Make curves that rise linearly from 0 to 1 over 40 ms, in the middle at a time."""
    rising = np.clip((TIMES - at) / 40 + 0.5, 0, 1)
    return rising + noise * np.random.default_rng(seed).standard_normal((n, len(TIMES)))


@pytest.mark.parametrize(("share", "expected"), [(0.5, 103), (0.1, 87)])
def test_a_share_of_the_rise_is_reached_when_a_known_curve_reaches_it(share, expected):
    assert rise_time(TIMES, step_curves(103.0, 1, 0.0), share)[0] == pytest.approx(expected, abs=2)
    assert rise_time(TIMES, step_curves(103.0), share).mean() == pytest.approx(expected, abs=2.5)


def test_one_window_of_noise_before_the_rise_is_no_onset():
    curve = np.where(TIMES >= 95, 1.0, 0.0)
    curve[TIMES == 45] = 0.3
    assert rise_time(TIMES, curve[None], 0.1)[0] == pytest.approx(86)


def test_a_flat_curve_has_no_latency():
    assert np.isnan(rise_time(TIMES, np.zeros((2, len(TIMES))), 0.5)).all()


def test_latencies_come_with_intervals_that_hold_the_truth():
    curves = step_curves(103.0, 200)
    found = latencies(TimeCourse(TIMES, curves[0], curves[1:], 0.9, 10, 1, 1))
    assert found["half_rise_low"] < 103 < found["half_rise_high"]
    assert found["onset_low"] <= found["onset"] <= found["onset_high"]


def test_a_course_without_a_baseline_is_refused():
    with pytest.raises(ValueError, match="expected at least 2 windows that end before the stimulus"):
        rise_time(TIMES[5:], np.zeros((1, len(TIMES) - 5)), 0.5)


def test_intervals_of_the_observers_clock_hold_the_truth_in_most_simulations():
    table = cover.coverage(cover.observer_intervals(12, np.random.default_rng(0)))
    # the exact coverage is measured by python -m analysis.timing_coverage; 12 of nominal .95: below 8 has p < .001
    assert (table["coverage"] >= 8 / 12).all()
    assert (table["mean_error"].abs() < 30).all()


def test_coverage_counts_the_intervals_that_hold_and_missing_ones_as_not():
    bounds = {"low": [0, 2, np.nan, 1], "high": [2, 3, 4, 1]}
    frame = pd.DataFrame({"quantity": "x", "truth": 1.0, "estimate": 1.5, **bounds})
    row = cover.coverage(frame).iloc[0]
    assert (row["coverage"], row["n"], row["mean_error"]) == (0.5, 4, 0.5)


def tables(models, source, n_steps, seed, quick):
    values = source(model=models[0], n_steps=n_steps, seed=seed, each_layer=None)
    return {"numbers": pd.DataFrame({"model": [m.name for m in models], "value": values})}


def missing(**_):
    raise DataMissing("some/file.csv", "of a test")


def test_a_file_that_comes_later_is_an_input_and_makes_the_stage_run_again(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCNNF_DATA", str(tmp_path))
    source = lambda store, **_: 2.0 if store.available("study/extra.bin") else 1.0  # noqa: E731
    arguments = ["cnnf-digits", "--out", str(tmp_path / "out")]

    def value():
        run_timing_stage("test", arguments, (), source, source, tables, where_here=("study/extra.bin",))
        return pd.read_csv(tmp_path / "out.numbers.csv")["value"].item()

    assert value() == 1.0
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "extra.bin").write_bytes(b"pictures")
    assert value() == 2.0
    assert "data:study/extra.bin" in (tmp_path / "out.json").read_text()


def test_the_stage_writes_tables_and_says_whether_they_are_simulated(tmp_path, capsys):
    out = tmp_path / "study"
    arguments = ["cnnf-digits", "cnn-digits", "--out", str(out)]
    assert run_timing_stage("test", arguments, (), lambda **_: 1.0, lambda **_: 2.0, tables) == out
    assert not pd.read_csv(tmp_path / "study.numbers.csv")["simulated"].any()
    assert json.loads((tmp_path / "study.json").read_text())["simulated"] is False
    arguments[-1] = str(tmp_path / "other")
    with pytest.raises(DataMissing, match="some/file"):
        run_timing_stage("test", arguments, (), missing, lambda **_: 2.0, tables)
    found = run_timing_stage("test", [*arguments, "--simulate-missing"], (), missing, lambda **_: 2.0, tables)
    assert found == tmp_path / "simulated"
    assert pd.read_csv(tmp_path / "simulated.numbers.csv")["simulated"].all()
    assert json.loads((tmp_path / "simulated.json").read_text())["simulated"] is True
    assert "simulated recordings" in capsys.readouterr().err

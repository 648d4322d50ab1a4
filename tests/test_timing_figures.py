"""The figures of timing, drawn from the tables of their stages on simulated recordings."""

import numpy as np
import pytest

from analysis.speed_accuracy import speed_accuracy
from analysis.time_mapping import time_mapping
from benchmarks.timing_sources import IT_CLOCK, OBSERVER_CLOCK, digits_neurons, digits_observers
from figures import clock_ranges, it_latency
from figures import speed_accuracy as figure
from neurocnnf import load_model

N_STEPS = 1


@pytest.fixture(scope="module")
def models():
    return [load_model("cnnf-digits"), load_model("cnn-digits")]


@pytest.fixture(scope="module")
def observed(models):
    return speed_accuracy(models, digits_observers, N_STEPS, 0, quick=True)


@pytest.fixture(scope="module")
def recorded(models):
    return time_mapping(models, digits_neurons, N_STEPS, 0, quick=True)


def write(tables, stem):
    for name, table in tables.items():
        table.assign(simulated=True).to_csv(stem.with_name(f"{stem.name}.{name}.csv"), index=False)


def test_the_clock_of_simulated_observers_is_found_by_the_model_they_follow(observed):
    clocks = observed["clocks"]
    row = clocks[(clocks["model"] == "cnnf-digits") & (clocks["condition"] == "all")].iloc[0]
    assert row["onset_ms_low"] <= OBSERVER_CLOCK.onset_ms <= row["onset_ms_high"]
    assert set(observed["curves"]["source"]) == {"observers", "cnnf-digits", "cnn-digits"}
    assert set(observed["steps"].query("model == 'cnn-digits'")["step"]) == {0}


def test_the_latency_of_simulated_neurons_is_near_the_first_step(recorded):
    late = recorded["latencies"].iloc[0]
    assert IT_CLOCK.onset_ms < late["half_rise"] < IT_CLOCK.onset_ms + 2 * IT_CLOCK.ms_per_step
    assert recorded["fits"].groupby("model")["step"].max().to_dict() == {"cnnf-digits": 1, "cnn-digits": 0}


@pytest.mark.parametrize(("script", "name"), [(figure, "observed"), (it_latency, "recorded")])
def test_figures_are_drawn_with_table_and_caption_and_say_that_recordings_are_simulated(
    script, name, request, tmp_path
):
    write(request.getfixturevalue(name), tmp_path / "simulated")
    script.main(["--in", str(tmp_path / "simulated"), "--out", str(tmp_path / "figure")])
    assert "SIMULATED" in (tmp_path / "figure.svg").read_text()
    assert {path.suffix for path in tmp_path.glob("figure.*")} == {".svg", ".pdf", ".png", ".csv", ".txt"}
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_tables_without_a_needed_column_are_refused(observed, tmp_path):
    write({**observed, "steps": observed["steps"].drop(columns="accuracy")}, tmp_path / "simulated")
    with pytest.raises(ValueError, match=r"steps.csv: expected rows with the column\(s\) accuracy"):
        figure.main(["--in", str(tmp_path / "simulated"), "--out", str(tmp_path / "figure")])


def test_captions_name_every_panel():
    for script, letters in ((figure, "abcdef"), (it_latency, "abcd")):
        words = script.CAPTION.replace(",", " ").replace(":", " ").split()
        assert np.isin(list(letters), words).all()


def test_profiles_hold_what_the_best_clock_gives_and_are_drawn(observed, recorded, tmp_path):
    """The best of all clocks is at least as good as the best of the few that are shown, and little better."""
    fits = recorded["fits"].query("target == 'all positions'").groupby("model")["raw"].last()
    shown = recorded["profile"].groupby("model")["r2"].max()
    assert (shown <= fits + 1e-9).all()
    assert (shown > fits - 0.05).all()
    for name, tables in (("people", observed), ("neurons", recorded)):
        write(tables, tmp_path / name)
    stems = [str(tmp_path / name) for name in ("people", "neurons")]
    clock_ranges.main(["--in", *stems, "--out", str(tmp_path / "figure")])
    assert "SIMULATED" in (tmp_path / "figure.svg").read_text()

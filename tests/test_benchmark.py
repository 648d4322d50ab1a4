"""What all benchmarks share, on the simulated one of each kind."""

import numpy as np
import pytest

from benchmarks import load_benchmark
from benchmarks.bootstrap import interval
from benchmarks.resamples import ONE_NUMBER
from neurocnnf import load_model

KINDS = ("V4-ridge", "humanIT-rsa", "entropy", "accuracy", "IT-decoding", "sat")


@pytest.fixture(scope="module")
def model():
    return load_model("cnnf-digits")


@pytest.fixture(scope="module", params=KINDS)
def score(request, model):
    return load_benchmark(f"simulated.{request.param}", quick=True)(model, n_steps=1)


def test_samples_hold_the_estimate_and_what_its_interval_was_made_of(score):
    for quantity, estimate, bounds in (
        ("raw", score.raw, score.raw_interval),
        ("value", score.value, score.interval),
    ):
        kept = score.samples[quantity, ONE_NUMBER, 1].to_numpy(np.float64)
        assert kept[0] == pytest.approx(estimate, abs=1e-6)
        assert interval(kept[1:]) == pytest.approx(bounds, abs=1e-5)


def test_samples_of_every_step_hold_what_the_table_says(score):
    places = [column for column in score.samples if column[0] == "raw" and column[1] != ONE_NUMBER]
    assert {step for *_, step in places} == {0, 1}
    first = score.per_step.iloc[0]
    keys = [key for key in ("target", "metric") if key in score.per_step]
    table = score.per_step
    for key in keys:
        table = table[table[key] == (score.chosen[key].iloc[0] if key in score.chosen else first[key])]
    for column in places:
        raw = table[(table["layer"] == column[1]) & (table["step"] == column[2])]["raw"]
        assert score.samples[column].iloc[0] == pytest.approx(raw.mean(), abs=1e-6)


def test_a_quick_run_says_so_first(score):
    assert score.notes[0].startswith("quick: ")
    assert score.provenance["n_steps"] == 1


@pytest.mark.parametrize("what", ["sat", "entropy"])
def test_layers_named_to_a_benchmark_of_answers_are_refused(model, what):
    with pytest.raises(ValueError, match=f"layers: expected None, got .*simulated.{what} reads answers"):
        load_benchmark(f"simulated.{what}", quick=True)(model, layers=("fc1",))


def test_progress_names_the_model_and_ends_where_it_said(model):
    heard = []
    load_benchmark("simulated.humanIT-rsa", quick=True)(
        model, n_steps=0, layers=("fc1", "fc2"), progress=lambda *one: heard.append(one)
    )
    assert heard[-1] == ("cnnf-digits: simulated.humanIT-rsa", 2, 2)

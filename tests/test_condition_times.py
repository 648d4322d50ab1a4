"""Model and human time over conditions: times are means of what was measured, and the stage runs."""

import numpy as np
import pandas as pd
import pytest

from analysis.condition_times import condition_table, condition_times, statistics_table
from benchmarks.clean_readout import Answers
from benchmarks.recognition_measures import draw_pictures, meet_people
from benchmarks.simulated_people import simulated_people
from figures import condition_times as figure

N_CONDITIONS, N_STEPS = 12, 3


@pytest.fixture(scope="module")
def answers():
    """Answer 30 originals in 12 conditions, later in the harder ones."""
    rng = np.random.default_rng(0)
    chance = np.linspace(np.linspace(0.9, 0.2, N_CONDITIONS), np.linspace(0.95, 0.7, N_CONDITIONS), N_STEPS + 1)
    category = np.repeat([0, 1], 15)
    condition, labels = np.repeat(np.arange(N_CONDITIONS), 30), np.tile(category, N_CONDITIONS)
    right = rng.random(len(labels)) < chance[:, condition]
    decisions = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
    names = tuple(f"condition {k}" for k in range(N_CONDITIONS))
    original = np.tile(np.arange(30), N_CONDITIONS)
    whole = {"one": np.ones(N_STEPS + 1)}
    return Answers({"one": decisions}, labels, condition, original, names, ("a", "b"), category, "one", whole)


@pytest.fixture(scope="module")
def humans(answers):
    return simulated_people(answers, "one", 0, N_STEPS, np.random.default_rng(1))


@pytest.fixture(scope="module")
def table(answers, humans):
    return condition_table(answers, meet_people(humans, 100, 0), draw_pictures(answers, 100, 0))


def test_a_conditions_model_time_is_the_mean_of_steps_unsolved_censored_at_the_last(answers, table):
    for condition, row in enumerate(table.itertuples()):
        times = []
        for picture in np.flatnonzero(answers.condition == condition):
            right = answers.right("one")[:, picture]
            times.append(int(np.argmax(right)) if right.any() else N_STEPS + 1)
        assert row.model_steps == pytest.approx(np.mean(times))
        assert row.unsolved == pytest.approx(np.mean(np.array(times) == N_STEPS + 1))
        assert row.model_steps_low <= row.model_steps <= row.model_steps_high
        assert row.n_pictures == 30


def test_human_time_is_the_published_one(humans, table):
    np.testing.assert_array_equal(table["human_ms"], humans.by_condition["rt_ms"].sel(masking="all"))


def test_statistics_are_of_the_last_step_and_say_what_was_held_constant(answers, humans):
    people, drawn = meet_people(humans, 100, 0), draw_pictures(answers, 100, 0)
    found = statistics_table(answers, people, drawn).set_index("target")
    assert found.loc["reaction time", "step"] == N_STEPS
    expected = np.corrcoef(condition_table(answers, people, drawn)["model_steps"], people.published("rt_ms"))[0, 1]
    assert found.loc["reaction time", "raw"] == pytest.approx(expected)
    assert {"within experiments", "beyond error at step 0", "from uncertainty at step 0"} <= set(found.index)
    assert found["simulated"].all()


def test_the_stage_and_its_figure_run_on_simulated_people(tmp_path):
    from benchmarks import simulated_people as stand_in
    from benchmarks import sources
    from neurocnnf import load_model

    def source(**settings):
        return sources.digits_people(**settings), stand_in.CONTROL

    models = [load_model("cnnf-digits"), load_model("cnn-digits")]
    tables = condition_times(models, source, 1, 0, quick=True)
    assert tables["statistics"]["model"].unique().tolist() == ["cnnf-digits", "cnn-digits"]
    assert np.isnan(tables["time_course"].set_index("model").loc["cnn-digits", "statistic"])
    for name, one in tables.items():
        one.assign(simulated=True).to_csv(tmp_path / f"found.{name}.csv", index=False)
    figure.main(["--in", str(tmp_path / "found"), "--out", str(tmp_path / "drawn")])
    assert "SIMULATED" in (tmp_path / "drawn.svg").read_text()
    assert set(pd.read_csv(tmp_path / "drawn.csv")["part"]) == set(figure.PARTS)

"""Layers are chosen on data that they are not scored on."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.layer_choice import average_sessions, best_layer, choose_across_sessions, choose_by_target
from benchmarks.neural_predictivity import StepScore
from benchmarks.representational_similarity import Comparison

NAN = float("nan")


def make_table(scores, step=1):
    """(session -> scores of layers "one" and "two") as a tidy table; another step says the opposite."""
    rows = []
    for session, values in scores.items():
        for layer, raw in zip(("one", "two"), values, strict=True):
            rows.append({"session": session, "layer": layer, "step": step, "raw": raw})
            rows.append({"session": session, "layer": layer, "step": 0, "raw": -raw})
    return pd.DataFrame(rows)


def test_the_other_animals_sessions_choose():
    table = make_table({"a1": (1, 0), "a2": (1, 0), "b1": (0, 1), "b2": (0.2, 0.9)})
    choices = choose_across_sessions(table, {"a1": "A", "a2": "A", "b1": "B", "b2": "B"}, step=1)
    assert {session: (choice.layer, choice.chosen_by) for session, choice in choices.items()} == {
        "a1": ("two", ("b1", "b2")),
        "a2": ("two", ("b1", "b2")),
        "b1": ("one", ("a1", "a2")),
        "b2": ("one", ("a1", "a2")),
    }


def test_with_one_animal_its_other_sessions_choose():
    table = make_table({"a1": (1, 0), "a2": (0, 1)})
    choices = choose_across_sessions(table, {"a1": "A", "a2": "A"}, step=1)
    assert (choices["a1"].layer, choices["a2"].layer) == ("two", "one")
    assert choices["a1"].chosen_by == ("a2",)


def test_a_sessions_own_score_never_reaches_its_choice():
    for own in ((9, -9), (-9, 9)):
        table = make_table({"a1": own, "a2": (0.1, 0.2)})
        assert choose_across_sessions(table, {"a1": "A", "a2": "A"}, step=1)["a1"].layer == "two"


def test_a_single_session_has_no_choice():
    choice = choose_across_sessions(make_table({"a1": (1, 0)}), {"a1": "A"}, step=1)["a1"]
    assert choice.layer is None
    assert choice.chosen_by == ()


def test_if_the_other_animal_has_no_score_the_same_animal_chooses():
    table = make_table({"a1": (1, 0), "a2": (0, 1), "b1": (NAN, NAN)})
    choices = choose_across_sessions(table, {"a1": "A", "a2": "A", "b1": "B"}, step=1)
    assert (choices["a1"].layer, choices["a1"].chosen_by) == ("two", ("a2",))
    assert choices["b1"].chosen_by == ("a1", "a2")


def test_a_session_that_lacks_a_layer_does_not_tilt_the_means():
    table = make_table({"a": (0.5, 0.4), "b": (NAN, 0.9), "c": (0, 0)})
    choice = best_layer(table, "session", ("a", "b"), step=1)
    assert (choice.layer, choice.chosen_by) == ("one", ("a",))


def test_a_layer_that_no_session_has_is_no_candidate_and_ties_go_to_the_first():
    table = make_table({"a": (NAN, -0.4), "b": (NAN, -0.2)})
    assert best_layer(table, "session", ("a", "b"), step=1).layer == "two"
    assert best_layer(make_table({"a": (0.5, 0.5)}), "session", ("a",), step=1).layer == "one"


def test_a_session_without_an_animal_is_refused():
    with pytest.raises(ValueError, match="animals: expected one animal per session, got none for b"):
        choose_across_sessions(make_table({"a": (1, 0), "b": (1, 0)}), {"a": "A"}, step=1)


def step_score(raw, normalised=NAN, n_used=3):
    row = {
        "raw": raw,
        "ceiling": raw / normalised,
        "normalised": normalised,
        "n_used": n_used,
        "n_total": 4,
    }
    return StepScore(row, raw + np.linspace(-0.1, 0.1, 1001), normalised + np.linspace(-0.2, 0.2, 1001))


def test_one_number_is_the_mean_over_sessions_at_the_chosen_layers_and_the_last_step():
    results = {
        ("a", "one", 0): step_score(9.0, 9.0),
        ("a", "one", 1): step_score(0.2, 0.4),
        ("a", "two", 1): step_score(0.3, 0.6),
        ("b", "one", 1): step_score(0.5),
        ("b", "two", 1): step_score(0.4),
    }
    score = average_sessions(results, {"a": "A", "b": "B"}, "bench", "model", 1, simulated=False)
    assert list(score.chosen["layer"]) == ["one", "two"]  # a by b, b by a
    assert score.raw == pytest.approx((0.2 + 0.4) / 2)
    assert score.raw_interval == pytest.approx((0.3 - 0.095, 0.3 + 0.095))
    assert score.value == pytest.approx(0.4)
    assert score.ceiling == pytest.approx(0.5)
    assert score.interval == pytest.approx((0.21, 0.59))
    assert (score.n_used, score.n_total) == (6, 8)
    assert len(score.per_step) == len(results)
    assert "value: 1 of 2 sessions, those with repeats (a)" in score.notes


def test_without_ceilings_the_value_is_missing_and_raw_is_there():
    results = {(s, "one", 0): step_score(0.5) for s in "ab"}
    score = average_sessions(results, {"a": "A", "b": "A"}, "bench", "model", 0, simulated=True)
    assert np.isnan([score.value, *score.interval, score.ceiling]).all()
    assert score.raw == pytest.approx(0.5)
    assert score.ceiling_rule == "none: no repeats"
    assert any("missing" in note for note in score.notes)


def test_one_session_alone_gives_no_number_and_says_why():
    score = average_sessions({("a", "one", 0): step_score(0.5, 0.7)}, {"a": "A"}, "bench", "model", 0, False)
    assert np.isnan([score.value, score.raw]).all()
    assert np.isnan(score.raw_interval).all()
    assert (score.n_used, score.n_total) == (0, 4)
    assert "session a: no other session to choose its layer" in score.notes[0]


def comparison(raw):
    row = {
        "raw": raw,
        "raw_low": raw - 1,
        "raw_high": raw + 1,
        "ceiling": 0.5,
        "ceiling_rule": "rule",
        "normalised": raw / 0.5,
        "normalised_low": raw - 2,
        "normalised_high": raw + 2,
        "n_used": 91,
        "n_total": 92,
    }
    return Comparison(row, np.full(10, raw))


def test_one_target_chooses_the_layer_that_another_is_scored_with():
    raw = {"scored": (0.4, 0.2), "chooser": (0.1, 0.3)}
    results = {
        (target, "m", layer, 0): comparison(r)
        for target, both in raw.items()
        for layer, r in zip(("one", "two"), both, strict=True)
    }
    results["chooser", "other metric", "one", 0] = comparison(9)
    score = choose_by_target(results, ("scored", "chooser", "m"), "bench", "model", 0, False)
    assert score.chosen["layer"].item() == "two"
    assert (score.raw, score.value, score.interval) == (0.2, 0.4, (0.2 - 2, 0.2 + 2))
    assert (score.n_used, score.n_total) == (91, 92)


def test_a_chooser_without_scores_leaves_the_number_missing():
    results = {("scored", "m", "one", 0): comparison(0.4), ("chooser", "m", "one", 0): comparison(NAN)}
    score = choose_by_target(results, ("scored", "chooser", "m"), "bench", "model", 0, False)
    assert np.isnan([score.value, score.raw, *score.interval]).all()
    assert score.n_used == 0
    assert "missing" in score.notes[0]

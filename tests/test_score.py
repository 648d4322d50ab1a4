"""A score as numbers, as text and as files."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import Score
from benchmarks.resamples import one_number, tabulate
from benchmarks.score import make_provenance, number, read_score, used_steps

NAN = float("nan")


def make_score(**changes):
    table = pd.DataFrame(
        {
            "session": ["a", "a", "b", "b"],
            "layer": ["low", "high", "low", "high"],
            "step": [0, 0, 0, 0],
            "raw": [0.1, 1 / 3, 0.3, NAN],
            "ceiling": [0.8, 0.8, NAN, NAN],
            "simulated": True,
        }
    )
    chosen = pd.DataFrame({"session": ["a"], "layer": ["high"], "raw": [np.float64(1 / 3)], "normalised": [NAN]})
    content = {
        "benchmark": "study.V4-ridge",
        "model": "some-model",
        "value": NAN,
        "raw": 1 / 3,
        "ceiling": NAN,
        "ceiling_rule": "none: no repeats",
        "interval": (NAN, NAN),
        "raw_interval": (0.2, 0.4),
        "n_used": 3,
        "n_total": 4,
        "per_step": table,
        "chosen": chosen,
        "simulated": True,
        "notes": ("value: missing, because of something",),
        "provenance": {"seed": np.int64(0)},
    }
    return Score(**{**content, **changes})


def test_files_hold_the_table_and_the_rest_and_dots_in_the_name_are_kept(tmp_path):
    stem = tmp_path / "new" / "model.study.V4-ridge"
    score = make_score()
    paths = score.to_files(stem)
    assert [path.name for path in paths] == ["model.study.V4-ridge.csv", "model.study.V4-ridge.json"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), score.per_step, rtol=1e-9)
    content = json.loads(paths[1].read_text())
    assert content["value"] is None
    assert content["interval"] == [None, None]
    assert content["raw"] == pytest.approx(1 / 3, abs=1e-9)
    assert content["chosen"] == [{"session": "a", "layer": "high", "raw": content["raw"], "normalised": None}]
    assert content["simulated"] is True
    assert content["provenance"]["seed"] == 0
    assert sorted(path.name for path in stem.parent.iterdir()) == [path.name for path in paths]


def test_a_score_survives_its_files(tmp_path):
    samples = tabulate(one_number(0, (1 / 3, np.linspace(0.2, 0.4, 5))))
    score = make_score(samples=samples)
    assert [path.name for path in score.to_files(tmp_path / "a.b")] == ["a.b.csv", "a.b.samples.npy", "a.b.json"]
    again = read_score(tmp_path / "a.b")
    pd.testing.assert_frame_equal(again.samples, samples)
    pd.testing.assert_frame_equal(again.per_step, score.per_step, rtol=1e-9)
    assert again.summary() == score.summary()
    assert np.isnan([again.value, *again.interval, again.ceiling]).all()


def test_another_note_is_no_score(tmp_path):
    (tmp_path / "x.json").write_text('{"benchmark": "b"}')
    with pytest.raises(ValueError, match=r"x\.json: expected a score, got none with model, value"):
        read_score(tmp_path / "x")


def test_the_same_score_gives_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in make_score().to_files(tmp_path / "x")]
    assert first == [path.read_bytes() for path in make_score().to_files(tmp_path / "x")]


def test_text_says_what_is_simulated_and_what_is_missing():
    text = str(make_score())
    assert "simulated" in text
    assert "value    missing" in text
    assert "0.333 (0.200 to 0.400)" in text
    assert "n 3 / 4" in text
    assert "because of something" in text


def test_numbers_read_as_a_reader_expects():
    assert number(NAN) == "missing"
    assert number(0.25) == "0.250"
    assert number(0.25, (0.2, 0.3)) == "0.250 (0.200 to 0.300)"
    assert number(0.25, (NAN, NAN)) == "0.250 (interval missing)"


def test_table_is_the_mean_over_sessions_and_keeps_the_order_of_layers():
    table = make_score().table()
    assert list(table.index) == ["low", "high"]
    assert table.loc["low", 0] == pytest.approx(0.2)
    assert table.loc["high", 0] == pytest.approx(1 / 3)


def test_table_keeps_targets_and_metrics_apart():
    table = make_score().per_step.rename(columns={"session": "target"}).assign(metric="cosine")
    assert list(make_score(per_step=table).table().index) == [
        ("a", "cosine", "low"),
        ("a", "cosine", "high"),
        ("b", "cosine", "low"),
    ]


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"column: expected one of session, layer, .*got 'r2'"):
        make_score().table("r2")


class Feedforward:
    recurrent = False


def test_a_feedforward_model_has_step_0_only():
    assert used_steps(Feedforward(), 5) == 0
    assert used_steps(object(), 5) == 5


@pytest.mark.parametrize("n_steps", [-1, 2.0, "3", True])
def test_steps_that_cannot_be_counted_are_refused(n_steps):
    with pytest.raises(ValueError, match="n_steps: expected an integer, 0 or more"):
        used_steps(Feedforward(), n_steps)


class Store:
    def sha256(self, name):
        return f"hash of {name}"


def test_provenance_names_files_seed_and_versions():
    found = make_provenance(Feedforward(), 3, 7, Store(), ("a.npy",))
    assert (found["n_steps"], found["seed"], found["weights_sha256"]) == (3, 7, None)
    assert found["data_sha256"] == {"a.npy": "hash of a.npy"}
    assert found["versions"]["version:numpy"] == np.__version__


def test_weights_that_differ_have_another_hash():
    import torch

    model = torch.nn.Linear(2, 2)
    before = make_provenance(model, 0, 0)["weights_sha256"]
    with torch.no_grad():
        model.bias += 1
    assert make_provenance(model, 0, 0)["weights_sha256"] != before

"""What a stage depends on, and amounts of memory as people write them."""

from types import SimpleNamespace

import pytest
import torch

from neurocnnf import stage_inputs as module
from neurocnnf.stage_inputs import FLOW, file_hashes, parse_bytes, stage_inputs, steps_taken


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4GB", 4_000_000_000), ("500 mb", 500_000_000), ("1.5GB", 1_500_000_000), ("2048", 2048), ("7B", 7)],
)
def test_amounts_are_read_as_people_write_them(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "four GB", "infGB", "nan"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="memory: expected an amount such as 4GB or 500MB, got"):
        parse_bytes(text)


def test_a_feedforward_model_takes_no_steps_and_quick_takes_few():
    recurrent, feedforward = SimpleNamespace(recurrent=True), SimpleNamespace(recurrent=False)
    assert [steps_taken(recurrent, n, False) for n in (0, 5)] == [0, 5]
    assert [steps_taken(recurrent, n, True) for n in (1, 5)] == [1, 2]
    assert steps_taken(feedforward, 5, False) == 0


def test_inputs_name_settings_weights_and_data():
    model = torch.nn.Linear(2, 2)
    model.name = "m"
    one = stage_inputs("score x", {"study/a": "hash"}, {"seed": 0, "n_steps": 2}, [model], package="benchmarks")
    assert (one["seed"], one["n_steps"], one["data:study/a"], one["command"]) == ("0", "2", "hash", "score x")
    with torch.no_grad():
        model.bias += 1
    other = stage_inputs("score x", {"study/a": "hash"}, {"seed": 0, "n_steps": 2}, [model], package="benchmarks")
    assert [name for name in one if one[name] != other[name]] == ["checkpoint:m"]


def test_sources_are_of_the_stages_package_and_those_before_it(monkeypatch):
    monkeypatch.setattr(module, "source_hash", lambda folders: " ".join(folder.name for folder in folders))
    sources = [stage_inputs("x", {}, {}, package=name)["source"] for name in FLOW]
    assert sources == ["neurocnnf", "neurocnnf benchmarks", "neurocnnf benchmarks analysis"]
    with pytest.raises(ValueError, match="package: expected one of neurocnnf, benchmarks, analysis, got 'figures'"):
        stage_inputs("x", {}, {}, package="figures")


def test_hashes_are_of_the_files_in_the_folder_or_else_of_all_that_are_registered():
    store = SimpleNamespace(root=None, sha256=lambda name: f"#{name}")
    store.registered = lambda pattern: [pattern[:-1] + "1", pattern[:-1] + "2"]
    assert file_hashes(store, ["a/*"]) == {"a/1": "#a/1", "a/2": "#a/2"}
    store.root, store.glob = "here", lambda pattern: ["a/own"] if pattern == "a/*" else []
    assert file_hashes(store, ["a/*", "b/*"]) == {"a/own": "#a/own", "b/1": "#b/1", "b/2": "#b/2"}

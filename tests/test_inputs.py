"""Activations within a budget of memory, and files of a study."""

import numpy as np
import pytest

from benchmarks.inputs import (
    default_each_layer,
    each_activation,
    files_available,
    files_used,
    layer_groups,
    open_store,
)
from benchmarks.simulated import digits_stimuli
from neurocnnf import load_model
from neurocnnf.datastore import DataStore
from neurocnnf.record import each_layer


def test_layers_are_grouped_in_order_within_the_budget():
    sizes = {"a": 10, "b": 20, "c": 100, "d": 5, "e": 5}
    assert layer_groups(sizes, n_presentations=1, n_steps=1, budget=8 * 30) == [["a", "b"], ["c"], ["d", "e"]]
    assert layer_groups(sizes, 1, 1, 10_000) == [["a", "b", "c", "d", "e"]]
    assert layer_groups({}, 1, 1, 10) == []


class Images:
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def subset(self, index):
        return Images(len(range(self.n)[index]))


def test_every_layer_is_recorded_once_and_no_more_than_the_budget_at_a_time():
    sizes, calls = {"a": 3, "b": 4, "c": 2}, []

    def each_layer(model, stimuli, layers, n_steps):
        calls.append((len(stimuli), tuple(layers), n_steps))
        return {layer: np.zeros((n_steps + 1, len(stimuli), sizes[layer]), np.float32) for layer in layers}

    budget = 4 * 7 * 10 * 3
    found = dict(each_activation(None, Images(10), ["a", "b", "c"], 2, each_layer, budget))
    assert {layer: values.shape for layer, values in found.items()} == {
        "a": (3, 10, 3),
        "b": (3, 10, 4),
        "c": (3, 10, 2),
    }
    assert calls == [(1, ("a", "b", "c"), 0), (10, ("a", "b"), 2), (10, ("c",), 2)]


@pytest.fixture
def store(tmp_path):
    for name in ("images_1.zip", "responses_1.npy", "responses_2.npy"):
        (tmp_path / "data" / "study").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "study" / name).write_bytes(b"x")
    return DataStore(tmp_path / "data", tmp_path / "cache")


def test_files_are_found_by_name_and_by_pattern(store):
    studies = ("study/images_1.zip", "study/responses_*.npy")
    assert files_available(studies, store)
    assert files_used(studies, store) == (
        "study/images_1.zip",
        "study/responses_1.npy",
        "study/responses_2.npy",
    )


@pytest.mark.parametrize("missing", ["study/images_2.zip", "other/*.npy"])
def test_a_missing_file_or_an_empty_pattern_makes_the_study_unavailable(store, missing):
    assert not files_available(("study/images_1.zip", missing), store)


def test_no_store_is_opened_where_no_file_is_needed(monkeypatch, store):
    assert open_store((), None) is None
    assert files_available((), None)
    assert open_store(("a",), store) is store
    monkeypatch.delenv("NEUROCNNF_DATA", raising=False)
    assert isinstance(open_store(("a",), None), DataStore)


def test_models_are_recorded_by_the_projects_own_recorder_unless_they_record_themselves():
    model, stimuli = load_model("cnnf-digits"), digits_stimuli(3)
    found = default_each_layer()(model, stimuli, ("fc1",), 1)
    np.testing.assert_array_equal(found["fc1"], each_layer(model, stimuli, ("fc1",), 1)["fc1"])

    class Own:
        def each_layer(self, stimuli, layers, n_steps):
            return {layer: (len(stimuli), n_steps) for layer in layers}

    assert default_each_layer()(Own(), stimuli, ("a",), 2) == {"a": (3, 2)}

"""Matrices made chunk by chunk, against those of all activations at once."""

import tracemalloc

import numpy as np
import pytest

from benchmarks.gram import gram
from benchmarks.rsa import correlation_rdm
from benchmarks.streamed import CHUNK, each_gram, each_rdm

N, N_STEPS = 2 * CHUNK + 40, 2
UNITS = {"still": 50, "moving": 70, "late": 30}


class Rows:
    """Stimuli that are their own numbers."""

    def __init__(self, index):
        self.index = index

    def __len__(self):
        return len(self.index)

    def subset(self, rows):
        return Rows(self.index[rows])


def make_activations(dtype=np.float32):
    rng = np.random.default_rng(0)
    found = {layer: rng.standard_normal((N_STEPS + 1, N, units)).astype(dtype) + 3 for layer, units in UNITS.items()}
    found["still"][1:] = found["still"][0]
    found["late"][:, :200] = found["late"][0, :200]  # changes for some presentations only
    found["late"][2] = found["late"][1]
    return found


def make_recorder(activations, shown):
    def each_layer(model, stimuli, layers, n_steps):
        shown.append(len(stimuli))
        return {layer: activations[layer][: n_steps + 1, stimuli.index] for layer in layers}

    return each_layer


def matrices(n_layers):
    return 8 * N * N * (N_STEPS + 1) * n_layers


@pytest.mark.parametrize("room", [10**8, 300_000, 0], ids=["one pass", "two passes", "a pass per chunk"])
@pytest.mark.parametrize(
    ("each", "whole"), [(each_gram, gram), (each_rdm, correlation_rdm)], ids=["gram", "dissimilarities"]
)
def test_every_layer_and_step_is_what_all_activations_at_once_give(each, whole, room):
    activations, shown = make_activations(), []
    memory = 2 * matrices(3) + room if room > 300_000 else 2 * matrices(1) + room
    found = dict(each(None, Rows(np.arange(N)), list(UNITS), N_STEPS, make_recorder(activations, shown), memory))
    assert list(found) == list(UNITS)
    for layer, steps in found.items():
        for step, one in enumerate(steps):
            np.testing.assert_allclose(one, whole(activations[layer][step].astype(float)), atol=3e-4)
    assert max(shown) == CHUNK
    assert sum(shown) == N if room > 300_000 else sum(shown) > N


def test_float64_is_exact():
    activations = make_activations(np.float64)
    found = each_gram(None, Rows(np.arange(N)), list(UNITS), N_STEPS, make_recorder(activations, []))
    for layer, steps in found:
        for step, one in enumerate(steps):
            np.testing.assert_allclose(one, gram(activations[layer][step]), atol=1e-10)


def test_steps_that_do_not_differ_are_one_object():
    recorder = make_recorder(make_activations(), [])
    found = dict(each_gram(None, Rows(np.arange(N)), list(UNITS), N_STEPS, recorder))
    assert found["still"][0] is found["still"][1] is found["still"][2]
    assert found["late"][0] is not found["late"][1]
    assert found["late"][1] is found["late"][2]
    assert found["moving"][0] is not found["moving"][1]


def test_no_more_than_the_budget_is_held():
    activations = {layer: np.random.default_rng(0).random((3, N, 4_000), np.float32) for layer in ("a", "b")}
    memory = 2 * matrices(2) + 3 * 2 * 3 * CHUNK * 4_000 * 4
    recorder = make_recorder(activations, [])
    tracemalloc.start()
    for _ in each_gram(None, Rows(np.arange(N)), ["a", "b"], N_STEPS, recorder, memory):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= memory


def test_a_budget_below_the_matrices_is_refused():
    recorder = make_recorder(make_activations(), [])
    with pytest.raises(ValueError, match=r"memory: expected at least 0.00421 GB, twice the Gram matrices of 296"):
        list(each_gram(None, Rows(np.arange(N)), ["moving"], N_STEPS, recorder, 10**6))

"""The benchmark of behaviour: one number fixed beforehand, all steps behind it, notes that say what was left out."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from benchmarks.answers import CIFAR10
from benchmarks.behaviour import Behaviour, Ceiling, draw_items, table_row
from benchmarks.soft_labels import compare_entropy
from neurocnnf.stimuli import Stimuli

N_IMAGES = 150
LABELS = np.arange(N_IMAGES) % 10


@dataclass
class Model:
    recurrent: bool = True
    name: str = "stand-in"
    layer_names: tuple[str, ...] = ("hidden", "logits")
    card: dict = field(default_factory=lambda: {"data": "cifar10"})


def logits(step):
    return np.random.default_rng(step).standard_normal((N_IMAGES, 10)) * 2


def each_layer(model, stimuli, layers, n_steps):
    return {layer: np.stack([logits(s) for s in range(n_steps + 1)]).astype(np.float32) for layer in layers}


@dataclass
class Simulated:
    """People simulated from the model's answers at step 1."""

    categories: tuple[str, ...] = CIFAR10
    labels: np.ndarray = field(default_factory=lambda: LABELS)
    notes: tuple[str, ...] = ("3 trials were left out",)

    @property
    def stimuli(self):
        table = pd.DataFrame({"stimulus_id": [str(k) for k in range(N_IMAGES)]})
        return Stimuli(np.zeros((N_IMAGES, 2, 2, 3), np.uint8), table, "blank")

    @property
    def counts(self):
        odds = np.exp(logits(1))
        return np.random.default_rng(9).multinomial(200, odds / odds.sum(axis=1, keepdims=True))


@pytest.fixture
def benchmark():
    return Behaviour(
        "simulated.entropy", (), lambda **_: Simulated(), compare_entropy, simulated=True, each_layer=each_layer
    )


def test_the_simulated_step_is_found_and_the_last_step_is_scored(benchmark):
    seen = []
    score = benchmark(Model(), n_steps=2, progress=lambda *call: seen.append(call))
    own = score.per_step[score.per_step["metric"] == "entropy"].set_index("step")
    assert own["raw"].idxmax() == 1
    assert own.loc[1, "normalised"] > 0.9
    assert score.raw == own.loc[2, "raw"]
    assert score.value == pytest.approx(score.raw / score.ceiling)
    assert score.interval[0] < score.value < score.interval[1]
    assert score.interval[0] < 0 < score.interval[1]  # step 2 had no part in the people
    assert seen[-1][1:] == (2, 2)


def test_a_feedforward_model_is_scored_at_step_0(benchmark):
    score = benchmark(Model(recurrent=False), n_steps=5)
    assert set(score.per_step["step"]) == {0}


def test_the_same_seed_gives_the_same_numbers(benchmark):
    first, second = benchmark(Model(), n_steps=1, seed=4), benchmark(Model(), n_steps=1, seed=4)
    pd.testing.assert_frame_equal(first.per_step, second.per_step)


def test_what_was_left_out_and_that_it_is_simulated_is_said(benchmark, tmp_path):
    score = benchmark(Model(), n_steps=0)
    assert "3 trials were left out" in score.notes
    assert any("own classes" in note for note in score.notes)
    assert "(simulated recordings)" in str(score)
    assert score.per_step["simulated"].all()
    for path in score.to_files(tmp_path / "score"):
        assert path.stat().st_size > 0


def test_a_check_says_that_it_is_no_result():
    quick = Behaviour("s.e", (), lambda **_: Simulated(), compare_entropy, quick=True, each_layer=each_layer)
    assert quick(Model(), n_steps=0).notes[0].startswith("quick")


def test_without_a_ceiling_nothing_is_normalised():
    row = table_row("m", 0, 0.4, np.full(100, 0.4), Ceiling(float("nan"), "none"), (3, 4))
    assert row["raw"] == 0.4
    assert np.isnan(row["normalised"])
    assert (row["n_used"], row["n_total"]) == (3, 4)


def test_items_are_drawn_with_replacement():
    counts = draw_items(7, 50, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 7).all()
    assert counts.max() > 1

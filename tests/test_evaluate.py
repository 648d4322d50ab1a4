"""Accuracy by step equals a loop written by hand, on the same pixels for every model."""

import pandas as pd
import pytest
import torch

from neurocnnf import build_model, load_model
from neurocnnf.degradations import DEGRADATION_LEVELS, degrade
from neurocnnf.evaluate import accuracy_by_step, conditions, evaluate_on
from neurocnnf.images import load_training_set, to_model_range

CONDITIONS = [("clean", 0.0)] + [
    (kind, level) for kind in ("noise", "blur", "occlusion") for level in DEGRADATION_LEVELS[kind]
]
N_IMAGES = 120  # two whole batches of 50, and a part


@pytest.fixture(scope="module")
def model():
    # In double precision no hard gate flips with the size of the batch.
    return load_model("cnnf-digits").double()


@pytest.fixture(scope="module")
def test_set():
    images, labels = load_training_set("digits", "test")
    return to_model_range(images[:N_IMAGES]).double(), torch.as_tensor(labels[:N_IMAGES])


def slow_accuracy(model, images, labels, n_steps, n_degraded, seed):
    rows = []
    for number, (kind, level) in enumerate(CONDITIONS, start=1):
        n = len(images) if kind == "clean" else n_degraded
        generator = torch.Generator().manual_seed(seed * 1000 + number)
        seen = [
            images[i : min(i + 50, n)]
            if kind == "clean"
            else degrade(images[i : min(i + 50, n)], kind, level, generator)
            for i in range(0, n, 50)
        ]
        with torch.no_grad():
            answers = [out.logits.tolist() for out in model.steps(torch.cat(seen), n_steps)]
        for step in range(n_steps + 1):
            right = sum(
                max(range(10), key=a.__getitem__) == y for a, y in zip(answers[step], labels[:n].tolist(), strict=True)
            )
            rows.append((kind, level, step, right / n, right, n))
    return pd.DataFrame(rows, columns=["degradation", "level", "step", "accuracy", "n_correct", "n_images"])


def test_every_condition_is_clean_or_a_reported_degradation():
    assert list(conditions()) == CONDITIONS
    assert len(CONDITIONS) == 10


def test_accuracy_equals_a_loop_written_by_hand(model, test_set):
    ours = accuracy_by_step(model, *test_set, 2, n_degraded=60, seed=3)
    slow = slow_accuracy(model, *test_set, 2, 60, 3)
    pd.testing.assert_frame_equal(ours, slow)
    clean = ours["degradation"] == "clean"
    assert (ours["accuracy"][clean] > 0.9).all()
    assert ours["accuracy"][~clean].between(0.1, 0.99).any()  # or the counts would prove little


def test_steps_are_scored_apart(test_set):
    images, labels = test_set

    class Scripted:
        """Right at step 1 only, whatever it sees."""

        name, recurrent, dtype, device = "scripted", True, torch.float64, torch.device("cpu")

        def __init__(self):
            self.place = 0

        def unroll(self, seen, n_steps, **kwargs):
            rows = labels[torch.arange(self.place, self.place + len(seen)) % N_IMAGES]
            self.place += len(seen)
            answers = torch.stack([rows if step == 1 else (rows + 1) % 10 for step in range(n_steps + 1)])
            return type("Trajectory", (), {"logits": torch.nn.functional.one_hot(answers, 10).float()})

    table = accuracy_by_step(Scripted(), images, labels, 2, n_degraded=N_IMAGES)
    assert table.groupby("step")["accuracy"].agg(["min", "max"]).to_numpy().tolist() == [[0, 0], [1, 1], [0, 0]]


def test_a_feedforward_control_is_swept_once_on_the_same_pixels(model, test_set):
    control = build_model("cnn-digits").double()
    control.load_state_dict(model.state_dict())
    cnnf = accuracy_by_step(model, *test_set, 1, n_degraded=50, seed=3)
    table = accuracy_by_step(control, *test_set, 1, n_degraded=50, seed=3)
    assert set(table["step"]) == {0}
    pd.testing.assert_frame_equal(table, cnnf[cnnf["step"] == 0].reset_index(drop=True))


def test_the_seed_draws_the_degradations_and_nothing_else(model, test_set):
    first, again, other = (accuracy_by_step(model, *test_set, 0, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    random = first["degradation"].isin(["noise", "occlusion"])
    assert first["n_correct"][~random].equals(other["n_correct"][~random])
    assert not first["n_correct"][random].equals(other["n_correct"][random])


@pytest.mark.parametrize(("n_degraded", "used"), [(None, N_IMAGES), (30, 30), (10_000, N_IMAGES)])
def test_degraded_conditions_use_the_first_images(model, test_set, n_degraded, used):
    calls = []
    table = accuracy_by_step(model, *test_set, 0, n_degraded=n_degraded, progress=lambda *args: calls.append(args))
    assert table.groupby("degradation")["n_images"].unique().map(list).to_dict() == {
        "clean": [N_IMAGES],
        "noise": [used],
        "blur": [used],
        "occlusion": [used],
    }
    total = N_IMAGES + 9 * used
    assert calls[0] == (model.name, 50, total)
    assert calls[-1] == (model.name, total, total)


def test_a_named_training_set_is_evaluated_on_its_test_images(test_set):
    model = load_model("cnnf-digits")
    table = evaluate_on(model, "digits", 1, n_clean=N_IMAGES, n_degraded=20, seed=3)
    expected = accuracy_by_step(model, test_set[0].float(), test_set[1], 1, n_degraded=20, seed=3)
    assert list(table.columns)[:3] == ["model", "kind", "data"]
    assert table[["model", "kind", "data"]].drop_duplicates().to_numpy().tolist() == [["cnnf-digits", "cnnf", "digits"]]
    pd.testing.assert_frame_equal(table.drop(columns=["model", "kind", "data"]), expected)
    whole = evaluate_on(model, "digits", 0, n_degraded=1)
    assert whole["n_images"].tolist() == [len(load_training_set("digits", "test")[1])] + [1] * 9

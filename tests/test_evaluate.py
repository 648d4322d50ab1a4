"""Accuracy by step equals a loop written by hand, on the same pixels for every model."""

import pandas as pd
import pytest
import torch

from neurocnnf import build_model, load_model
from neurocnnf.degradations import DEGRADATION_LEVELS, degrade
from neurocnnf.evaluate import accuracy_by_step, conditions, evaluate_on, right_answers
from neurocnnf.images import load_training_set, to_model_range

# The first ten are those that cards hold; their place is their seed.
KINDS = ("noise", "blur", "occlusion", "contrast", "pixelate")
CONDITIONS = [("clean", 0.0)] + [
    (kind, level) for kind in KINDS for level in DEGRADATION_LEVELS[kind]
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


def measured(*arguments, **settings):
    return accuracy_by_step(right_answers(*arguments, **settings))


def slow_accuracy(model, images, labels, n_steps, n_degraded, seed, averaged=False):
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
            logits = [out.logits for out in model.steps(torch.cat(seen), n_steps)]
        if averaged:
            logits = [sum(logits[: step + 1]) / (step + 1) for step in range(n_steps + 1)]
        answers = [one.tolist() for one in logits]
        for step in range(n_steps + 1):
            right = sum(
                max(range(10), key=a.__getitem__) == y for a, y in zip(answers[step], labels[:n].tolist(), strict=True)
            )
            rows.append((kind, level, step, right / n, right, n))
    return pd.DataFrame(rows, columns=["degradation", "level", "step", "accuracy", "n_correct", "n_images"])


def test_every_condition_is_clean_or_a_reported_degradation():
    assert list(conditions()) == CONDITIONS
    assert len(CONDITIONS) == 16


def test_accuracy_equals_a_loop_written_by_hand(model, test_set):
    ours = measured(model, *test_set, 2, n_degraded=60, seed=3)
    slow = slow_accuracy(model, *test_set, 2, 60, 3)
    pd.testing.assert_frame_equal(ours, slow)
    clean = ours["degradation"] == "clean"
    assert (ours["accuracy"][clean] > 0.9).all()
    assert ours["accuracy"][~clean].between(0.1, 0.99).any()  # or the counts would prove little


def test_the_mean_over_steps_answers_where_it_is_asked(model, test_set):
    averaged, last = (measured(model, *test_set, 3, n_degraded=60, seed=3, readout=one) for one in ("average", "last"))
    pd.testing.assert_frame_equal(averaged, slow_accuracy(model, *test_set, 3, 60, 3, averaged=True))
    first = averaged["step"] == 0
    pd.testing.assert_frame_equal(averaged[first], last[first])
    assert not averaged.equals(last)
    with pytest.raises(ValueError, match="readout: expected 'last' or 'average', got 'best'"):
        right_answers(model, *test_set, 1, readout="best")


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

    table = measured(Scripted(), images, labels, 2, n_degraded=N_IMAGES)
    assert table.groupby("step")["accuracy"].agg(["min", "max"]).to_numpy().tolist() == [[0, 0], [1, 1], [0, 0]]


def test_a_feedforward_control_is_swept_once_on_the_same_pixels(model, test_set):
    control = build_model("cnn-digits").double()
    control.load_state_dict(model.state_dict())
    cnnf = measured(model, *test_set, 1, n_degraded=50, seed=3)
    table = measured(control, *test_set, 1, n_degraded=50, seed=3)
    assert set(table["step"]) == {0}
    pd.testing.assert_frame_equal(table, cnnf[cnnf["step"] == 0].reset_index(drop=True))


def test_the_seed_draws_the_degradations_and_nothing_else(model, test_set):
    first, again, other = (measured(model, *test_set, 0, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    random = first["degradation"].isin(["noise", "occlusion"])
    assert first["n_correct"][~random].equals(other["n_correct"][~random])
    assert not first["n_correct"][random].equals(other["n_correct"][random])


@pytest.mark.parametrize(("n_degraded", "used"), [(None, N_IMAGES), (30, 30), (10_000, N_IMAGES)])
def test_degraded_conditions_use_the_first_images(model, test_set, n_degraded, used):
    calls = []
    table = measured(model, *test_set, 0, n_degraded=n_degraded, progress=lambda *args: calls.append(args))
    assert table.groupby("degradation")["n_images"].unique().map(list).to_dict() == {
        "clean": [N_IMAGES],
        **{kind: [used] for kind in KINDS},
    }
    total = N_IMAGES + 15 * used
    assert calls[0] == (model.name, 50, total)
    assert calls[-1] == (model.name, total, total)


def test_every_image_is_right_or_wrong_where_the_loop_finds_it_so(model, test_set):
    images, labels = test_set
    right = right_answers(model, images, labels, 1, n_degraded=60, seed=3)
    assert list(right) == ["degradation", "level", "image", "step_0", "step_1"]
    for number, (kind, level) in enumerate(CONDITIONS, start=1):
        here = right[(right["degradation"] == kind) & (right["level"] == level)]
        n = N_IMAGES if kind == "clean" else 60
        assert here["image"].tolist() == list(range(n))
        if kind in ("clean", "pixelate"):
            seen = images if kind == "clean" else degrade(images[:n], kind, level)
            with torch.no_grad():
                answers = [out.logits.argmax(-1) for out in model.steps(seen, 1)]
            for step in (0, 1):
                assert here[f"step_{step}"].tolist() == (answers[step] == labels[:n]).int().tolist(), (number, kind)


def test_images_that_answer_together_are_brought_together_at_random(test_set):
    order = test_set[1].argsort(stable=True)
    images, labels = test_set[0][order], test_set[1][order]
    model = build_model("shuffled-digits").double()
    model.load_state_dict(load_model("cnnf-digits").state_dict())
    table = right_answers(model, images, labels, 1, n_degraded=2, seed=4)
    found = table[table["degradation"] == "clean"].set_index("image")["step_1"]

    def right_in(order):
        right = {}
        for some in order.split(50):
            with torch.no_grad():
                answers = [out.logits.argmax(-1) for out in model.steps(images[some], 1)][1]
            right |= dict(zip(some.tolist(), (answers == labels[some]).int().tolist(), strict=True))
        return right

    assert found.to_dict() == right_in(torch.randperm(N_IMAGES, generator=torch.Generator().manual_seed(4)))
    assert found.to_dict() != right_in(torch.arange(N_IMAGES))


def test_a_named_training_set_is_evaluated_on_its_test_images(test_set):
    model = load_model("cnnf-digits")
    table = evaluate_on(model, "digits", 1, n_clean=N_IMAGES, n_degraded=20, seed=3)
    expected = right_answers(model, test_set[0].float(), test_set[1], 1, n_degraded=20, seed=3)
    names = ["model", "kind", "data", "readout"]
    for found, wanted in ((table, expected), (accuracy_by_step(table), accuracy_by_step(expected))):
        assert list(found.columns)[:4] == names
        assert found[names].drop_duplicates().to_numpy().tolist() == [["cnnf-digits", "cnnf", "digits", "last"]]
        pd.testing.assert_frame_equal(found.drop(columns=names), wanted)
    averaged = evaluate_on(model, "digits", 1, n_clean=N_IMAGES, n_degraded=20, seed=3, readout="average")
    expected = right_answers(model, test_set[0].float(), test_set[1], 1, n_degraded=20, seed=3, readout="average")
    pd.testing.assert_frame_equal(averaged.drop(columns=names), expected)
    assert set(averaged["readout"]) == {"average"}
    whole = accuracy_by_step(evaluate_on(model, "digits", 0, n_degraded=1))
    assert whole["n_images"].tolist() == [len(load_training_set("digits", "test")[1])] + [1] * 15


@pytest.mark.parametrize("name", ["cnn-mnist", "cnnf-mnist-small", "lateral-mnist-small-seed1", "cnnf-cifar10-small"])
def test_what_a_shipped_card_says_of_blurred_images_is_found_again(name, studies):
    model = load_model(name)
    card = pd.DataFrame(model.card["accuracy"]).query("seed == seed.min() and degradation == 'blur' and step < 2")
    card = card[card["level"] == card["level"].min()]
    n = card["n_images"].iloc[0]
    images, labels = (part[:n] for part in load_training_set(model.card["data"], "test"))
    seen = degrade(to_model_range(images), "blur", card["level"].iloc[0])
    with torch.no_grad():
        logits = model.unroll(seen, len(card) - 1).logits
    right = (logits.argmax(-1) == torch.as_tensor(labels)).sum(1)
    assert (right - torch.tensor(card["n_correct"].to_numpy())).abs().max() <= 4

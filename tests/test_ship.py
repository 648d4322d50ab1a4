"""A shipped model is seed 0's, and its card says what an independent evaluation of the file finds."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from neurocnnf import evaluate, load_model, recipes, ship
from neurocnnf.degradations import degrade
from neurocnnf.images import load_training_set, to_model_range
from neurocnnf.recipes import Recipe
from neurocnnf.train import load_training_tensors, train

TINY = Recipe(
    "cnnf-digits", "digits", "shift", feedforward_batches=12, feedback_batches=4, n_steps=2, batch_size=32,
    feedback_batch_size=8,
)  # fmt: skip
SEEDS = (0, 1)
N_TEST, N_DEGRADED = 60, 20


@pytest.fixture(scope="module", autouse=True)
def tiny():
    """Replace the recipes by quick ones, and the test set by its first images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "cnnf-digits", TINY)
        patch.setitem(recipes.RECIPES, "cnn-digits", replace(TINY, model="cnn-digits", n_steps=0))
        patch.setattr(evaluate, "load_training_set", lambda *args: [each[:N_TEST] for each in load_training_set(*args)])
        # The number that evaluate_on takes where none is given.
        patch.setitem(evaluate.evaluate_on.__kwdefaults__, "n_degraded", N_DEGRADED)
        yield


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """Train both models with both seeds; return name -> the runs' folders."""
    folder = tmp_path_factory.mktemp("runs")
    images, labels = load_training_tensors("digits")
    runs = {name: [folder / f"{name}-{seed}" for seed in SEEDS] for name in ("cnnf-digits", "cnn-digits")}
    for name, outs in runs.items():
        for seed, out in zip(SEEDS, outs, strict=True):
            train(name, seed, out, data=(images[:200], labels[:200]))
            state = torch.load(out / "state.pt", weights_only=True)
            torch.save(state | {"machine": f"machine {seed}"}, out / "state.pt")  # as if each had one of its own
    return runs


@pytest.fixture(scope="module")
def shipped(trained, tmp_path_factory):
    """Ship both; return name -> the weights' path."""
    folder = tmp_path_factory.mktemp("weights")
    return {name: ship.ship(name, runs, folder=folder)[0] for name, runs in trained.items()}


def card_of(path):
    return json.loads(path.with_suffix(".json").read_text())


def half_weights(run):
    state = torch.load(run / "state.pt", weights_only=True)["model"]
    return {key: value.half().float() for key, value in state.items()}


def count_correct(model, degradation, level, number, n_steps):
    """Count right answers at each step by hand, on the pixels that condition `number` shows."""
    images, labels = load_training_set("digits", "test")
    n = N_TEST if degradation == "clean" else N_DEGRADED
    images, generator = to_model_range(images[:n]), torch.Generator().manual_seed(number)
    # In the batches of the evaluation, so that the generator draws the same.
    pieces = [x if degradation == "clean" else degrade(x, degradation, level, generator) for x in images.split(50)]
    with torch.no_grad():
        steps = [[out.logits.argmax(-1) for out in model.steps(piece, n_steps)] for piece in pieces]
    answers = [torch.cat(each).tolist() for each in zip(*steps, strict=True)]
    return [sum(a == y for a, y in zip(found, labels[:n].tolist(), strict=True)) for found in answers]


@pytest.mark.parametrize("name", ["cnnf-digits", "cnn-digits"])
def test_the_weights_are_seed_0s_in_half_precision(trained, shipped, name):
    model = load_model(shipped[name])
    first, second = (half_weights(run) for run in trained[name])
    assert all(torch.equal(value, first[key]) for key, value in model.state_dict().items())
    assert not all(torch.equal(first[key], second[key]) for key in first)
    assert (model.name, model.recurrent, model.card["architecture"]) == (name, name == "cnnf-digits", name)


@pytest.mark.parametrize(("name", "n_steps"), [("cnnf-digits", 5), ("cnn-digits", 0)])
def test_the_cards_numbers_are_those_of_an_independent_evaluation(trained, shipped, name, n_steps):
    card, model = card_of(shipped[name]), load_model(shipped[name])
    table = pd.DataFrame(card["accuracy"])
    assert sorted(set(table["step"])) == list(range(n_steps + 1))
    clean = {}
    for seed, run in zip(SEEDS, trained[name], strict=True):
        model.load_state_dict(half_weights(run))  # seed 0: what was loaded
        rows = table[table["seed"] == seed]
        conditions = list(rows[["degradation", "level"]].drop_duplicates().itertuples(index=False, name=None))
        assert len(conditions) == 16
        for number, (degradation, level) in enumerate(conditions, start=1):
            expected = count_correct(model, degradation, level, number, n_steps)
            here = rows[(rows["degradation"] == degradation) & (rows["level"] == level)].sort_values("step")
            n = N_TEST if degradation == "clean" else N_DEGRADED
            assert here["n_correct"].tolist() == expected
            assert here["n_images"].tolist() == [n] * (n_steps + 1)
            assert here["accuracy"].tolist() == pytest.approx([count / n for count in expected])
            if degradation == "clean":
                clean[seed] = [round(count / n, 4) for count in expected]
    assert clean[0] != clean[1]  # or seed 0's numbers could be another's
    assert list(card["clean_accuracy_by_step"].values()) == clean[0]
    ranges = [[min(both), max(both)] for both in zip(*clean.values(), strict=True)]
    assert list(card["clean_accuracy_range_over_seeds"].values()) == ranges
    assert list(card["clean_accuracy_by_step"]) == [str(step) for step in range(n_steps + 1)]


def test_the_card_says_how_the_weights_came_about(trained, shipped):
    card = card_of(shipped["cnnf-digits"])
    assert (card["name"], card["data"], card["seeds"]) == ("cnnf-digits", "digits", 2)
    assert Recipe(**card["recipe"]) == TINY
    seconds = [torch.load(run / "state.pt", weights_only=True)["seconds"] for run in trained["cnnf-digits"]]
    assert card["seconds_of_training"] == {"0": seconds[0], "1": seconds[1]}
    assert card["machine"] == {"0": "machine 0", "1": "machine 1"}
    assert card["training_set"]["name"] == "digits"


def test_shipping_again_evaluates_nothing_and_writes_the_same(trained, shipped, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("evaluated again")

    monkeypatch.setattr(ship, "evaluate_on", refuse)
    [path] = ship.ship("cnnf-digits", trained["cnnf-digits"], folder=tmp_path)
    assert path.read_bytes() == shipped["cnnf-digits"].read_bytes()
    assert card_of(path) == card_of(shipped["cnnf-digits"])


def test_changed_weights_are_evaluated_again(trained, shipped, tmp_path):
    run = shutil.copytree(trained["cnnf-digits"][0], tmp_path / "run")
    state = torch.load(run / "state.pt", weights_only=True)
    state["model"]["levels.logits.bias"] += torch.eye(10)[3] * 1e3  # now every answer is 3
    torch.save(state, run / "state.pt")
    card = card_of(ship.ship("cnnf-digits", [run], folder=tmp_path)[0])
    labels = load_training_set("digits", "test")[1][:N_TEST]
    assert card["clean_accuracy_by_step"]["0"] == round(float((labels == 3).mean()), 4)


def test_a_finished_run_can_be_shipped_from_another_machine_without_its_state(trained, shipped, tmp_path):
    run = shutil.copytree(trained["cnnf-digits"][0], tmp_path / "run")
    (run / "state.pt").unlink()
    [path] = ship.ship("cnnf-digits", [run, trained["cnnf-digits"][1]], folder=tmp_path)
    assert path.read_bytes() == shipped["cnnf-digits"].read_bytes()
    assert card_of(path) == card_of(shipped["cnnf-digits"])


def test_weights_that_are_not_those_that_were_measured_are_refused(trained, shipped, tmp_path):
    run = shutil.copytree(trained["cnnf-digits"][0], tmp_path / "run")
    shutil.copy(trained["cnnf-digits"][1] / ship.WEIGHTS, run / ship.WEIGHTS)
    with pytest.raises(ValueError, match="expected the weights that were measured"):
        ship.ship("cnnf-digits", [run], folder=tmp_path)


def test_a_finished_run_of_a_recipe_that_has_changed_is_refused(trained, shipped, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "cnnf-digits", replace(TINY, gradient_clip=0.3))
    with pytest.raises(ValueError, match=r"expected a run of Recipe\(.*gradient_clip=0.3.*, got one of .* Train it"):
        ship.ship("cnnf-digits", trained["cnnf-digits"], folder=tmp_path)


@pytest.mark.parametrize("done", [None, 15])
def test_an_unfinished_or_missing_run_is_refused(trained, tmp_path, done):
    run = tmp_path / "run"
    run.mkdir()
    if done is not None:
        state = torch.load(trained["cnnf-digits"][1] / "state.pt", weights_only=True)
        torch.save({**state, "done": done}, run / "state.pt")
    message = rf"run: expected a run of 16 batches, got {done or 0}\. Let `neurocnnf train` finish it"
    with pytest.raises(ValueError, match=message):
        ship.ship("cnnf-digits", [trained["cnnf-digits"][0], run], folder=tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_an_unknown_recipe_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"recipe: expected one of .*, got 'cnnf-imagenet'"):
        ship.ship("cnnf-imagenet", [], folder=tmp_path)


def test_every_seed_is_a_checkpoint_whose_card_speaks_of_it_alone(trained, shipped, tmp_path):
    first, second = ship.ship("cnnf-digits", trained["cnnf-digits"], folder=tmp_path, every_seed=True)
    assert first.read_bytes() == shipped["cnnf-digits"].read_bytes()
    assert card_of(first) == card_of(shipped["cnnf-digits"])
    model, card = load_model(second), card_of(second)
    weights = half_weights(trained["cnnf-digits"][1])
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert (model.name, card["name"], card["seeds"]) == ("cnnf-digits-seed1", "cnnf-digits-seed1", 1)
    assert list(card["seconds_of_training"]) == ["1"]
    assert card["machine"] == {"1": "machine 1"}
    of_all = pd.DataFrame(card_of(first)["accuracy"])
    expected = of_all[of_all["seed"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.DataFrame(card["accuracy"]), expected)
    clean = expected[expected["degradation"] == "clean"]
    assert list(card["clean_accuracy_by_step"].values()) == [round(a, 4) for a in clean["accuracy"]]


def test_runs_out_of_order_are_refused(trained, tmp_path):
    with pytest.raises(ValueError, match="expected a run of seed 0, got one of 1"):
        ship.ship("cnnf-digits", trained["cnnf-digits"][::-1], folder=tmp_path)

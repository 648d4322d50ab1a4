"""What is shipped is seed 0's weights, with numbers that a second measurement gives again."""

import json
from dataclasses import replace

import pytest
import torch

from neurocnnf import load_model, recipes
from neurocnnf import ship as shipping
from neurocnnf.evaluate import evaluate_on
from neurocnnf.images import load_training_set, to_model_range
from neurocnnf.recipes import Recipe
from neurocnnf.ship import multiply_adds, ship
from neurocnnf.train import train

TINY = Recipe(
    "cnnf-digits", "digits", "shift", feedforward_batches=2, feedback_batches=2, n_steps=1, batch_size=8,
    feedback_batch_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """Train two seeds, ship them: the folder, and the two runs."""
    folder = tmp_path_factory.mktemp("ship")
    images, labels = load_training_set("digits", "train")
    data = to_model_range(images[:40]), torch.as_tensor(labels[:40])
    runs = [folder / f"run-{seed}" for seed in (0, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "cnnf-digits", TINY)
        models = [train("cnnf-digits", seed, run, data=data) for seed, run in enumerate(runs)]
        path = ship("cnnf-digits", runs, folder=folder / "weights")
        yield path, runs, models


def test_the_weights_are_those_of_seed_0_in_half_precision(shipped):
    path, _, (first, _) = shipped
    for name, value in load_model(str(path)).state_dict().items():
        torch.testing.assert_close(value, first.state_dict()[name].half().float(), rtol=0, atol=0)


def test_the_cards_accuracies_are_measured_again(shipped):
    path = shipped[0]
    card = json.loads(path.with_suffix(".json").read_text())
    again = evaluate_on(load_model(str(path)), "digits", shipping.CARD_STEPS)
    table = card["accuracy"]
    first = [n for n, seed in zip(table["n_correct"], table["seed"], strict=True) if seed == 0]
    assert first == again["n_correct"].tolist()
    assert sorted(set(table["seed"])) == [0, 1]
    assert card["seeds"] == 2


def test_a_run_is_evaluated_once(shipped, monkeypatch):
    path, runs, _ = shipped
    monkeypatch.setattr(shipping, "evaluate_on", lambda *a, **k: pytest.fail("evaluated again"))
    before = path.read_bytes()
    assert ship("cnnf-digits", runs, folder=path.parent) == path
    assert path.read_bytes() == before


def test_an_unfinished_run_is_refused(shipped, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "cnnf-digits", replace(TINY, feedback_batches=3))
    with pytest.raises(ValueError, match="expected a run of 5 batches, got 4"):
        ship("cnnf-digits", shipped[1], folder=shipped[0].parent)


def test_multiply_adds_equal_those_counted_by_hand(shipped):
    model = load_model(str(shipped[0]))
    sizes, size, total = {}, model.image_size, 0
    for name, parameter in model.named_parameters():
        sizes[name] = parameter.shape
        if name.endswith("conv.weight"):
            total += parameter.numel() * size**2
            if "block3" in name or "block4" in name:
                size //= 2
        elif name.endswith("linear.weight"):
            total += parameter.numel()
    assert multiply_adds(model, 0) == total

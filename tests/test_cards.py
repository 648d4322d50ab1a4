"""What is listed of a shipped model is true of the model."""

import pytest

from neurocnnf import list_models, load_model
from neurocnnf.cards import read_cards
from neurocnnf.checkpoint import SHIPPED
from neurocnnf.display import show_models
from neurocnnf.ship import multiply_adds


@pytest.fixture(scope="module")
def cards():
    return {card["model"]: card for card in read_cards()}


def test_every_shipped_model_has_a_card_and_its_place(cards):
    assert list(cards) == list_models()
    assert all(card["seeds"] in (1, 2, 3) for card in cards.values())
    assert {name for name, card in cards.items() if card["attacked"]} == {n for n in cards if "adversarial" in n}


def test_all_that_is_shipped_takes_at_most_40_megabytes():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 40e6


@pytest.mark.parametrize("name", ["cnn-digits", "cnnf-digits", "lateral-mnist-small", "untied-cifar10-small"])
def test_weights_and_multiply_adds_are_those_of_the_model_as_it_is_loaded(cards, name):
    model, card = load_model(name), cards[name]
    assert card["parameters"] == sum(weights.numel() for weights in model.parameters())
    assert card["multiply_adds"] == {step: multiply_adds(model, step) for step in {0, card["n_steps"]}}
    assert (card["n_steps"] > 0) == model.recurrent


@pytest.mark.parametrize("name", ["cnnf-mnist-small", "cnnf-cifar10-small", "wide-mnist-small"])
def test_accuracy_ranges_over_the_seeds_that_were_measured(cards, name):
    measured = load_model(name).card["accuracy"]
    for step, (low, high) in cards[name]["accuracy"].items():
        rows = zip(measured["step"], measured["degradation"], measured["accuracy"], strict=True)
        clean = [accuracy for at, what, accuracy in rows if (at, what) == (step, "clean")]
        assert len(clean) == cards[name]["seeds"] == 3
        assert (low, high) == (pytest.approx(min(clean), abs=5e-5), pytest.approx(max(clean), abs=5e-5))


def test_a_range_is_shown_where_its_ends_differ_and_half_a_tenth_is_rounded_up(capsys):
    accuracy = {0: (0.8755, 0.8755), 2: (0.98501, 0.98499), 5: (0.5, 0.61)}
    show_models([
        {"model": "one", "data": "digits", "attacked": True, "parameters": 250_000, "n_steps": 2, "seeds": 3,
         "multiply_adds": {0: 1_272_448, 2: 159_000_000}, "accuracy": accuracy},
    ])  # fmt: skip
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "one" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == [
        "one", "digits, attacked", "0.25 M", "1.27 M / 159 M", "87.6 % / 98.5 % / 50.0 – 61.0 %", "0 / 2 / 5", "3",
    ]  # fmt: skip

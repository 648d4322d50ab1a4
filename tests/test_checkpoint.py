"""What is saved comes back, in half precision, with a card that says what it is."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file

from neurocnnf import build_model, list_models, load_model
from neurocnnf.checkpoint import LARGE, SHIPPED, pack, round_to_kept, save_model, unpack

CARD = {"name": "mine", "data": "digits", "seeds": 1}


@pytest.fixture
def model():
    return build_model("cnnf-digits", feedback_to=1, feedback_rate=0.25, seed=3)


@pytest.fixture
def saved(model, tmp_path):
    save_model(model, tmp_path / "new" / "mine", CARD)
    return tmp_path / "new" / "mine.safetensors"


def test_weights_come_back_rounded_to_half_precision(model, saved):
    loaded = load_model(saved)
    assert loaded.dtype == torch.float32
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight.half().float())
    assert all(value.dtype == torch.float16 for value in load_file(saved).values())


def test_what_was_rounded_before_comes_back_bit_for_bit_with_its_answers(model, tmp_path):
    images = torch.rand((3, 1, 16, 16), generator=torch.Generator().manual_seed(1)) * 2 - 1
    unrounded = model.unroll(images, 2).logits
    assert round_to_kept(model) is model
    save_model(model, tmp_path / "mine", CARD)
    loaded = load_model(tmp_path / "mine.safetensors")
    assert torch.equal(loaded.unroll(images, 2).logits, model.unroll(images, 2).logits)
    assert not torch.equal(model.unroll(images, 2).logits, unrounded)


def test_rounding_is_to_the_nearest_half_precision_number(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    round_to_kept(model)
    for name, weight in model.state_dict().items():
        # 11 significant bits: at most half a unit in the last place, or half the smallest subnormal.
        assert ((weight - before[name]).abs() <= before[name].abs() * 2**-11 + 2**-25).all()
        assert torch.equal(weight, weight.half().float())


@pytest.fixture(scope="module")
def large():
    return build_model("cnnf-fashion", seed=1)


def test_large_matrices_are_kept_in_eight_bits_and_their_weights_move_by_half_a_level_at_most(large, tmp_path):
    save_model(large, tmp_path / "large", CARD)
    kept, loaded = load_file(tmp_path / "large.safetensors"), load_model(tmp_path / "large.safetensors").state_dict()
    assert {name for name, value in kept.items() if value.dtype == torch.int8} == {
        "levels.fc1.linear.weight",
        "levels.fc2.linear.weight",
    }
    for name, weight in large.state_dict().items():
        if kept[name].dtype == torch.int8:
            level = weight.abs().amax(dim=1, keepdim=True) / 127
            assert ((loaded[name] - weight).abs() <= 0.501 * level).all()
    assert (tmp_path / "large.safetensors").stat().st_size < 3.6e6


def test_rounding_again_moves_nothing(large):
    once = {name: value.clone() for name, value in round_to_kept(large).state_dict().items()}
    assert all(torch.equal(value, once[name]) for name, value in round_to_kept(large).state_dict().items())


def test_a_row_of_zeros_stays_zero(large):
    with torch.no_grad():
        large.get_parameter("levels.fc2.linear.weight")[3] = 0
    assert not round_to_kept(large).get_parameter("levels.fc2.linear.weight")[3].any()


def test_the_kind_of_model_comes_back(saved):
    loaded = load_model(saved)
    assert (loaded.feedback_to, loaded.feedback_rate, loaded.recurrent) == (1, 0.25, True)
    assert (loaded.name, loaded.training) == ("mine", False)


def test_the_card_says_what_the_model_is_and_what_was_told(model, saved):
    card = json.loads(saved.with_suffix(".json").read_text())
    described = {
        "architecture": "cnnf-digits",
        "feedback_to": 1,
        "feedback_rate": 0.25,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    assert card == described | CARD | {"sha256": hashlib.sha256(saved.read_bytes()).hexdigest()}
    assert load_model(saved).card == card


def test_a_loaded_model_can_be_saved_and_loaded_under_another_name(saved, tmp_path):
    first = load_model(saved)
    save_model(first, tmp_path / "again.safetensors", CARD)
    second = load_model(tmp_path / "again.safetensors")
    assert (second.name, second.card["architecture"]) == ("again", "cnnf-digits")
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())


@pytest.mark.parametrize("name", ["cnnf-digits-0.5", "cnnf-digits-0.5.safetensors"])
def test_dots_belong_to_the_name(model, tmp_path, name):
    save_model(model, tmp_path / name, CARD)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cnnf-digits-0.5.json", "cnnf-digits-0.5.safetensors"]
    assert load_model(tmp_path / "cnnf-digits-0.5.safetensors").name == "cnnf-digits-0.5"


def test_a_path_may_be_a_string(saved):
    assert load_model(str(saved)).name == "mine"


def test_a_card_of_other_weights_is_refused(model, saved, tmp_path):
    with torch.no_grad():
        next(model.parameters()).add_(1)
    save_model(model, tmp_path / "other", {})
    saved.with_suffix(".json").write_bytes((tmp_path / "other.json").read_bytes())
    with pytest.raises(ValueError, match=r"expected the weights that .*\.json was written of"):
        load_model(saved)


@pytest.mark.parametrize("largest", [7e-3, 1e-3, 1e-5, 1e-9])
def test_small_rows_move_by_half_the_smallest_scale_at_most_and_are_not_moved_by_rounding_again(largest):
    row = torch.linspace(-largest, largest, LARGE)[None]
    once = unpack(pack({"w": row}))["w"]
    assert (once - row).abs().max() <= 2**-15  # half of half precision's smallest normal number
    assert torch.equal(unpack(pack({"w": once}))["w"], once)


def test_other_weights_have_another_hash(model, saved, tmp_path):
    with torch.no_grad():
        model.levels["logits"].bias[0] += 1
    save_model(model, tmp_path / "other", CARD)
    assert load_model(tmp_path / "other.safetensors").card["sha256"] != load_model(saved).card["sha256"]


@pytest.mark.parametrize("missing", [".json", ".safetensors"])
def test_a_checkpoint_needs_both_its_files(saved, missing):
    saved.with_suffix(missing).unlink()
    with pytest.raises(
        ValueError, match=rf"model: expected one of .* with its card .* got .*; mine\{missing} is missing"
    ):
        load_model(saved)


@pytest.mark.parametrize("name", ["cnnf-imagenet", "", "mine"])
def test_an_unknown_name_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match=r"model: expected one of .*cnnf-digits.*, or the path of a .safetensors file"):
        load_model(name)


def test_weights_of_another_architecture_are_refused(saved):
    card = json.loads(saved.with_suffix(".json").read_text())
    saved.with_suffix(".json").write_text(json.dumps(card | {"architecture": "cnnf-fashion"}))
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_model(saved)


def test_shipped_models_are_listed_by_name_and_load():
    assert list_models() == sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
    assert {"cnnf-digits", "cnn-digits"} <= set(list_models())
    for name in list_models():
        model = load_model(name)
        assert model.name == name
        assert model.recurrent != name.startswith(("cnn-", "wide-"))
        assert model.card["parameters"] == sum(p.numel() for p in model.parameters())
        assert all(p.isfinite().all() for p in model.parameters())

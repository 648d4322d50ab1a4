"""The architectures have the shapes of the paper, and a name stands for the same weights every time."""

import numpy as np
import pytest
import torch

from neurocnnf import build_model
from neurocnnf.architectures import KINDS, TRUNKS, architecture_names

FASHION_SHAPES = {
    "block1": (16, 28, 28),
    "block2": (32, 28, 28),
    "block3": (32, 14, 14),
    "block4": (64, 7, 7),
    "fc1": (1000,),
    "fc2": (128,),
    "logits": (10,),
}


def wide_resnet_shapes(n_blocks, widths):
    shapes = {"stem": (16, 32, 32)}
    for group, (width, size) in enumerate(zip(widths, (32, 16, 8), strict=True), start=1):
        shapes |= {f"group{group}_block{i + 1}": (width, size, size) for i in range(n_blocks)}
    return shapes | {"pool": (widths[-1],), "logits": (10,)}


def wide_resnet_parameters(n_blocks, widths):
    """Count by hand: the stem, each block's two biases and convolutions, shortcuts, the last bias, the classifier."""
    count, width = 3 * 16 * 9, 16
    for wide in widths:
        for _ in range(n_blocks):
            count += width + wide + 9 * wide * (width + wide) + (width * wide if width != wide else 0)
            width = wide
    return count + width + 10 * width + 10


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("cnnf-fashion", FASHION_SHAPES),
        ("cnnf-wrn-40-2", wide_resnet_shapes(6, (32, 64, 128))),
        ("cnnf-wrn-16-1", wide_resnet_shapes(2, (16, 32, 64))),
        ("cnn-wide-wrn-16-1", wide_resnet_shapes(2, (32, 64, 112))),
    ],
)
def test_layers_have_their_shapes(name, shapes):
    model = build_model(name)
    blank = torch.zeros(1, model.channels, model.image_size, model.image_size)
    with torch.no_grad():
        (out,) = model.steps(blank, 0, layers=model.layer_names)
    assert {name: tuple(a.shape[1:]) for name, a in out.activations.items()} == shapes


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cnnf-fashion", 9 * (16 + 16 * 32 + 32 * 32 + 32 * 64) + 144 + 3136 * 1000 + 1000 * 129 + 128 * 11 + 10),
        ("cnnf-wrn-40-2", wide_resnet_parameters(6, (32, 64, 128))),
        ("cnnf-wrn-16-1", wide_resnet_parameters(2, (16, 32, 64))),
        ("cnn-wide-wrn-16-1", wide_resnet_parameters(2, (32, 64, 112))),
    ],
)
def test_models_have_as_many_parameters_as_can_be_counted_by_hand(name, count):
    assert sum(p.numel() for p in build_model(name).parameters()) == count


def test_without_choice_feedback_is_the_papers():
    fashion, wide = build_model("cnnf-fashion"), build_model("cnnf-wrn-40-2")
    assert (fashion.feedback_to, fashion.feedback_rate, fashion.reconstructed_layer) == (2, 0.1, "block2")
    assert (wide.feedback_to, wide.feedback_rate, wide.reconstructed_layer) == (5, 0.1, "group1_block5")


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("cnnf-fashion", [None, "block1", "block2"]),
        ("cnnf-wrn-40-2", [None, *(f"group1_block{k}" for k in range(1, 7))]),
        ("cnnf-wrn-16-1", [None, "group1_block1", "group1_block2"]),
    ],
)
def test_each_level_that_can_be_reconstructed_is_where_the_paper_has_it(name, layers):
    assert [build_model(name, feedback_to=k).reconstructed_layer for k in range(len(layers))] == layers
    with pytest.raises(ValueError, match=rf"feedback_to: expected 0 \(pixels\) to {len(layers) - 1} for {name}"):
        build_model(name, feedback_to=len(layers))


@pytest.mark.parametrize("trunk", ["digits", "wrn-16-1"])
def test_a_seed_gives_cnnf_and_its_control_the_same_weights(trunk):
    cnnf, again, other = (build_model(f"cnnf-{trunk}", seed=seed) for seed in (1, 1, 2))
    control = build_model(f"cnn-{trunk}", seed=1)
    assert (cnnf.recurrent, control.recurrent) == (True, False)
    for name, weight in cnnf.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
        assert torch.equal(weight, control.state_dict()[name])
        assert torch.equal(weight, other.state_dict()[name]) == ("bias" in name)  # biases begin at zero


def test_building_draws_nothing_from_the_global_generator():
    state = torch.get_rng_state()
    build_model("cnnf-digits")
    assert torch.equal(torch.get_rng_state(), state)


def test_every_name_builds_a_model_of_that_name():
    trunks = ("fashion", "fashion-small", "digits", "wrn-40-2", "wrn-16-1")
    wide = {f"cnn-wide-{trunk}" for trunk in ("fashion", "fashion-small", "wrn-16-1")}
    assert sorted(architecture_names()) == sorted({f"{kind}-{trunk}" for kind in KINDS for trunk in trunks} | wide)
    assert {name.partition("-")[2] for name in architecture_names()} == set(TRUNKS)
    for name in architecture_names():
        model = build_model(name)
        assert (model.name, model.recurrent, type(model)) == (
            name, not name.startswith("cnn-"), KINDS[name.partition("-")[0]],
        )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "fashion", "cnnf-", "cnnf-vgg", "lateral-wide-wrn-16-1", "cnn-wide-wrn-40-2", "cnnf-wide-fashion",
        "cnnf-fashion ", "", "CNNF-fashion", None, 3,
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(name):
    known = "cnnf-fashion, .*, cnn-wrn-16-1, cnn-wide-wrn-16-1, lateral-fashion, .*"
    with pytest.raises(ValueError, match=rf"^model: expected one of {known}got .*\. Trai") as caught:
        build_model(name)
    assert f"got {name!r}." in str(caught.value)


@pytest.mark.parametrize("kind", ["lateral", "predictive"])
@pytest.mark.parametrize("option", ["feedback_to", "feedback_rate"])
def test_a_model_without_feedback_to_the_image_takes_no_setting_of_it(kind, option):
    with pytest.raises(ValueError, match=rf"^{kind}-digits: expected no feedback_to or feedback_rate.* Leave them out"):
        build_model(f"{kind}-digits", **{option: 0})


@pytest.mark.parametrize("feedback_to", [-1, 3, 1.5, 1.0, "2", True])
def test_a_level_that_is_not_there_is_refused(feedback_to):
    with pytest.raises(ValueError, match=r"feedback_to: expected 0 \(pixels\) to 2 for cnnf-digits, got .* Choose"):
        build_model("cnnf-digits", feedback_to=feedback_to)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), "0.1", True, 1j])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"feedback_rate: expected a number from 0 to 1, got .* paper uses 0.1"):
        build_model("cnnf-digits", feedback_rate=rate)


def test_numpys_numbers_are_numbers_too():
    model = build_model("cnnf-digits", feedback_to=np.int64(1), feedback_rate=np.float32(0.5))
    assert (model.feedback_to, model.feedback_rate, model.reconstructed_layer) == (1, 0.5, "block1")

"""Weights under the authors' names land where they belong, or nothing is loaded and every misfit is named."""

import pytest
import torch

from neurocnnf import build_model
from neurocnnf.reference import load_reference_state_dict, reference_shapes

# As the authors' modules name them, and as torch stores them.
FASHION = {
    "conv1.conv.weight": (16, 1, 3, 3),
    "conv2.conv.weight": (32, 16, 3, 3),
    "conv3.conv.weight": (32, 32, 3, 3),
    "conv4.conv.weight": (64, 32, 3, 3),
    "ins1_bias.bias": (1, 16, 1, 1),
    "ins2_bias.bias": (1, 32, 1, 1),
    "ins3_bias.bias": (1, 32, 1, 1),
    "ins4_bias.bias": (1, 64, 1, 1),
    "fc1.linear.weight": (1000, 3136),
    "fc2.linear.weight": (128, 1000),
    "fc3.linear.weight": (10, 128),
    "fc1_bias.bias": (1, 1000),
    "fc2_bias.bias": (1, 128),
    "fc3_bias.bias": (1, 10),
}


def wide_resnet_shapes(n_blocks, widen):
    shapes, width = {"conv1.conv.weight": (16, 3, 3, 3)}, 16
    for group, wide in enumerate((16 * widen, 32 * widen, 64 * widen), start=1):
        for i in range(n_blocks):
            block = f"block{group}.layer.{i}"
            shapes[f"{block}.ins1_bias.bias"] = (1, width, 1, 1)
            shapes[f"{block}.conv1.conv.weight"] = (wide, width, 3, 3)
            shapes[f"{block}.ins2_bias.bias"] = (1, wide, 1, 1)
            shapes[f"{block}.conv2.conv.weight"] = (wide, wide, 3, 3)
            if width != wide:
                shapes[f"{block}.conv_shortcut.conv.weight"] = (wide, width, 1, 1)
            width = wide
    last = {"ins1_bias.bias": (1, width, 1, 1), "fc.linear.weight": (10, width), "fc_bias.bias": (1, 10)}
    return shapes | last


def numbered(shapes):
    """Fill every tensor with numbers of its own."""
    return {
        name: torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape) + 1e7 * number
        for number, (name, shape) in enumerate(shapes.items())
    }


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("cnnf-fashion", FASHION),
        ("cnn-fashion", FASHION),
        ("cnnf-wrn-40-2", wide_resnet_shapes(6, 2)),
        ("cnnf-wrn-16-1", wide_resnet_shapes(2, 1)),
    ],
)
def test_names_and_shapes_are_the_authors(name, shapes):
    assert reference_shapes(build_model(name)) == shapes


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("block3.conv.weight", "conv3.conv.weight"),
        ("block4.bias", "ins4_bias.bias"),
        ("fc2.linear.weight", "fc2.linear.weight"),
        ("fc1.bias", "fc1_bias.bias"),
        ("logits.linear.weight", "fc3.linear.weight"),
        ("logits.bias", "fc3_bias.bias"),
    ],
)
def test_a_fashion_weight_lands_where_it_belongs(ours, theirs):
    model, state = build_model("cnnf-fashion").double(), numbered(FASHION)
    load_reference_state_dict(model, state)
    assert torch.equal(model.get_parameter(f"levels.{ours}").flatten(), state[theirs].flatten())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("stem.conv.weight", "conv1.conv.weight"),
        ("group1_block1.bias1", "block1.layer.0.ins1_bias.bias"),
        ("group2_block1.shortcut.weight", "block2.layer.0.conv_shortcut.conv.weight"),
        ("group3_block2.bias2", "block3.layer.1.ins2_bias.bias"),
        ("group3_block2.conv1.weight", "block3.layer.1.conv1.conv.weight"),
        ("group3_block2.conv2.weight", "block3.layer.1.conv2.conv.weight"),
        ("pool.bias", "ins1_bias.bias"),
        ("logits.linear.weight", "fc.linear.weight"),
        ("logits.bias", "fc_bias.bias"),
    ],
)
def test_a_wide_resnet_weight_lands_where_it_belongs(ours, theirs):
    shapes = wide_resnet_shapes(2, 1)
    model, state = build_model("cnnf-wrn-16-1").double(), numbered(shapes)
    model.load_reference_state_dict(state)
    assert torch.equal(model.get_parameter(f"levels.{ours}").flatten(), state[theirs].flatten())


def test_the_order_of_the_file_does_not_matter():
    shapes = wide_resnet_shapes(2, 1)
    first, second = build_model("cnnf-wrn-16-1"), build_model("cnnf-wrn-16-1")
    state = numbered(shapes)
    first.load_reference_state_dict(state)
    second.load_reference_state_dict(dict(reversed(state.items())))
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())


def test_second_names_of_the_same_storage_are_ignored():
    state = numbered(FASHION)
    aliases = {
        "conv1.conv_t.weight": torch.zeros(16, 1, 3, 3),
        "fc1.linear_t.weight": torch.zeros(3136, 1000),
        "fc1.weight": torch.zeros(1000, 3136),
        "fc3.weight": torch.zeros(10, 128),
    }
    model = build_model("cnnf-fashion").double()
    model.load_reference_state_dict(aliases | state)
    assert torch.equal(model.levels["fc1"].linear.weight, state["fc1.linear.weight"])
    wide = build_model("cnnf-wrn-16-1")
    wide.load_reference_state_dict(
        numbered(wide_resnet_shapes(2, 1))
        | {"fc.weight": torch.zeros(10, 64), "block1.layer.0.conv1.conv_t.weight": torch.zeros(1)}
    )


def test_numbers_as_arrays_load_too_and_take_the_models_precision():
    state = {name: value.numpy() for name, value in numbered(FASHION).items()}
    model = build_model("cnnf-fashion")
    model.load_reference_state_dict(state)
    assert model.dtype == torch.float32
    assert model.levels["logits"].bias.tolist() == state["fc3_bias.bias"].ravel().astype("float32").tolist()


def test_every_misfit_is_named_and_nothing_is_loaded():
    state = numbered(FASHION)
    del state["conv2.conv.weight"], state["fc1_bias.bias"]
    state["conv9.conv.weight"] = torch.zeros(1)
    state["fc3_bias.bias"] = torch.zeros(10)
    state["ins1_bias.bias"] = torch.zeros(1, 3, 1, 1)
    model = build_model("cnnf-fashion")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="reference weights do not fit cnnf-fashion: ") as caught:
        model.load_reference_state_dict(state)
    text = str(caught.value)
    problems, remedy = text.split(": ", 1)[1].rsplit(". ", 1)
    assert sorted(problems.split("; ")) == [
        "missing conv2.conv.weight",
        "missing fc1_bias.bias",
        "unexpected conv9.conv.weight",
        "wrong shape fc3_bias.bias: expected (1, 10), got (10,)",
        "wrong shape ins1_bias.bias: expected (1, 16, 1, 1), got (1, 3, 1, 1)",
    ]
    assert remedy == "Build the architecture that the file was trained with."
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_of_the_other_architecture_do_not_fit():
    with pytest.raises(ValueError, match=r"missing block1\.layer\.0\.ins1_bias\.bias.*unexpected conv2\.conv\.weight"):
        build_model("cnnf-wrn-16-1").load_reference_state_dict(numbered(FASHION))

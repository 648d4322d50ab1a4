"""Each bad input meets one error that says what was expected, what came, and what to do."""

import numpy as np
import pytest
import torch

from neurocnnf import build_model
from neurocnnf.validation import check_images, check_layers, check_n_steps, check_step

GOOD = torch.zeros(2, 3, 32, 32)


@pytest.fixture(scope="module")
def model():
    return build_model("cnnf-wrn-16-1")


def images_with(value):
    images = GOOD.clone()
    images[1, 2, 3, 4] = value
    return images


BAD_IMAGES = {
    "no tensor": (np.zeros((2, 3, 32, 32)), TypeError, r"got ndarray. Use torch.as_tensor"),
    "list": ([GOOD], TypeError, r"got list. Use torch.as_tensor"),
    "no image axis": (GOOD[0], ValueError, r"got \(3, 32, 32\). Add the missing axes"),
    "rank 5": (GOOD[None], ValueError, r"got \(1, 2, 3, 32, 32\)."),
    "gray": (GOOD[:, :1], ValueError, r"got \(2, 1, 32, 32\). .*convert the colours"),
    "channels last": (GOOD.permute(0, 2, 3, 1), ValueError, r"got \(2, 32, 32, 3\)."),
    "size": (GOOD[..., :28, :28], ValueError, r"got \(2, 3, 28, 28\). .*resize"),
    "one side": (GOOD[..., :31], ValueError, r"got \(2, 3, 32, 31\)."),
    "uint8": (GOOD.to(torch.uint8), TypeError, r"expected floating point .* got torch.uint8. .*/ 127.5 - 1"),
    "int64": (GOOD.long(), TypeError, r"expected floating point .* got torch.int64."),
    "bool": (GOOD.bool(), TypeError, r"expected floating point .* got torch.bool."),
    "precision": (GOOD.double(), TypeError, r"expected torch.float32 .* got torch.float64 .*images.to\(weight\)"),
    "device": (GOOD.to("meta"), TypeError, r"expected torch.float32 on cpu .* on meta. .*move the model"),
    "none": (GOOD[:0], ValueError, r"expected at least one image, got \(0, 3, 32, 32\). Pass some"),
    "NaN": (images_with(float("nan")), ValueError, r"expected finite values, got NaN. Find and remove"),
    "infinite": (images_with(float("inf")), ValueError, r"got \[0, inf\]"),
    "minus infinite": (images_with(-float("inf")), ValueError, r"got \[-inf, 0\]"),
    "0 … 255": (images_with(255.0), ValueError, r"expected values in \[-1, 1\], got \[0, 255\]. .*/ 127.5 - 1"),
    "below": (images_with(-1.01), ValueError, r"expected values in \[-1, 1\], got \[-1.01, 0\]."),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images_are_refused(model, case):
    images, error, message = BAD_IMAGES[case]
    with pytest.raises(error, match=message) as caught:
        model.unroll(images, 1)
    text = str(caught.value)
    assert text.startswith("images: expected ")
    assert ", got " in text
    assert "\n" not in text
    assert text.endswith((".", "- 1."))


@pytest.mark.parametrize("case", ["no image axis", "size", "gray"])
def test_a_wrong_shape_is_compared_with_the_models(model, case):
    with pytest.raises(ValueError, match=r"expected \(image, 3, 32, 32\) for cnnf-wrn-16-1"):
        check_images(BAD_IMAGES[case][0], model)


@pytest.mark.parametrize("images", [GOOD, GOOD - 1, GOOD + 1, GOOD + 1.00005, GOOD.requires_grad_()])
def test_good_images_pass(model, images):
    check_images(images, model)


def test_images_follow_the_models_precision(model):
    check_images(GOOD.double(), build_model("cnnf-wrn-16-1").double())


@pytest.mark.parametrize("n_steps", [-1, 1.0, 2.5, "3", None, True])
def test_bad_numbers_of_steps_are_refused(model, n_steps):
    with pytest.raises(
        ValueError, match=r"^n_steps: expected a whole number >= 0, got .*\. Use 0 for the plain CNN\.$"
    ):
        model.unroll(GOOD, n_steps)


def test_a_feedforward_model_takes_no_feedback_steps():
    control = build_model("cnn-wrn-16-1")
    with pytest.raises(ValueError, match=r"^n_steps: expected 0 for cnn-wrn-16-1, which is feedforward, got 2. Use 0"):
        control.unroll(GOOD, 2)
    check_n_steps(0, control)


def test_good_numbers_of_steps_pass(model):
    check_n_steps(0, model)
    check_n_steps(7, model)
    check_n_steps(np.int64(7), model)


@pytest.mark.parametrize(("step", "n_steps"), [(-1, 2), (3, 2), (1, 0), (0.5, 2)])
def test_steps_that_were_not_taken_are_refused(step, n_steps):
    with pytest.raises(ValueError, match=rf"^step: expected 0 to {n_steps}, got {step}. Unroll for more steps.$"):
        check_step(step, n_steps)


@pytest.mark.parametrize("step", [0, 2])
def test_steps_that_were_taken_pass(step):
    check_step(step, 2)


@pytest.mark.parametrize("layers", ["V4", ["stem", "V4"], ("V4", "stem"), "block1"])
def test_an_unknown_layer_is_named_with_those_there_are(model, layers):
    wrong = "block1" if layers == "block1" else "V4"
    with pytest.raises(ValueError, match=rf"^layer: expected one of stem, .*, logits for cnnf-wrn-16-1, got '{wrong}'"):
        check_layers(layers, model)


@pytest.mark.parametrize("layers", [[], (), iter([])])
def test_no_layer_is_refused(model, layers):
    with pytest.raises(ValueError, match=r"^layers: expected at least one of stem, .* for cnnf-wrn-16-1, got none\."):
        check_layers(layers, model)


def test_a_repeated_layer_is_refused(model):
    with pytest.raises(ValueError, match=r"^layers: expected each layer once, got 'stem' more than once\. Drop"):
        check_layers(["stem", "pool", "stem"], model)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("chunk", [0, -1, 2.0, "32", None, True])
def test_bad_chunks_are_refused(model, chunk, grad):
    with (
        torch.set_grad_enabled(grad),
        pytest.raises(ValueError, match=r"^chunk: expected a whole number >= 1, got .*\. 32 is usual\.$") as caught,
    ):
        model.unroll(GOOD, 0, chunk=chunk)
    assert f"got {chunk!r}." in str(caught.value)


def test_good_chunks_pass(model):
    with torch.no_grad():
        trajectory = model.unroll(GOOD, 1, chunk=np.int64(1))
        assert trajectory.activation("pool", 1).shape == (2, 64)


def test_layers_come_back_as_a_tuple_in_their_order(model):
    assert check_layers("stem", model) == ("stem",)
    assert check_layers(["pool", "stem"], model) == ("pool", "stem")
    assert model.check_layers(iter(["pool"])) == ("pool",)

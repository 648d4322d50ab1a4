"""Whatever its recurrence, a model is unrolled, named and read in one way, and step 0 is the plain CNN."""

import pytest
import torch

from neurocnnf import build_model
from neurocnnf.ship import multiply_adds

RECURRENT = ("cnnf", "lateral", "predictive", "untied", "ungated", "shuffled")
SHAPES = {
    "digits": {
        "block1": (8, 16, 16), "block2": (16, 16, 16), "block3": (16, 8, 8), "block4": (32, 4, 4), "fc1": (128,),
        "fc2": (64,), "logits": (10,),
    },
    "wrn-16-1": {
        "stem": (16, 32, 32), "group1_block1": (16, 32, 32), "group1_block2": (16, 32, 32),
        "group2_block1": (32, 16, 16), "group2_block2": (32, 16, 16), "group3_block1": (64, 8, 8),
        "group3_block2": (64, 8, 8), "pool": (64,), "logits": (10,),
    },
}  # fmt: skip


@pytest.fixture(params=list(SHAPES))
def trunk(request):
    """Give a trunk of plain convolutions, then one of residual blocks."""
    return request.param


@pytest.mark.parametrize("kind", RECURRENT)
def test_every_layer_is_there_at_every_step(kind, trunk, awake, some_images):
    model = awake(kind, trunk)
    trajectory = model.unroll(some_images(trunk=trunk), 2)
    assert trajectory.logits.shape == (3, 4, 10)
    for step in range(3):
        for layer, shape in SHAPES[trunk].items():
            assert trajectory.activation(layer, step).shape == (4, *shape)
        assert torch.equal(trajectory.activation("logits", step), trajectory.logits[step])
    assert model.layer_names == tuple(SHAPES[trunk])


@pytest.mark.parametrize("kind", RECURRENT)
def test_step_0_is_the_plain_cnn_of_the_same_seed(kind, trunk, awake, some_images):
    images = some_images(trunk=trunk)
    built, plain = (build_model(f"{k}-{trunk}", seed=5).double() for k in (kind, "cnn"))
    torch.testing.assert_close(built.unroll(images, 2).logits[0], plain(images), rtol=1e-12, atol=1e-12)
    model = awake(kind, trunk)
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if k.startswith("levels.")})
    torch.testing.assert_close(model(images), plain(images), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", RECURRENT)
def test_later_steps_answer_otherwise_and_a_shorter_run_begins_a_longer_one(kind, trunk, awake, some_images):
    model, images = awake(kind, trunk), some_images(trunk=trunk)
    longer = model.unroll(images, 3).logits
    torch.testing.assert_close(model.unroll(images, 2).logits, longer[:3], rtol=1e-12, atol=1e-12)
    assert (longer.diff(dim=0).abs().amax((1, 2)) > 1e-6).all()


@pytest.mark.parametrize("kind", RECURRENT)
def test_the_same_image_given_at_each_step_is_the_ordinary_run(kind, trunk, awake, some_images):
    model, images, layers = awake(kind, trunk), some_images(trunk=trunk), tuple(SHAPES[trunk])
    ordinary = model.steps(images, 2, layers=layers, predictions=True)
    given = model.steps(images.expand(3, -1, -1, -1, -1), 2, layers=layers, predictions=True)
    for ours, expected in zip(given, ordinary, strict=True):
        torch.testing.assert_close(tuple(ours), tuple(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", RECURRENT)
def test_another_image_later_is_seen_and_what_was_seen_before_counts(kind, trunk, awake, some_images):
    model, one, other = awake(kind, trunk), some_images(trunk=trunk), some_images(trunk=trunk, seed=2)

    def last(*images):
        return list(model.steps(torch.stack(images), len(images) - 1))[-1].logits

    assert not torch.allclose(last(one, other), last(one, one))
    assert not torch.allclose(last(one, other), last(other, other))
    assert not torch.allclose(last(one, other), last(other))


def test_a_feedforward_control_sees_each_steps_images_alone(awake, some_images):
    model, views = awake("cnn"), torch.stack([some_images(seed=seed) for seed in range(3)])
    outs = list(model.steps(views, 2, layers=("block1", "fc1")))
    assert [out.step for out in outs] == [0, 1, 2]
    for out, view in zip(outs, views, strict=True):
        alone = model.unroll(view, 0)
        torch.testing.assert_close(out.logits, alone.logits[0], rtol=1e-12, atol=1e-12)
        for layer, activation in out.activations.items():
            torch.testing.assert_close(activation, alone.activation(layer, 0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["cnn", *RECURRENT])
@pytest.mark.parametrize("shape", [(2, 4, 1, 16, 16), (4, 4, 1, 16, 16), (1, 16, 16)])
def test_images_for_another_number_of_steps_are_refused(kind, shape, awake):
    images = torch.zeros(shape, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"expected .* \(step, image, channel, y, x\) with 3 steps, got"):
        list(awake(kind).steps(images, 2))


@pytest.mark.parametrize("kind", RECURRENT)
def test_calls_leave_no_trace_and_draw_nothing(kind, awake, some_images):
    model, state = awake(kind), torch.get_rng_state()
    first = model.unroll(some_images(), 2).logits
    model.unroll(some_images(seed=2), 3)
    assert torch.equal(model.unroll(some_images(), 2).logits, first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", [kind for kind in RECURRENT if kind != "shuffled"])
def test_an_image_gets_the_same_answer_in_any_company(kind, trunk, awake, some_images):
    model, images = awake(kind, trunk), some_images(trunk=trunk)
    together = model.unroll(images, 2).logits
    alone = torch.cat([model.unroll(image[None], 2).logits for image in images], dim=1)
    torch.testing.assert_close(alone, together, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", RECURRENT)
def test_gradients_through_the_steps_equal_finite_differences(kind, trunk, awake, some_images):
    # Along one direction; a gate that flips within 1e-6 would show, and none does with these images.
    model, images = awake(kind, trunk), 0.9 * some_images(3, trunk=trunk)
    direction = some_images(3, trunk=trunk, seed=2)

    def value(x):
        return model.unroll(x, 2).logits.square().sum()

    given = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(given), given)
    with torch.no_grad():
        slope = (value(images + 1e-7 * direction) - value(images - 1e-7 * direction)) / 2e-7
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-4)


@pytest.mark.parametrize("kind", RECURRENT)
def test_every_weight_learns_from_the_later_steps(kind, trunk, awake, some_images):
    model = awake(kind, trunk)
    model.unroll(some_images(trunk=trunk), 2).logits[-1].square().sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # The lowest decoder's prediction of the pixels counts only by its error, which moves block1: it learns too.
    assert silent == []


def sweep_by_hand(widths, hidden=(1000, 128), size=28):
    """Count the multiply-adds of the fashion network's sweep."""
    (a, b, c, d), (h1, h2), n = widths, hidden, size * size
    convolutions = 9 * (n * (a + a * b + b * c) + n // 4 * c * d)
    return convolutions + n // 16 * d * h1 + h1 * h2 + h2 * 10


def test_multiply_adds_are_those_counted_by_hand():
    sweep = sweep_by_hand((16, 32, 32, 64))
    n, linear = 28 * 28, 3136 * 1000 + 1000 * 128 + 128 * 10
    lateral = 9 * (n * (16**2 + 32**2 + 32**2) + n // 4 * 64**2)
    # Through a decoder and back: the same products, on the layer below's grid.
    decoders = 2 * 9 * (n * (16 + 16 * 32 + 32 * 32) + n // 4 * 32 * 64)
    above = linear + 9 * (n * 32 * 32 + n // 4 * 32 * 64)  # what CNN-F's feedback to block2 walks, down and up
    by_hand = {"cnnf": 2 * above, "untied": 2 * above, "ungated": 2 * above, "shuffled": 2 * above}
    by_hand |= {"lateral": sweep + lateral, "predictive": sweep + decoders}
    for kind, step in by_hand.items():
        counts = [multiply_adds(build_model(f"{kind}-fashion"), n_steps) for n_steps in (0, 1, 5)]
        assert counts == [sweep, sweep + step, sweep + 5 * step], kind


def test_the_wide_control_takes_the_multiply_adds_of_the_unrolled_cnnf():
    wide, cnnf = build_model("cnn-wide-fashion"), build_model("cnnf-fashion")
    assert multiply_adds(wide, 0) == sweep_by_hand((56, 112, 120, 64))
    assert multiply_adds(wide, 0) == pytest.approx(multiply_adds(cnnf, 5), rel=0.05)
    small, unrolled = build_model("cnn-wide-fashion-small"), build_model("cnnf-fashion-small")
    assert multiply_adds(small, 0) == pytest.approx(multiply_adds(unrolled, 5), rel=0.05)
    # The small wide ResNet is trained for two.
    wide, cnnf = build_model("cnn-wide-wrn-16-1"), build_model("cnnf-wrn-16-1")
    assert multiply_adds(wide, 0) == pytest.approx(multiply_adds(cnnf, 2), rel=0.005)

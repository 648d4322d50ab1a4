"""A model call is a pure function of weights, images and steps; its weights serve both directions."""

import pytest
import torch
import torch.nn.functional as F

from neurocnnf import build_model
from neurocnnf.levels import ConvLevel, ConvPoolLevel, LinearLevel
from neurocnnf.model import CNNF, StepOutput


def images_for(model, n=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand((n, model.channels, model.image_size, model.image_size), generator=generator) * 2 - 1).to(
        model.dtype
    )


@pytest.fixture
def model():
    return build_model("cnnf-digits", seed=3).double()


def tiny(feedback_to=0, rate=0.3):
    """Build the smallest stack that has every kind of level of the fashion network."""
    generator = torch.Generator().manual_seed(7)
    levels = {
        "block1": ConvLevel(1, 2, generator),
        "block2": ConvPoolLevel(2, 2, generator),
        "fc1": LinearLevel((2, 2, 2), 4, True, generator),
        "logits": LinearLevel((4,), 3, False, generator),
    }
    kwargs = {"feedback_to": feedback_to, "feedback_rate": rate, "recurrent": True}
    return CNNF(levels, feedback_levels=(0, 1), image_size=4, channels=1, name="tiny", **kwargs).double()


def norm(x):
    return x / (x.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()


def plain_digits(weights, x):
    """Sweep an ordinary CNN with the digits stack's weights."""
    for block in range(1, 5):
        w, b = weights[f"levels.block{block}.conv.weight"], weights[f"levels.block{block}.bias"]
        x = F.relu(norm(F.conv2d(x, w, padding="same")) + b)
        if block > 2:
            x = F.max_pool2d(x, 2)
    x = x.reshape(len(x), -1)
    for level in ("fc1", "fc2"):
        x = F.relu(F.linear(x, weights[f"levels.{level}.linear.weight"], weights[f"levels.{level}.bias"]))
    return F.linear(x, weights["levels.logits.linear.weight"], weights["levels.logits.bias"])


def plain_wide_resnet(weights, x):
    """Sweep a pre-activation wide ResNet 16-1, its batch norms replaced by InsNorm and bias."""
    x = F.conv2d(x, weights["levels.stem.conv.weight"], padding=1)
    for group in (1, 2, 3):
        for block in (1, 2):
            w = {k.split(".")[2]: v for k, v in weights.items() if f"group{group}_block{block}." in k}
            stride = 2 if group > 1 and block == 1 else 1
            y = F.relu(norm(x) + w["bias1"])
            shortcut = F.conv2d(y, w["shortcut"], stride=stride) if "shortcut" in w else x
            y = F.relu(norm(F.conv2d(y, w["conv1"], stride=stride, padding=1)) + w["bias2"])
            x = shortcut + F.conv2d(y, w["conv2"], padding=1)
    x = F.relu(norm(x) + weights["levels.pool.bias"]).mean((2, 3))
    return F.linear(x, weights["levels.logits.linear.weight"], weights["levels.logits.bias"])


@pytest.mark.parametrize(("trunk", "plain"), [("digits", plain_digits), ("wrn-16-1", plain_wide_resnet)])
@pytest.mark.parametrize("kind", ["cnnf", "cnn"])
def test_without_feedback_it_is_a_plain_cnn(kind, trunk, plain):
    model = build_model(f"{kind}-{trunk}", seed=3).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    images = images_for(model)
    expected = plain(model.state_dict(), images)
    torch.testing.assert_close(model.unroll(images, 0).logits, expected[None], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(model(images), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("level", "shape_in", "shape_out"), [("block4", (16, 8, 8), (32, 8, 8)), ("fc1", (512,), (128,))]
)
def test_a_changed_weight_changes_both_passes(model, level, shape_in, shape_out):
    images, level = images_for(model), model.levels[level]
    operation = level.conv if hasattr(level, "conv") else level.linear
    below, above = torch.ones(1, *shape_in).double(), torch.ones(1, *shape_out).double()
    before = [v.detach() for v in (operation(below), operation.feedback(above), model(images))]
    with torch.no_grad():
        operation.weight[0, 0] += 0.5
    after = [v.detach() for v in (operation(below), operation.feedback(above), model(images))]
    assert all((a - b).abs().max() > 1e-6 for a, b in zip(after, before, strict=True))


def test_the_last_weights_shape_the_reconstruction_though_not_the_sweep_below(model):
    images = images_for(model)
    before = model.unroll(images, 1)
    block4, reconstruction = before.activation("block4", 0).detach(), before.reconstructions.detach()
    with torch.no_grad():
        model.levels["logits"].linear.weight[0] *= 3
    after = model.unroll(images, 1)
    assert torch.equal(after.activation("block4", 0), block4)
    assert (after.reconstructions - reconstruction).abs().max() > 1e-3


def test_a_shorter_run_is_the_beginning_of_a_longer_one(model):
    images = images_for(model)
    longer = model.unroll(images, 4)
    for n_steps in range(4):
        shorter = model.unroll(images, n_steps)
        assert shorter.logits.shape == (n_steps + 1, 4, 10)
        assert torch.equal(shorter.logits, longer.logits[: n_steps + 1])
    assert torch.equal(model.unroll(images, 2).reconstructions, longer.reconstructions[:2])


@pytest.mark.parametrize("grad", [False, True])
def test_an_image_gets_the_same_answer_in_any_company(model, grad):
    images = images_for(model, 6)
    with torch.set_grad_enabled(grad):
        together = model.unroll(images, 3).logits
        alone = torch.cat([model.unroll(image[None], 3).logits for image in images], dim=1)
        order = torch.tensor([5, 0, 3, 1, 4, 2])
        shuffled = model.unroll(images[order], 3).logits
    torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(together[:, order], shuffled, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("chunk", [1, 4, 6, 100])
def test_chunks_change_nothing(model, chunk):
    images = images_for(model, 6)
    whole = model.unroll(images, 3)
    with torch.no_grad():
        chunked = model.unroll(images, 3, chunk=chunk)
        torch.testing.assert_close(chunked.logits, whole.logits, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(chunked.reconstructions, whole.reconstructions, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(chunked.activation("fc1", 2), whole.activation("fc1", 2), rtol=1e-10, atol=1e-10)


def test_calls_leave_no_trace(model):
    images = images_for(model)
    kept, weights = images.clone(), {k: v.clone() for k, v in model.state_dict().items()}
    first = model.unroll(images, 3).logits
    model.unroll(images_for(model, 2, seed=9), 5)
    model(images_for(model, 3, seed=10))
    next(iter(model.steps(images_for(model, 2, seed=11), 4)))  # a run that is left halfway
    assert torch.equal(model.unroll(images, 3).logits, first)
    assert torch.equal(images, kept)
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())


def test_memory_layout_of_the_images_does_not_matter(model):
    images = images_for(model)
    turned = images.transpose(2, 3).contiguous().transpose(2, 3)
    assert not turned.is_contiguous()
    torch.testing.assert_close(model.unroll(turned, 2).logits, model.unroll(images, 2).logits, rtol=1e-10, atol=1e-10)


class Steps(torch.nn.Module):
    """A model as a function to all that its steps give."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        outs = list(self.model.steps(images, 3))
        return *(o.logits for o in outs), *(o.reconstruction for o in outs[1:])


@pytest.mark.parametrize("feedback_to", [0, 1])
def test_gradients_through_all_steps_equal_finite_differences(feedback_to):
    model = tiny(feedback_to)
    images = images_for(model, 1).mul(0.9).requires_grad_()

    names = [f"model.{name}" for name, _ in model.named_parameters()]

    def run(images, *weights):
        return torch.func.functional_call(Steps(model), dict(zip(names, weights, strict=True)), (images,))

    weights = [p.detach().clone().requires_grad_() for p in model.parameters()]
    assert torch.autograd.gradcheck(run, (images, *weights), eps=1e-7, atol=1e-5, fast_mode=True)


def test_gradients_reach_the_images_from_every_step(model):
    images = images_for(model, 2).requires_grad_()
    logits = model.unroll(images, 2).logits
    gradients = [torch.autograd.grad(step.square().sum(), images, retain_graph=True)[0] for step in logits]
    assert all(g.abs().max() > 0 for g in gradients)
    assert not torch.allclose(gradients[0], gradients[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_have_the_weights_dtype(dtype):
    model = build_model("cnnf-digits").to(dtype)
    trajectory = model.unroll(images_for(model), 2)
    assert model.dtype == dtype
    assert trajectory.logits.dtype == trajectory.reconstructions.dtype == dtype


def test_single_and_double_precision_agree_without_hard_gates_in_the_way():
    # Later steps may flip a unit whose x·h is 0 up to rounding; the sweep is continuous.
    model = build_model("cnnf-digits", seed=3)
    images = images_for(model)
    single = model(images)
    torch.testing.assert_close(single.double(), model.double()(images.double()), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("trunk", "feedback_to", "shape", "layer"),
    [
        ("digits", 0, (1, 16, 16), None),
        ("digits", 1, (8, 16, 16), "block1"),
        ("digits", 2, (16, 16, 16), "block2"),
        ("wrn-16-1", 0, (3, 32, 32), None),
        ("wrn-16-1", 2, (16, 32, 32), "group1_block2"),
    ],
)
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_any_level_and_rate(trunk, feedback_to, shape, layer, rate):
    model = build_model(f"cnnf-{trunk}", feedback_to=feedback_to, feedback_rate=rate)
    with torch.no_grad():
        trajectory = model.unroll(images_for(model, 2), 2)
    assert model.reconstructed_layer == layer
    assert trajectory.reconstructions.shape == (2, 2, *shape)
    assert trajectory.logits.isfinite().all()


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_features_move_by_the_rate_towards_the_reconstruction(rate):
    model = tiny(0, rate)
    images = images_for(model, 2)
    seen = []
    model.levels["block1"].conv.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    outs = list(model.steps(images, 3))
    feature = images
    for out, given in zip(outs[1:], seen[1:], strict=True):
        feature = feature + rate * (out.reconstruction - feature)
        torch.testing.assert_close(given, feature)


def test_the_reconstructed_layer_is_the_moving_feature_and_layers_below_take_no_part(model):
    trajectory = model.unroll(images_for(model), 3)
    feature, below = trajectory.activation("block2", 0), trajectory.activation("block1", 0)
    for step, reconstruction in enumerate(trajectory.reconstructions, start=1):
        feature = feature + 0.1 * (reconstruction - feature)
        torch.testing.assert_close(trajectory.activation("block2", step), feature, rtol=1e-10, atol=1e-10)
        assert torch.equal(trajectory.activation("block1", step), below)


@pytest.mark.parametrize(("feedback_to", "first"), [(0, 0), (1, 0), (2, 1)])
def test_the_layers_that_feedback_reaches_are_those_that_change(feedback_to, first):
    model = build_model("cnnf-digits", feedback_to=feedback_to, seed=3)
    trajectory = model.unroll(images_for(model), 1)
    changed = [not torch.equal(trajectory.activation(n, 0), trajectory.activation(n, 1)) for n in model.layer_names]
    assert changed == [n >= first for n in range(7)]
    assert model.feedback_layers == model.layer_names[first:]


@pytest.mark.parametrize("n_steps", [0, 2, 3])
def test_readouts_against_their_definition(model, n_steps):
    with torch.no_grad():
        images = images_for(model, 8)
        logits = model.unroll(images, n_steps).logits
        average = torch.stack([sum(step[i] for step in logits) / (n_steps + 1) for i in range(8)]).argmax(-1)
        assert torch.equal(model.predict(images, n_steps), average)
        assert torch.equal(model.predict(images, n_steps, "last"), logits[n_steps].argmax(-1))
        assert torch.equal(model.predict(images, n_steps, "last", chunk=3), logits[n_steps].argmax(-1))


def test_the_average_and_the_last_step_may_answer_differently(model, monkeypatch):
    logits = torch.tensor([[[3.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])
    outs = [StepOutput(step, values, None, {}) for step, values in enumerate(logits)]
    monkeypatch.setattr(model, "steps", lambda *args, **kwargs: outs)
    images = images_for(model, 1)
    assert (model.predict(images, 2).item(), model.predict(images, 2, "last").item()) == (0, 1)


def test_an_unknown_readout_is_refused(model):
    with pytest.raises(ValueError, match=r"readout: expected 'last' or 'average', got 'first'. Choose"):
        model.predict(images_for(model), 1, "first")


def test_what_a_model_says_about_itself(model):
    assert model.layer_names == ("block1", "block2", "block3", "block4", "fc1", "fc2", "logits")
    assert (model.n_classes, model.channels, model.image_size) == (10, 1, 16)
    assert (model.feedback_to, model.feedback_rate, model.recurrent, model.card) == (2, 0.1, True, {})

"""Logits and reconstructions equal what the authors' implementation returns, in float64, at every step."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from neurocnnf import build_model
from neurocnnf.reference import reference_shapes

ARCHITECTURES = {"fashion": ("cnnf-fashion", (8, 1, 28, 28)), "wrn40x2": ("cnnf-wrn-40-2", (4, 3, 32, 32))}
CASES = [(arch, level) for arch, levels in {"fashion": (0, 1, 2), "wrn40x2": (0, 1, 5)}.items() for level in levels]
RATE = 0.1
RELATIVE = 1e-9  # of the largest value of a step: parity, as the golden README defines it


@pytest.fixture(scope="module")
def golden():
    if not os.environ.get("NEUROCNNF_GOLDEN"):
        pytest.skip("needs the reference outputs: set NEUROCNNF_GOLDEN to the folder that holds cnnf_reference.npz")
    with np.load(Path(os.environ["NEUROCNNF_GOLDEN"]) / "cnnf_reference.npz") as file:
        return dict(file)


def reference_weight(name, shape):
    """Draw a tensor from its reference name, as the golden README says."""
    if name.endswith("conv.weight"):
        scale = (2 / (shape[2] * shape[3] * shape[0])) ** 0.5
    elif name.endswith("linear.weight"):
        scale = shape[1] ** -0.5
    else:
        scale = 0.1
    generator = np.random.default_rng(zlib.crc32(f"cnnf/{name}".encode()))
    # The biases of the convolutional levels are (1, C, 1, 1) there: the same numbers in the same order.
    return torch.from_numpy(generator.standard_normal(shape) * scale)


def model_with_reference_weights(arch, feedback_to):
    name, shape = ARCHITECTURES[arch]
    model = build_model(name, feedback_to=feedback_to, feedback_rate=RATE).double()
    model.load_reference_state_dict({k: reference_weight(k, s) for k, s in reference_shapes(model).items()})
    return model, torch.from_numpy(np.random.default_rng(2020).uniform(-1, 1, shape))


@pytest.fixture(scope="module")
def unrolled(golden):
    """Unroll each case once for all tests: (arch, feedback_to) -> trajectory's logits and reconstructions."""
    done = {}

    def get(arch, feedback_to):
        if (arch, feedback_to) not in done:
            model, images = model_with_reference_weights(arch, feedback_to)
            n_steps = len(golden[f"{arch}/ind{feedback_to}/rho{RATE}/logits"]) - 1
            with torch.no_grad():
                outs = list(model.steps(images, n_steps))
            logits = torch.stack([out.logits for out in outs]).numpy()
            done[arch, feedback_to] = logits, torch.stack([out.reconstruction for out in outs[1:]]).numpy()
        return done[arch, feedback_to]

    return get


def relative_error(ours, reference):
    return np.abs(ours - reference).max() / np.abs(reference).max()


def test_every_case_of_the_file_is_tested(golden):
    found = {tuple(key.split("/")[:3]) for key in golden}
    assert found == {(arch, f"ind{level}", f"rho{RATE}") for arch, level in CASES}


@pytest.mark.parametrize(("arch", "feedback_to"), CASES)
def test_logits_at_every_step(golden, unrolled, arch, feedback_to):
    reference = golden[f"{arch}/ind{feedback_to}/rho{RATE}/logits"]
    ours, _ = unrolled(arch, feedback_to)
    assert ours.shape == reference.shape
    assert ours.dtype == reference.dtype == np.float64
    for step in range(len(reference)):
        assert relative_error(ours[step], reference[step]) < RELATIVE, f"step {step}"


@pytest.mark.parametrize(("arch", "feedback_to"), CASES)
def test_mean_and_root_mean_square_of_reconstructions(golden, unrolled, arch, feedback_to):
    key = f"{arch}/ind{feedback_to}/rho{RATE}"
    _, ours = unrolled(arch, feedback_to)
    rms = golden[f"{key}/recon_rms"]
    np.testing.assert_allclose(np.sqrt((ours**2).mean((2, 3, 4))), rms, rtol=RELATIVE)
    # A mean may be close to zero: its error is small beside the values it is the mean of.
    assert np.abs(ours.mean((2, 3, 4)) - golden[f"{key}/recon_mean"]).max() < RELATIVE * rms.max()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_pixels_of_a_reconstruction(golden, unrolled, arch):
    reference = golden[f"{arch}/ind0/rho{RATE}/recon_image0"]
    assert reference.dtype == np.float32  # kept in single precision there
    _, ours = unrolled(arch, 0)
    for step in range(len(reference)):
        assert relative_error(ours[step, 0], reference[step].astype(np.float64)) < 2**-23, f"step {step + 1}"


@pytest.mark.parametrize(("arch", "feedback_to"), [("fashion", 2), ("wrn40x2", 5)])
def test_single_precision_gives_the_same_answers(golden, arch, feedback_to):
    reference = golden[f"{arch}/ind{feedback_to}/rho{RATE}/logits"]
    model, images = model_with_reference_weights(arch, feedback_to)
    with torch.no_grad():
        ours = model.float().unroll(images.float(), len(reference) - 1).logits.double().numpy()
    # Hard gates can flip a unit on a boundary at later steps; the sweep has nothing to flip.
    assert relative_error(ours[0], reference[0]) < 1e-3
    assert (ours.argmax(-1) == reference.argmax(-1)).all()

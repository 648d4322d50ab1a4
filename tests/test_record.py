"""A recording holds what each layer does at each step, in memory or in a file, and says where it comes from."""

import hashlib
import importlib
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from neurocnnf import StepClock, Stimuli, build_model, load_model, record
from neurocnnf.record import each_layer, layer_sizes, stream
from neurocnnf.stages import weights_hash

MODULE = importlib.import_module("neurocnnf.record")  # the package gives the function this name
N_STEPS = 2


def stimuli_of(n, channels=1, size=16):
    images = np.random.default_rng(1).integers(0, 256, (n, size, size, channels), dtype=np.uint8)
    table = pd.DataFrame(
        {
            "stimulus_id": [f"image {i}" for i in range(n)],
            "object": np.arange(n) % 3,
            "contrast": np.linspace(0.1, 1, n),
            "masked": np.arange(n) % 2 == 0,
        }
    )
    return Stimuli(images, table, "noise")


@pytest.fixture(scope="module")
def stimuli():
    return stimuli_of(7)


@pytest.fixture(scope="module")
def model():
    return build_model("cnnf-digits", seed=3).double()


@pytest.fixture(scope="module")
def trajectory(model, stimuli):
    with torch.no_grad():
        return model.unroll(torch.from_numpy(stimuli.images[..., 0]).double()[:, None] / 127.5 - 1, N_STEPS)


def test_every_layer_at_every_step_equals_the_models_own_answer(model, stimuli, trajectory):
    assembly = record(model, stimuli, n_steps=N_STEPS)
    assert assembly.dims == ("presentation", "neuroid", "step")
    assert assembly.dtype == np.float32
    assert list(dict.fromkeys(assembly["layer"].values)) == list(model.layer_names)
    for layer in model.layer_names:
        for step in range(N_STEPS + 1):
            here = assembly.values[:, assembly["layer"].values == layer, step]
            expected = trajectory.activation(layer, step).flatten(1).float().numpy()
            np.testing.assert_allclose(here, expected, rtol=1e-6, atol=1e-7)


def test_units_are_numbered_channel_major(model, stimuli, trajectory):
    assembly = record(model, stimuli, ["block4"], N_STEPS)
    activation = trajectory.activation("block4", 1)
    _, n_channels, height, width = activation.shape
    for channel, y, x in [(0, 0, 1), (0, 1, 0), (3, 2, 1), (n_channels - 1, height - 1, width - 1)]:
        unit = (channel * height + y) * width + x
        (place,) = np.flatnonzero(assembly["neuroid_id"].values == f"block4.{unit}")
        assert assembly["unit"].values[place] == unit
        np.testing.assert_allclose(assembly.values[:, place, 1], activation[:, channel, y, x].float(), rtol=1e-6)


def test_coordinates_are_the_stimuli_the_units_and_the_steps(model, stimuli):
    assembly = record(model, stimuli, ["fc2", "logits"], N_STEPS)
    for column in stimuli.table:
        assert assembly[column].dims == ("presentation",)
        assert assembly[column].values.tolist() == stimuli.table[column].tolist()
    assert assembly["layer"].values.tolist() == ["fc2"] * 64 + ["logits"] * 10
    assert assembly["step"].values.tolist() == [0, 1, 2]
    assert len(set(assembly["neuroid_id"].values)) == 74
    assert "time_bin_start" not in assembly.coords  # times are an assumption, and never implicit


def test_a_clock_gives_each_step_its_time(model, stimuli):
    assembly = record(model, stimuli, ["logits"], N_STEPS, clock=StepClock(onset_ms=70, ms_per_step=20))
    assert assembly["time_bin_start"].dims == ("step",)
    assert assembly["time_bin_start"].values.tolist() == [70, 90, 110]
    assert assembly["time_bin_end"].values.tolist() == [90, 110, 130]


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_the_number_of_images_shown_at_a_time_changes_nothing(model, stimuli, monkeypatch, tmp_path, chunk):
    whole = record(model, stimuli, n_steps=N_STEPS)
    monkeypatch.setattr(MODULE, "CHUNK", chunk)
    np.testing.assert_allclose(record(model, stimuli, n_steps=N_STEPS), whole, rtol=1e-6, atol=1e-7)
    file = record(model, stimuli, n_steps=N_STEPS, path=tmp_path / "noise.nc")
    np.testing.assert_allclose(file, whole, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("clock", [None, StepClock(70, 20)])
def test_a_file_holds_what_memory_would(model, stimuli, tmp_path, clock):
    layers = ["block4", "logits"]
    memory = record(model, stimuli, layers, N_STEPS, clock=clock)
    with record(model, stimuli, layers, N_STEPS, clock=clock, path=tmp_path / "new" / "noise.nc") as file:
        assert file.dims == memory.dims
        assert file.dtype == memory.dtype
        assert np.array_equal(file.values, memory.values)
        assert set(file.coords) == set(memory.coords)
        for name, coordinate in memory.coords.items():
            assert file[name].dims == coordinate.dims
            assert file[name].values.tolist() == coordinate.values.tolist()
        assert dict(file.attrs) == dict(memory.attrs)
    assert [p.name for p in tmp_path.rglob("*.*")] == ["noise.nc"]  # nothing half-written beside it
    with xr.open_dataarray(tmp_path / "new" / "noise.nc", engine="h5netcdf") as again:
        assert np.array_equal(again.values, memory.values)


def test_provenance_says_which_model_weights_and_stimuli(model, stimuli):
    assert record(model, stimuli, ["logits"], 0).attrs == {
        "model": "cnnf-digits",
        "weights_sha256": weights_hash(model),
        "feedback_to": 2,
        "feedback_rate": 0.1,
        "n_steps": 0,
        "stimuli": "noise",
        "images_sha256": hashlib.sha256(stimuli.images.tobytes()).hexdigest(),
        "neurocnnf_version": version("neurocnnf"),
    }


def test_a_changed_model_is_not_recorded_as_the_shipped_one(stimuli):
    shipped, changed = load_model("cnnf-digits"), load_model("cnnf-digits")
    with torch.no_grad():
        changed.levels["block1"].bias[0] += 1
    first, again, other = (
        record(model, stimuli, ["logits"], 0).attrs["weights_sha256"]
        for model in (shipped, load_model("cnnf-digits"), changed)
    )
    assert first == again != other


@pytest.mark.parametrize("to_file", [False, True])
def test_one_other_pixel_changes_the_hash_of_the_images_and_their_chunks_do_not(
    model, stimuli, monkeypatch, tmp_path, to_file
):
    def images_hash(shown):
        path = tmp_path / "noise.nc" if to_file else None
        with record(model, shown, ["logits"], 0, path=path) as assembly:
            return assembly.attrs["images_sha256"]

    first = images_hash(stimuli)
    monkeypatch.setattr(MODULE, "CHUNK", 3)
    assert images_hash(stimuli) == first
    other = stimuli.images.copy()
    other[-1, -1, -1, 0] ^= 1
    assert images_hash(Stimuli(other, stimuli.table, "noise")) != first


def test_streaming_and_recording_by_layer_agree_with_the_assembly(model, stimuli, monkeypatch):
    monkeypatch.setattr(MODULE, "CHUNK", 3)
    layers = ["logits", "block3"]
    assembly = record(model, stimuli, layers, N_STEPS)
    by_layer = each_layer(model, stimuli, layers, N_STEPS)
    assert list(by_layer) == layers
    for layer, values in by_layer.items():
        assert values.dtype == np.float32
        expected = assembly.values[:, assembly["layer"].values == layer].transpose(2, 0, 1)
        assert np.array_equal(values, expected)
    seen = [(step, rows.start, rows.stop) for step, rows, _ in stream(model, stimuli, layers, N_STEPS)]
    assert seen == [(step, start, stop) for start, stop in [(0, 3), (3, 6), (6, 7)] for step in range(N_STEPS + 1)]


def test_images_are_read_in_slices_of_one_chunk(model, monkeypatch):
    class Lazy:
        def __init__(self, images):
            self.images, self.read = images, []

        def __len__(self):
            return len(self.images)

        def __getitem__(self, index):
            self.read.append(len(self.images[index]))
            return self.images[index]

    monkeypatch.setattr(MODULE, "CHUNK", 3)
    eager = stimuli_of(7)
    lazy = Stimuli(Lazy(eager.images), eager.table, "noise")
    assert np.array_equal(record(model, lazy, ["logits"], 1), record(model, eager, ["logits"], 1))
    assert lazy.images.read == [3, 3, 1]


def test_a_recording_is_one_pass_over_the_images(model, monkeypatch, tmp_path):
    """Each chunk is walked once; what does not depend on the images is not done again for each."""
    calls = {"steps": [], "sizes": 0}
    steps, sizes = model.steps, MODULE.layer_sizes

    def count_steps(images, n_steps, **kwargs):
        calls["steps"].append((len(images), n_steps))
        return steps(images, n_steps, **kwargs)

    def count_sizes(*args):
        calls["sizes"] += 1
        return sizes(*args)

    monkeypatch.setattr(MODULE, "CHUNK", 3)
    monkeypatch.setattr(model, "steps", count_steps)
    monkeypatch.setattr(MODULE, "layer_sizes", count_sizes)
    for path in (None, tmp_path / "noise.nc"):
        calls["steps"].clear()
        calls["sizes"] = 0
        record(model, stimuli_of(7), ["logits"], 2, path=path).close()
        assert calls == {"steps": [(1, 0), (3, 2), (3, 2), (1, 2)], "sizes": 1}  # (1, 0): the layers' sizes


@pytest.mark.parametrize("n", [1, 8, 19])  # the last piece on disk: short of its size, whole, and after whole ones
def test_any_number_of_presentations_can_be_written_to_a_path_or_its_name(model, tmp_path, n):
    stimuli = stimuli_of(n)
    with record(model, stimuli, ["fc2", "logits"], 1, path=str(tmp_path / "noise.nc")) as file:
        np.testing.assert_array_equal(file, record(model, stimuli, ["fc2", "logits"], 1))


def test_a_recording_that_breaks_off_leaves_no_file(model, stimuli, monkeypatch, tmp_path):
    def stop(what, done, total):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        record(model, stimuli, ["logits"], 1, path=tmp_path / "noise.nc", progress=stop)
    assert not list(tmp_path.iterdir())


def close_to_float32(dtype, device, tolerance, channels=1, size=16):
    stimuli = stimuli_of(5, channels, size)
    expected = each_layer(build_model("cnnf-digits", seed=3), stimuli, ["block1", "logits"], 0)
    model = build_model("cnnf-digits", seed=3).to(device, dtype)
    for layer, values in each_layer(model, stimuli, ["block1", "logits"], 0).items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[layer], atol=tolerance * np.abs(expected[layer]).max())


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 24)])
def test_a_bfloat16_model_is_recorded(channels, size):
    close_to_float32(torch.bfloat16, "cpu", 0.05, channels, size)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_model_on_a_gpu_is_recorded():
    close_to_float32(torch.float32, "cuda", 0.01)


@pytest.mark.parametrize("to_file", [False, True])
def test_progress_counts_presentations(model, stimuli, monkeypatch, tmp_path, to_file):
    monkeypatch.setattr(MODULE, "CHUNK", 3)
    calls = []
    path = tmp_path / "noise.nc" if to_file else None
    record(model, stimuli, ["logits"], 1, path=path, progress=lambda *args: calls.append(args)).close()
    assert calls == [("record", 3, 7), ("record", 6, 7), ("record", 7, 7)]


def test_the_recording_takes_no_part_in_training(model, stimuli):
    record(model, stimuli, ["logits"], 1)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_layer_sizes_count_units(model):
    assert layer_sizes(model, ["block1", "block4", "logits"]) == {"block1": 8 * 256, "block4": 32 * 16, "logits": 10}


def test_a_recording_beyond_the_budget_is_refused_unless_it_goes_to_a_file(model, stimuli, tmp_path):
    needed = 7 * 10 * 3 * 4
    with pytest.raises(
        ValueError, match=r"expected at most 0.0 GB, got 0.0 GB \(7 presentations × 10 neuroids × 3 steps\)"
    ):
        record(model, stimuli, ["logits"], N_STEPS, memory_budget=needed - 1)
    record(model, stimuli, ["logits"], N_STEPS, memory_budget=needed)
    record(model, stimuli, ["logits"], N_STEPS, memory_budget=0, path=tmp_path / "noise.nc").close()


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize(
    ("name", "layers", "n_steps", "message"),
    [
        ("cnnf-digits", ["V4"], 1, "layer: expected one of block1, .*, got 'V4'"),
        ("cnnf-digits", [], 1, "layers: expected at least one of block1, .* for cnnf-digits, got none. Name some"),
        ("cnnf-digits", ["fc1", "fc1"], 1, "layers: expected each layer once, got 'fc1' more than once. Drop"),
        ("cnnf-digits", ["logits"], -3, "n_steps: expected a whole number >= 0, got -3"),
        ("cnnf-digits", ["logits"], 1.5, "n_steps: expected a whole number >= 0, got 1.5"),
        ("cnn-digits", ["logits"], 1, "n_steps: expected 0 for cnn-digits, which is feedforward, got 1"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_is_written(
    stimuli, tmp_path, name, layers, n_steps, message, to_file
):
    with pytest.raises(ValueError, match=message):
        record(build_model(name), stimuli, layers, n_steps, path=tmp_path / "noise.nc" if to_file else None)
    assert not list(tmp_path.iterdir())


def test_a_feedforward_control_is_recorded_at_step_0(stimuli):
    assembly = record(build_model("cnn-digits", seed=3).double(), stimuli, ["logits"], 0)
    cnnf = record(build_model("cnnf-digits", seed=3).double(), stimuli, ["logits"], 1)
    np.testing.assert_allclose(assembly.values[..., 0], cnnf.values[..., 0], rtol=1e-6)

"""A study in a folder, scored: what the images explain is found, and what they do not is not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from benchmarks import study_benchmark

N, N_NEUROIDS = 120, 8


class Pixels:
    """A stand-in for a model whose one layer is a coarse picture."""

    name, layer_names, recurrent = "pixels", ("coarse",), False


def each_layer(model, stimuli, layers, n_steps):
    coarse = stimuli.images[:, ::4, ::4, 0].reshape(len(stimuli), -1) / 255
    return {layer: np.float32(coarse)[None] for layer in layers}


def write(folder, shuffled=False):
    """Write a study of two time bins: noise alone, then a sum of pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 16, 16), dtype=np.uint8)
    (folder / "images").mkdir(parents=True)
    ids = [f"s{k}" for k in range(N)]
    for one, image in zip(ids, images, strict=True):
        Image.fromarray(image).save(folder / "images" / f"{one}.png")
    pd.DataFrame({"stimulus_id": ids, "filename": [f"{one}.png" for one in ids]}).to_csv(
        folder / "stimuli.csv", index=False
    )
    signal = images[:, ::4, ::4].reshape(N, -1) / 255 @ rng.standard_normal((16, N_NEUROIDS))
    late = rng.permutation(signal) if shuffled else signal
    values = np.stack([rng.standard_normal(signal.shape), late], axis=2)
    coords = {
        "stimulus_id": ("presentation", ids),
        "time_bin_start": ("time_bin", [0, 70]),
        "time_bin_end": ("time_bin", [70, 170]),
    }
    dims = ("presentation", "neuroid", "time_bin")
    xr.DataArray(values, coords, dims, "responses").to_netcdf(folder / "responses.nc", engine="h5netcdf")
    return replace(study_benchmark(folder), each_layer=each_layer)(Pixels())


def test_the_time_bin_that_the_images_explain_is_found_and_the_other_holds_zero(tmp_path):
    table = write(tmp_path / "mine").per_step.set_index("session")
    late, early = (table[table.index.str.endswith(times)] for times in ("70 to 170 ms", "0 to 70 ms"))
    assert len(late) == len(early) == 2
    assert (late["raw"] > 0.95).all()
    assert ((early["raw_low"] < 0) & (early["raw_high"] > 0)).all()


def test_shuffled_responses_hold_zero(tmp_path):
    score = write(tmp_path / "mine", shuffled=True)
    assert score.raw_interval[0] < 0 < score.raw_interval[1]
    assert np.isnan(score.value)  # without repetitions there is no ceiling


def test_the_folders_name_is_the_studys_and_its_files_are_named(tmp_path):
    score = write(tmp_path / "mine")
    assert score.benchmark == "mine.responses-ridge"
    assert not score.simulated
    assert len(score.provenance["data_sha256"]) == N + 2

"""A study in a folder is read in one order, scored, and refused with the row and column where it is malformed."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from benchmarks import study_benchmark
from benchmarks.recordings.folder import HALVES, load_study

N, N_NEUROIDS = 40, 6


class Folder:
    """A study that can be spoilt before it is written."""

    def __init__(self, path):
        self.path = path / "mine"
        (self.path / "images").mkdir(parents=True)
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
        ids = [f"stimulus {k}" for k in range(N)]
        self.table = pd.DataFrame({"stimulus_id": ids, "filename": [f"{k}.png" for k in range(N)], "kind": "noise"})
        pixels = self.images.reshape(N, -1)[:, :N_NEUROIDS] / 255
        self.responses = xr.DataArray(
            pixels, dims=("presentation", "neuroid"), coords={"stimulus_id": ("presentation", ids)}, name="responses"
        )

    def binned(self, starts=(70, 110), ends=(110, 170)):
        both = xr.concat([self.responses, 2 * self.responses], "time_bin")
        times = {"time_bin_start": ("time_bin", list(starts)), "time_bin_end": ("time_bin", list(ends))}
        self.responses = both.assign_coords(times)

    def repeated(self):
        rng = np.random.default_rng(1)
        values = self.responses.values[..., None] + 0.1 * rng.standard_normal((N, N_NEUROIDS, 4))
        dims = (*self.responses.dims, "repetition")
        self.responses = xr.DataArray(values, dims=dims, coords=self.responses.coords, name="responses")

    def write(self):
        for name, image in zip(self.table["filename"], self.images, strict=False):
            Image.fromarray(image).save(self.path / "images" / name)
        return self.write_tables()

    def write_tables(self):
        self.table.to_csv(self.path / "stimuli.csv", index=False)
        self.responses.to_netcdf(self.path / "responses.nc", engine="h5netcdf")
        return self.path


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_images_table_and_responses_come_in_the_order_of_the_table(folder):
    order = np.random.default_rng(2).permutation(N)
    expected = folder.responses.values
    folder.responses = folder.responses.isel(presentation=order)
    study = load_study(folder.write())
    np.testing.assert_array_equal(study.stimuli.images, folder.images)
    np.testing.assert_array_equal(study.responses.values, expected)
    assert study.stimuli.table["kind"].tolist() == ["noise"] * N
    assert study.stimuli.identifier == "mine"


def test_a_single_animals_neuroids_are_dealt_to_two_halves(folder):
    sessions = dict(load_study(folder.write()).sessions())
    assert tuple(sessions) == HALVES
    np.testing.assert_array_equal(sessions[HALVES[1]].responses, folder.responses.values[:, 1::2])
    assert sessions[HALVES[0]].repeats is None


def test_each_animal_and_time_bin_is_a_session_in_order_of_time(folder):
    folder.binned((110, 70), (170, 110))
    folder.responses = folder.responses.assign_coords(animal=("neuroid", list("BABABA")))
    sessions = dict(load_study(folder.write()).sessions())
    assert list(sessions) == [f"{animal}, {time} ms" for animal in "BA" for time in ("70 to 110", "110 to 170")]
    early = sessions["A, 70 to 110 ms"]
    np.testing.assert_array_equal(early.responses, 2 * folder.responses.isel(time_bin=0).values[:, 1::2])
    assert early.animal == "A"


def test_repetitions_are_averaged_and_kept_and_a_showing_may_be_missing(folder):
    folder.repeated()
    folder.responses[3, :, 2:] = np.nan
    session = dict(load_study(folder.write()).sessions())[HALVES[0]]
    assert session.repeats.dims == ("presentation", "neuroid", "repetition")
    np.testing.assert_allclose(session.responses[3], folder.responses.values[3, ::2, :2].mean(axis=1))


def test_a_study_is_scored_with_layers_chosen_by_other_neuroids(folder):
    from neurocnnf import load_model

    folder.repeated()
    benchmark = study_benchmark(folder.write())
    assert benchmark.identifier == "mine.responses-ridge"
    assert benchmark.available()
    score = benchmark(load_model("cnn-digits"))
    assert set(score.chosen["chosen_by"]) == set(HALVES)
    assert np.isfinite([score.value, score.raw, score.ceiling]).all()
    assert (score.n_used, score.n_total) == (N_NEUROIDS, N_NEUROIDS)
    assert {"mine/stimuli.csv", "mine/responses.nc", "mine/images/7.png"} <= set(score.provenance["data_sha256"])


# --- malformed


def refuse(folder, said):
    with pytest.raises(ValueError, match=said):
        load_study(folder.write())


def test_a_missing_image_is_named_with_its_row(folder):
    folder.images = folder.images[:-1]
    refuse(folder, r"stimuli\.csv, row 40, column filename: expected an image in images/, got no such file: '39\.png'")


def test_a_file_that_is_no_image_is_named(folder):
    folder.table.loc[1, "filename"] = "../stimuli.csv"
    folder.write_tables()
    Image.fromarray(folder.images[0]).save(folder.path / "images" / "0.png")
    with pytest.raises(ValueError, match=r"row 2, column filename: .*got a file that is no image"):
        load_study(folder.path)


def test_an_image_of_another_size_is_named(folder):
    path = folder.write()
    Image.new("RGB", (9, 8)).save(path / "images" / "4.png")
    with pytest.raises(ValueError, match=r"row 5, column filename: expected 8 × 8 pixels as in row 1, got 9 × 8"):
        load_study(path)


def test_a_repeated_id_is_named_with_both_rows(folder):
    folder.table.loc[5, "stimulus_id"] = "stimulus 2"
    refuse(folder, r"stimuli\.csv, column stimulus_id: expected each id once, got 'stimulus 2' in rows 3 and 6")


def test_a_presentation_given_twice_is_named(folder):
    folder.responses["stimulus_id"] = "presentation", [f"stimulus {max(k, 1)}" for k in range(N)]
    refuse(folder, r"responses\.nc, coordinate stimulus_id: expected each id once, got 'stimulus 1' in rows 1 and 2")


@pytest.mark.parametrize("name", ["stimulus_id", "filename"])
def test_an_empty_cell_is_named(folder, name):
    folder.table.loc[2, name] = np.nan
    folder.write_tables()
    with pytest.raises(ValueError, match=rf"stimuli\.csv, row 3, column {name}: expected a name, got nothing"):
        load_study(folder.path)


def test_nan_is_named_with_presentation_and_neuroid(folder):
    folder.responses[7, 4] = np.nan
    refuse(folder, r"presentation 8 \(stimulus 7\), neuroid 5: expected a finite response, got nan \(1 such in all\)")


def test_a_showing_that_is_missing_in_part_is_named(folder):
    folder.repeated()
    folder.responses[7, 4, 1] = np.nan
    refuse(folder, r"presentation 8 \(stimulus 7\), neuroid 5: expected a finite response")


def test_a_stimulus_that_was_never_shown_is_named(folder):
    folder.repeated()
    folder.responses[7] = np.nan
    refuse(folder, r"presentation 8 \(stimulus 7\): expected responses in at least one repetition, got none")


def test_counts_that_differ_are_named(folder):
    folder.responses = folder.responses[:-3]
    refuse(folder, r"expected a presentation for each of the 40 rows of stimuli\.csv, got 37 presentations")


def test_a_stimulus_without_a_presentation_is_named(folder):
    folder.table.loc[2, "stimulus_id"] = "another"
    refuse(folder, r"row 3, column stimulus_id: expected a presentation of 'another' in responses\.nc, got none")


def test_time_bins_that_overlap_are_named(folder):
    folder.binned((70, 100), (110, 170))
    refuse(folder, r"got time_bin 1, 70 to 110 ms, and time_bin 2, 100 to 170 ms")


def test_a_time_bin_that_ends_before_it_starts_is_named(folder):
    folder.binned((70, 170), (110, 110))
    refuse(folder, r"time_bin 2: expected a bin that ends after it starts, got 170 to 110 ms")


def test_time_bins_without_times_are_refused(folder):
    folder.binned()
    folder.responses = folder.responses.drop_vars("time_bin_end")
    refuse(folder, r"expected a coordinate time_bin_end \(ms\) on time_bin, got none")


def test_dims_and_coordinates_that_are_not_known_are_refused(folder):
    original = folder.responses
    folder.responses = original.rename(neuroid="neuron")
    refuse(folder, r"expected the dims presentation, neuroid and, .* got presentation, neuron")
    folder.responses = original.drop_vars("stimulus_id")
    refuse(folder, r"expected a coordinate stimulus_id on presentation, got none")
    folder.responses = xr.Dataset({"a": original, "b": original})
    refuse(folder, r"expected one array, got 2: a, b")


@pytest.mark.parametrize("name", ["stimuli.csv", "responses.nc"])
def test_a_missing_file_is_named(folder, name):
    (folder.write() / name).unlink()
    with pytest.raises(ValueError, match=rf"got no {name}"):
        load_study(folder.path)


def test_a_table_without_its_columns_or_rows_is_refused(folder):
    original = folder.table
    folder.table = original.rename(columns={"stimulus_id": "id"})
    refuse(folder, r"expected rows with the columns stimulus_id and filename, got 40 rows without stimulus_id")
    folder.table = original[:0]
    refuse(folder, r"got 0 rows without any stimulus")

"""Kar 2019: the authors' file is read as MATLAB wrote it, and anything else is refused."""

import h5py
import numpy as np
import pytest

from benchmarks import load_benchmark
from benchmarks.recordings import kar2019
from neurocnnf.datastore import DataMissing, DataStore

N_IMAGES = 20


class Study:
    """The authors' file, made up, that a test may change before it is written."""

    def __init__(self, root):
        rng = np.random.default_rng(0)
        self.root = root
        self.pictures = rng.integers(0, 256, (N_IMAGES, 8, 6, 3), dtype=np.uint8)  # (image, y, x, channel)
        self.fields = {
            "images": self.pictures.transpose(0, 3, 2, 1).astype(float),  # how h5py sees MATLAB's y, x, channel, image
            "obj": np.arange(N_IMAGES)[None] % 10 + 1.0,
            "i1": rng.uniform(0, 3, (1, N_IMAGES)),
            "ost": rng.uniform(90, 200, (1, N_IMAGES)),
        }

    def write(self):
        (self.root / "kar2019").mkdir(exist_ok=True)
        with h5py.File(self.root / kar2019.FILE, "w") as file:
            for name, values in self.fields.items():
                file[name] = values
        return DataStore(self.root, self.root / "cache")


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def test_images_objects_and_times_are_read(study):
    data = kar2019.load(study.write())
    assert (data.stimuli.images[:] == study.pictures).all()
    assert (data.stimuli.images[np.array([3, 1])] == study.pictures[[3, 1]]).all()
    assert (data.stimuli.subset([2, 4]).images == study.pictures[[2, 4]]).all()
    assert list(data.stimuli.table["object"][:4]) == ["bear", "elephant", "person", "car"]
    assert data.threshold == pytest.approx(study.fields["i1"][0])
    assert data.observers.time == pytest.approx(study.fields["ost"][0])
    assert data.stimuli.degrees == 8


def test_images_between_0_and_1_are_read_as_the_same_pictures(study):
    study.fields["images"] /= 255
    assert (kar2019.load(study.write()).stimuli.images[:] == study.pictures).all()


def test_unsolved_images_are_censored_and_images_without_i1_are_counted_out(study):
    study.fields["ost"][0, :3] = np.nan
    study.fields["i1"][0, 5] = np.nan
    data = kar2019.load(study.write())
    assert (~data.observers.solved).sum() == 4
    assert (~data.observers.known).sum() == 1
    assert data.notes == ("IT solves 16 of 20 images; 3 are censored, 1 have no i1 and are left out",)


def test_a_file_of_another_form_is_refused(study):
    study.fields["obj"][0, 7] = 11
    with pytest.raises(ValueError, match=r"expected obj 1 to 10, got 11\.0 in row 7"):
        kar2019.load(study.write())
    study.fields["obj"] = study.fields["obj"][:, 1:]
    with pytest.raises(ValueError, match="one obj, i1 and ost each"):
        kar2019.load(study.write())
    del study.fields["obj"]
    with pytest.raises(ValueError, match="got none named obj"):
        kar2019.load(study.write())


def test_without_the_users_copy_it_says_how_to_supply_it(tmp_path):
    store = DataStore(tmp_path, tmp_path / "cache")
    assert not load_benchmark("kar2019.ost", store).available()
    with pytest.raises(DataMissing, match=r"image_metrics; put it at \$NEUROCNNF_DATA/kar2019/dataset\.h5"):
        kar2019.load(store)


def test_the_users_copy_is_scored_from_end_to_end(study):
    study.fields = {
        "images": np.random.default_rng(1).integers(0, 256, (100, 3, 8, 8)).astype(float),
        "obj": np.arange(100)[None] % 10 + 1.0,
        "i1": np.random.default_rng(4).uniform(0, 2, (1, 100)),
        "ost": np.random.default_rng(2).uniform(90, 200, (1, 100)),
    }
    store = study.write()
    assert load_benchmark("kar2019.ost", store).available()

    class Model:
        name, layer_names, recurrent = "stand-in", ("hidden",), True

    def each_layer(model, stimuli, layers, n_steps):
        labels = stimuli.table["label"].to_numpy()
        noise = np.random.default_rng(3).standard_normal((n_steps + 1, len(labels), 10))
        lift = 2 * np.arange(n_steps + 1)[:, None, None] * np.eye(10)[labels]
        return {"hidden": (lift + noise).astype(np.float32)}

    from dataclasses import replace

    score = replace(load_benchmark("kar2019.ost", store, quick=True), each_layer=each_layer)(Model(), n_steps=2)
    assert (score.n_used, score.n_total) == (100, 100)
    assert score.raw_interval[0] < 0 < score.raw_interval[1]
    assert set(score.per_step["metric"]) == {"solution-time", "solution-time-drop-unsolved"}
    assert "kar2019/dataset.h5" in score.provenance["data_sha256"]

"""Kriegeskorte 2008: three files become one set of images and matrices in one order."""

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from benchmarks.recordings import kriegeskorte2008

N = 92
PAIRS = N * (N - 1) // 2
LABELS = ["animate", "inanim", "face"]


class FolderStore:
    """The three calls a loader makes, over a plain folder."""

    def __init__(self, root):
        self.root = root

    def fetch(self, name):
        return self.root / name

    def available(self, name):
        return (self.root / name).exists()

    def glob(self, pattern):
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.glob(pattern))


def struct(rows, shape):
    """Make a MATLAB struct array from a list of dicts."""
    array = np.empty(len(rows), dtype=[(field, object) for field in rows[0]])
    for i, row in enumerate(rows):
        for field, value in row.items():
            array[i][field] = value
    return array.reshape(shape)


class Study:
    """The study's files, simulated, that a test may change before they are written."""

    def __init__(self, root):
        rng = np.random.default_rng(0)
        self.root = root
        self.images = rng.integers(0, 256, (N, 6, 6, 3), dtype=np.uint8)
        self.brain = np.stack([squareform(row) for row in rng.random((8, PAIRS))]).reshape(4, 2, N, N)
        self.judged = np.stack([squareform(row) for row in rng.random((3, PAIRS))])
        self.vectors = {
            "mIT_674neurons": rng.random(PAIRS),
            "hITvisStim_316vx": squareform(self.brain.mean((0, 1))),
        }

    def write(self):
        folder = self.root / "kriegeskorte2008_92"
        folder.mkdir(exist_ok=True)
        flags = [{"human": i < 24, "face": i % 2, "animal": i < 48, "natural": i < 71} for i in range(N)]
        objects = [
            {"category": f"kind {i // 20}", **{k: np.uint8(v) for k, v in flags[i].items()}, "image": image}
            for i, image in enumerate(self.images)
        ]
        published = {
            "categoryLabels": np.array(LABELS, dtype=object),
            "categoryVectors": np.array([[f["animal"], not f["animal"], f["face"]] for f in flags], np.uint8),
            "stimuli_92objs": struct(objects, (1, -1)),
            "RDMs_mIT_hIT_fig1": struct([{"name": k, "RDM": v} for k, v in self.vectors.items()], (1, -1)),
        }
        savemat(folder / "Kriegeskorte_Neuron2008_supplementalData.mat", published)
        people = ["BE", "KO", "SN", "TI"]
        brain = [
            {"RDM": self.brain[s, k].astype(np.float32), "name": f"hIT | {people[s]} | Session: {k + 1}"}
            for s in range(4)
            for k in range(2)
        ]
        savemat(folder / "92_brainRDMs.mat", {"RDMs": struct(brain, (1, 4, 2))})
        judged = [{"RDM": m, "name": f"simJudge | subject{i + 1}"} for i, m in enumerate(self.judged)]
        savemat(folder / "92_behavRDMs.mat", {"rdms_behav_92": struct(judged, (1, -1))})
        return FolderStore(self.root)


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def test_images_come_with_category_flags_and_labels(study):
    stimuli = kriegeskorte2008.load(study.write()).stimuli
    np.testing.assert_array_equal(stimuli.images, study.images)
    assert stimuli.table["stimulus_id"].tolist()[::91] == ["image01", "image92"]
    assert stimuli.table["category"].tolist()[::91] == ["kind 0", "kind 4"]
    assert stimuli.table[["human", "face", "animal", "natural"]].sum().tolist() == [24, 46, 48, 71]
    assert stimuli.table["label_animate"].equals(stimuli.table["animal"].rename("label_animate"))
    assert (stimuli.table["label_inanim"] == ~stimuli.table["animal"]).all()
    assert stimuli.degrees is None


def test_the_macaque_vector_becomes_the_square_it_was_taken_from(study):
    macaque = kriegeskorte2008.load(study.write()).macaque_it
    assert macaque.dims == ("presentation", "presentation_2")
    vector = study.vectors["mIT_674neurons"]
    assert macaque.values[0, 1] == vector[0]
    assert macaque.values[1, 2] == vector[N - 1]  # the first of the second row
    assert macaque.values[91, 90] == vector[-1]
    assert macaque.attrs["units"].startswith("1 - Pearson r")


def test_every_subject_and_session_is_kept_under_its_name(study):
    loaded = kriegeskorte2008.load(study.write())
    assert loaded.human_it.dims == ("subject", "session", "presentation", "presentation_2")
    assert loaded.human_it["subject"].values.tolist() == ["BE", "KO", "SN", "TI"]
    assert loaded.human_it["session"].values.tolist() == [1, 2]
    one = loaded.human_it.sel(subject="SN", session=2)
    np.testing.assert_allclose(one.values, study.brain[2, 1], rtol=1e-6)
    assert loaded.judgements["subject"].values.tolist() == ["subject1", "subject2", "subject3"]
    np.testing.assert_array_equal(loaded.judgements.values, study.judged)
    assert "arbitrary scale" in loaded.judgements.attrs["units"]


def test_subjects_in_another_order_than_the_images_are_refused(study):
    study.brain = study.brain[:, :, ::-1, ::-1]
    with pytest.raises(ValueError, match="the files list the images in different orders"):
        kriegeskorte2008.load(study.write())


def test_an_unknown_value_in_a_subjects_matrix_is_refused_not_passed_over(study):
    study.brain[0, 0, 1, 2] = study.brain[0, 0, 2, 1] = np.nan
    with pytest.raises(ValueError, match="got a difference of nan"):
        kriegeskorte2008.load(study.write())


def test_a_matrix_of_another_number_of_images_is_refused(study):
    study.judged = study.judged[:, :90, :90]
    with pytest.raises(ValueError, match=r"simJudge \| subject1: expected dissimilarities of 92 images"):
        kriegeskorte2008.load(study.write())


@pytest.mark.parametrize("at", [(1, 2), (3, 3)])
def test_a_matrix_that_is_no_dissimilarity_is_refused(study, at):
    study.judged[(1, *at)] += 1
    with pytest.raises(ValueError, match="subject2: expected a symmetric matrix with a zero diagonal"):
        kriegeskorte2008.load(study.write())


def test_a_file_without_the_published_vector_is_refused(study):
    del study.vectors["mIT_674neurons"]
    with pytest.raises(ValueError, match="expected one published dissimilarity vector mIT"):
        kriegeskorte2008.load(study.write())


def test_another_number_of_images_is_refused(study):
    study.images = study.images[:90]
    with pytest.raises(ValueError, match="expected 92 images, got 90"):
        kriegeskorte2008.load(study.write())


@pytest.fixture(scope="module")
def real(studies):
    return kriegeskorte2008.load(studies)


ABOVE = np.triu_indices(N, 1)


def test_macaque_and_human_it_correlate_as_published(real):
    """Spearman 0.44 between the species, 0.21 to 0.41 for single subjects."""
    macaque = real.macaque_it.values[ABOVE]
    human = real.human_it.values.mean((0, 1))[ABOVE]
    assert spearmanr(macaque, human)[0] == pytest.approx(0.439, abs=5e-4)
    single = [spearmanr(macaque, subject.mean(0)[ABOVE])[0] for subject in real.human_it.values]
    np.testing.assert_allclose(single, [0.345, 0.220, 0.409, 0.212], atol=1e-3)


def test_judgements_are_in_the_images_order(real):
    """They agree with macaque IT (0.39) far more than under any of 200 other orders (0.07 at most)."""
    judged, macaque = real.judgements.values.mean(0), real.macaque_it.values[ABOVE]
    rng = np.random.default_rng(0)
    others = [judged[np.ix_(order, order)][ABOVE] for order in (rng.permutation(N) for _ in range(200))]
    agreement = spearmanr(judged[ABOVE], macaque)[0]
    assert agreement == pytest.approx(0.394, abs=1e-3)
    assert agreement > 4 * max(spearmanr(other, macaque)[0] for other in others)


def test_the_studys_images_labels_and_subjects_are_all_there(real):
    assert real.stimuli.images.shape == (92, 175, 175, 3)
    assert real.human_it.shape == (4, 2, 92, 92)
    assert real.judgements.shape == (16, 92, 92)
    table = real.stimuli.table
    assert table["category"].value_counts().to_dict() == {
        "natural inanimate": 23,
        "artificial inanimate": 21,
        "human bodypart": 12,
        "human face": 12,
        "nonhuman bodypart": 12,
        "nonhuman face": 12,
    }
    assert (table["label_animate"] == table["animal"]).all()
    assert (table["label_face"] == table["face"]).all()
    assert (table["label_human"] == table["human"]).all()

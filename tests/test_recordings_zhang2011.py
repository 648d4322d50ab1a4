"""Zhang 2011: rasters become counts, and neurons recorded apart become one population."""

import numpy as np
import pytest
from scipy.io import savemat

from benchmarks.centroid_decoding import decode
from benchmarks.recordings import zhang2011
from benchmarks.recordings.zhang2011 import OBJECTS, POSITIONS


class FolderStore:
    """The two calls the loader makes, over a plain folder."""

    def __init__(self, root):
        self.root = root

    def fetch(self, name):
        return self.root / name

    def registered(self, pattern):
        return [path.relative_to(self.root).as_posix() for path in self.root.glob(pattern)]


def write(root, name="bp1001spk_01A_raster_data.mat", n_trials=3, on=501, drop=0, other=None):
    conditions = [(o, p) for o in OBJECTS for p in POSITIONS for _ in range(n_trials)][drop:]
    conditions = np.random.default_rng(1).permutation(conditions)
    raster = (np.random.default_rng(0).random((len(conditions), 1000)) < 0.02).astype(np.uint8)
    objects = conditions[:, 0].astype(object)
    if other:
        objects[0] = other
    labels = {"stimulus_ID": objects, "stimulus_position": conditions[:, 1].astype(object)}
    site = {"session_ID": 1001, "alignment_event_time": on}
    folder = root / "zhang_desimone_it7" / "raster_mat"
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / name, {"raster_data": raster, "raster_labels": labels, "raster_site_info": site})
    return folder / name, raster, conditions


def test_a_raster_is_read_with_its_labels_and_time_zero_at_the_stimulus(tmp_path):
    _, raster, conditions = write(tmp_path)
    (neuron,) = zhang2011.load_neurons(FolderStore(tmp_path))
    np.testing.assert_array_equal(neuron.values, raster)
    assert neuron.name == "bp1001spk_01A"
    assert (neuron["time_ms"].values[[0, 500, -1]] == [-500, 0, 499]).all()
    np.testing.assert_array_equal(neuron["object"].values, conditions[:, 0])
    np.testing.assert_array_equal(neuron["position"].values, conditions[:, 1])


def test_counts_equal_sums_over_slices_of_time(tmp_path):
    write(tmp_path)
    (neuron,) = zhang2011.load_neurons(FolderStore(tmp_path))
    bins = np.array([[-500, -450], [0, 50], [10, 60], [450, 500]])
    counts = zhang2011.bin_spikes(neuron, bins)
    for k, (start, end) in enumerate(bins):
        expected = neuron.sel(time_ms=slice(start, end - 1)).sum("time_ms").values
        np.testing.assert_array_equal(counts[:, k], expected)
    with pytest.raises(ValueError, match="expected bins within the recording"):
        zhang2011.bin_spikes(neuron, np.array([[460, 510]]))


def test_a_population_holds_trials_of_the_right_condition_each_once_and_counts_those_left_out(tmp_path):
    write(tmp_path, "a_raster_data.mat")
    write(tmp_path, "b_raster_data.mat", drop=1)
    neurons = zhang2011.load_neurons(FolderStore(tmp_path))
    numbers = [np.arange(n.sizes["trial"], dtype=np.float32)[:, None] for n in neurons]  # a trial's number as its count
    trials = [zhang2011.condition_trials(neuron) for neuron in neurons]
    made = zhang2011.pseudo_population(numbers, trials, np.random.default_rng(0))
    assert made.responses.shape == (1, 7, 3, 2, 2)
    assert (made.n_used, made.n_total) == (2 * 21 * 2, 63 + 62)
    for k, neuron in enumerate(neurons):
        for o, name in enumerate(OBJECTS):
            for p, place in enumerate(POSITIONS):
                taken = made.responses[0, o, p, :, k].astype(int)
                assert len(set(taken)) == 2
                assert (neuron["object"].values[taken] == name).all()
                assert (neuron["position"].values[taken] == place).all()


def test_assignments_differ_by_generator_and_repeat_with_it(tmp_path):
    write(tmp_path)
    neurons = zhang2011.load_neurons(FolderStore(tmp_path)) * 2
    counts = [zhang2011.bin_spikes(n, np.array([[0, 500]])) for n in neurons]
    trials = [zhang2011.condition_trials(n) for n in neurons]
    first, again, other = (
        zhang2011.pseudo_population(counts, trials, np.random.default_rng(seed)).responses for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_condition_without_trials_is_refused(tmp_path):
    write(tmp_path, n_trials=1)
    (neuron,) = zhang2011.load_neurons(FolderStore(tmp_path))
    with pytest.raises(ValueError, match="expected at least 2 trials of every condition"):
        zhang2011.pseudo_population(
            [zhang2011.bin_spikes(neuron, np.array([[0, 50]]))],
            [zhang2011.condition_trials(neuron)],
            np.random.default_rng(0),
        )


@pytest.mark.parametrize("wrong", [{"on": 301}, {"other": "teapot"}])
def test_a_file_of_another_form_is_refused(tmp_path, wrong):
    path, *_ = write(tmp_path, **wrong)
    with pytest.raises(ValueError, match="expected a raster"):
        zhang2011.read_raster(path)


def test_the_real_neurons_tell_the_objects_apart_when_others_found_they_do(studies):
    neurons = zhang2011.load_neurons(studies)
    assert len(neurons) == 132
    bins = np.array([[0, 50], [75, 125], [150, 200]])
    counts = [zhang2011.bin_spikes(n, bins) for n in neurons]
    trials = [zhang2011.condition_trials(n) for n in neurons]
    rng = np.random.default_rng(0)
    made = [zhang2011.pseudo_population(counts, trials, rng) for _ in range(3)]
    accuracy = np.mean([decode(one.responses, "all positions") for one in made], axis=0)
    np.testing.assert_allclose(accuracy, [0.14, 0.46, 0.78], atol=0.08)
    assert (made[0].n_used, made[0].n_total) == (52668, 55433)

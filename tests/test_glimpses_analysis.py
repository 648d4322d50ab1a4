"""Networks on glimpses: the same looks for all, what is known to be found, differences as a paired t test has them."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_rel

from analysis import glimpses
from analysis.glimpses import TRAINED, Images, accuracies, answers, network_accuracy, run
from analysis.glimpses_summary import AVERAGE, CONTRASTS, LAST, NOTHING, PICTURE, STATE, differences, summarise
from neurocnnf.glimpses import take_glimpses
from neurocnnf.recipes import Recipe

SHORT = Recipe("cnnf-digits", "digits", "none", 40, 20, 3, batch_size=32, feedback_batch_size=16, learning_rate=0.01)
TINY = Recipe("cnnf-digits", "digits", "none", 2, 2, 2, batch_size=8, feedback_batch_size=8)


def squares(n_per_class, seed, n_classes=4):
    """Draw noisy images with a bright square of 4 × 4 pixels in a quarter of its own for each class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), n_per_class)
    pixels = rng.normal(-0.6, 0.2, (len(labels), 1, 16, 16))
    for image, c in zip(pixels, labels, strict=True):
        image[0, 8 * (c // 2) + 2 :, 8 * (c % 2) + 2 :][:4, :4] += 0.9
    return Images(pixels.clip(-1, 1).astype(np.float32), labels)


@pytest.mark.parametrize("kind", ["cnnf", "ungated", "lateral"])
def test_answers_with_the_whole_image_at_each_glimpse_are_the_ordinary_unroll(kind, awake, some_images):
    model, images = awake(kind), some_images(5)
    ours = answers(model, images.expand(4, -1, -1, -1, -1), STATE, chunk=2)
    np.testing.assert_allclose(ours, model.unroll(images, 3).logits.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", ["cnnf", "ungated", "lateral", "cnn"])
def test_answers_with_nothing_carried_are_those_of_the_feedforward_sweep(kind, awake, some_images):
    model, views = awake(kind), torch.stack([some_images(5, seed=seed) for seed in range(3)])
    ours = answers(model, views, NOTHING, chunk=2)
    for logits, view in zip(ours, views, strict=True):
        np.testing.assert_allclose(logits, model(view).detach(), rtol=1e-10, atol=1e-10)


class AddsUp:
    """A model whose state is the sum of what it has seen."""

    def steps(self, views, n_steps):
        state = 0
        for view in views if n_steps else (views,):
            state = state + view.flatten(1)
            yield SimpleNamespace(logits=state)


def test_a_model_that_adds_glimpses_up_is_better_with_its_state_carried():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    seen = np.eye(4)[labels] + rng.normal(0, 1.5, (5, 400, 4))
    views = torch.from_numpy(seen.astype(np.float32))[:, :, None, None]
    carried, alone = (
        accuracies(answers(AddsUp(), views, way, chunk=150), labels).query("readout == 'last'")["accuracy"].to_numpy()
        for way in (STATE, NOTHING)
    )
    np.testing.assert_allclose(carried, (seen.cumsum(axis=0).argmax(-1) == labels).mean(axis=1))
    np.testing.assert_allclose(alone, (seen.argmax(-1) == labels).mean(axis=1))
    assert carried[-1] > alone.max() + 0.2


def test_accuracies_are_counted_and_averages_end_at_the_glimpse():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 40, 5)), rng.integers(0, 5, 40)
    table = accuracies(logits, labels).set_index(["readout", "glimpse"])
    for k in range(3):
        last = sum(int(np.argmax(logits[k, i]) == labels[i]) for i in range(40)) / 40
        mean = sum(int(np.argmax(sum(logits[: k + 1, i])) == labels[i]) for i in range(40)) / 40
        assert table.loc[(LAST, k + 1), "accuracy"] == pytest.approx(last)
        assert table.loc[(AVERAGE, k + 1), "accuracy"] == pytest.approx(mean)
    assert set(table["n_test"]) == {40}


def test_evidence_adds_up_where_there_is_some_and_shuffled_labels_leave_chance(tmp_path):
    training, test = squares(40, 0), squares(50, 1)
    seen = {
        carried: network_accuracy("cnn", carried, training, test, 0, SHORT, folder=tmp_path)
        for carried in (NOTHING, PICTURE)
    }
    average = seen[NOTHING].query("readout == 'average'")["accuracy"].to_numpy()
    picture = seen[PICTURE].query("readout == 'last'")["accuracy"].to_numpy()
    for accuracy in (average, picture):
        # One glimpse of 8 × 8 meets the square in 4 of 9 cases, and says then and now where it is not.
        assert 0.4 < accuracy[0] < 0.8
        assert accuracy[-1] > 0.85
    shuffled = Images(training.pixels, np.random.default_rng(1).permutation(training.labels))
    table = network_accuracy("cnn", NOTHING, shuffled, test, 0, SHORT, folder=tmp_path / "shuffled")
    assert table["accuracy"].max() < 0.45


def test_all_kinds_see_the_same_glimpses_and_part_after_the_first_training(tmp_path, monkeypatch):
    of_test, of_training = {}, {}
    training, test = squares(8, 0), squares(5, 1)

    def spy(images, n_glimpses, generator, **options):
        views = take_glimpses(images, n_glimpses, generator, **options)
        if torch.equal(images, torch.from_numpy(test.pixels)):
            of_test[way] = views
        elif n_glimpses > 1:
            of_training.setdefault(way, []).append(views)
        return views

    monkeypatch.setattr("neurocnnf.glimpses.take_glimpses", spy)
    for way in TRAINED:
        kind, carried = way
        table = network_accuracy(*way, training, test, 0, TINY, folder=tmp_path)
        assert set(table["model"]) == {kind}
        assert set(table["carried"]) == ({STATE, NOTHING} if carried == STATE else {carried})
        assert table["glimpse"].max() == 3
    assert len(list(tmp_path.glob("trunk-*.pt"))) == 1
    apart = [way for way in TRAINED if way[1] != PICTURE]
    assert len(apart) > 2
    for way in apart:
        assert torch.equal(of_test[way], of_test[apart[0]])
        assert len(of_training[way]) == TINY.feedback_batches
        assert all(map(torch.equal, of_training[way], of_training[apart[0]]))
    (joined,) = set(TRAINED) - set(apart)
    assert torch.equal(of_test[joined][0], of_test[apart[0]][0])
    assert not torch.equal(of_test[joined][1], of_test[apart[0]][1])


def test_a_network_is_the_same_whether_others_share_its_first_training(tmp_path):
    data = squares(8, 0), squares(5, 1), 0, TINY
    network_accuracy("cnnf", STATE, *data, folder=tmp_path)
    after, alone = (network_accuracy("cnn", NOTHING, *data, folder=tmp_path / own) for own in ("", "alone"))
    pd.testing.assert_frame_equal(after, alone)


def test_a_broken_off_run_goes_on_with_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(glimpses, "load_images", lambda data, n_test: (squares(8, 0), squares(5, 1)))
    whole, parts = tmp_path / "whole" / "x", tmp_path / "parts" / "x"
    paths = run("digits", whole, [0, 1], TINY, 20, lambda *a: None)
    assert [p.name for p in paths] == ["x.csv", "x.summary.csv", "x.differences.csv"]

    class Stop(Exception):
        pass

    def stop(what, done, total):
        assert total == 10
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        run("digits", parts, [0, 1], TINY, 20, stop)
    assert not parts.with_name("x.csv").exists()
    done = {p.name: p.stat().st_mtime_ns for p in parts.with_name("x.runs").glob("*.csv")}
    assert len(done) == 5
    run("digits", parts, [0, 1], TINY, 20, lambda *a: None)
    assert {name: (parts.with_name("x.runs") / name).stat().st_mtime_ns for name in done} == done
    for ending in (".csv", ".summary.csv", ".differences.csv"):
        assert parts.with_name("x" + ending).read_bytes() == whole.with_name("x" + ending).read_bytes()
    note = json.loads((parts.with_name("x.runs") / "cnnf-state-0.csv.json").read_text())["inputs"]
    assert note["run"] == "cnnf state 0"
    assert {"recipe", "side", "source", "source:glimpses.py", "data:sklearn.datasets.load_digits"} < set(note)


def tidy(n_seeds=5):
    ways = sorted({way for pair in CONTRASTS for way in pair})
    rows = [
        {"data": "x", "model": model, "carried": carried, "readout": readout, "glimpse": glimpse, "seed": seed}
        for seed in range(n_seeds)
        for model, carried, readout in ways
        for glimpse in (1, 2, 3)
    ]
    accuracy = np.random.default_rng(0).uniform(0, 1, len(rows))
    return pd.DataFrame(rows).assign(accuracy=accuracy, n_test=50)


def test_differences_are_paired_t_tests_over_seeds():
    runs = tidy()
    found = differences(runs)
    assert len(found) == 3 * len(CONTRASTS)
    assert set(found["n_seeds"]) == {5}
    way = runs["model"] + " " + runs["carried"] + " " + runs["readout"]
    for _, row in found.iterrows():
        one, other = (
            runs[(way == row[side]) & (runs["glimpse"] == row["glimpse"])].sort_values("seed")["accuracy"]
            for side in ("first", "second")
        )
        interval = ttest_rel(one, other).confidence_interval(0.95)
        assert row["difference"] == pytest.approx(np.mean(one) - np.mean(other))
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))


def test_what_was_not_run_is_left_out_and_one_seed_has_no_interval():
    runs = tidy(n_seeds=1)
    assert differences(runs)[["low", "high"]].isna().all().all()
    found = differences(runs[runs["model"] != "lateral"])
    assert not found["first"].str.startswith("lateral").any()
    assert not found["second"].str.startswith("lateral").any()


def test_means_are_over_seeds():
    runs = tidy()
    found = summarise(runs).set_index(["model", "carried", "readout", "glimpse"])
    here = runs.query("model == 'cnnf' and carried == 'state' and readout == 'last' and glimpse == 2")["accuracy"]
    assert found.loc[("cnnf", STATE, LAST, 2), ["mean", "n_seeds"]].tolist() == pytest.approx([here.mean(), 5])

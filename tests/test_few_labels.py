"""Learning curves: the same labels for all, each run once, differences over seeds as a t test has them."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from analysis import few_labels
from analysis.few_labels import Images, draw_labelled, jobs, network_accuracy, run
from analysis.few_labels_summary import differences, mean_interval, summarise
from neurocnnf.recipes import Recipe

SHORT = Recipe("cnnf-digits", "digits", "none", 40, 30, 2, batch_size=16, feedback_batch_size=16)
TINY = Recipe("cnnf-digits", "digits", "none", 2, 2, 1, batch_size=8, feedback_batch_size=8)


def squares(n_per_class, seed, n_classes=4):
    """Draw noisy images with a bright square in a corner of its own for each class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), n_per_class)
    pixels = rng.normal(-0.6, 0.2, (len(labels), 1, 16, 16))
    for image, c in zip(pixels, labels, strict=True):
        image[0, 8 * (c // 2) :, 8 * (c % 2) :][:8, :8] += 0.9
    pixels = pixels.clip(-1, 1).astype(np.float32)
    return Images(pixels, pixels[:, 0, ::4, ::4].reshape(len(labels), -1), labels)


def test_the_draw_is_balanced_nested_and_decided_by_the_seed():
    labels = np.random.default_rng(0).integers(0, 10, 500)
    few, more = draw_labelled(labels, 5, 3), draw_labelled(labels, 20, 3)
    assert np.bincount(labels[few]).tolist() == [5] * 10
    assert len(set(more)) == 200
    assert set(few) < set(more)
    assert set(few) != set(draw_labelled(labels, 5, 4))
    np.testing.assert_array_equal(few, draw_labelled(labels, 5, 3))


def test_more_labels_than_images_are_refused():
    with pytest.raises(ValueError, match="n_per_class: expected 1 to 3, the size of the smallest class, got 4"):
        draw_labelled(np.repeat([0, 1], [3, 9]), 4, 0)


@pytest.mark.parametrize("kind", few_labels.NETWORKS)
def test_a_network_learns_what_can_be_learnt_and_is_tested_at_every_step(kind, tmp_path):
    test = squares(25, 1)
    table = network_accuracy(kind, squares(20, 0), test, 0, SHORT, folder=tmp_path)
    assert table["step"].tolist() == ([0] if kind == "cnn" else [0, 1, 2])
    assert set(table["n_test"]) == {100}
    assert table["accuracy"].min() > 0.8


def test_shuffled_labels_leave_chance(tmp_path):
    labelled = squares(20, 0)
    shuffled = Images(labelled.pixels, labelled.features, np.random.default_rng(1).permutation(labelled.labels))
    table = network_accuracy("cnn", shuffled, squares(25, 1), 0, SHORT, folder=tmp_path)
    assert table["accuracy"].item() == pytest.approx(0.25, abs=0.25)


def test_kinds_part_only_after_the_shared_feedforward_training(tmp_path):
    together = [network_accuracy(k, squares(8, 0), squares(5, 1), 0, TINY, folder=tmp_path) for k in ("cnnf", "cnn")]
    assert len(list(tmp_path.glob("trunk-*.pt"))) == 1
    alone = network_accuracy("cnn", squares(8, 0), squares(5, 1), 0, TINY, folder=tmp_path / "alone")
    pd.testing.assert_frame_equal(together[1], alone)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(few_labels, "load_images", lambda data, n_test: (squares(8, 0), squares(5, 1)))


def test_a_broken_off_run_goes_on_with_what_is_missing(small, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole" / "x", tmp_path / "parts" / "x"
    paths = run("digits", whole, [2, 4], [0, 1], TINY, 20, lambda *a: None)
    assert [p.name for p in paths] == ["x.csv", "x.summary.csv", "x.differences.csv"]

    class Stop(Exception):
        pass

    def stop(what, done, total):
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        run("digits", parts, [2, 4], [0, 1], TINY, 20, stop)
    assert not parts.with_name("x.csv").exists()
    done = {p.name: p.stat().st_mtime_ns for p in parts.with_name("x.runs").glob("*.csv")}
    assert len(done) == 5
    run("digits", parts, [2, 4], [0, 1], TINY, 20, lambda *a: None)
    now = {p.name: p.stat().st_mtime_ns for p in parts.with_name("x.runs").glob("*.csv")}
    assert {name: now[name] for name in done} == done
    assert len(now) == len(list(jobs([2, 4], [0, 1]))) == 24
    for ending in (".csv", ".summary.csv", ".differences.csv"):
        assert parts.with_name("x" + ending).read_bytes() == whole.with_name("x" + ending).read_bytes()
    note = json.loads((parts.with_name("x.runs") / "cnnf-2-0.csv.json").read_text())["inputs"]
    assert note["run"] == "cnnf 2 0"
    assert {"recipe", "source", "checkpoint:cnn-mnist", "data:sklearn.datasets.load_digits"} < set(note)


def test_too_many_labels_are_named_and_left_out(small, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(few_labels, "run", lambda data, out, n_labels, *rest: asked.append(n_labels))
    few_labels.main(["--data", "digits", "--out", str(tmp_path / "x")])
    assert asked == [[5, 10, 50, 100]]
    assert "left out: [500] labels per class, of which digits has 139" in capsys.readouterr().err


def tidy(seed=0, n_seeds=5):
    rng = np.random.default_rng(seed)
    rows = [
        {"data": "x", "input": "pixels", "model": model, "n_per_class": n, "seed": s, "step": step}
        for model, steps in (("cnnf", 2), ("cnn", 0), ("lda", 0))
        for n in (5, 10)
        for s in range(n_seeds)
        for step in range(steps + 1)
    ]
    return pd.DataFrame(rows).assign(accuracy=rng.uniform(0, 1, len(rows)), n_test=50)


def test_differences_are_a_paired_t_test_against_the_controls_only_step():
    runs = tidy()
    found = differences(runs)
    assert set(found["contrast"]) == {"cnnf - cnn"}  # lda's partner was not run
    assert len(found) == 6
    for _, row in found.iterrows():
        here = runs[runs["n_per_class"] == row["n_per_class"]]
        ours = here[(here["model"] == "cnnf") & (here["step"] == row["step"])].sort_values("seed")["accuracy"]
        theirs = here[here["model"] == "cnn"].sort_values("seed")["accuracy"]
        gap = ours.to_numpy() - theirs.to_numpy()
        interval = ttest_1samp(gap, 0).confidence_interval(0.95)
        assert row["difference"] == pytest.approx(gap.mean())
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
        assert row["n_seeds"] == 5


def test_means_and_spread_are_over_seeds():
    runs = tidy()
    found = summarise(runs)
    one = found[(found["model"] == "cnnf") & (found["n_per_class"] == 10) & (found["step"] == 1)].iloc[0]
    here = runs[(runs["model"] == "cnnf") & (runs["n_per_class"] == 10) & (runs["step"] == 1)]["accuracy"]
    assert (one["mean"], one["sd"], one["n_seeds"]) == pytest.approx((here.mean(), np.std(here, ddof=1), 5))


def test_one_seed_has_no_interval():
    assert np.isnan(mean_interval(np.array([0.5]))).all()
    assert differences(tidy(n_seeds=1))[["low", "high"]].isna().all().all()

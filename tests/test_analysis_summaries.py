"""What the figures draw: accuracies and their means, scores laid out, times counted, examples of feedback."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from analysis import accuracy_summary, neural_summary
from analysis.accuracy_summary import read_accuracies, with_means
from analysis.feedback_examples import DEGRADATIONS, choose_images, feedback_examples, main, read_examples
from analysis.times_summary import ENDINGS, read_times, solved_by_step
from benchmarks.score import Score

NAN = float("nan")


# --- accuracies


def make_accuracies():
    rows = [("cnnf", seed, step, 0.5 + 0.1 * seed + 0.01 * step) for seed in (0, 1, 2) for step in (0, 1)]
    rows += [("cnn", 0, 0, 0.4)]
    table = pd.DataFrame(rows, columns=["kind", "seed", "step", "accuracy"])
    return table.assign(model=table["kind"] + "-x", data="x", degradation="clean", level=0.0, n_images=100)


def test_means_stand_below_the_seeds_they_are_of():
    table = make_accuracies()
    result = with_means(table)
    seeds, means = (result[result["summary"] == s] for s in (accuracy_summary.SEED, accuracy_summary.MEAN))
    pd.testing.assert_frame_equal(seeds[table.columns], table, check_dtype=False)  # means have no seed
    found = means.set_index(["kind", "step"])
    np.testing.assert_allclose(found.loc[("cnnf", slice(None)), "accuracy"], [0.6, 0.61])
    assert found.loc[("cnnf", 0), ["n_seeds", "n_images"]].tolist() == [3, 300]
    assert found.loc[("cnn", 0), ["accuracy", "n_seeds", "n_images"]].tolist() == [0.4, 1, 100]
    assert len(means) == 3


def test_a_seed_given_twice_counts_once_and_contradicting_itself_is_an_error():
    table = make_accuracies()
    pd.testing.assert_frame_equal(with_means(pd.concat([table, table.assign(model="other")])), with_means(table))
    with pytest.raises(ValueError, match=r"different accuracies for data x, kind cnnf, .* step 0, seed 0"):
        with_means(pd.concat([table, table.assign(accuracy=0.9)]))


def test_accuracies_are_read_from_tables_and_cards(tmp_path):
    table = make_accuracies()
    table.drop(columns="seed").to_csv(tmp_path / "a.csv", index=False)
    assert (read_accuracies(tmp_path / "a.csv")["seed"] == 0).all()
    table.to_csv(tmp_path / "b.csv", index=False)
    assert read_accuracies(tmp_path / "b.csv")["seed"].tolist() == table["seed"].tolist()
    rows = [{"seed": 1, "degradation": "clean", "level": 0.0, "step": 0, "accuracy": 0.75, "n_images": 4}]
    (tmp_path / "c.json").write_text(json.dumps({"name": "cnnf-some-data", "data": "d", "accuracy": rows}))
    card = read_accuracies(tmp_path / "c.json").iloc[0]
    assert card[["model", "kind", "data", "seed", "accuracy"]].tolist() == ["cnnf-some-data", "cnnf", "d", 1, 0.75]
    (tmp_path / "d.json").write_text('{"name": "cnnf-x"}')
    with pytest.raises(ValueError, match=r"d\.json: expected a card with accuracies, got name"):
        read_accuracies(tmp_path / "d.json")


# --- scores


def make_score(model="cnnf-x", **changes):
    """Three sessions, two layers, two steps; the second layer has no score in two sessions; one has a ceiling."""
    raw = np.array([0.1, 0.2, 0.3, NAN, 0.5, 0.6, NAN, NAN, 0.2, 0.7, 0.4, NAN]).reshape(3, 2, 2)
    session, layer, step = (i.ravel() for i in np.indices(raw.shape))
    table = pd.DataFrame({"session": np.array(["07", "08", "09"])[session], "layer": np.array(["low", "high"])[layer]})
    table = table.assign(step=step, raw=raw.ravel(), ceiling=np.where(session == 2, 0.8, NAN))
    table["ceiling_rule"] = np.where(session == 2, "a rule", "none: no repeats")
    table = table.assign(n_used=2, n_total=3, simulated=False)
    chosen = pd.DataFrame({"session": ["07", "08", "09"], "layer": ["low", "high", "low"], "step": 1})
    content = {"value": 0.5, "raw": 0.4, "ceiling": 0.8, "ceiling_rule": "a rule", "interval": (0.4, 0.6)}
    content |= {"raw_interval": (0.3, 0.5), "n_used": 6, "n_total": 9, "per_step": table, "chosen": chosen}
    return Score(benchmark="study.V4-ridge", model=model, **{**content, **changes}), raw


def written(score, folder):
    stem = folder / f"{score.model}.{score.benchmark}"
    score.to_files(stem)
    return folder / f"{stem.name}.csv"


def test_a_score_is_read_as_it_was_written_and_its_median_is_numpys(tmp_path):
    score, raw = make_score()
    path = written(score, tmp_path)
    table = neural_summary.read_scores(path)
    assert table["session"].unique().tolist() == ["07", "08", "09"]
    assert (table[["benchmark", "model"]] == ["study.V4-ridge", "cnnf-x"]).all(axis=None)
    median = neural_summary.median_over_sessions(table)
    with np.errstate(all="ignore"):
        expected = [np.median(v[~np.isnan(v)]) if (~np.isnan(v)).any() else NAN for v in raw.reshape(3, 4).T]
    np.testing.assert_allclose(median["raw"], expected)
    assert np.isnan(median["raw"].iloc[3])
    assert median["n_sessions"].tolist() == [3, 3, 2, 0]
    assert (median["n_sessions_total"] == 3).all()
    assert median["layer"].tolist() == ["low", "low", "high", "high"]


def test_ceilings_counts_and_choices_are_laid_out_beside_the_medians(tmp_path):
    score, _ = make_score()
    path = written(score, tmp_path)
    rows = neural_summary.by_layer_and_step(
        neural_summary.read_scores(path), neural_summary.read_summary(path)["chosen"]
    )
    np.testing.assert_allclose(rows["ceiling"], 0.8)
    assert (rows["ceiling_rule"] == "a rule").all()
    assert (rows["n_used"] == 6).all()
    assert (rows["n_total"] == 9).all()
    assert rows["n_chose"].tolist() == [0, 2, 0, 1]


def test_targets_keep_a_row_each_and_missing_numbers_are_nan():
    table = pd.DataFrame({"target": ["A", "B"], "metric": "m", "layer": "low", "step": 0, "raw": [0.25, NAN]})
    table = table.assign(raw_low=0.1, raw_high=0.4, ceiling=NAN, ceiling_rule="none: x", n_used=1, n_total=2)
    table = table.assign(benchmark="s.IT-rsa", model="cnnf-x", simulated=True)
    chosen = [{"target": "A", "metric": "m", "layer": "low", "step": 0}]
    summary = {"benchmark": "s.IT-rsa", "model": "cnnf-x", "value": None, "raw": 0.25, "interval": [None, None]}
    summary |= {"raw_interval": [0.1, 0.4], "ceiling": None, "ceiling_rule": "none: x", "chosen": chosen}
    summary |= {"n_used": 1, "n_total": 2, "simulated": True, "notes": ["one", "two"]}
    result = neural_summary.lay_out([(table, summary)])
    maps, numbers = (result[result["part"] == p] for p in (neural_summary.BY_STEP, neural_summary.SUMMARY))
    assert maps["n_chose"].tolist() == [1, 0]
    np.testing.assert_array_equal(maps["score"], [0.25, NAN])
    assert numbers["quantity"].tolist() == ["normalised", "raw"]
    np.testing.assert_array_equal(numbers[["score", "low", "high", "ceiling"]], [[NAN] * 4, [0.25, 0.1, 0.4, NAN]])
    assert (numbers["notes"] == "one; two").all()
    assert (numbers["chosen_layers"] == "low").all()
    assert result["simulated"].all()
    assert (result["kind"] == "cnnf").all()


def test_the_normalised_ceiling_is_one_and_the_raw_one_is_the_ceiling(tmp_path):
    path = written(make_score()[0], tmp_path)
    rows = neural_summary.summary_rows(neural_summary.read_summary(path))
    assert [row["ceiling"] for row in rows] == [1.0, 0.8]
    assert [(row["score"], row["low"], row["high"]) for row in rows] == [(0.5, 0.4, 0.6), (0.4, 0.3, 0.5)]
    assert rows[0]["chosen_layers"] == "low, high"


def test_two_scores_of_one_kind_or_a_table_that_names_nothing_are_errors(tmp_path):
    pair = [written(make_score(model)[0], tmp_path) for model in ("cnnf-x", "cnnf-y")]
    for two, names in ((pair, "cnnf-x, cnnf-y"), ([pair[0]] * 2, "cnnf-x, cnnf-x")):
        with pytest.raises(ValueError, match=rf"expected trainings of one model of the kind cnnf, .* of {names}\."):
            neural_summary.lay_out((neural_summary.read_scores(p), neural_summary.read_summary(p)) for p in two)
    pair[0].with_suffix(".json").unlink()
    with pytest.raises(ValueError, match=r"expected benchmark and model as a column or in cnnf-x.*\.json"):
        neural_summary.read_scores(pair[0])
    with pytest.raises(ValueError, match=r"expected a score in cnnf-x.*\.json beside it"):
        neural_summary.read_summary(pair[0])


def test_trainings_are_averaged_and_a_place_where_one_has_no_score_has_none(tmp_path):
    values = (0.5, 0.6, 0.4)
    scores = [make_score("cnn-x", value=0.7)[0]]
    for seed, value in enumerate(values):
        score, _ = make_score(f"cnnf-x{f'-seed{seed}' if seed else ''}", value=value)
        score.per_step["raw"] *= 1 + seed
        if seed == 2:
            score.per_step.loc[score.per_step["layer"] == "high", "raw"] = NAN
        scores.append(score)
    paths = [written(score, tmp_path) for score in scores]
    table = neural_summary.lay_out((neural_summary.read_scores(p), neural_summary.read_summary(p)) for p in paths)
    assert table["model"].unique().tolist() == ["cnn-x", "cnnf-x"]
    maps = table[(table["part"] == neural_summary.BY_STEP) & (table["kind"] == "cnnf")].set_index(["layer", "step"])
    # Twice and three times as much in the other trainings as in the first: on average twice.
    raw = make_score()[1]
    with np.errstate(all="ignore"):
        median = np.nanmedian(raw[:, 0], axis=0)
    np.testing.assert_allclose(maps.loc["low", "score"], 2 * median)
    assert maps.loc["high", "score"].isna().all()
    assert maps["n_seeds"].tolist() == [3, 3, 2, 0]
    assert maps["n_chose"].tolist() == [0, 6, 0, 3]
    numbers = table[(table["part"] == neural_summary.SUMMARY) & (table["quantity"] == "normalised")]
    assert numbers["seed"].tolist() == [0, 0, 1, 2]
    over = table[(table["part"] == neural_summary.OVER) & (table["quantity"] == "normalised")]
    assert over["model"].tolist() == ["cnnf-x"]  # one training has no spread
    half = 4.302653 * np.std(values, ddof=1) / np.sqrt(3)  # Student's t, 2 degrees of freedom
    np.testing.assert_allclose(over[["score", "low", "high"]].iloc[0].astype(float), [0.5, 0.5 - half, 0.5 + half])


# --- times


def test_solved_stimuli_are_counted_by_step_and_unsolved_ones_too():
    rng = np.random.default_rng(0)
    step = rng.choice([0, 1, 3, NAN], 200)
    table = pd.DataFrame({"solution_step": step, "solved": ~np.isnan(step), "simulated": True})
    result = solved_by_step(table, 4)
    here = [int((step == k).sum()) for k in range(5)]
    assert result["n_here"].tolist() == [*here, int(np.isnan(step).sum())]
    assert result["n_until"].tolist() == [0, *np.cumsum(here)[:-1], 0]
    assert result["n_here"].sum() == 200
    np.testing.assert_allclose(result["share_here"] * 200, result["n_here"])
    assert result["step"].isna().tolist() == [False] * 5 + [True]
    assert result["simulated"].all()


@pytest.mark.parametrize(("step", "solved"), [(5, True), (NAN, True), (1, False)])
def test_a_step_that_cannot_be_is_an_error(step, solved):
    table = pd.DataFrame({"solution_step": [0, step], "solved": [True, solved], "simulated": False})
    with pytest.raises(ValueError, match="expected steps 0 to 4 where solved and none elsewhere, got 1 rows"):
        solved_by_step(table, 4)


def test_times_need_every_file_and_the_number_of_steps(tmp_path):
    paths = [tmp_path / f"x{ending}" for ending in ENDINGS]
    for path in paths:
        path.write_text('{"n_steps": 3}' if path.suffix == ".json" else f"column\n{path.name}\n")
    tables = read_times(paths)
    assert tables.exclusions["column"].tolist() == ["x.exclusions.csv"]
    assert tables.statistics["column"].tolist() == ["x.statistics.csv"]
    assert tables.provenance["n_steps"] == 3
    with pytest.raises(ValueError, match=r"expected one file of each.*got 2 \.objects\.csv"):
        read_times([*paths, tmp_path / "y.objects.csv"])
    paths[-1].write_text("{}")
    with pytest.raises(ValueError, match=r"x\.json: expected n_steps, an integer, got None"):
        read_times(paths)


# --- examples


@pytest.fixture(scope="module")
def model():
    from neurocnnf import build_model

    return build_model("cnnf-digits").eval()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (9, 16, 16, 1), dtype=np.uint8)


LABELS = np.array([3, 3, 1, 0, 1, 2, 5, 9, 0])


@pytest.fixture(scope="module")
def examples(model, images):
    return feedback_examples(model, images, LABELS, n_steps=2, seed=1, n_examples=3, data="noise")


def test_the_first_image_of_each_drawn_class_is_chosen():
    first = {LABELS.tolist().index(c) for c in LABELS}
    for seed in range(5):
        index = choose_images(LABELS, 3, seed)
        assert set(index) <= first
        assert len(set(LABELS[index])) == 3
        assert (np.diff(LABELS[index]) > 0).all()
    assert len({tuple(choose_images(LABELS, 3, seed)) for seed in range(5)}) > 1
    assert sorted(choose_images(LABELS, 6)) == sorted(first)
    with pytest.raises(ValueError, match=r"expected 1 to 6 \(the number of classes\), got 7"):
        choose_images(LABELS, 7)


def test_answers_are_those_of_the_model_to_the_pictures_shown(model, images, examples):
    """Fed the pictures again, one condition at a time, the model gives the answers and confidences in the table."""
    import torch

    assert examples.images.shape == (3, 4, 3, 1, 16, 16)
    np.testing.assert_allclose(examples.images[:, 0, 0, 0], images[examples.image_index, ..., 0] / 127.5 - 1, atol=1e-6)
    for row, kind in enumerate(DEGRADATIONS):
        shown = examples.images[:, row, 0]
        assert (kind == "clean") == np.allclose(shown, examples.images[:, 0, 0])
        with torch.no_grad():
            logits = model.unroll(torch.as_tensor(shown), 2).logits.numpy()
        likely = softmax(logits.astype(float), axis=-1)
        np.testing.assert_allclose(examples.confidence[:, row], likely.max(-1).T, rtol=1e-4)
        assert examples.answer[:, row].tolist() == logits.argmax(-1).T.astype(str).tolist()
    assert examples.true_class.tolist() == LABELS[examples.image_index].astype(str).tolist()
    assert examples.level[0] == 0
    assert (examples.level[1:] > 0).all()


def test_the_table_has_a_row_for_each_answer(examples):
    table = examples.table
    assert len(table) == 3 * 4 * 3
    row = table[(table["example"] == 2) & (table["degradation"] == "blur") & (table["step"] == 1)].iloc[0]
    assert (row["answer"], row["confidence"]) == (examples.answer[2, 2, 1], examples.confidence[2, 2, 1])
    assert (table["correct"] == (table["answer"] == table["true_class"])).all()


def test_examples_survive_their_file_and_the_seed_fixes_them(model, images, examples, tmp_path):
    again = read_examples(examples.to_npz(tmp_path / "x.npz"))
    other = feedback_examples(model, images, LABELS, n_steps=2, seed=1, n_examples=3, data="noise")
    for name in ("images", "answer", "confidence", "true_class", "image_index", "level", "model", "data"):
        np.testing.assert_array_equal(getattr(again, name), getattr(examples, name))
        np.testing.assert_array_equal(getattr(other, name), getattr(examples, name))
    np.savez(tmp_path / "y.npz", a=1)
    with pytest.raises(ValueError, match=r"y\.npz: expected examples under clean, noise, blur, occlusion, got a"):
        read_examples(tmp_path / "y.npz")


def test_a_feedforward_model_and_lost_labels_are_errors(model, images):
    from neurocnnf import build_model

    with pytest.raises(ValueError, match="expected a recurrent model and n_steps >= 1, got cnn-digits and 2"):
        feedback_examples(build_model("cnn-digits"), images, LABELS, 2)
    with pytest.raises(ValueError, match="got cnnf-digits and 0"):
        feedback_examples(model, images, LABELS, 0)
    with pytest.raises(ValueError, match="labels: expected 9, one per image, got 3"):
        feedback_examples(model, images, LABELS[:3])


def test_the_command_writes_once(tmp_path, capsys):
    arguments = ["cnnf-digits", "--out", str(tmp_path / "a.b"), "--n-steps", "1", "--n-examples", "1"]
    main(arguments)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.b.csv", "a.b.json", "a.b.npz"]
    assert read_examples(tmp_path / "a.b.npz").answer.shape == (1, 4, 2)
    assert len(pd.read_csv(tmp_path / "a.b.csv")) == 8
    main(arguments)
    assert "up to date" in capsys.readouterr().err

"""Tests of the figures of readouts, masking and trajectories, from a quick simulated stage; and of the stage itself."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis import comparison_stage, decode_stage, masking_stage, recognition_time
from analysis.decoded_files import answers_table, read_decoded
from analysis.decoded_study import DecodedStudy
from analysis.masking_stage import masking_tables
from analysis.tables import as_csv
from figures import cleaning, masking, occlusion_levels, recognition_times, time_readouts, trajectories
from neurocnnf.datastore import DataMissing

RAW = {"right_only": False, "standardised": False}
SCRIPTS = {
    "cleaning": cleaning,
    "time_readouts": time_readouts,
    "occlusion_levels": occlusion_levels,
    "masking": masking,
    "trajectories": trajectories,
}


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    """Run the stages where no study is to be had, with few stimuli: what was decoded, comparison and masking."""
    folder, patch, whole = tmp_path_factory.mktemp("stage"), pytest.MonkeyPatch(), decode_stage.simulated_data

    def missing(**_):
        raise DataMissing("tang2018", "not at hand")

    def few(seed, **_):
        trials, objects, occluded = whole(seed)
        keep = occluded.table["object_id"] % 5 < 3
        kept = objects.table["object_id"] % 5 < 3
        trials = trials[trials["object_id"] % 5 < 3].reset_index(drop=True)
        return trials, objects.subset(kept.to_numpy()), occluded.subset(keep.to_numpy())

    patch.setattr(decode_stage, "real_data", missing)
    patch.setattr(decode_stage, "simulated_data", few)
    patch.setattr(comparison_stage, "CLEANING", {"seconds": ((0.2, 2.5), RAW)})
    decoded = []
    for model in ("cnnf-cifar-gray-small", "ungated-cifar-gray-small", "cnn-cifar-gray-small"):
        words = [model, "--out", str(folder / "decoded" / model / "tang2018"), "--n-steps", "2", "--quick"]
        with pytest.raises(DataMissing):
            decode_stage.stage(words)
        decoded.append(decode_stage.stage([*words, "--simulate-missing"]))
    found = {"decoded": decoded}
    for name, one in (("comparison", comparison_stage), ("masking", masking_stage)):
        words = ["--in", *map(str, decoded), "--out", str(folder / name / "tang2018")]
        found[name] = one.stage(words)
        written = found[name].with_name("simulated.json").stat().st_mtime_ns
        one.stage(words)
        assert found[name].with_name("simulated.json").stat().st_mtime_ns == written
    patch.undo()
    return found


@pytest.fixture(scope="module")
def stem(stems):
    return stems["comparison"]


def drawn_from(name, stems):
    return {"trajectories": stems["decoded"], "masking": [stems["masking"]]}.get(name, [stems["comparison"]])


def test_the_stages_write_every_table_and_say_simulated_in_each(stems):
    for stage in (comparison_stage, masking_stage):
        stem = stems[stage.__name__.removeprefix("analysis.").removesuffix("_stage")]
        assert not list(stem.parent.glob("tang2018*"))
        for name in stage.TABLES:
            table = pd.read_csv(f"{stem}.{name}.csv")
            assert len(table)
            assert table["simulated"].all()
        note = json.loads(stem.with_name("simulated.json").read_text())
        assert (note["simulated"], note["models"], note["n_steps"]) == (True, ["cnnf-digits", "cnn-digits"], 2)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_figure_is_drawn_from_the_tables_and_says_simulated(name, stems, tmp_path):
    SCRIPTS[name].main(["--in", *map(str, drawn_from(name, stems)), "--out", str(tmp_path / name)])
    assert {p.suffix for p in tmp_path.iterdir()} >= {".svg", ".pdf", ".png", ".csv", ".txt"}
    assert "SIMULATED" in (tmp_path / f"{name}.svg").read_text()


def test_trajectories_of_a_feedforward_network_alone_are_refused(stems, tmp_path):
    with pytest.raises(ValueError, match="expected a recurrent model"):
        trajectories.main(["--in", str(stems["decoded"][-1]), "--out", str(tmp_path / "x")])


def test_what_was_decoded_is_read_back_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    decisions = {"net": rng.standard_normal((3, 5, 11)).astype(np.float32)}
    table = pd.DataFrame({"stimulus_id": list("abcde"), "label": [0, 1, 0, 1, 0], "occluded_percent": rng.random(5)})
    trials = pd.DataFrame({"subject": ["07", "8"], "rt_s": [0.123456789, 0.5], "masked": [True, False]})
    study = DecodedStudy(decisions, {"net": rng.random((2, 5))}, table, trials, {})
    stem = write_decoded(tmp_path / "net", study)
    found = read_decoded([stem])
    assert np.array_equal(found.decisions["net"], decisions["net"])
    assert np.allclose(found.movement["net"], study.movement["net"], rtol=1e-9)
    pd.testing.assert_frame_equal(found.table, table)
    pd.testing.assert_frame_equal(found.trials, trials)


def test_models_that_were_shown_other_stimuli_are_not_put_together(tmp_path):
    stems = []
    for name, ids in (("one", list("ab")), ("two", list("ac"))):
        table, trials = pd.DataFrame({"stimulus_id": ids, "label": [0, 1]}), pd.DataFrame({"subject": ["7"]})
        study = DecodedStudy({name: np.zeros((1, 2, 2))}, {name: np.zeros((0, 2))}, table, trials, {})
        stems.append(write_decoded(tmp_path / name, study))
    with pytest.raises(ValueError, match="expected two to hold the stimuli and settings of one"):
        read_decoded(stems)
    with pytest.raises(ValueError, match="expected different models, got one twice"):
        read_decoded([stems[0], stems[0]])


def test_another_order_of_models_is_another_comparison(stems, tmp_path):
    """The last is the control: what was made with another one is not up to date."""
    for place in (1, -1):
        one, other = stems["decoded"][0], stems["decoded"][-1]
        words = [str(one), str(other)][::place]
        found = recognition_time.stage(["--in", *words, "--out", str(tmp_path / "x")])
        note = json.loads(found.with_name("simulated.json").read_text())
        assert note["models"] == ["cnnf-digits", "cnn-digits"][::place]
    recognition_times.main(["--in", str(found), "--out", str(tmp_path / "figure")])
    assert "cnnf-digits, layer " in (tmp_path / "figure.txt").read_text()
    assert "simulated observers" in (tmp_path / "figure.txt").read_text()


def test_one_model_is_decoded_at_a_time():
    with pytest.raises(ValueError, match="expected one model, got 2"):
        decode_stage.decoded(["a", "b"], None, 5, 0)


def write_decoded(stem, study):
    (name,) = study.decisions
    layers = pd.DataFrame({"model": [name], "layer": "fc1"})
    tables = {"answers": answers_table(study, name), "trials": study.trials, "layers": layers}
    for part, one in tables.items():
        stem.with_name(f"{stem.name}.{part}.csv").write_bytes(as_csv(one.assign(simulated=False)))
    note = {"models": [name], "simulated": False, "n_steps": 2, "seed": 0, "quick": False}
    stem.with_name(f"{stem.name}.json").write_text(json.dumps(note))
    return stem


def test_the_written_table_has_a_row_for_each_of_the_comparison_and_says_that_people_are_simulated(stem, tmp_path):
    time_readouts.main(["--in", str(stem), "--out", str(tmp_path / "x")])
    header, _, *lines = (tmp_path / "x.md").read_text().splitlines()
    table = pd.read_csv(f"{stem}.comparison.csv")
    assert "partial ρ, simulated people" in header
    assert len(lines) == len(table)
    for line, row in zip(lines, table.to_dict("records"), strict=True):
        model, readout, given, partial, *_, n = line.strip("| ").split(" | ")
        assert (model, readout.replace(" ", "_"), given) == (row["model"], row["readout"], row["given"])
        assert float(partial.split(" ")[0].replace("−", "-")) == pytest.approx(row["partial"], abs=0.0051)
        assert n == f"{row['n_used']}/{row['n_total']}"
    text = (tmp_path / "x.tex").read_text()
    assert text.isascii()
    assert text.count("cnnf-digits") + text.count("cnn-digits &") == len(table)
    assert ", simulated people &" in text


def test_a_readout_without_a_test_says_so(stem, tmp_path):
    table = pd.read_csv(f"{stem}.comparison.csv")
    table["p_holm"] = np.nan
    words = [text.get_text() for axes in time_readouts.draw(table).axes for text in axes.texts]
    assert "p missing" in words
    assert "p " not in words


def test_a_column_that_is_missing_is_named(stem, tmp_path):
    pd.read_csv(f"{stem}.comparison.csv").drop(columns="p_holm").to_csv(tmp_path / "y.comparison.csv", index=False)
    with pytest.raises(ValueError, match=r"expected rows with the column\(s\) p_holm"):
        time_readouts.main(["--in", str(tmp_path / "y"), "--out", str(tmp_path / "z")])


def test_masking_of_observers_who_are_the_truncated_model_is_found_and_the_share_of_trials_counted():
    """A model whose accuracy is known, people who follow it at 20 ms a step from 10 ms on: within the intervals."""
    rng = np.random.default_rng(0)
    right = rng.random((6, 2000)) < np.linspace(0.3, 0.8, 6)[:, None]
    decisions = np.stack([right, ~right], axis=2).astype(float)
    table = pd.DataFrame({"stimulus_id": np.arange(2000), "label": 0})
    table.loc[0, "label"] = 1
    duration = rng.choice([0.025, 0.05, 0.075, 0.1, 0.15], 20_000)
    trials = pd.DataFrame({"stimulus_id": rng.integers(0, 2100, 20_000), "soa_s": duration})
    trials = trials.assign(subject=rng.integers(0, 9, 20_000), masked=rng.random(20_000) < 0.5)
    accuracy = np.concatenate([[0.5], right.mean(axis=1)])
    known = np.interp((1000 * duration - 10) / 20, np.arange(7), accuracy)
    trials["correct"] = rng.random(20_000) < np.where(trials["masked"], known, 0.8)
    study = DecodedStudy({"net": decisions}, {}, table, trials, {})
    curves, clocks, shares = masking_tables(study, "net", 20)
    own = curves[curves["fit"] == "masked"].iloc[0]
    assert own["onset_ms_low"] - 2.5 <= 10 <= own["onset_ms_high"] + 2.5
    assert own["ms_per_step_low"] - 2.5 <= 20 <= own["ms_per_step_high"] + 2.5
    assert own["n_used"] < own["n_total"] == 20_000
    flat = curves[(curves["fit"] == "unmasked")].iloc[0]
    assert flat["aic_constant"] < flat["aic"]
    assert set(clocks["fit"]) == {"masked", "unmasked", "one clock"}
    assert shares["share"].iloc[0] > 0.95

"""The command line says what it does, and what went wrong, in one line."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

# Before what they belong to is replaced.
import benchmarks.run_suite
import benchmarks.score  # noqa: F401
from neurocnnf.__main__ import app

COMMANDS = ["list", "fetch", "train", "ship", "evaluate", "robustness", "score", "recognition-times"]
WIDE = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def run(*arguments):
    """Run the command line."""
    return CliRunner(env=WIDE).invoke(app, list(arguments))


def error_line(result) -> str:
    """Return the one line of an error, after checking that it is one."""
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    return line


# --- with the project's own models and benchmarks


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert command in run("--help").output


def test_list_names_the_shipped_models_and_the_benchmarks():
    result = run("list")
    assert result.exit_code == 0, result.output
    for name in ("cnnf-mnist", "cnn-cifar-gray", "cowley2023.V4-ridge", "kriegeskorte2008.judgement-rsa"):
        assert name in result.stdout


def test_list_says_whose_data_are_here(tmp_path, monkeypatch):
    (tmp_path / "kar2019").mkdir()
    (tmp_path / "kar2019/dataset.h5").write_bytes(b"")
    monkeypatch.setenv("NEUROCNNF_DATA", str(tmp_path))
    lines = {line.split()[1]: line for line in run("list").stdout.splitlines() if len(line.split()) > 2}
    assert "no data here" in lines["geirhos.rt-by-condition"]
    assert "no data" not in lines["kar2019.ost"]
    assert lines["simulated.humanIT-rsa"].count("simulated") == 2


def test_an_unknown_model_is_one_clear_line():
    assert "no-such-model" in error_line(run("evaluate", "no-such-model"))


def test_an_unknown_benchmark_is_one_clear_line():
    assert "no-such.benchmark" in error_line(run("score", "cnnf-digits", "no-such.benchmark"))


# --- with stand-ins that show what is passed on


class Missing(RuntimeError):
    """Stands in for both DataError and DataMissing."""

    @property
    def name(self):
        return str(self).partition(":")[0]


class Net:
    """A model with one weight."""

    def __init__(self, name):
        if name.startswith("odd"):
            raise ValueError(f"model: expected a shipped name,\n    got {name!r}.")
        self.name, self.recurrent, self.card = name, name.startswith("cnnf"), {"data": "mnist"}

    def state_dict(self):
        """Return the weight."""
        import torch

        return {"weight": torch.ones(1)}


class Parts:
    """What the commands call, replaced: notes the calls, and lacks the studies named in `missing`."""

    STUDY_FILES = ("tang2018_occlusion/a",)

    def __init__(self, folder):
        self.calls, self.missing, self.folder = [], set(), folder

    def need(self, study):
        if study in self.missing:
            raise Missing(f"{study}: not here")

    def load_benchmark(self, identifier, store=None, **options):
        def benchmark(model, n_steps, seed, progress):
            self.calls.append(("score", model.name, identifier, n_steps, seed, options))
            self.need(identifier)
            if identifier.startswith("odd"):
                raise KeyError("a fault of its own")
            return Scored(model.name, identifier)

        benchmark.studies = ("study/a",)
        return benchmark

    def list_benchmarks(self):
        names = ("a.V4-ridge", "b.IT-rsa", "odd.V4-ridge", "simulated.V4-ridge")
        return [SimpleNamespace(identifier=name, simulated=name.startswith("simulated")) for name in names]

    def evaluate_on(self, model, data, n_steps, *, readout, seed, progress, **few):
        self.calls.append(("evaluate", model.name, n_steps, readout))
        self.need("mnist")
        return table_of(simulated=False)

    def robustness_on(self, model, data, *, epsilons, n_steps, seed, progress, control, workers, last_only, **few):
        how = epsilons, n_steps, workers, last_only, few
        self.calls.append(("robustness", model.name, control and control.name, *how))
        progress("attacking", 1, 2)
        return table_of(simulated=False)

    def train(self, *arguments, progress, **options):
        self.calls.append(("train", *map(str, arguments), options))
        progress("training", 1, 2)

    def fetch_all(self, store, pattern, progress):
        self.calls.append(("fetch", pattern))
        progress("a/b", 0, 1)
        state = "missing" if self.missing else "cached"
        return pd.DataFrame({"file": ["a/b"], "state": [state], "detail": [""]})

    def inventory(self, store):
        names = ["tang2018_occlusion/a", "mnist/b"]
        return pd.DataFrame({"file": names, "study": "", "state": "missing", "citation": ""})


class Scored:
    """A score of one layer; the second step's is missing."""

    def __init__(self, model, benchmark):
        self.summary = {"model": model, "benchmark": benchmark, "value": 0.5, "interval": [0.25, None]}
        self.summary |= {"raw": None, "raw_interval": [None, None], "ceiling": None, "ceiling_rule": "none: a test"}
        self.summary |= {"n_used": 3, "n_total": 4, "simulated": benchmark.startswith("simulated")}

    def to_files(self, stem):
        table = pd.DataFrame({"layer": "IT", "step": [0, 1], "raw": [0.125, np.nan], "target": "people"})
        paths = [stem.with_name(stem.name + ending) for ending in (".csv", ".json")]
        table.to_csv(paths[0], index=False)
        paths[1].write_text(json.dumps(self.summary))
        return paths


def table_of(simulated):
    return pd.DataFrame({"step": [0, 1], "value": [0.5, np.nan], "simulated": simulated})


@pytest.fixture
def parts(monkeypatch, tmp_path):
    """Replace what the commands import."""
    parts = Parts(tmp_path)
    store = SimpleNamespace(root=None, registered=lambda pattern: [pattern], sha256=lambda name: f"hash of {name}")
    modules = {
        "neurocnnf.datastore": {
            "DataStore": lambda: store,
            "DataMissing": Missing,
            "DataError": Missing,
            "fetch_all": parts.fetch_all,
            "inventory": parts.inventory,
        },
        "neurocnnf.images": {"training_set_provenance": lambda data: {"sha256": {"mnist/a": "hash"}}},
        "neurocnnf.evaluate": {"evaluate_on": parts.evaluate_on, "accuracy_by_step": lambda right: right.head(1)},
        "neurocnnf.robustness": {"robustness_on": parts.robustness_on, "by_step": lambda t: t},
        "neurocnnf.attack_runs": {"QUICK": "little"},
        "neurocnnf.train": {"train": parts.train},
        "benchmarks": {"load_benchmark": parts.load_benchmark, "list_benchmarks": parts.list_benchmarks},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("neurocnnf.load_model", Net, raising=False)
    monkeypatch.chdir(tmp_path)
    return parts


def test_a_score_is_written_shown_and_not_made_twice(parts):
    first, second = (run("score", "cnnf-mnist", "cowley2023.V4-ridge") for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output
    assert parts.calls == [("score", "cnnf-mnist", "cowley2023.V4-ridge", 5, 0, {})]
    assert "up to date" in second.stderr
    for line in ("value    0.500 0.250", "raw      missing", "n        3 / 4; normalised by: none: a test"):
        assert line in first.stdout.splitlines()
    assert "0.125" in first.stdout
    note = json.loads((parts.folder / "build/scores/cnnf-mnist.cowley2023.V4-ridge.json").read_text())
    assert note["inputs"]["data:study/a"] == "hash of study/a"


def test_a_feedforward_control_is_asked_for_no_feedback(parts):
    run("score", "cnn-mnist", "cowley2023.V4-ridge")
    run("evaluate", "cnn-mnist")
    assert [call[3] for call in parts.calls[:1]] == [0]
    assert parts.calls[1] == ("evaluate", "cnn-mnist", 0, "last")


def test_an_evaluation_writes_accuracies_and_which_images_are_right_beside_them(parts):
    for _ in range(2):
        result = run("evaluate", "cnnf-mnist", "--quick")
        assert result.exit_code == 0, result.output
    run("evaluate", "cnnf-mnist", "--quick", "--readout", "average")
    assert parts.calls == [("evaluate", "cnnf-mnist", 2, "last"), ("evaluate", "cnnf-mnist", 2, "average")]
    for kind in ("accuracy", "averages"):
        folder = parts.folder / "build/quick" / kind
        assert len(pd.read_csv(folder / "cnnf-mnist.csv")) == 1
        assert len(pd.read_csv(folder / "cnnf-mnist.images.csv.gz")) == 2
    for readout in ("last", "average", "average"):
        run("evaluate", "cnnf-mnist", "--readout", readout, "--out", "here.csv")
    assert [call[3] for call in parts.calls[2:]] == ["last", "average"]


def test_attacks_are_carried_over_from_the_control_and_not_made_twice(parts):
    for _ in range(2):
        result = run("robustness", "cnnf-mnist", "--epsilon", "0.1", "--epsilon", "0.2")
        assert result.exit_code == 0, result.output
    assert "up to date" in result.stderr
    run("robustness", "cnn-mnist", "--n-images", "9", "--workers", "3", "--last-only")
    run("robustness", "cnn-mnist", "--quick", "--control", "cnn-digits")
    assert parts.calls == [
        ("robustness", "cnnf-mnist", "cnn-mnist", [0.1, 0.2], 5, 1, False, {"n_images": 200}),
        ("robustness", "cnn-mnist", None, None, 0, 3, True, {"n_images": 9}),
        ("robustness", "cnn-mnist", "cnn-digits", None, 0, 1, False, {"n_images": 20, "effort": "little"}),
    ]
    note = json.loads((parts.folder / "build/robustness/cnnf-mnist.csv.json").read_text())
    assert {"checkpoint:cnnf-mnist", "checkpoint:cnn-mnist", "data:mnist/a"} < set(note["inputs"])
    assert (parts.folder / "build/quick/robustness/cnn-mnist.csv").is_file()


@pytest.mark.parametrize("changed", [["--seed", "1"], ["--n-steps", "3"], ["--quick"]])
def test_other_settings_are_another_result(parts, changed):
    command = ["score", "cnnf-mnist", "cowley2023.V4-ridge", "--out", "here"]
    run(*command)
    run(*command, *changed)
    assert len(parts.calls) == 2


def test_quick_asks_for_less_and_writes_elsewhere(parts):
    run("score", "cnnf-mnist", "cowley2023.V4-ridge", "--quick")
    assert parts.calls == [("score", "cnnf-mnist", "cowley2023.V4-ridge", 2, 0, {"quick": True})]
    assert (parts.folder / "build/quick/scores/cnnf-mnist.cowley2023.V4-ridge.csv").is_file()


def test_the_suite_is_one_table_and_what_has_no_data_or_fails_stops_nothing(parts):
    parts.missing.add("a.V4-ridge")
    result = run("score", "cnnf-mnist", "--suite")
    assert result.exit_code == 1
    assert [call[2] for call in parts.calls] == ["a.V4-ridge", "b.IT-rsa", "odd.V4-ridge"]
    lines = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert set(lines) == {"a.V4-ridge", "b.IT-rsa", "odd.V4-ridge"}
    assert "no data here: a.V4-ridge is missing" in lines["a.V4-ridge"]
    assert "0.500" in lines["b.IT-rsa"]
    assert "3/4" in lines["b.IT-rsa"]
    assert "failed: KeyError: 'a fault of its own'" in lines["odd.V4-ridge"]
    assert result.stdout.splitlines()[-1] == "build/scores"
    assert (parts.folder / "build/scores/cnnf-mnist.b.IT-rsa.json").is_file()


def test_a_suite_goes_on_where_it_stopped(parts):
    parts.missing.add("b.IT-rsa")
    run("score", "cnnf-mnist", "--suite", "--out", "here")
    parts.missing.clear()
    result = run("score", "cnnf-mnist", "--suite", "--out", "here")
    assert result.exit_code == 1  # the one with a fault of its own still has it
    asked = [call[2] for call in parts.calls]
    assert asked.count("a.V4-ridge") == 1
    assert asked.count("b.IT-rsa") == 2


def test_memory_is_passed_on_in_bytes(parts):
    run("score", "cnnf-mnist", "a.V4-ridge", "--memory", "4GB")
    assert parts.calls[0][-1] == {"memory": 4_000_000_000}
    assert "memory: expected an amount such as 4GB" in error_line(
        run("score", "cnnf-mnist", "a.V4-ridge", "--memory", "lots")
    )


@pytest.mark.parametrize(("asked", "got"), [([], "neither"), (["a.V4-ridge", "--suite"], "both")])
def test_a_score_is_of_one_benchmark_or_of_all(parts, asked, got):
    assert f"expected a benchmark or --suite, got {got}" in error_line(run("score", "cnnf-mnist", *asked))


def test_a_missing_study_is_an_error_unless_simulation_is_asked_for(parts):
    parts.missing.add("cowley2023.V4-ridge")
    assert "cowley2023.V4-ridge: not here" in error_line(run("score", "cnnf-mnist", "cowley2023.V4-ridge"))
    result = run("score", "cnnf-mnist", "cowley2023.V4-ridge", "--simulate-missing")
    assert result.exit_code == 0, result.output
    assert parts.calls[-1][:3] == ("score", "cnnf-digits", "simulated.V4-ridge")
    assert "cowley2023.V4-ridge: not here" in result.stderr
    assert "NEUROCNNF_DATA" in result.stderr
    assert "simulated recordings" in result.stdout
    # Nothing simulated stands under a study's name; the last line says where it is.
    assert result.stdout.splitlines()[-1] == "build/scores/cnnf-digits.simulated.V4-ridge"
    assert (parts.folder / "build/scores/cnnf-digits.simulated.V4-ridge.json").is_file()
    assert not list(parts.folder.rglob("*cowley2023*"))


def test_an_evaluation_without_its_test_images_is_an_error(parts):
    parts.missing.add("mnist")
    assert "mnist: not here" in error_line(run("evaluate", "cnnf-mnist"))


def test_recognition_times_of_occluded_objects_are_decoded_once_from_each_model(monkeypatch, tmp_path):
    asked = []

    def decode(argv):
        asked.append(argv)
        return tmp_path / argv[0]

    def compare(argv):
        asked.append(argv)
        pd.DataFrame({"statistic": ["a"], "estimate": [0.5]}).to_csv(tmp_path / "x.statistics.csv", index=False)
        return tmp_path / "x"

    monkeypatch.setattr("analysis.decode_stage.stage", decode)
    monkeypatch.setattr("analysis.recognition_time.stage", compare)
    result = run("recognition-times", "cnnf-cifar-gray", "tang2018", "--simulate-missing")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(tmp_path / "x")
    settings = ["--n-steps", "5", "--seed", "0", "--simulate-missing"]
    names, out = ["cnnf-cifar-gray", "cnn-cifar-gray"], "build/times/tang2018/cnnf-cifar-gray"
    places = [f"{out}.decoded/{role}/tang2018" for role in ("model", "control")]
    assert asked[:2] == [[name, "--out", place, *settings] for name, place in zip(names, places, strict=True)]
    assert asked[2] == ["--in", *(str(tmp_path / name) for name in names), "--out", out]


def test_recognition_times_of_other_studies_run_the_stage_that_makes_their_figure(monkeypatch, tmp_path):
    asked = []

    def stage(argv):
        asked.append(argv)
        pd.DataFrame({"target": ["a"], "raw": [0.5]}).to_csv(tmp_path / "found.statistics.csv", index=False)
        return tmp_path / "found"

    monkeypatch.setattr("analysis.condition_times.stage", stage)
    result = run("recognition-times", "cnnf-mnist", "maniquet2025", "--quick", "--seed", "3")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == str(tmp_path / "found")
    out = "build/quick/times/maniquet2025/cnnf-mnist"
    assert asked == [["cnnf-mnist", "cnn-mnist", "--out", out, "--n-steps", "5", "--seed", "3", "--quick"]]


def test_an_unknown_study_is_one_clear_line(parts):
    line = error_line(run("recognition-times", "cnnf-mnist", "other"))
    assert "expected one of tang2018, maniquet2025, kumbhar2021, zhang2011, got 'other'" in line


def test_an_error_of_several_lines_becomes_one(parts):
    assert "shipped name, got 'odd-model'" in error_line(run("score", "odd-model", "cowley2023.V4-ridge"))


def test_debug_shows_where_an_error_came_from(parts):
    with pytest.raises(ValueError, match="odd-model"):
        CliRunner(env=WIDE).invoke(app, ["--debug", "evaluate", "odd-model"], catch_exceptions=False)


def test_what_a_user_cannot_mend_keeps_its_traceback(parts, monkeypatch):
    def broken(name):
        raise KeyError("a fault of ours")

    monkeypatch.setattr("neurocnnf.load_model", broken, raising=False)
    with pytest.raises(KeyError, match="a fault of ours"):
        CliRunner(env=WIDE).invoke(app, ["evaluate", "cnnf-mnist"], catch_exceptions=False)


def test_train_passes_its_options_on(parts):
    result = run("train", "cnnf-mnist", "--seed", "2", "--compile")
    assert result.exit_code == 0, result.output
    options = {"compiled": True, "device": "cpu", "half": False}
    assert parts.calls == [("train", "cnnf-mnist", "2", "build/train/cnnf-mnist-2", options)]


def test_train_passes_on_where_and_in_which_precision_to_compute(parts):
    assert run("train", "cnnf-mnist", "--device", "cuda", "--half").exit_code == 0
    assert parts.calls[0][-1] == {"compiled": False, "device": "cuda", "half": True}


@pytest.mark.parametrize(
    ("architecture", "units", "device", "said"),
    [
        ("x86_64", {}, "cpu", True),
        ("x86_64", {"avx512_bf16": True}, "cpu", True),
        ("x86_64", {"amx_bf16": True}, "cpu", False),
        ("aarch64", {}, "cpu", False),  # of which torch does not say
        ("x86_64", {}, "cuda", False),
    ],
)
def test_train_warns_of_bfloat16_where_float32_is_faster(parts, monkeypatch, architecture, units, device, said):
    units = {"architecture": architecture, "avx512_bf16": False, "amx_bf16": False} | units
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: units)
    result = run("train", "cnnf-mnist", "--device", device, "--half")
    assert result.exit_code == 0, result.output
    assert ("has no AMX" in result.stderr) == said
    assert "bfloat16" not in run("train", "cnnf-mnist", "--device", device).stderr


@pytest.mark.parametrize(("option", "left"), [("--resume", True), ("--fresh", False)])
def test_train_starts_anew_only_where_asked(parts, option, left):
    begun = [parts.folder / "out" / name for name in ("state.pt", "run.txt", "log.csv", "events.out.tfevents.1.host")]
    trunk = parts.folder / "trunk-mnist-0.pt"
    begun[0].parent.mkdir()
    for path in (*begun, trunk):
        path.touch()
    assert run("train", "cnnf-mnist", "--out", "out", option).exit_code == 0
    assert [path.exists() for path in begun] == [left] * 4
    assert trunk.exists()


def test_train_takes_the_number_of_threads(parts, monkeypatch):
    asked = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    run("train", "cnnf-mnist", "--threads", "1")
    run("train", "cnnf-mnist")
    assert asked == [1]


def test_fetch_list_downloads_nothing_and_shows_what_matches(parts):
    result = run("fetch", "--list", "tang2018*")
    assert result.exit_code == 0, result.output
    assert "tang2018_occlusion/a" in result.stdout
    assert "mnist/b" not in result.stdout
    assert parts.calls == []


def test_fetch_fails_where_a_file_could_not_be_had(parts):
    assert run("fetch", "tang2018*").exit_code == 0
    parts.missing.add("tang2018")
    result = run("fetch", "tang2018*")
    assert result.exit_code == 1
    assert "missing" in result.stdout
    assert parts.calls == [("fetch", "tang2018*")] * 2

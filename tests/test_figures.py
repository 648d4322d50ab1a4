"""Each figure script draws small tables made here: all its files, the same bytes, what is missing kept missing."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from analysis.feedback_examples import FeedbackExamples
from figures import accuracy_by_step, feedback_examples, files, neural_scores, recognition_times, robustness
from figures.files import beside

pytestmark = pytest.mark.filterwarnings("error")  # a layout that fails only warns
NAN = float("nan")
SCRIPTS = {
    "accuracy": accuracy_by_step,
    "examples": feedback_examples,
    "scores": neural_scores,
    "times": recognition_times,
    "robustness": robustness,
}
RULE = "a rule with a name of its own"


def write_accuracy(folder, simulated=False):
    rows = [
        {"model": f"{kind}-x", "kind": kind, "data": "x", "degradation": name, "level": level, "step": step}
        for kind, n_steps in (("cnnf", 2), ("cnn", 0))
        for name, level in (("clean", 0.0), ("noise", 0.5), ("noise", 1.0))
        for step in range(n_steps + 1)
    ]
    table = pd.DataFrame(rows).assign(accuracy=np.linspace(0.4, 0.9, len(rows)), n_images=10, simulated=simulated)
    table.to_csv(folder / "x.csv", index=False)
    return folder


def write_examples(folder, simulated=False):
    rng = np.random.default_rng(0)
    answer = np.tile(np.array(["cat", "dog"]), (1, 4, 1))
    examples = FeedbackExamples(
        images=rng.uniform(-1, 1, (1, 4, 2, 1, 6, 6)).astype(np.float32),
        answer=answer,
        confidence=np.full(answer.shape, 0.999),
        true_class=np.array(["cat"]),
        image_index=np.array([7]),
        level=np.arange(4.0),
        model="cnnf-x",
        data="x",
    )
    return examples.to_npz(folder / "x.npz")


def write_scores(folder, simulated=False):
    for model, steps in (("cnnf-x", (0, 1)), ("cnn-x", (0,))):
        shared = {"ceiling_rule": RULE, "n_used": 3, "n_total": 4, "simulated": simulated}
        places = [(layer, step) for layer in ("low", "high") for step in steps]
        sessions = [
            {"session": session, "layer": layer, "step": step, "raw": raw, "ceiling": 0.8, **shared}
            for session, raw in (("1", 0.25), ("2", 0.5))
            for layer, step in places
        ]
        sessions = pd.DataFrame(sessions)
        sessions.loc[sessions["layer"] == "high", "raw"] = NAN
        targets = [
            {
                "target": target,
                "metric": "cosine",
                "layer": layer,
                "step": step,
                "raw": -0.125,
                "ceiling": NAN,
                **shared,
            }
            for target in ("human IT", "macaque IT")
            for layer, step in places
        ]
        targets = pd.DataFrame(targets).assign(raw_low=-0.2, raw_high=0.1)
        chosen = {"layer": "low", "step": max(steps)}
        for benchmark, table, chosen_at, number in (
            ("a.V4-ridge", sessions, {"session": "1"}, {"value": None, "interval": [None, None], "ceiling": None}),
            ("b.IT-rsa", targets, {"target": "human IT", "metric": "cosine"}, {"value": 0.75, "interval": [0.5, 0.9]}),
        ):
            summary = {"benchmark": benchmark, "model": model, "ceiling": 0.8, **shared, **number}
            summary |= {"raw": 0.375, "raw_interval": [0.3, 0.4], "chosen": [{**chosen, **chosen_at}], "notes": []}
            table.to_csv(folder / f"{model}.{benchmark}.csv", index=False)
            (folder / f"{model}.{benchmark}.json").write_text(json.dumps(summary))
    return folder


def write_times(folder, simulated=False):
    names = ["rho_model_time", "rho_control_confidence", "partial_given_both", "partial_given_both_normal_scores"]
    statistics = pd.DataFrame({"statistic": [*names, "somers_d"], "estimate": [0.25, -0.5, NAN, NAN, 0.125]})
    numbers = {"low": -0.1, "high": 0.6, "ceiling": [0.8, 0.8, 0.7, 0.7, NAN], "p": 0.04, "n_used": 3, "n_total": 4}
    objects = pd.DataFrame({"object_id": [1, 2, 3, 4], "category": ["a", "a", "b", None]})
    objects = objects.assign(human_time_z=[0.1, -1.0, 1.0, NAN], model_time=[0.0, 1.5, 3.0, NAN])
    stimuli = pd.DataFrame({"stimulus_id": list("pqrstu"), "solution_step": [0, 0, 1, 2, NAN, NAN]})
    tables = {
        "statistics": statistics.assign(**numbers),
        "objects": objects.assign(n_solved=[2, 1, 0, 0], n_stimuli=[2, 2, 2, 0]),
        "stimuli": stimuli.assign(solved=stimuli["solution_step"].notna()),
        "exclusions": pd.DataFrame({"rule": ["too late"], "n_excluded": [5], "n_left": [95]}),
    }
    for name, table in tables.items():
        table.assign(simulated=simulated).to_csv(folder / f"x.study.{name}.csv", index=False)
    note = {"n_steps": 2, "quick": False, "simulated": simulated}
    note |= {"models": ["m", "c"], "layers": {"m": "fc1", "c": "fc1"}}
    (folder / "x.study.json").write_text(json.dumps(note))
    return folder / "x.study"


def write_robustness(folder, simulated=False):
    rows = [
        {"model": f"{kind}-x", "kind": kind, "data": "x", "attack": attack, "gradient": gradient, "readout": readout}
        | {"step": step, "epsilon": 0.2 * (attack != "clean"), "accuracy": 1 / (1 + step), "low": 0.0, "high": 1.0}
        for kind, n_steps in (("cnnf", 2), ("cnn", 0))
        for attack, gradient in (("clean", "none"), ("pgd-7", "e2e"), ("any", "any"))
        for readout in ("last", "average")
        for step in range(n_steps + 1)
    ]
    pd.DataFrame(rows).assign(n_used=10, n_total=20, simulated=simulated).to_csv(folder / "x.csv", index=False)
    return folder


WRITERS = {
    "accuracy": write_accuracy,
    "examples": write_examples,
    "scores": write_scores,
    "times": write_times,
    "robustness": write_robustness,
}


def svg(stem):
    return beside(stem, "svg").read_text()


def render(name, folder, stem, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    SCRIPTS[name].main(["--in", str(WRITERS[name](folder, **settings)), "--out", str(stem)])
    return stem


@pytest.fixture(scope="module", params=list(SCRIPTS))
def drawn(request, tmp_path_factory):
    """Draw the same input twice; give the name and both stems."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, *(render(request.param, folder / n, folder / n / "out" / "fig.1") for n in ("one", "two"))


@pytest.fixture
def only_svg(monkeypatch):
    monkeypatch.setattr(files, "METADATA", {"svg": files.METADATA["svg"]})


def test_every_script_writes_all_its_files_and_twice_the_same_bytes(drawn):
    name, one, two = drawn
    endings = {"svg", "pdf", "png", "csv", "txt"} | ({"npz"} if name == "examples" else set())
    written = {path.name: path.read_bytes() for path in one.parent.iterdir()}
    assert set(written) == {f"fig.1.{ending}" for ending in endings}
    for file, content in written.items():
        if not file.endswith("npz"):  # a zip holds the time of writing
            assert (two.parent / file).read_bytes() == content, file
    assert written["fig.1.png"].startswith(b"\x89PNG")
    assert written["fig.1.pdf"].startswith(b"%PDF")
    assert b"<svg" in written["fig.1.svg"]


def test_a_real_table_is_not_called_simulated(drawn):
    assert "SIMULATED" not in svg(drawn[1])


def test_no_words_are_too_small_to_read(drawn):
    name, stem, _ = drawn
    sizes = [float(size) for size in re.findall(r"font-size: ([0-9.]+)px", svg(stem))]
    assert len(sizes) > 10
    assert min(sizes) >= (6 if name == "examples" else 6.5)


def test_what_is_missing_stays_missing(drawn):
    name, stem, _ = drawn
    table = pd.read_csv(beside(stem, "csv"))
    if name == "scores":
        maps = table[table["part"] == "by layer and step"]
        assert maps.loc[(maps["benchmark"] == "a.V4-ridge") & (maps["layer"] == "high"), "score"].isna().all()
        assert (maps.loc[(maps["benchmark"] == "a.V4-ridge") & (maps["layer"] == "low"), "score"] == 0.375).all()
        assert (
            table.loc[(table["quantity"] == "normalised") & (table["benchmark"] == "a.V4-ridge"), "score"].isna().all()
        )
        assert svg(stem).count("missing") == 2  # of both models
        assert ">.375<" in svg(stem)
        assert ">−.125<" in svg(stem)
        assert "nan" not in svg(stem)
        assert f"ceiling: {RULE}" in svg(stem)
    elif name == "times":
        assert table.loc[(table["panel"] == "a") & (table["object_id"] == 4), "model_time"].isna().all()
        never = table[table["outcome"] == "never"]
        assert never[["n_here", "n_total"]].to_numpy().tolist() == [[2, 6]]
        assert "ρ = .25 [−.10, .60], n = 3/4 objects" in svg(stem)
        assert "solved: n = 4/6 stimuli" in svg(stem)
        assert "missing" in svg(stem)
        assert "category unknown" not in svg(stem)  # that object has no place
        assert "too late 5; 95 trials are left" in beside(stem, "txt").read_text()
    else:
        assert len(table) == {"accuracy": 24, "examples": 8, "robustness": 24}[name]


def test_attacks_on_several_seeds_are_drawn_as_mean_and_range(tmp_path):
    write_robustness(tmp_path)
    one = pd.read_csv(tmp_path / "x.csv").assign(simulated=False)
    seed = one.assign(model=one["model"] + "-seed1", accuracy=one["accuracy"] / 2)
    other = one.assign(model=one["model"] + "-adversarial")
    drawn = robustness.draw(pd.concat([one, seed, other], ignore_index=True))
    panels = [axes for axes in drawn.axes if axes.get_visible()]
    assert [axes.get_ylabel() for axes in panels if axes.get_ylabel()] == ["x\naccuracy", "x-adversarial\naccuracy"]
    titles = [axes.get_title().split("\n") for axes in panels]
    assert titles[:2] == [["clean", "2 × 10"], ["pgd-7 e2e", "ε = 0.2", "2 × 10"]]
    assert titles[3:5] == [["clean", "n = 10"], ["pgd-7 e2e", "ε = 0.2", "n = 10"]]
    lines, _, (bars,) = panels[1].containers[0]
    assert list(lines.get_ydata()) == pytest.approx([0.75, 0.375, 0.25])
    assert [line.get_linestyle() for axes in panels[:1] for line in axes.lines].count("--") == 1  # of the control
    more = one.assign(model="lateral-x", kind="lateral")
    alone = robustness.draw(pd.concat([one[one["step"] == 2], more], ignore_index=True))
    assert not any(line.get_linestyle() == "--" for line in alone.axes[0].lines)
    assert "lateral control" in [text.get_text() for text in alone.legends[0].get_texts()]
    ends = [tuple(segment[:, 1]) for segment in bars.get_segments()]
    assert ends == [pytest.approx(pair) for pair in ((0.5, 1.0), (0.25, 0.5), (1 / 6, 1 / 3))]


@pytest.mark.parametrize("name", ["accuracy", "scores", "times"])
def test_a_simulated_table_says_so_on_the_face(name, tmp_path, only_svg):
    assert "SIMULATED" in svg(render(name, tmp_path, tmp_path / "out" / "fig", simulated=True))


@pytest.mark.parametrize(
    ("name", "file", "column"),
    [
        ("accuracy", "x.csv", "accuracy"),
        ("robustness", "x.csv", "gradient"),
        ("scores", "cnn-x.a.V4-ridge.csv", "ceiling_rule"),
        ("scores", "cnnf-x.b.IT-rsa.csv", "metric"),
        ("times", "x.study.objects.csv", "model_time"),
        ("times", "x.study.statistics.csv", "ceiling"),
    ],
)
def test_a_missing_column_is_named(name, file, column, tmp_path):
    source = WRITERS[name](tmp_path)
    pd.read_csv(tmp_path / file).drop(columns=column).to_csv(tmp_path / file, index=False)
    with pytest.raises(ValueError, match=rf"expected rows with the column\(s\) {column}, got"):
        SCRIPTS[name].main(["--in", str(source), "--out", str(tmp_path / "out" / "fig")])
    assert not (tmp_path / "out").exists()


def test_missing_files_are_named(tmp_path):
    def draw(name, source):
        SCRIPTS[name].main(["--in", str(source), "--out", str(tmp_path / "out" / "fig")])

    for name in SCRIPTS:
        with pytest.raises(FileNotFoundError, match="nowhere"):
            draw(name, tmp_path / "nowhere")
    stem = write_times(tmp_path)
    (tmp_path / "x.study.stimuli.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"got no x\.study\.stimuli\.csv"):
        draw("times", stem)
    with pytest.raises(ValueError, match=r"expected one file of each.*got 0 \.stimuli\.csv"):
        draw("times", tmp_path)
    scores = tmp_path / "scores"
    scores.mkdir()
    write_scores(scores)
    (scores / "cnn-x.a.V4-ridge.json").write_text('{"benchmark": "a.V4-ridge", "model": "cnn-x"}')
    with pytest.raises(ValueError, match=r"expected a score in cnn-x\.a\.V4-ridge\.json beside it"):
        draw("scores", scores)
    write_examples(tmp_path)
    (tmp_path / "y.npz").write_bytes((tmp_path / "x.npz").read_bytes())
    with pytest.raises(ValueError, match="expected one file of examples, got 2"):
        draw("examples", tmp_path)


@pytest.mark.parametrize("name", ["scores", "times"])
def test_panels_fill_the_page_also_where_little_is_known(name, tmp_path, monkeypatch):
    """An artist without a place, or with a far one, squeezes the panels."""
    figures = []
    monkeypatch.setattr(SCRIPTS[name], "save", lambda figure, *rest: figures.append(files.settle(figure) or figure))
    render(name, tmp_path, tmp_path / "fig")
    sizes = np.array([axes.get_position().bounds for axes in figures[0].axes])[:, 2:]
    assert (sizes > 0.15).all(), sizes


def test_one_benchmark_without_control_or_sessions_can_be_drawn(tmp_path, only_svg):
    """The control's column is hatched, not left out; the single numbers go below."""
    write_scores(tmp_path)
    neural_scores.main(["--in", str(tmp_path / "cnnf-x.b.IT-rsa"), "--out", str(tmp_path / "fig")])
    assert "feedforward control" not in svg(tmp_path / "fig")
    assert "control" in svg(tmp_path / "fig")
    assert set(pd.read_csv(tmp_path / "fig.csv")["kind"]) == {"cnnf"}


def test_trainings_are_drawn_small_beside_their_mean(tmp_path, monkeypatch):
    write_scores(tmp_path)
    stem = "b.IT-rsa"
    for seed, factor in ((1, 0.5), (2, 1.5)):
        for ending in (".csv", ".json"):
            text = (tmp_path / f"cnnf-x.{stem}{ending}").read_text()
            (tmp_path / f"cnnf-x-seed{seed}.{stem}{ending}").write_text(text.replace("cnnf-x", f"cnnf-x-seed{seed}"))
        path = tmp_path / f"cnnf-x-seed{seed}.{stem}.json"
        summary = json.loads(path.read_text())
        path.write_text(json.dumps({**summary, "raw": summary["raw"] * factor}))
    drawn = []
    monkeypatch.setattr(neural_scores, "save", lambda figure, *rest: drawn.append((figure, rest[1])))
    neural_scores.main(["--in", *map(str, sorted(tmp_path.glob(f"*.{stem}.csv"))), "--out", str(tmp_path / "fig")])
    figure, table = drawn[0]
    assert "means of 1 to 3 trainings" in figure.get_suptitle()
    points = [
        (line.get_xdata()[0], line.get_markersize())
        for line in figure.axes[-1].lines
        if line.get_marker() == "o" and len(line.get_xdata()) == 1
    ]
    raw = table[(table["part"] == "summary") & (table["kind"] == "cnnf") & (table["quantity"] == "raw")]["score"]
    assert len(raw) == 3
    for value in raw:
        assert (value, 1.4) in points
    assert (pytest.approx(raw.mean()), 2.6) in points


def test_accuracy_by_step_keeps_to_the_corruptions_it_has_columns_for(tmp_path, only_svg):
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
        write_accuracy(tmp_path / name)
    table = pd.read_csv(tmp_path / "with" / "x.csv")
    more = table[table["degradation"] == "noise"].assign(degradation="contrast", accuracy=0.99)
    pd.concat([table, more]).to_csv(tmp_path / "with" / "x.csv", index=False)
    for name in ("without", "with"):
        accuracy_by_step.main(["--in", str(tmp_path / name), "--out", str(tmp_path / f"{name}.fig")])
    assert svg(tmp_path / "with.fig") == svg(tmp_path / "without.fig")


def test_pictures_are_scaled_as_the_caption_says():
    picture = np.array([[[-2.0, 0.0], [1.0, 4.0]]])  # channel, y, x
    shown = feedback_examples.as_shown(picture, 1)[..., 0]
    np.testing.assert_allclose(shown, [[0.25, 0.5], [0.625, 1.0]])
    np.testing.assert_allclose(feedback_examples.as_shown(picture / 4, 0)[..., 0], [[0.25, 0.5], [0.625, 1.0]])
    assert feedback_examples.as_shown(np.zeros((1, 2, 2)), 1).tolist() == [[[0.5], [0.5]]] * 2
    assert [feedback_examples.percent(c) for c in (0.994, 0.996, 0.1)] == ["99%", ">99%", "10%"]

"""The figure of the composite draws the tables it is given, the same bytes twice, and what is missing as missing."""

import numpy as np
import pandas as pd
import pytest

from analysis.suite_summary import COLUMNS, TESTED, write
from figures import composite as figure
from figures.style import looks_of, styled

pytestmark = pytest.mark.filterwarnings("error")
NAN = float("nan")


MODELS = ("cnnf-x", "cnn-x", "cnnf-y")


def write_suite(stem, simulated=False, empty=False, models=MODELS):
    rows = []
    for benchmark, values in {
        "c.V4-ridge": (0.5, 0.4, 0.3),
        "k.humanIT-rsa": (0.1, 0.2, 0.3),
        "kar2019.ost": (NAN, NAN, NAN),
        "maniquet2025.rt": (0.3, 0.2, NAN),
    }.items():
        for model, value in zip(models, np.resize(values, len(models)), strict=True):
            value = NAN if empty else value
            shown = {"value": value, "low": value - 0.1, "high": value + 0.1, "raw": value, "simulated": simulated}
            rows.append({"benchmark": benchmark, "model": model, "state": "scored", "n_used": 1, "n_total": 2} | shown)
    write(pd.DataFrame(rows).reindex(columns=[*COLUMNS, *TESTED, "raw_low", "raw_high", "note"]), stem)
    return stem


def render(folder, **settings):
    write_suite(folder / "suite", **settings)
    figure.main(["--in", str(folder / "suite"), "--out", str(folder / "fig")])
    return (folder / "fig.svg").read_text()


def test_what_is_missing_is_said_and_the_bytes_are_the_same_twice(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    text = render(tmp_path / "one")
    assert text == render(tmp_path / "two")
    said = (".50 [.40, .60]", "missing", "kar2019.ost", "none left out")
    for words in (*said, "not ranked: no score", "not ranked: not of all models"):
        assert words in text
    assert "nan" not in text
    assert "SIMULATED" not in text
    table = pd.read_csv(tmp_path / "one" / "fig.csv")
    assert set(table["part"]) == {"entries", "composite", "weightings", "left_out"}
    assert (tmp_path / "one" / "fig.png").read_bytes()[:4] == b"\x89PNG"


def test_simulated_scores_say_so_on_the_face(tmp_path):
    assert "SIMULATED" in render(tmp_path, simulated=True)


def test_where_nothing_was_scored_all_is_missing(tmp_path):
    text = render(tmp_path, empty=True)
    assert text.count("not ranked: no score") == 4
    assert "missing" in text


def test_a_table_that_lacks_a_column_is_named(tmp_path):
    stem = write_suite(tmp_path / "suite")
    path = tmp_path / "suite.weightings.csv"
    pd.read_csv(path).drop(columns="share_first").to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"suite\.weightings\.csv: expected rows with the column\(s\) share_first"):
        figure.main(["--in", str(stem), "--out", str(tmp_path / "fig")])


def test_the_legend_of_five_models_with_long_names_lies_on_the_page(tmp_path):
    names = [f"{kind}-cifar-gray-small" for kind in ("cnnf", "lateral", "predictive", "ungated", "cnn")]
    parts, _ = figure.read_parts(write_suite(tmp_path / "suite", models=names))
    with styled():
        drawn = figure.draw(parts, simulated=False)
        drawn.canvas.draw()
        (legend,) = drawn.legends
        assert [text.get_text() for text in legend.get_texts()] == names
        box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= drawn.bbox.x1


def test_models_have_looks_of_their_own():
    looks = looks_of(["cnnf-x", "cnn-x", "cnnf-y", "other", "cnnf-z", "cnnf-x"])
    assert list(looks) == ["cnnf-x", "cnn-x", "cnnf-y", "other", "cnnf-z"]
    assert looks["cnnf-x"].name == "CNN-F"
    assert np.unique([look.marker for look in looks.values()]).size == 5

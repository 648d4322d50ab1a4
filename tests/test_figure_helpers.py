"""Labels are spread, colours contrast, files are found, and what is simulated is known."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.isotonic import IsotonicRegression

from figures.files import beside, check_columns, find_tables, is_simulated
from figures.style import ink_on, number_map, shades, spread

NAN = float("nan")


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_spread_to_the_nearest_places_that_keep_the_gap(seed):
    """Least squares under a smallest gap is isotonic regression, once the gaps are taken off."""
    rng = np.random.default_rng(seed)
    wanted, gap = rng.uniform(0, 5, 9), 0.8
    order, offsets = np.argsort(wanted), gap * np.arange(9)
    expected = IsotonicRegression().fit_transform(np.arange(9), wanted[order] - offsets) + offsets
    np.testing.assert_allclose(np.array(spread(wanted, gap))[order], expected)


def test_labels_that_are_apart_stay():
    assert spread([3, 1, 2], 0.5) == [3, 1, 2]
    assert spread([5, 5], 2) == [4, 6]
    assert spread([], 1) == []


def test_one_simulated_row_makes_a_figure_simulated():
    real, no_flag = pd.DataFrame({"simulated": [False, NAN]}), pd.DataFrame({"x": [1]})
    assert not is_simulated(real, no_flag)
    assert is_simulated(real, pd.DataFrame({"simulated": [False, True]}))
    assert is_simulated(pd.DataFrame({"simulated": [NAN, True]}))


def test_files_folders_and_stems_become_files(tmp_path):
    for name in ("b.x.csv", "a.csv", "a.json", "note.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in find_tables([tmp_path])] == ["a.csv", "b.x.csv"]
    assert [p.name for p in find_tables([tmp_path / "b.x", tmp_path / "a.csv"])] == ["b.x.csv", "a.csv"]
    assert [p.name for p in find_tables([tmp_path / "a"], (".json", ".csv"))] == ["a.json", "a.csv"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="got nothing"):
        find_tables([tmp_path / "empty"])
    assert beside(tmp_path / "m.b-1.5", "svg").name == "m.b-1.5.svg"


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match=r"t\.csv: expected rows with the column\(s\) a, got 0 rows"):
        check_columns(pd.DataFrame({"a": []}), ["a"], "t.csv")


def test_shades_end_at_the_colour_and_ink_contrasts():
    assert shades("#FF0000", 3, 0.5)[-1] == (1.0, 0.0, 0.0)
    assert shades("#FF0000", 3, 0.5)[0] == (1.0, 0.5, 0.5)
    assert shades("#FF0000", 1) == [(1.0, 0.0, 0.0)]
    assert ink_on((0, 0, 0)) == "white"
    assert ink_on((1, 1, 1)) != "white"


def test_a_map_with_a_missing_number_is_shaded_by_the_others_or_by_given_limits():
    square = pd.DataFrame([[0.1, np.nan], [0.3, 0.9]])
    for limits, expected in ((None, (0.1, 0.9)), ((0.0, 2.0), (0.0, 2.0))):
        axes = Figure().subplots()
        number_map(axes, square, str, limits=limits)
        assert axes.images[0].get_clim() == expected

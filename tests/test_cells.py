"""Tables for readers: numbers as they are printed, and every cell in Markdown and LaTeX."""

import numpy as np
import pandas as pd
import pytest

from analysis.cells import MISSING, as_latex, as_markdown, bounded, chance, number, write_cells


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, ".123"),
        (-0.05, "−.050"),
        (10.5, "10.500"),
        (-20.25, "−20.250"),
        (100.1, "100.100"),
        (-0.0001, ".000"),  # no minus before what is rounded to zero
        (-0.0006, "−.001"),
        (np.nan, ""),
    ],
)
def test_a_number_has_three_digits_no_zero_before_the_point_and_a_minus_where_it_is_below_zero(value, text):
    assert number(value) == text


def test_an_interval_is_left_out_where_there_is_none_and_a_missing_number_says_so():
    assert bounded(0.5, 0.25, 0.75, 2) == ".50 [.25, .75]"
    assert bounded(-0.04, np.nan, np.nan, 1) == ".0"
    assert bounded(np.nan, np.nan, np.nan) == MISSING


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< .001"), (0.001, ".001"), (1.0, "1.000"), (np.nan, "")])
def test_a_small_p_is_below_a_thousandth_and_that_of_no_test_is_empty(p, text):
    assert chance(p) == text


def test_markdown_and_latex_hold_every_cell():
    cells = pd.DataFrame({"benchmark": ["a_b"], "x": ["−0.10 [−0.20, 0.02]"]})
    assert as_markdown(cells) == "| benchmark | x |\n| --- | --- |\n| a_b | −0.10 [−0.20, 0.02] |\n"
    assert r"none (p $\geq$ 0.40) \\" in as_latex(pd.DataFrame({"x": ["none (p ≥ 0.40)"]}))
    assert r"a\_b & $-$0.10 [$-$0.20, 0.02] \\" in as_latex(cells).splitlines()
    assert r"$\Delta$AIC & $\beta$, $\rho$ \\" in as_latex(pd.DataFrame({"ΔAIC": ["−1"], "β, ρ": ["2"]}))
    assert as_latex(cells).startswith(r"\begin{tabular}{lr}")


def test_no_sign_of_a_table_is_left_for_latex_to_choke_on(tmp_path):
    signs = pd.DataFrame({"ε": ["−.1 ± .2"], "ΔAIC, β, ρ": ["p ≥ .40, 95 %"]})
    markdown, latex = (path.read_text() for path in write_cells(tmp_path / "t", signs))
    assert markdown == as_markdown(signs)
    assert latex.isascii()
    assert r"$\varepsilon$ & $\Delta$AIC" in latex

"""Tables for readers: numbers with their intervals and p values as text, in Markdown and LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from neurocnnf.stages import write_atomically

MISSING = "missing"
SIGNS = {
    "−": "$-$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
    "β": r"$\beta$",
    "Δ": r"$\Delta$",
    "ε": r"$\varepsilon$",
    "ρ": r"$\rho$",
}
"""In LaTeX, what is not ASCII."""


def bounded(value: float, low: float, high: float, digits: int = 3) -> str:
    """Write a number with its interval, where there is one; "missing" where there is no number."""
    bounds = "" if pd.isna(low) else f" [{number(low, digits)}, {number(high, digits)}]"
    return MISSING if pd.isna(value) else number(value, digits) + bounds


def chance(p: float) -> str:
    """Write a p value; NaN, of no test, is empty."""
    return "< .001" if p < 0.001 else number(p)


def number(value: float, digits: int = 3) -> str:
    """Write a number with digits after the point, no zero before it, and the minus of print; NaN is empty."""
    if pd.isna(value):
        return ""
    return re.sub(r"^(−?)0\.", r"\1.", f"{value:z.{digits}f}".replace("-", "−"))  # z: no minus before zeros


def as_markdown(cells: pd.DataFrame) -> str:
    """Write cells as a Markdown table."""
    lines = [list(cells.columns), ["---"] * cells.shape[1], *cells.to_numpy().tolist()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_latex(cells: pd.DataFrame) -> str:
    """Write cells as a LaTeX tabular (package booktabs)."""
    special = str.maketrans({one: f"\\{one}" for one in "&%_#"} | SIGNS)
    header, *lines = (
        " & ".join(str(cell).translate(special) for cell in line) + r" \\"
        for line in [list(cells.columns), *cells.to_numpy().tolist()]
    )
    body = [r"\toprule", header, r"\midrule", *lines, r"\bottomrule"]
    return "\n".join([rf"\begin{{tabular}}{{l{'r' * (cells.shape[1] - 1)}}}", *body, r"\end{tabular}"]) + "\n"


def write_cells(out: Path, cells: pd.DataFrame) -> list[Path]:
    """Write cells as ``<out>.md`` and ``<out>.tex``, and return the paths."""
    texts = {".md": as_markdown(cells), ".tex": as_latex(cells)}
    return [write_atomically(out.with_name(out.name + ending), text.encode()) for ending, text in texts.items()]

"""What the command line shows: tables and scores on stdout, progress and remarks on stderr."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

MISSING = "missing"


def say(label: str, what: object) -> None:
    """Print one line on stderr, however many lines the text has."""
    line = f"{label} {escape(' '.join(str(what).split()))}"
    Console(stderr=True).print(line, soft_wrap=True, highlight=False)


def show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table on stdout."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    # Piped output has no width of its own; the default of 80 would cut names in the middle.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(title, highlight=False)
    console.print(table)


def show_models(cards: Sequence[Mapping[str, Any]]) -> None:
    """Print a line per model: as `neurocnnf.cards.read_cards` gives them."""
    columns = ["model", "trained on", "weights", "multiply-adds", "clean test accuracy", "at steps", "seeds"]
    rows = []
    for card in cards:
        data = card["data"] + (", attacked" if card["attacked"] else "")
        work = " / ".join(f"{n / 1e6:.3g} M" for n in card["multiply_adds"].values())
        accuracy = " / ".join(_percent(low, high) for low, high in card["accuracy"].values())
        steps = " / ".join(str(step) for step in card["accuracy"])
        weights = f"{card['parameters'] / 1e6:.2f} M"
        rows.append([card["model"], data, weights, work, accuracy, steps, str(card["seeds"])])
    show("Models (multiply-adds per image; accuracy: range over seeds)", columns, rows)


def _percent(low: float, high: float) -> str:
    # Counts of 10,000 images: half a tenth is rounded up, which 100 × .8755 is too small for in binary.
    ends = dict.fromkeys(f"{100 * value + 1e-9:.1f}" for value in (low, high))
    return " – ".join(ends) + " %"


def show_score(summary: Mapping[str, Any], table: pd.DataFrame) -> None:
    """Print the one number with its ceiling, and raw scores by layer and step.

    Parameters
    ----------
    summary
        As `benchmarks.Score.summary` gives it.
    table
        Layer × step.
    """
    table = table.reset_index()
    label = "simulated recordings, " if summary["simulated"] else ""
    title = f"{summary['model']} on {summary['benchmark']} ({label}raw, by layer and step)"
    rows = [[_cell(x) for x in row] for row in table.values]
    show(title, [str(column) for column in table.columns], rows)
    for name, interval in (("value", "interval"), ("raw", "raw_interval"), ("ceiling", None)):
        low_high = [_number(x) for x in summary[interval] if x is not None] if interval else []
        print(f"{name:8} {_number(summary[name])} {' to '.join(low_high)}".rstrip())
    print(f"n        {summary['n_used']} / {summary['n_total']}; normalised by: {summary['ceiling_rule']}")


def show_suite(model: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a line per benchmark: as `benchmarks.run_suite.run_suite` gives them."""
    columns = ["benchmark", "value", "interval", "raw", "ceiling", "n", "state"]
    cells = []
    for row in rows:
        state = f"{row['state']}: {row['reason']}" if row["reason"] else row["state"]
        numbers = [_number(row["value"]), _interval(row["low"], row["high"]), _number(row["raw"])]
        numbers += [_number(row["ceiling"]), f"{row['n_used']}/{row['n_total']}"]
        cells.append([row["benchmark"], *(numbers if not row["reason"] else [""] * len(numbers)), state])
    show(f"{model}: the suite (value: raw by the ceiling; {MISSING}: no ceiling)", columns, cells)


def show_csv(title: str, path: Path, n_rows: int = 40) -> None:
    """Print the first rows of a tidy result."""
    import pandas as pd

    table = pd.read_csv(path)
    shown = table.head(n_rows).round(3).astype(str)
    note = f" ({len(table) - len(shown)} more rows in the file)" if len(table) > len(shown) else ""
    show(title + note, list(shown.columns), shown.to_numpy().tolist())


@contextmanager
def progress_bar() -> Iterator:
    """Give a function (what, done, total) that draws on stderr."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict = {}

        def advance(what: str, done: float, total: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        yield advance


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3f}"
    return str(value)


def _number(value: float | None) -> str:
    return MISSING if value is None or math.isnan(value) else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    known = [x for x in (low, high) if x is not None and not math.isnan(x)]
    return f"{low:.3f} to {high:.3f}" if len(known) == 2 else ""

"""The command line. It composes all packages, and imports each only in the command that needs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer.core import TyperGroup

from neurocnnf.stages import package_versions, provenance_path, run_stage, source_hash, weights_hash, write_atomically

VERSIONS = ("torch", "numpy", "scipy", "pandas", "xarray", "scikit-learn", "statsmodels")
SIMULATED = (
    "handwritten digits and simulated recordings are used instead. For the real study, set NEUROCNNF_DATA to "
    "the folder that holds it, or connect to a network, and run again."
)
QUICK_STEPS, QUICK_IMAGES = 2, 100
OFFICIAL = "brainscore:"

Model = Annotated[str, typer.Argument(help="Name of a model (see: neurocnnf list), or a checkpoint's path.")]
Out = Annotated[Path | None, typer.Option(help="Where the results go.")]
Steps = Annotated[int, typer.Option(min=0, help="Feedback passes.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything that is drawn at random.")]
Quick = Annotated[bool, typer.Option("--quick", help="A small subsample: a check, not a result.")]
Simulate = Annotated[bool, typer.Option("--simulate-missing", help="Simulate a study that is missing.")]


class OneLineErrors(TyperGroup):
    """Prints what a user can mend as one line, without a traceback; ``--debug`` shows the traceback too."""

    def invoke(self, ctx: Any):
        """Run the command; exit with 1 after a `ValueError` or `DataError`."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # DataError exists only once its module is imported.
            data_error = getattr(sys.modules.get("neurocnnf.datastore"), "DataError", ValueError)
            if ctx.params.get("debug") or not isinstance(error, ValueError | data_error):
                raise
            _say("[red]error:[/]", error)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="CNN-F at every recurrent step, compared with recordings of brains and observers.",
)


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False):
    """Take the options that belong to every command (read in `OneLineErrors`)."""


@app.command("list")
def list_():
    """List the models and the benchmarks."""
    from benchmarks import list_benchmarks
    from neurocnnf import list_models

    _show("Models", ["model"], [[name] for name in list_models()])
    _show("Benchmarks", ["benchmark"], [[benchmark.identifier] for benchmark in list_benchmarks()])


@app.command()
def fetch(
    pattern: Annotated[str, typer.Argument(help="Names of files, e.g. 'cowley2023_v4/*'.")] = "*",
    list_: Annotated[bool, typer.Option("--list", help="Only say what is here and what is missing.")] = False,
):
    """Download registered files, or list what is here, what is missing, size and licence."""
    from neurocnnf.datastore import DataStore, fetch_all, inventory

    if list_:
        table = inventory(DataStore()).drop(columns=["study", "citation"])
        table = table[[fnmatchcase(name, pattern) for name in table["file"]]]
    else:
        with _progress() as progress:
            table = fetch_all(DataStore(), pattern, progress)
    _show("Files", list(table.columns), table.astype(str).to_numpy().tolist())
    if not list_ and not table["state"].isin(["here", "cached"]).all():
        raise typer.Exit(1)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, e.g. cnnf-mnist.")],
    seed: Seed = 0,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume/--fresh", help="Continue, or start anew.")] = True,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    compile_: Annotated[bool, typer.Option("--compile", help="Compile the model first.")] = False,
):
    """Train a model by a recipe; a broken-off run goes on where it stopped."""
    import torch

    from neurocnnf.train import train as run

    out = out or Path("build/train") / f"{recipe}-{seed}"
    if threads:
        torch.set_num_threads(threads)
    for name in () if resume else ("state.pt", "log.csv", "run.txt"):  # the feedforward part shared with others stays
        (out / name).unlink(missing_ok=True)
    with _progress() as progress:
        run(recipe, seed, out, compiled=compile_, progress=progress)
    typer.echo(out)


@app.command()
def ship(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, e.g. cnnf-mnist.")],
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs, one per seed, seed 0 first.")],
    out: Out = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    compile_: Annotated[bool, typer.Option("--compile", help="Compile the model first.")] = False,
):
    """Evaluate finished runs and write the first one's weights with a card."""
    import torch

    from neurocnnf.checkpoint import SHIPPED
    from neurocnnf.ship import ship as run

    if threads:
        torch.set_num_threads(threads)
    with _progress() as progress:
        path = run(recipe, runs, folder=out or SHIPPED, compiled=compile_, progress=progress)
    typer.echo(path)


@app.command()
def evaluate(
    model: Model,
    n_steps: Steps = 5,
    seed: Seed = 0,
    out: Out = None,
    quick: Quick = False,
):
    """Measure accuracy by step on the model's test images, clean and degraded."""
    from neurocnnf import load_model
    from neurocnnf.evaluate import evaluate_on
    from neurocnnf.images import training_set_provenance

    out = _place(out, quick, "accuracy", model, ".csv")
    net = load_model(model)
    data = net.card["data"]
    n = _steps(net, n_steps, quick)
    few: dict[str, Any] = {"n_clean": QUICK_IMAGES, "n_degraded": QUICK_IMAGES} if quick else {}

    def write() -> list[Path]:
        with _progress() as progress:
            table = evaluate_on(net, data, n, seed=seed, progress=progress, **few)
        return [write_atomically(out, table.to_csv(index=False, lineterminator="\n").encode())]

    sha256 = training_set_provenance(data)["sha256"]
    run_stage(out, _inputs("evaluate", sha256, n, seed, quick, net), write)
    _show_csv(f"Accuracy by step: {model}", out)
    typer.echo(out)


@app.command()
def score(
    model: Model,
    benchmark: Annotated[str, typer.Argument(help="Identifier of a benchmark (see: neurocnnf list).")],
    n_steps: Steps = 5,
    seed: Seed = 0,
    out: Out = None,
    simulate: Simulate = False,
    quick: Quick = False,
):
    """Score a model against a benchmark, for every layer and step; prints the path of the results last.

    BENCHMARK may be one of Brain-Score's, such as brainscore:MajajHong2015public.IT-pls: one number, by its rules.
    """
    if benchmark.startswith(OFFICIAL):
        _score_official(model, benchmark, n_steps, _place(out, quick, "scores", model, f".{benchmark}.json"))
        return
    from benchmarks import load_benchmark
    from neurocnnf import load_model
    from neurocnnf.datastore import DataStore

    store, options = DataStore(), {"quick": True} if quick else {}

    def run(name: str, identifier: str, stem: Path) -> None:
        net, scored = load_model(name), load_benchmark(identifier, store=store, **options)
        n = _steps(net, n_steps, quick)

        def write() -> list[Path]:
            with _progress() as progress:
                found = scored(net, n_steps=n, seed=seed, progress=progress)
            return found.to_files(stem)

        data = _hashes(store, scored.studies)
        run_stage(stem, _inputs(f"score {identifier}", data, n, seed, quick, net), write)
        _show_score(stem)
        typer.echo(stem)

    stem = _place(out, quick, "scores", model, f".{benchmark}")
    digits, simulated = _digits(model), f"simulated.{benchmark.split('.', 1)[-1]}"
    instead = digits, simulated, stem.with_name(f"{digits}.{simulated}")
    _or_instead(run, (model, benchmark, stem), instead, simulate)


def _score_official(model: str, benchmark: str, n_steps: int, out: Path) -> None:
    """Score a model by a benchmark of Brain-Score, and write and print the number."""
    from benchmarks.brainscore import BrainModelAdapter, score_official
    from neurocnnf import load_model

    adapter = BrainModelAdapter(load_model(model), n_steps=n_steps)
    found = score_official(adapter, benchmark.removeprefix(OFFICIAL))
    content = {"benchmark": benchmark, "model": adapter.identifier, "value": float(found)}
    content |= {name: float(found.attrs[name]) for name in ("raw", "ceiling") if name in found.attrs}
    write_atomically(out, (json.dumps(content, indent=1) + "\n").encode())
    _show(f"{model} on {benchmark}", list(content), [[str(value) for value in content.values()]])
    typer.echo(out)


@app.command("recognition-times")
def recognition_times(
    model: Model,
    study: Annotated[str, typer.Argument(help="A study with reaction times: tang2018.")],
    control: Annotated[str | None, typer.Option(help="Feedforward control (default: cnn-*).")] = None,
    n_steps: Steps = 5,
    seed: Seed = 0,
    out: Out = None,
    simulate: Simulate = False,
    quick: Quick = False,
):
    """Compare the steps a model needs with the times people need; prints the path of the results last."""
    from analysis import recognition_time as times
    from neurocnnf import load_model
    from neurocnnf.datastore import DataStore

    if study != "tang2018":
        raise ValueError(f"Study: expected tang2018, got {study!r}. Choose tang2018.")
    settings = {"n_resamples": 200, "n_permutations": 100} if quick else {}
    store = DataStore()

    def run(name: str, control_name: str, data: str, stem: Path) -> None:
        nets = load_model(name), load_model(control_name)
        n = _steps(nets[0], n_steps, quick)
        function: Any = times.recognition_times_simulated
        sha256: dict[str, str] = {}
        if data != "simulated":
            function, sha256 = partial(times.recognition_times, store=store), _hashes(store, times.STUDY_FILES)

        def write() -> list[Path]:
            with _progress() as progress:
                found = function(*nets, n_steps=n, seed=seed, progress=progress, **settings)
            return found.to_files(stem)

        run_stage(stem, _inputs(f"recognition-times {data}", sha256, n, seed, quick, *nets), write)
        _show_csv(f"{name} and {control_name} on {data}", stem.with_name(stem.name + ".statistics.csv"))
        typer.echo(stem)

    stem = _place(out, quick, "times", model, f".{study}")
    control = control or str(Path(model).with_name("cnn-" + Path(model).name.partition("-")[2]))
    instead = _digits(model), _digits(control), "simulated", stem.with_name(f"{_digits(model)}.simulated")
    _or_instead(run, (model, control, study, stem), instead, simulate)


def _digits(model: str) -> str:
    """Name the model of the same kind that needs no data."""
    return Path(model).stem.split("-")[0] + "-digits"


def _steps(model, n_steps: int, quick: bool) -> int:
    """Return the steps a model is unrolled for; a feedforward one takes none."""
    return min(n_steps, QUICK_STEPS if quick else n_steps) if model.recurrent else 0


def _hashes(store, patterns: Iterable[str]) -> dict[str, str]:
    """Give file -> SHA-256 for the files that names or patterns stand for, fetching those that are not at hand."""
    names: set[str] = set()
    for pattern in patterns:
        here = store.glob(pattern) if store.root is not None else []
        names.update(here or store.registered(pattern))
    return {name: store.sha256(name) for name in sorted(names)}


def _inputs(command: str, data: Mapping[str, str], n_steps: int, seed: int, quick: bool, *models) -> dict[str, str]:
    """Name all that a stage's outputs depend on."""
    root = Path(__file__).resolve().parents[1]
    inputs = {"command": command, "n_steps": str(n_steps), "seed": str(seed), "quick": str(quick)}
    inputs["source"] = source_hash(root / package for package in ("neurocnnf", "benchmarks", "analysis"))
    inputs |= {f"checkpoint:{model.name}": weights_hash(model) for model in models}
    return inputs | {f"data:{name}": sha256 for name, sha256 in data.items()} | package_versions(VERSIONS)


def _or_instead(run: Callable, asked: tuple, instead: tuple, simulate: bool) -> None:
    """Run what was asked for; where its study is missing and `simulate`, say so and run `instead`."""
    from neurocnnf.datastore import DataMissing

    try:
        run(*asked)
    except DataMissing as missing:
        if not simulate:
            raise
        _say("[yellow]missing:[/]", missing)
        _say("[yellow]simulated:[/]", SIMULATED)
        run(*instead)


def _place(out: Path | None, quick: bool, kind: str, model: str, ending: str) -> Path:
    """Give `out`, or the usual place of such a result."""
    name = (Path(model).stem if "/" in model else model) + ending
    return out or Path("build/quick" if quick else "build") / kind / name


def _say(label: str, what: object) -> None:
    """Print one line on stderr, however many lines the text has."""
    line = f"{label} {escape(' '.join(str(what).split()))}"
    Console(stderr=True).print(line, soft_wrap=True, highlight=False)


def _show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table on stdout."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    # Piped output has no width of its own; the default of 80 would cut names in the middle.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(title, highlight=False)
    console.print(table)


def _show_score(stem: Path) -> None:
    """Print the one number with its ceiling, and raw scores by layer and step."""
    import pandas as pd

    from benchmarks.score import MISSING, layers_by_steps

    summary = json.loads(provenance_path(stem).read_text())
    table = layers_by_steps(pd.read_csv(stem.with_name(stem.name + ".csv"))).reset_index()
    label = "simulated recordings, " if summary["simulated"] else ""
    title = f"{summary['model']} on {summary['benchmark']} ({label}raw, by layer and step)"
    rows = [["" if pd.isna(x) else f"{x:.3f}" if isinstance(x, float) else str(x) for x in row] for row in table.values]
    _show(title, [str(column) for column in table.columns], rows)
    for name, interval in (("value", "interval"), ("raw", "raw_interval"), ("ceiling", None)):
        low_high = [f"{x:.3f}" for x in summary[interval] if x is not None] if interval else []
        number = MISSING if summary[name] is None else f"{summary[name]:.3f}"
        typer.echo(f"{name:8} {number} {' to '.join(low_high)}".rstrip())
    typer.echo(f"n        {summary['n_used']} / {summary['n_total']}; normalised by: {summary['ceiling_rule']}")


def _show_csv(title: str, path: Path, n_rows: int = 40) -> None:
    """Print the first rows of a tidy result."""
    import pandas as pd

    table = pd.read_csv(path)
    shown = table.head(n_rows).round(3).astype(str)
    note = f" ({len(table) - len(shown)} more rows in the file)" if len(table) > len(shown) else ""
    _show(title + note, list(shown.columns), shown.to_numpy().tolist())


@contextmanager
def _progress() -> Iterator:
    """Give a function (what, done, total) that draws on stderr."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict = {}

        def advance(what: str, done: float, total: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        yield advance


if __name__ == "__main__":
    app()

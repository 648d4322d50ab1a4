"""The command line. It composes all packages, and imports each only in the command that needs it."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from neurocnnf.display import progress_bar, say, show, show_csv, show_models, show_score, show_suite
from neurocnnf.stage_inputs import parse_bytes, stage_inputs, steps_taken
from neurocnnf.stages import package_versions, provenance_path, run_stage, write_atomically

SIMULATED = (
    "handwritten digits and simulated recordings are used instead. For the real study, set NEUROCNNF_DATA to "
    "the folder that holds it, or connect to a network, and run again."
)
QUICK_IMAGES, QUICK_ATTACKED = 100, 20
DECODED = "tang2018"
TIME_STAGES = {  # module, and the table that is shown
    DECODED: ("analysis.recognition_time", "statistics"),
    "maniquet2025": ("analysis.condition_times", "statistics"),
    "kumbhar2021": ("analysis.speed_accuracy", "comparison"),
    "zhang2011": ("analysis.time_mapping", "fits"),
}
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
            say("[red]error:[/]", error)
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
    """List the models, by their cards, and the benchmarks, and say whose data are here."""
    from benchmarks import list_benchmarks
    from neurocnnf.cards import read_cards
    from neurocnnf.datastore import DataStore

    store = DataStore()

    def data(benchmark) -> str:
        return "simulated" if benchmark.simulated else "here" if benchmark.available(store) else "no data here"

    show_models(read_cards())
    show("Benchmarks", ["benchmark", "data"], [[each.identifier, data(each)] for each in list_benchmarks()])


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
        with progress_bar() as progress:
            table = fetch_all(DataStore(), pattern, progress)
    show("Files", list(table.columns), table.astype(str).to_numpy().tolist())
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
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    half: Annotated[
        bool, typer.Option("--half", help="Compute in bfloat16, for GPUs and AMX; weights stay float32.")
    ] = False,
):
    """Train a model by a recipe; a broken-off run goes on where it stopped."""
    import torch

    from neurocnnf.train import train as run
    from neurocnnf.training_log import EVENTS, LOG

    out = out or Path("build/train") / f"{recipe}-{seed}"
    if threads:
        torch.set_num_threads(threads)
    if half and device == "cpu" and not _is_fast_in_bfloat16(torch.cpu.get_capabilities()):
        say("[yellow]slow:[/]", "this processor has no AMX: --half takes longer than float32, up to several times.")
    for pattern in () if resume else ("state.pt", "run.txt", LOG, EVENTS):  # the part shared with others stays
        for path in out.glob(pattern):
            path.unlink()
    with progress_bar() as progress:
        run(recipe, seed, out, compiled=compile_, device=device, half=half, progress=progress)
    typer.echo(out)


@app.command()
def ship(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, e.g. cnnf-mnist.")],
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs, one per seed, seed 0 first.")],
    out: Out = None,
    every_seed: Annotated[bool, typer.Option("--every-seed", help="Write the other seeds' weights, too.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    compile_: Annotated[bool, typer.Option("--compile", help="Compile the model first.")] = False,
):
    """Evaluate finished runs and write the first one's weights, or all of them, with cards."""
    import torch

    from neurocnnf.checkpoint import SHIPPED
    from neurocnnf.ship import ship as run

    if threads:
        torch.set_num_threads(threads)
    with progress_bar() as progress:
        paths = run(recipe, runs, folder=out or SHIPPED, every_seed=every_seed, compiled=compile_, progress=progress)
    for path in paths:
        typer.echo(path)


@app.command()
def evaluate(
    model: Model,
    n_steps: Steps = 5,
    readout: Annotated[
        Literal["last", "average"], typer.Option(help="A step's own logits, or their mean over all steps to it.")
    ] = "last",
    seed: Seed = 0,
    out: Out = None,
    quick: Quick = False,
):
    """Measure accuracy by step on the model's test images, clean and corrupted; beside it, which ones are right."""
    from neurocnnf import load_model
    from neurocnnf.evaluate import accuracy_by_step, evaluate_on
    from neurocnnf.images import training_set_provenance

    out = _place(out, quick, "accuracy" if readout == "last" else "averages", model, ".csv")
    net = load_model(model)
    data = net.card["data"]
    n = steps_taken(net, n_steps, quick)
    few: dict[str, Any] = {"n_clean": QUICK_IMAGES, "n_degraded": QUICK_IMAGES} if quick else {}
    settings = {"n_steps": n, "readout": readout, "seed": seed, "quick": quick}

    def write() -> list[Path]:
        with progress_bar() as progress:
            right = evaluate_on(net, data, n, readout=readout, seed=seed, progress=progress, **few)
        tables = (table.to_csv(index=False, lineterminator="\n").encode() for table in (accuracy_by_step(right), right))
        by_step, by_image = tables
        packed = gzip.compress(by_image, mtime=0)  # else the time of writing would stand in it
        return [write_atomically(out, by_step), write_atomically(out.with_suffix(".images.csv.gz"), packed)]

    sha256 = training_set_provenance(data)["sha256"]
    run_stage(
        out,
        stage_inputs("evaluate", sha256, settings, [net], package="neurocnnf"),
        write,
    )
    show_csv(f"Accuracy by step, {readout} logits: {model}", out)
    typer.echo(out)


@app.command()
def robustness(
    model: Model,
    control: Annotated[str | None, typer.Option(help="Attacked for the transfer (default: cnn-*).")] = None,
    epsilon: Annotated[list[float] | None, typer.Option(help="L∞ radius, images span -1 to 1; repeatable.")] = None,
    n_images: Annotated[int, typer.Option(min=1, help="Test images, the first ones of the shuffled set.")] = 200,
    n_steps: Steps = 5,
    seed: Seed = 0,
    last_only: Annotated[
        bool, typer.Option("--last-only", help="The last step's own answers alone, through all steps.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the numbers are the same.")] = 1,
    out: Out = None,
    quick: Quick = False,
):
    """Measure accuracy by step under attack: PGD, SPSA, AutoAttack and transfer; by default with the paper's ε."""
    import pandas as pd
    import torch

    from neurocnnf import load_model
    from neurocnnf.attack_runs import QUICK
    from neurocnnf.images import training_set_provenance
    from neurocnnf.robustness import by_step, robustness_on

    out = _place(out, quick, "robustness", model, ".csv")
    nets = [load_model(model)]
    if nets[0].recurrent or control:  # a feedforward model's own attacks are stronger than any carried over
        nets.append(load_model(control or _control(model)))
    net, data, n = nets[0], nets[0].card["data"], steps_taken(nets[0], n_steps, quick)
    few: dict[str, Any] = {"n_images": QUICK_ATTACKED, "effort": QUICK} if quick else {"n_images": n_images}
    few |= {"control": nets[1] if len(nets) > 1 else None, "workers": workers, "last_only": last_only}
    torch.set_num_threads(1)  # batches are small; and no number depends on the workers

    def write() -> list[Path]:
        with progress_bar() as progress:
            table = robustness_on(net, data, epsilons=epsilon, n_steps=n, seed=seed, progress=progress, **few)
        return [write_atomically(out, table.to_csv(index=False, lineterminator="\n").encode())]

    asked = {"epsilon": epsilon, "n_images": few["n_images"], "n_steps": n, "seed": seed, "quick": quick}
    asked |= {"last_only": last_only, **package_versions(["adversarial-robustness-toolbox"])}
    sha256 = training_set_provenance(data)["sha256"]
    run_stage(out, stage_inputs("robustness", sha256, asked, nets, package="neurocnnf"), write)
    table = by_step(pd.read_csv(out)).round(3).astype(str)
    show(f"Accuracy under attack, by step: {model}", [str(c) for c in table.columns], table.to_numpy().tolist())
    typer.echo(out)


@app.command()
def score(
    model: Model,
    benchmark: Annotated[str | None, typer.Argument(help="Identifier of a benchmark (see: neurocnnf list).")] = None,
    suite: Annotated[bool, typer.Option("--suite", help="Every benchmark that has data, in one table.")] = False,
    n_steps: Steps = 5,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Where the results go; with --suite, a folder.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, with --suite; the scores are the same.")] = 1,
    memory: Annotated[str | None, typer.Option(help="What a benchmark may take, e.g. 4GB.")] = None,
    simulate: Simulate = False,
    quick: Quick = False,
):
    """Score a model against a benchmark, or all, for every layer and step; prints the path of the results last.

    BENCHMARK may be one of Brain-Score's, such as brainscore:MajajHong2015public.IT-pls: one number, by its rules.
    """
    if benchmark is not None and benchmark.startswith(OFFICIAL):
        if seed or quick or simulate or memory or workers > 1:
            raise ValueError(
                "score: expected --n-steps and --out alone with a benchmark of Brain-Score's, which has its own rules. "
                "Leave the other options out."
            )
        _score_official(model, benchmark, n_steps, _place(out, quick, "scores", model, f".{benchmark}"))
        return
    from benchmarks.run_suite import Settings

    if suite == (benchmark is not None):
        raise ValueError(f"score: expected a benchmark or --suite, got {'both' if suite else 'neither'}. Give one.")
    settings = Settings(n_steps, seed, quick, parse_bytes(memory) if memory else None)
    if benchmark is None:
        _score_suite(model, out or _place(None, quick, "scores", "", ""), settings, workers)
        return
    stem = _place(out, quick, "scores", model, f".{benchmark}")
    digits, simulated = _digits(model), f"simulated.{benchmark.split('.', 1)[-1]}"
    instead = digits, simulated, stem.with_name(f"{digits}.{simulated}")
    _or_instead(partial(_score_one, settings), (model, benchmark, stem), instead, simulate)


def _score_one(settings, name: str, identifier: str, stem: Path) -> None:
    """Score, show, and print the path."""
    import pandas as pd

    from benchmarks.run_suite import score_stage
    from benchmarks.score import layers_by_steps

    with progress_bar() as progress:
        score_stage(name, identifier, stem, settings, progress)
    table = pd.read_csv(stem.with_name(stem.name + ".csv"))
    show_score(json.loads(provenance_path(stem).read_text()), layers_by_steps(table))
    typer.echo(stem)


def _score_suite(model: str, folder: Path, settings, workers: int) -> None:
    """Score against all real studies, show one table, and print the folder; exit with 1 where one failed."""
    from benchmarks import list_benchmarks
    from benchmarks.run_suite import FAILED, run_suite

    identifiers = [one.identifier for one in list_benchmarks() if not one.simulated]
    with progress_bar() as progress:
        rows = run_suite(model, identifiers, folder, settings, workers, progress)
    show_suite(model, rows)
    typer.echo(folder)
    if any(row["state"] == FAILED for row in rows):
        raise typer.Exit(1)


def _score_official(model: str, benchmark: str, n_steps: int, out: Path) -> None:
    """Score a model by a benchmark of Brain-Score, unless that stands there already; print the number and its path."""
    import pandas as pd

    from benchmarks.brainscore import BrainModelAdapter, score_official
    from neurocnnf import load_model

    net = load_model(model)
    n = steps_taken(net, n_steps, quick=False)

    def write() -> list[Path]:
        adapter = BrainModelAdapter(net, n_steps=n)
        found = score_official(adapter, benchmark.removeprefix(OFFICIAL))
        content = {"benchmark": benchmark, "model": adapter.identifier, "value": float(found)}
        content |= {name: float(found.attrs[name]) for name in ("raw", "ceiling") if name in found.attrs}
        table = pd.DataFrame([content]).to_csv(index=False, lineterminator="\n")
        return [write_atomically(out.with_name(f"{out.name}.csv"), table.encode())]

    asked = {"n_steps": n, **package_versions(["brainscore-vision", "brainscore-core"])}
    run_stage(out, stage_inputs(f"score {benchmark}", {}, asked, [net], package="benchmarks"), write)
    show_csv(f"{model} on {benchmark}", out.with_name(f"{out.name}.csv"))
    typer.echo(out)


@app.command("recognition-times")
def recognition_times(
    model: Model,
    study: Annotated[str, typer.Argument(help="tang2018, maniquet2025, kumbhar2021 or zhang2011.")],
    control: Annotated[str | None, typer.Option(help="Feedforward control (default: cnn-*).")] = None,
    n_steps: Steps = 5,
    seed: Seed = 0,
    out: Out = None,
    simulate: Simulate = False,
    quick: Quick = False,
):
    """Compare the steps a model needs with the time people, or neurons, need; prints the path of the results last."""
    if study not in TIME_STAGES:
        raise ValueError(f"Study: expected one of {', '.join(TIME_STAGES)}, got {study!r}. Choose one of them.")
    module, table = TIME_STAGES[study]
    models = [model, control or _control(model)]
    asked = ["--n-steps", str(n_steps), "--seed", str(seed), *["--quick"] * quick, *["--simulate-missing"] * simulate]
    place = _place(out, quick, f"times/{study}", model, "")
    if study == DECODED:
        decode = import_module("analysis.decode_stage").stage
        places = [place.with_name(f"{place.name}.decoded") / role / study for role in ("model", "control")]
        stems = [decode([one, "--out", str(stem), *asked]) for one, stem in zip(models, places, strict=True)]
        models, asked = ["--in", *map(str, stems)], []
    found = import_module(module).stage([*models, "--out", str(place), *asked])
    show_csv(f"{model} and its control on {study}", found.with_name(f"{found.name}.{table}.csv"))
    typer.echo(found)


def _control(model: str) -> str:
    """Name the feedforward control of a model."""
    return str(Path(model).with_name("cnn-" + Path(model).name.partition("-")[2]))


def _is_fast_in_bfloat16(processor: Mapping[str, Any]) -> bool:
    """Say whether bfloat16 is faster than float32 there, as far as torch knows; with AVX512-BF16 alone it is not."""
    return processor["architecture"] != "x86_64" or processor["amx_bf16"]


def _digits(model: str) -> str:
    """Name the model of the same kind that needs no data."""
    return Path(model).stem.split("-")[0] + "-digits"


def _or_instead(run: Callable, asked: tuple, instead: tuple, simulate: bool) -> None:
    """Run what was asked for; where its study is missing and `simulate`, say so and run `instead`."""
    from neurocnnf.datastore import DataMissing

    try:
        run(*asked)
    except DataMissing as missing:
        if not simulate:
            raise
        say("[yellow]missing:[/]", missing)
        say("[yellow]simulated:[/]", SIMULATED)
        run(*instead)


def _place(out: Path | None, quick: bool, kind: str, model: str, ending: str) -> Path:
    """Give `out`, or the usual place of such a result."""
    name = (Path(model).stem if "/" in model else model) + ending
    return out or Path("build/quick" if quick else "build") / kind / name


if __name__ == "__main__":
    app()

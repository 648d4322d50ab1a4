"""Imports point down: figures -> analysis -> benchmarks -> neurocnnf."""

import ast
from pathlib import Path

import pytest

ORDER = ("neurocnnf", "benchmarks", "analysis", "figures")
COMPOSES_ALL = "neurocnnf/__main__.py"
BRAINSCORE_ONLY = "benchmarks/brainscore/"
ROOT = Path(__file__).resolve().parents[1]


def imported_modules(source: str, path: str) -> list[tuple[int, str]]:
    """List (line, absolute module name) of everything that a source imports, inside functions too."""
    package = list(Path(path).with_suffix("").parts[:-1])
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join(base + ([node.module] if node.module else []))
            found += [(node.lineno, stem)] if stem else [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                found.append((node.lineno, node.args[0].value))
    return found


def violations(source: str, path: str) -> list[str]:
    """Say which imports of a source, standing at `path` below the root, are not allowed there."""
    own, wrong = path.split("/")[0], []
    for line, module in imported_modules(source, path):
        top = module.split(".")[0]
        if top in ORDER and ORDER.index(top) > ORDER.index(own) and path != COMPOSES_ALL:
            wrong.append(f"{path}:{line} imports {module}: {own} stands below {top}")
        if top == "torchvision":
            wrong.append(f"{path}:{line} imports {module}: it does not load beside a CPU-only torch")
        if top in ("brainscore_vision", "brainscore_core") and not path.startswith(BRAINSCORE_ONLY):
            wrong.append(f"{path}:{line} imports {module}: only {BRAINSCORE_ONLY} may")
    return wrong


def test_no_source_of_the_project_imports_what_it_must_not():
    paths = [path for package in ORDER for path in sorted((ROOT / package).rglob("*.py"))]
    assert paths
    found = [line for p in paths for line in violations(p.read_text(), p.relative_to(ROOT).as_posix())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "path", "said"),
    [
        ("import benchmarks", "neurocnnf/record.py", "neurocnnf stands below benchmarks"),
        ("def f():\n    from analysis.inference import g", "benchmarks/score.py", ":2 imports analysis"),
        ("from figures import style", "analysis/masking.py", "analysis stands below figures"),
        ("import numpy, figures.style as s", "benchmarks/a.py", "benchmarks stands below figures"),
        ("import importlib\nimportlib.import_module('benchmarks.suite')", "neurocnnf/a.py", ":2 imports"),
        ("__import__('torchvision')", "figures/a.py", "CPU-only torch"),
        ("from torchvision.ops import nms", "neurocnnf/images.py", "CPU-only torch"),
        ("import torchvision", "neurocnnf/__main__.py", "CPU-only torch"),
        ("import brainscore_vision", "benchmarks/suite.py", "only benchmarks/brainscore/ may"),
        ("import brainscore_vision", "neurocnnf/__main__.py", "only benchmarks/brainscore/ may"),
        ("from ..analysis import x", "neurocnnf/record.py", "imports analysis"),
    ],
)
def test_a_planted_violation_is_found(source, path, said):
    assert len(found := violations(source, path)) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("from neurocnnf.record import record\nimport benchmarks", "analysis/masking.py"),
        ("from analysis import inference\nimport benchmarks, figures", "neurocnnf/__main__.py"),
        ("import brainscore_vision", "benchmarks/brainscore/adapter.py"),
        ("from . import metrics\nfrom .recordings import tang2018", "benchmarks/score.py"),
        ("text = 'import torchvision'  # import figures", "neurocnnf/record.py"),
    ],
)
def test_what_is_allowed_passes(source, path):
    assert violations(source, path) == []

"""Brain-Score's `score` on our models, and what it must leave alone."""

import subprocess
import sys

import pytest

from benchmarks.brainscore import BrainModelAdapter, register, score_official
from neurocnnf import list_models, load_model

import brainscore_vision  # isort: skip

END_TO_END = """
import os, ssl, subprocess, sys
from pathlib import Path
tls = ssl._create_default_https_context
started, popen = [], subprocess.Popen.__init__
def noted(self, args, *rest, **kwargs):
    started.append(str(args))
    popen(self, args, *rest, **kwargs)
subprocess.Popen.__init__ = noted
from benchmarks.brainscore import register
register()
import brainscore_vision
from brainscore_core.metrics import Score
root = Path(brainscore_vision.__file__).parents[1]
files = lambda: {p for p in root.rglob("*") if "__pycache__" not in p.parts}
before = files()
class Local:
    identifier = "simulated.local"
    ceiling = Score(1.0)
    def preallocate_memory(self, candidate, **_): pass
    def __call__(self, candidate):
        assert candidate.identifier.startswith("cnnf-mnist-")
        return Score(0.25)
brainscore_vision.benchmark_registry["simulated.local"] = Local
score = brainscore_vision.score("cnnf-mnist", "simulated.local")
assert float(score) == 0.25 and score.attrs["model_identifier"] == "cnnf-mnist"
brainscore_vision.load_metric("ridge"); brainscore_vision.load_model("pixels")
assert files() == before
assert not any("pip" in one for one in started), started
assert os.environ["BS_INSTALL_DEPENDENCIES"] == "no"
assert ssl._create_default_https_context is tls
assert "torchvision" not in sys.modules
print("clean")
"""


def test_score_runs_end_to_end_and_leaves_the_machine_alone():
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", END_TO_END], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.strip().endswith("clean")


def test_all_our_models_are_registered_and_twice_is_as_once():
    assert set(register()) == set(list_models()) <= set(brainscore_vision.model_registry)
    wrapped = brainscore_vision.import_plugin
    register()
    assert brainscore_vision.import_plugin is wrapped
    assert isinstance(brainscore_vision.load_model("cnnf-digits"), BrainModelAdapter)


def test_a_plugin_that_switches_tls_verification_off_does_so_only_while_it_is_imported(monkeypatch):
    import ssl
    from functools import partial

    from benchmarks.brainscore.registry import _import_plugin

    before = ssl._create_default_https_context

    def plugin(*_, **__):
        ssl._create_default_https_context = ssl._create_unverified_context

    partial(_import_plugin, plugin)("brainscore_vision", "models", "no such model")
    assert ssl._create_default_https_context is before


@pytest.mark.parametrize("wrapped", [False, True], ids=["as botocore raises it", "as Brain-Score's fetcher does"])
def test_missing_data_and_unknown_benchmarks_are_said_in_one_line(monkeypatch, wrapped):
    from botocore.exceptions import EndpointConnectionError

    adapter = BrainModelAdapter(load_model("cnnf-digits"))

    def no_network():
        error = EndpointConnectionError(endpoint_url="s3")
        raise Exception([error, error]) if wrapped else error

    monkeypatch.setitem(brainscore_vision.benchmark_registry, "simulated.far", no_network)
    with pytest.raises(ValueError, match=r"simulated\.far: its data are not in BRAINIO_HOME"):
        score_official(adapter, "simulated.far")
    with pytest.raises(ValueError, match=r"expected one of Brain-Score's, got 'no\.such-thing'"):
        score_official(adapter, "no.such-thing")


def test_a_fault_that_is_not_about_data_is_not_hidden(monkeypatch):
    def broken():
        raise Exception(["a fault"])

    monkeypatch.setitem(brainscore_vision.benchmark_registry, "simulated.broken", broken)
    with pytest.raises(Exception, match="a fault"):
        score_official(BrainModelAdapter(load_model("cnnf-digits")), "simulated.broken")

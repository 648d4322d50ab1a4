"""Our models under Brain-Score's own `score`, which otherwise writes, installs and downloads."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import brainscore_vision
from brainscore_vision.model_interface import BrainModel

from benchmarks.brainscore.adapter import BrainModelAdapter

REGISTRIES = {
    "models": "model_registry",
    "benchmarks": "benchmark_registry",
    "metrics": "metric_registry",
    "data": "data_registry",
}
Makers = Mapping[str, Callable[[], BrainModel]]


def register(models: Makers | None = None) -> tuple[str, ...]:
    """Make models known to Brain-Score, so that ``brainscore_vision.score(name, benchmark)`` runs end to end.

    Afterwards Brain-Score finds what is in its registries without a file of its own, `score` returns its result without
    writing it beside the installed packages, no pip is run, and a plugin that switches TLS verification off does so no
    longer than its import lasts. Calling it again is harmless.

    Parameters
    ----------
    models
        Name to a function that makes the model; all of `neurocnnf.list_models` where None.

    Returns
    -------
    tuple of str
        The names.
    """
    makers = _ours() if models is None else dict(models)
    brainscore_vision.model_registry.update(makers)
    if not hasattr(brainscore_vision.import_plugin, "original"):
        quiet: Any = partial(_import_plugin, brainscore_vision.import_plugin)
        quiet.original = brainscore_vision.import_plugin
        brainscore_vision.import_plugin = quiet
        brainscore_vision.wrap_score = _score_here
    return tuple(makers)


def score_official(model: BrainModel, benchmark: str):
    """Score a model by one of Brain-Score's benchmarks.

    Raises
    ------
    ValueError
        If there is no such benchmark, its data cannot be had, or it needs a package that is not installed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    register({model.identifier: lambda: model})
    try:
        return brainscore_vision.score(model.identifier, benchmark)
    except AssertionError as error:
        if "No registrations found" not in str(error):
            raise
        raise ValueError(
            f"benchmark: expected one of Brain-Score's, got {benchmark!r}. Look it up on www.brain-score.org."
        ) from error
    except ModuleNotFoundError as error:
        raise ValueError(
            f"brainscore:{benchmark}: needs the package {error.name!r}, which is not installed. Install it; "
            "Brain-Score is not allowed to do so by itself."
        ) from error
    except Exception as error:
        # Its fetcher raises a bare Exception that holds the errors of its attempts.
        cause = error.args[0][-1] if type(error) is Exception and isinstance(error.args[0], list) else error
        if not isinstance(cause, BotoCoreError | ClientError | OSError):
            raise
        home = os.environ.get("BRAINIO_HOME", "~/.brainio")
        raise ValueError(
            f"brainscore:{benchmark}: its data are not in BRAINIO_HOME ({home}) and could not be downloaded "
            f"({type(cause).__name__}). Connect to a network, or copy that folder from a machine that has them."
        ) from error


def _ours() -> dict[str, Callable[[], BrainModel]]:
    from neurocnnf import list_models

    return {name: partial(_load, name) for name in list_models()}


def _load(name: str) -> BrainModel:
    from neurocnnf import load_model

    return BrainModelAdapter(load_model(name))


def _import_plugin(original: Callable, library_root: str, plugin_type: str, identifier: str, registry_prefix=None):
    name = f"{registry_prefix}_registry" if registry_prefix else REGISTRIES[plugin_type]
    if identifier in getattr(brainscore_vision, name):
        return
    os.environ["BS_INSTALL_DEPENDENCIES"] = "no"
    context = ssl._create_default_https_context
    try:
        original(library_root, plugin_type, identifier, registry_prefix=registry_prefix)
    finally:
        ssl._create_default_https_context = context


def _score_here(library_path, model_identifier, benchmark_identifier, score_function, conda_active):
    return score_function(model_identifier, benchmark_identifier)

"""Our models in Brain-Score's benchmarks, Brain-Score's models in ours. Only this package imports brainscore_vision."""

from benchmarks.brainscore.environment import prepare_environment

prepare_environment()  # Brain-Score reads the environment when it is imported, by the modules below

from benchmarks.brainscore.adapter import BrainModelAdapter  # noqa: E402
from benchmarks.brainscore.foreign import Foreign, foreign  # noqa: E402
from benchmarks.brainscore.registry import register, score_official  # noqa: E402

__all__ = ["BrainModelAdapter", "Foreign", "foreign", "register", "score_official"]

"""A model's recordings against the brain's: benchmarks, and the scores they give."""

from benchmarks.own_study import study_benchmark
from benchmarks.score import Score
from benchmarks.suite import list_benchmarks, load_benchmark

__all__ = ["Score", "list_benchmarks", "load_benchmark", "study_benchmark"]

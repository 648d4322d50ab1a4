"""CNN-F at every recurrent step, and what it takes to hold it against recordings of brains and observers."""

from neurocnnf.architectures import build_model
from neurocnnf.checkpoint import list_models, load_model
from neurocnnf.clock import StepClock
from neurocnnf.record import record
from neurocnnf.stimuli import Stimuli

__all__ = ["StepClock", "Stimuli", "build_model", "list_models", "load_model", "record"]

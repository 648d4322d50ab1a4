# The order of the stages. Data flows one way: model + study -> scores, times, accuracies -> figures.
#
# A stage is made again when its sources, weights or data are newer than its outputs; the program then looks at the
# contents too, and does nothing where only times changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

VENV  := .venv
PY    := $(VENV)/bin/python
RUN   := $(PY) -m neurocnnf
BUILD ?= build
QUICK ?=
# The first interpreter that can hold the pinned packages: numpy 1.26, which Brain-Score needs, has builds for 3.11 and 3.12.
USABLE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
PYTHON ?= $(firstword $(foreach p,python3 python3.12 python3.11,$(if $(shell $(p) -c '$(USABLE)' 2>/dev/null && echo yes),$(p))) python3)

# Two stages side by side with a thread each take half the time of one after the other with two.
JOBS ?= 2
MAKEFLAGS += --jobs=$(JOBS)
export OMP_NUM_THREADS ?= 1
# Every stage is a process of its own, and would compile every module again: 8 seconds each.
unexport PYTHONDONTWRITEBYTECODE

# What is compared: CNN-F first, its feedforward control, which the others are tested against, last. `make figures` draws
# these two, every seed of each, where it can; the table of benchmarks and the comparisons of times are of all, one seed
# each; `make seeds` takes every seed of all. And the steps they take.
SUITE      ?= $(addsuffix -cifar-gray-small,cnnf lateral predictive ungated cnn)
STEPS      ?= 5
MODEL      := $(firstword $(SUITE))
CONTROL    := $(lastword $(SUITE))
SEEDS_OF    = $(sort $(basename $(notdir $(wildcard $(addprefix neurocnnf/weights/$(1),.safetensors -seed*.safetensors)))))
SEEDS_OF_MODEL := $(call SEEDS_OF,$(MODEL))
SEEDS_OF_CONTROL := $(call SEEDS_OF,$(CONTROL))
SCORED     := $(SEEDS_OF_MODEL) $(SEEDS_OF_CONTROL)
# Seeds of MODEL that have a control of the same seed; and which comes before one of them, or of CONTROL's: where a study
# is missing, all seeds write the same simulated results, one after the other.
control_of  = $(1:$(MODEL)%=$(CONTROL)%)
PAIRED     := $(foreach m,$(SEEDS_OF_MODEL),$(if $(filter $(call control_of,$(m)),$(SEEDS_OF_CONTROL)),$(m)))
before      = $(filter-out none,$(patsubst %:$(2),%,$(filter %:$(2),$(join $(addsuffix :,none $(1)),$(1)))))
before_seed = $(call before,$(SEEDS_OF_MODEL),$(1)) $(call before,$(SEEDS_OF_CONTROL),$(1))
SHOWN      := cnnf-mnist
EVALUATED  := $(if $(findstring -mnist,$(MODEL)),,cnnf-mnist-small cnn-mnist-small) $(MODEL) $(CONTROL)
BENCHMARKS := cowley2023.V4-ridge kriegeskorte2008.humanIT-rsa
RECOGNITION := $(addprefix maniquet2025.,accuracy confusion masking)

# Trainings whose CNN-F and control `make robustness` attacks, every seed that is shipped; digits where there is no MNIST.
# And images of each, and steps.
TRAININGS  ?= $(if $(NEUROCNNF_DATA),mnist-small mnist-small-adversarial,digits)
ROBUST     := $(foreach t,$(TRAININGS),$(call SEEDS_OF,cnnf-$(t)) $(call SEEDS_OF,cnn-$(t)))
ATTACKED   ?= 30
ROBUST_STEPS ?= 5
# Processes for each model, beside JOBS models: more are for where fewer models than JOBS are attacked.
WORKERS    ?= 1

# What `make controls` compares with the last one, every seed of which a card tells, after how many steps; where there is
# MNIST, under attack too, but for those that answer several images together.
CONTROLS   ?= $(addsuffix -mnist-small,cnnf lateral predictive ungated untied shuffled wide cnn)
CONTROL_STEPS ?= 5

# What `make corruptions` draws of what the cards say: models and their controls. Trainings whose CNN-F `make sharpening`
# asks, and whose control it inverts.
CORRUPTED  ?= $(addsuffix -mnist-small,cnnf lateral predictive ungated cnn) $(filter-out %-mnist-small,$(SUITE))
SHARPENED  ?= $(if $(NEUROCNNF_DATA),$(patsubst cnnf-%,%,$(call SEEDS_OF,cnnf-mnist-small)),digits)

# What `make few-labels` and `make glimpses` learn.
LABELLED   ?= $(if $(NEUROCNNF_DATA),mnist,digits)

# What `make train` makes.
RECIPES ?= cnnf-mnist cnn-mnist cnnf-cifar-gray-small cnn-cifar-gray-small cnnf-digits cnn-digits
SEEDS   ?= 0 1 2

CODE     := $(wildcard neurocnnf/*.py neurocnnf/weights/*) neurocnnf/registry.csv
SCORING  := $(CODE) $(wildcard benchmarks/*.py benchmarks/recordings/*.py)
TIMING   := $(SCORING) $(wildcard analysis/*.py)
DRAWING  := $(wildcard figures/*.py) analysis/tables.py
READY    := $(VENV)/.installed
DATA     := $(BUILD)/.data

# Each of these holds the path of a stage's results: where a study is missing, those of simulated recordings, which
# bear no study's name.
SCORES     := $(foreach m,$(SCORED),$(foreach b,$(BENCHMARKS),$(BUILD)/scores/.$(m).$(b)))
TIMES      := $(BUILD)/times/tang2018/.$(MODEL)
SEED_TIMES := $(PAIRED:%=$(BUILD)/times/tang2018/.%)
SUITES     := $(foreach m,$(SUITE),$(BUILD)/suite/.$(m))
OF_SEEDS   := $(foreach m,$(SUITE),$(call SEEDS_OF,$(m)))
SEED_SUITES := $(foreach m,$(OF_SEEDS),$(BUILD)/suite/.$(m))
RANKED     := $(foreach m,$(MODEL) $(CONTROL),$(foreach b,$(RECOGNITION),$(BUILD)/scores/.$(m).$(b)))
NETWORKS   := $(BUILD)/networks/.maniquet2025
CONDITIONS := $(BUILD)/condition_times/.maniquet2025
TRADE_OFF  := $(BUILD)/speed_accuracy/.kumbhar2021
LATENCY    := $(BUILD)/it_latency/.zhang2011
decoded     = $(foreach m,$(1),$(BUILD)/decoded/$(m)/.tang2018)
DECODED    := $(call decoded,$(SUITE))
pair        = $(call decoded,$(1) $(call control_of,$(1)))
PAIRS      := $(foreach m,$(PAIRED),$(call pair,$(m)))
COMPARED   := $(BUILD)/comparison/.tang2018
MASKED     := $(BUILD)/masking/.tang2018
EXAMPLES   := $(BUILD)/examples/.$(SHOWN)
# Measured once, when a checkpoint is shipped: three seeds, of which most keep only the first one's weights.
CARDS      := $(foreach m,$(EVALUATED),neurocnnf/weights/$(m).json)
FIGURES    := $(foreach f,feedback_examples accuracy_by_step neural_scores recognition_times time_spread,$(BUILD)/figures/$(f).png)
# What `make times` draws, what waits longest first; and what `make paper` adds, the suite and its kind.
TIMED      := $(foreach f,trajectories time_readouts cleaning occlusion_levels masking it_latency speed_accuracy \
              clock_ranges condition_times,$(BUILD)/figures/$(f).png)
PAPER      := $(TIMED) $(foreach f,times_by_study composite published_networks,$(BUILD)/figures/$(f).png)

.PHONY: help install figures quick-figures times quick-times paper quick-paper suite quick-suite robustness \
        quick-robustness controls quick-controls corruptions sharpening quick-sharpening seeds \
        quick-seeds averages quick-averages few-labels glimpses test lint bench train clean FORCE

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

figures: $(FIGURES)  ## Draw every figure into build/figures (NEUROCNNF_DATA=folder: from the real studies)
	@if [ -e $(BUILD)/.drawn ]; then rm $(BUILD)/.drawn; echo "figures are in $(BUILD)/figures"; else echo "figures are up to date"; fi
	@if grep -lsE '"simulated": *true' $$(cat $(SCORES) $(SEED_TIMES) | sed 's/$$/.json/') > $(BUILD)/.simulated; then \
	  echo "simulated recordings were used in:"; sed 's/^/  /' $(BUILD)/.simulated; \
	  echo "for the real studies: NEUROCNNF_DATA=folder make figures; or connect to a network, make clean && make figures"; fi

quick-figures:  ## Draw every figure from a small subsample into build/quick/figures (a check, not a result)
	@$(MAKE) --no-print-directory figures BUILD=build/quick QUICK=--quick

times: $(TIMED) $(BUILD)/figures/recognition_times.png  ## Draw what compares SUITE's times with people's and neurons'
	@echo "figures are in $(BUILD)/figures"

quick-times:  ## The same from a small subsample into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory times BUILD=build/quick QUICK=--quick

paper: figures $(PAPER)  ## Draw the figures and tables of every benchmark too
	@echo "tables are in $(BUILD)/suite and beside the figures, in $(BUILD)/figures"

quick-paper:  ## The same from a small subsample into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory paper BUILD=build/quick QUICK=--quick

suite: $(BUILD)/figures/composite.png  ## Score SUITE's models on every benchmark: one table, and the composite
	@cat $(BUILD)/suite/suite.md; echo "the table is in $(BUILD)/suite/suite.{csv,md,tex}, the composite in $(BUILD)/figures"

quick-suite:  ## The same from a small subsample into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory suite BUILD=build/quick QUICK=--quick

robustness: $(BUILD)/figures/robustness.png  ## Attack TRAININGS on ATTACKED images each: figure, the paper's table, differences
	@cat $(BUILD)/robustness/table.md $(if $(filter-out cnn-%,$(ROBUST)),$(BUILD)/robustness/differences.md); echo "tables are in $(BUILD)/robustness, the figure in $(BUILD)/figures"

quick-robustness:  ## The same with few images and weak attacks into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory robustness BUILD=build/quick QUICK=--quick

controls: $(BUILD)/figures/controls.png  ## Compare seeds of CONTROLS with the last: clean, corrupted and attacked
	@cat $(BUILD)/controls/spread.md $(BUILD)/controls/gains.md; echo "tables are in $(BUILD)/controls, the figure in $(BUILD)/figures"

quick-controls:  ## The same with few images and weak attacks into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory controls BUILD=build/quick QUICK=--quick

corruptions: $(BUILD)/figures/corruptions.png  ## Draw every seed of CORRUPTED under noise, blur, contrast, occlusion, pixelation
	@echo "the table is $(BUILD)/corruptions.csv, the figure is in $(BUILD)/figures"

sharpening: $(BUILD)/figures/sharpening.png  ## Compare what feedback restores of degraded images with filters and inversion
	@echo "tables are in $(BUILD)/sharpening, the figure in $(BUILD)/figures"

quick-sharpening:  ## The same with few images into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory sharpening BUILD=build/quick QUICK=--quick

seeds: $(addprefix $(BUILD)/figures/,seed_spread.png time_spread.png) $(addprefix $(BUILD)/seeds/,accuracy.summary.csv composite.summary.csv readouts.summary.csv)  ## Every seed of SUITE's models on every benchmark, their composite, and people's times
	@cat $(foreach t,accuracy gains spread composite recognition_times readouts,$(BUILD)/seeds/$(t).md); echo "tables are in $(BUILD)/seeds, the figures in $(BUILD)/figures"

quick-seeds:  ## The same from a small subsample into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory seeds BUILD=build/quick QUICK=--quick

averages: $(BUILD)/figures/averages.png  ## Answer by the mean over steps, clean and corrupted: every seed of SUITE's models
	@cat $(foreach t,accuracy gains,$(BUILD)/averages/$(t).md); echo "tables are in $(BUILD)/averages, the figure in $(BUILD)/figures"

quick-averages:  ## The same from few images into build/quick (a check, not a result)
	@$(MAKE) --no-print-directory averages BUILD=build/quick QUICK=--quick

few-labels: $(BUILD)/figures/few_labels.png  ## Learn LABELLED from 5 to 500 labels per class, five seeds (half an hour)
	@echo "tables are in $(BUILD)/few_labels, the figure in $(BUILD)/figures"

glimpses: $(BUILD)/figures/glimpses.png  ## Learn LABELLED from sequences of crops, with a carried state and without, five seeds
	@echo "tables are in $(BUILD)/glimpses, the figure in $(BUILD)/figures"

install: $(READY)  ## Set up .venv (so do the targets that need it, on first use)
	@echo "the environment is in $(VENV): source $(VENV)/bin/activate"

test: $(READY)  ## Run the tests
	@$(PY) -m pytest -q

lint: $(READY)  ## Check style (ruff) and types (mypy)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

bench: $(READY)  ## Measure speed and memory beside plain transcriptions (unrolling, training), solvers beside peers, times
	@$(PY) tests/speed/bench.py
	@$(PY) tests/speed/bench_training.py
	@PYTHONPATH=. $(PY) tests/speed/bench_scoring.py
	@PYTHONPATH=. $(PY) tests/speed/bench_times.py

train: $(READY)  ## Train the models, three seeds each, into build/weights (hours; RECIPES=... SEEDS=... to choose)
	@for recipe in $(RECIPES); do for seed in $(SEEDS); do \
	  $(RUN) train $$recipe --seed $$seed; done; \
	  $(RUN) ship $$recipe $(SEEDS:%=build/train/$$recipe-%) --every-seed --out build/weights; done

clean:  ## Remove build/ (the environment in .venv stays)
	rm -rf build

# --- the environment ---------------------------------------------------------------------------------------------

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c '$(USABLE)' 2>/dev/null || { echo "error: expected Python 3.11 or 3.12, got $$($(PYTHON) --version 2>&1 | head -n 1 || true). Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version): about 2 GB, about 2 minutes" >&2
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# --- stages ------------------------------------------------------------------------------------------------------

# Rewritten only where NEUROCNNF_DATA or the names, sizes and times of its files changed.
$(DATA): FORCE | $(READY)
	@$(PY) -I neurocnnf/stages.py $@

# What a list of models, or a number of steps, was when something was last made of it: rewritten only where it changed, for
# a shorter list makes nothing newer.
ASKED := $(BUILD)/.asked
$(ASKED)/%: FORCE
	@mkdir -p $(@D); echo '$(LISTED)' | cmp -s - $@ || echo '$(LISTED)' > $@

$(ASKED)/steps: LISTED := $(STEPS)
$(ASKED)/suite: LISTED := $(SUITE)
$(ASKED)/seeds: LISTED := $(OF_SEEDS)

# Run a stage, show what it says, and keep its last line, the path of its results.
define keep
	@mkdir -p $(@D)
	$(1) | tee $@.part; tail -n 1 $@.part > $@.part2; rm $@.part; mv $@.part2 $@
	@touch $(BUILD)/.drawn
endef

$(EXAMPLES): $(CODE) analysis/feedback_examples.py analysis/tables.py $(DATA) $(READY)
	$(call keep,$(PY) -m analysis.feedback_examples $(SHOWN) --out $(@D)/$(SHOWN) --simulate-missing)

# One rule for each model: a benchmark's identifier has a dot of its own.
define score_rule
$(BUILD)/scores/.$(1).%: $(SCORING) $(DATA) $(READY) $(ASKED)/steps | $(foreach m,$(call before_seed,$(1)),$(BUILD)/scores/.$(m).%)
	$$(call keep,$(RUN) score $(1) $$* --n-steps $(STEPS) --out $$(@D)/$(1).$$* --simulate-missing $(QUICK))
endef
$(foreach model,$(sort $(MODEL) $(CONTROL) $(SCORED)),$(eval $(call score_rule,$(model))))

# A benchmark without data is a row that says so; one that fails stops here, after the others.
# What the figures are drawn from, it finds made: two processes at once would write the same files.
define suite_rule
$(BUILD)/suite/.$(1): $(SCORING) $(DATA) $(READY) $(ASKED)/steps | $(filter $(BUILD)/scores/.$(1).%,$(SCORES) $(RANKED))
	$$(call keep,$(RUN) score $(1) --suite --n-steps $(STEPS) --out $(BUILD)/scores $(QUICK))
endef
$(foreach model,$(sort $(SUITE) $(OF_SEEDS)),$(eval $(call suite_rule,$(model))))

$(BUILD)/suite/suite.csv: $(wildcard analysis/*.py) $(SUITES) $(ASKED)/suite
	@$(PY) -m analysis.suite_summary --in $(BUILD)/scores --models $(SUITE) --control $(CONTROL) --out $(basename $@) > /dev/null

known_seeds = $(if $(PAIRED),,$(error SUITE: expected models in neurocnnf/weights, and CNN-F and control of one seed, got $(SUITE)))
$(BUILD)/seeds/spread.summary.csv: $(wildcard analysis/*.py) $(SEED_SUITES) $(ASKED)/seeds
	$(known_seeds)@$(PY) -m analysis.suite_summary --in $(BUILD)/scores --models $(OF_SEEDS) --out $(@D)/suite > /dev/null
	@$(PY) -m analysis.seed_spread --suite $(@D)/suite.csv --control $(CONTROL) --out $(@D)/spread > /dev/null

# What the cards say of every seed, clean and corrupted: beside the control's, and beside step 0.
SUITE_CARDS := $(foreach m,$(SUITE),neurocnnf/weights/$(m).json)
$(BUILD)/seeds/accuracy.summary.csv: $(wildcard analysis/*.py) $(SUITE_CARDS) $(ASKED)/suite $(ASKED)/steps $(READY)
	@$(PY) -m analysis.accuracy_spread --accuracy $(SUITE_CARDS) --control $(CONTROL) --n-steps $(STEPS) --out $(@D)/accuracy > /dev/null
	@$(PY) -m analysis.step_gains --accuracy $(SUITE_CARDS) --n-steps $(STEPS) --out $(@D)/gains > /dev/null

# The same, answered by the mean over steps; the feedforward control's is its one answer, on as many images.
AVERAGED := $(OF_SEEDS:%=$(BUILD)/averages/steps-$(STEPS)/%.csv)
$(AVERAGED): $(CODE) $(DATA) $(READY)
	@$(RUN) evaluate $(basename $(@F)) --readout average --n-steps $(STEPS) --out $@ $(QUICK) > /dev/null
	@touch $@

$(BUILD)/averages/gains.summary.csv: $(wildcard analysis/*.py) $(AVERAGED) $(ASKED)/seeds $(ASKED)/steps
	$(known_seeds)@$(PY) -m analysis.accuracy_spread --accuracy $(AVERAGED) --control $(CONTROL) --out $(@D)/accuracy > /dev/null
	@$(PY) -m analysis.step_gains --accuracy $(AVERAGED) --out $(@D)/gains > /dev/null

$(BUILD)/seeds/composite.summary.csv: $(wildcard analysis/*.py) $(BUILD)/seeds/spread.summary.csv
	@$(PY) -m analysis.composite_spread --suite $(@D)/suite.csv --control $(CONTROL) --out $(basename $(basename $@)) > /dev/null

# Of each seed of MODEL, beside the control of that seed: decoded once, then correlated, and in mixed models.
define seed_rules
$(BUILD)/times/tang2018/.$(1): $(call pair,$(1)) $(TIMING) $(READY) $(ASKED)/suite | $(patsubst %,$(BUILD)/times/tang2018/.%,$(call before,$(PAIRED),$(1)))
	$$(call keep,$(PY) -m analysis.recognition_time --in $$$$(cat $(call pair,$(1))) --out $$(@D)/$(1))
$(BUILD)/seeds/comparison/.$(1): $(call pair,$(1)) $(TIMING) $(READY) $(ASKED)/suite | $(patsubst %,$(BUILD)/seeds/comparison/.%,$(call before,$(PAIRED),$(1)))
	$$(call keep,$(PY) -m analysis.comparison_stage --in $$$$(cat $(call pair,$(1))) --out $$(@D)/$(1))
endef
$(foreach m,$(PAIRED),$(eval $(call seed_rules,$(m))))

$(BUILD)/seeds/recognition_times.summary.csv: $(wildcard analysis/*.py) $(SEED_TIMES) $(ASKED)/seeds
	$(known_seeds)@$(PY) -m analysis.time_spread --in $$(cat $(SEED_TIMES) | sort -u) --out $(basename $(basename $@)) > /dev/null

SEED_READOUTS := $(PAIRED:%=$(BUILD)/seeds/comparison/.%)
$(BUILD)/seeds/readouts.summary.csv: $(wildcard analysis/*.py) $(SEED_READOUTS) $(ASKED)/seeds
	$(known_seeds)@$(PY) -m analysis.readout_spread --in $$(cat $(SEED_READOUTS) | sort -u) --out $(basename $(basename $@)) > /dev/null

attacks_on = $(1:%=$(BUILD)/robustness/steps-0-$(ROBUST_STEPS)-of-$(ATTACKED)/%.csv)
ATTACKS := $(call attacks_on,$(ROBUST))
# What `make controls` attacks; of what `make robustness` does not, the last step alone: every one would take hours.
ATTACKED_TOO := $(if $(filter $(CONTROL_STEPS),$(ROBUST_STEPS)),$(ROBUST))
ATTACKABLE := $(foreach m,$(filter-out shuffled-%,$(CONTROLS)),$(call SEEDS_OF,$(m)))
LAST_ATTACKS := $(if $(NEUROCNNF_DATA),$(patsubst %,$(BUILD)/robustness/step-$(CONTROL_STEPS)-of-$(ATTACKED)/%.csv,$(filter-out $(ATTACKED_TOO),$(ATTACKABLE))))
ANSWERS := --n-steps $(ROBUST_STEPS)
$(LAST_ATTACKS): ANSWERS := --last-only --n-steps $(CONTROL_STEPS)
$(ATTACKS) $(LAST_ATTACKS): $(CODE) $(DATA) $(READY)
	@$(RUN) robustness $(basename $(@F)) $(ANSWERS) --n-images $(ATTACKED) --workers $(WORKERS) --out $@ $(QUICK)
	@touch $@ $(BUILD)/.drawn

$(ASKED)/robustness: LISTED := $(ATTACKS)
$(BUILD)/robustness/table.csv: $(wildcard analysis/*.py) $(ATTACKS) $(ASKED)/robustness
	@$(PY) -m analysis.robustness_summary --in $(ATTACKS) --out $(basename $@)
	@$(if $(filter-out cnn-%,$(ROBUST)),$(PY) -m analysis.robustness_spread --in $(ATTACKS) --out $(@D)/differences > /dev/null)

CONTROL_CARDS := $(foreach m,$(CONTROLS),neurocnnf/weights/$(m).json)
CONTROL_ATTACKS := $(call attacks_on,$(filter $(ATTACKABLE),$(ATTACKED_TOO))) $(LAST_ATTACKS)
$(ASKED)/controls: LISTED := $(CONTROLS) $(CONTROL_STEPS) $(CONTROL_ATTACKS)
$(BUILD)/controls/spread.summary.csv: $(wildcard analysis/*.py) $(CONTROL_CARDS) $(CONTROL_ATTACKS) $(ASKED)/controls $(READY)
	@$(PY) -m analysis.accuracy_spread --accuracy $(CONTROL_CARDS) --attacked $(CONTROL_ATTACKS) \
	  --control $(lastword $(CONTROLS)) --n-steps $(CONTROL_STEPS) --out $(basename $(basename $@)) > /dev/null
	@$(PY) -m analysis.step_gains --accuracy $(CONTROL_CARDS) --n-steps $(CONTROL_STEPS) --out $(@D)/gains > /dev/null

$(ASKED)/corruptions: LISTED := $(CORRUPTED)
CORRUPTED_CARDS := $(foreach m,$(CORRUPTED),neurocnnf/weights/$(m).json)
$(BUILD)/corruptions.csv: $(wildcard analysis/*.py) $(CORRUPTED_CARDS) $(ASKED)/corruptions $(ASKED)/steps $(READY)
	@$(PY) -m analysis.corruptions_spread --accuracy $(CORRUPTED_CARDS) --n-steps $(STEPS) --out $@
	@touch $(BUILD)/.drawn

RESTORED := $(foreach m,$(SHARPENED),$(BUILD)/sharpening/$(m).csv)
$(RESTORED): $(BUILD)/sharpening/%.csv: $(CODE) analysis/sharpening.py analysis/tables.py $(DATA) $(READY)
	@$(PY) -m analysis.sharpening cnnf-$* --control cnn-$* --out $@ $(QUICK)
	@touch $@ $(BUILD)/.drawn

$(BUILD)/few_labels/.$(LABELLED): $(CODE) $(wildcard analysis/few_labels*.py) analysis/generative_pair.py analysis/runs.py $(DATA) $(READY)
	$(call keep,$(PY) -m analysis.few_labels --data $(LABELLED) --out $(@D)/$(LABELLED) $(QUICK))

$(BUILD)/glimpses/.$(LABELLED): $(CODE) $(wildcard analysis/glimpses*.py) analysis/few_labels_summary.py analysis/runs.py $(DATA) $(READY)
	$(call keep,$(PY) -m analysis.glimpses --data $(LABELLED) --out $(@D)/$(LABELLED) $(QUICK))

$(CONDITIONS): $(TIMING) $(DATA) $(READY) $(ASKED)/suite $(ASKED)/steps
	$(call keep,$(PY) -m analysis.condition_times $(SUITE) --n-steps $(STEPS) --out $(@D)/maniquet2025 --simulate-missing $(QUICK))

$(NETWORKS): $(RANKED) $(TIMING) $(DATA) $(READY) $(ASKED)/suite
	$(call keep,$(PY) -m analysis.published_networks $$(cat $(RANKED) | sort -u) --out $(@D)/maniquet2025)

$(TRADE_OFF): $(TIMING) $(DATA) $(READY) $(ASKED)/suite $(ASKED)/steps
	$(call keep,$(PY) -m analysis.speed_accuracy $(SUITE) --n-steps $(STEPS) --out $(@D)/kumbhar2021 --simulate-missing $(QUICK))

$(LATENCY): $(TIMING) $(DATA) $(READY) $(ASKED)/suite $(ASKED)/steps
	$(call keep,$(PY) -m analysis.time_mapping $(SUITE) --n-steps $(STEPS) --out $(@D)/zhang2011 --simulate-missing $(QUICK))

$(sort $(DECODED) $(PAIRS)): $(BUILD)/decoded/%/.tang2018: $(TIMING) $(DATA) $(READY) $(ASKED)/steps
	$(call keep,$(PY) -m analysis.decode_stage $* --n-steps $(STEPS) --out $(@D)/tang2018 --simulate-missing $(QUICK))

$(COMPARED) $(MASKED): $(BUILD)/%/.tang2018: $(DECODED) $(TIMING) $(READY) $(ASKED)/suite
	$(call keep,$(PY) -m analysis.$*_stage --in $$(cat $(DECODED)) --out $(@D)/tang2018)

# --- figures: each draws the tables it is given, and saves them beside itself -------------------------------------

define draw
	@mkdir -p $(@D)
	$(PY) -m figures.$(basename $(@F)) --in $(1) --out $(basename $@)
	@[ -s $@ ] || { echo "error: expected figures.$(basename $(@F)) to write $@, got no file" >&2; exit 1; }
	@touch $@ $(BUILD)/.drawn
endef

$(BUILD)/figures/feedback_examples.png: $(DRAWING) $(EXAMPLES)
	$(call draw,$$(cat $(EXAMPLES)).npz)

$(BUILD)/figures/accuracy_by_step.png: $(DRAWING) $(wildcard analysis/*.py) $(CARDS) $(READY) $(ASKED)/suite
	$(call draw,$(CARDS))

$(BUILD)/figures/neural_scores.png: $(DRAWING) $(wildcard analysis/*.py) $(SCORES) $(ASKED)/suite
	$(call draw,$$(cat $(SCORES) | sort -u | sed 's/$$/.csv/'))

$(BUILD)/figures/recognition_times.png: $(DRAWING) $(TIMES) $(ASKED)/suite
	$(call draw,$$(cat $(TIMES)))

$(BUILD)/figures/few_labels.png: $(DRAWING) $(BUILD)/few_labels/.$(LABELLED)
	$(call draw,$$(cat $(BUILD)/few_labels/.$(LABELLED)).csv)

$(BUILD)/figures/glimpses.png: $(DRAWING) $(BUILD)/glimpses/.$(LABELLED)
	$(call draw,$$(cat $(BUILD)/glimpses/.$(LABELLED)).csv)

$(BUILD)/figures/robustness.png: $(DRAWING) $(ATTACKS) $(BUILD)/robustness/table.csv
	$(call draw,$(ATTACKS))

$(BUILD)/figures/corruptions.png: $(DRAWING) $(BUILD)/corruptions.csv
	$(call draw,$(BUILD)/corruptions.csv)

$(ASKED)/sharpening: LISTED := $(SHARPENED)
$(BUILD)/figures/sharpening.png: $(DRAWING) $(RESTORED) $(ASKED)/sharpening
	$(call draw,$(RESTORED))

$(BUILD)/figures/controls.png: $(DRAWING) $(BUILD)/controls/spread.summary.csv
	$(call draw,$(BUILD)/controls/spread)

$(BUILD)/figures/averages.png: $(DRAWING) $(BUILD)/averages/gains.summary.csv
	$(call draw,$(BUILD)/averages/accuracy)

$(BUILD)/figures/time_spread.png: $(DRAWING) $(BUILD)/seeds/recognition_times.summary.csv
	$(call draw,$(BUILD)/seeds/recognition_times)

$(BUILD)/figures/seed_spread.png: $(DRAWING) $(BUILD)/seeds/spread.summary.csv
	$(call draw,$(BUILD)/seeds/spread)

$(BUILD)/figures/published_networks.png: $(DRAWING) $(NETWORKS)
	$(call draw,$$(cat $(NETWORKS)).csv)

$(BUILD)/figures/speed_accuracy.png: $(DRAWING) $(TRADE_OFF)
	$(call draw,$$(cat $(TRADE_OFF)))

$(BUILD)/figures/condition_times.png: $(DRAWING) $(CONDITIONS)
	$(call draw,$$(cat $(CONDITIONS)))

$(BUILD)/figures/clock_ranges.png: $(DRAWING) $(TRADE_OFF) $(LATENCY)
	$(call draw,$$(cat $(TRADE_OFF)) $$(cat $(LATENCY)))

$(BUILD)/figures/it_latency.png: $(DRAWING) $(LATENCY)
	$(call draw,$$(cat $(LATENCY)))

$(BUILD)/times_by_study.csv: $(wildcard analysis/*.py) $(BUILD)/suite/suite.csv $(COMPARED) $(MASKED)
	@$(PY) -m analysis.times_by_study --suite $(BUILD)/suite/suite.csv --comparison $$(cat $(COMPARED)) --masking $$(cat $(MASKED)) --out $(basename $@) > /dev/null

$(BUILD)/figures/times_by_study.png: $(DRAWING) $(BUILD)/times_by_study.csv
	$(call draw,$(BUILD)/times_by_study.csv)

$(foreach f,time_readouts cleaning occlusion_levels,$(BUILD)/figures/$(f).png): $(DRAWING) $(COMPARED)
	$(call draw,$$(cat $(COMPARED)))

$(BUILD)/figures/masking.png: $(DRAWING) $(MASKED)
	$(call draw,$$(cat $(MASKED)))

$(BUILD)/figures/trajectories.png: $(DRAWING) $(DECODED) $(ASKED)/suite
	$(call draw,$$(cat $(DECODED)))

$(BUILD)/figures/composite.png: $(DRAWING) $(BUILD)/suite/suite.csv
	$(call draw,$(BUILD)/suite/suite)

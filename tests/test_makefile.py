"""The Makefile knows how to make each target, and compares what is alike; nothing is run (make -n)."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = [
    target
    for target in re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    if not target.startswith("quick-")  # the same rules, in another folder
]


def outside_make():
    """Give the environment without what a make that runs these tests hands down."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}


def dry_run(*arguments, data="studies"):
    env = outside_make() | {"NEUROCNNF_DATA": data}
    command = ["make", "-n", "--always-make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def commands(done, what):
    """Give what is written after `what` in each command that has it."""
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return [line.split(what, 1)[1].strip() for line in lines if what in line]


@pytest.mark.parametrize("data", ["studies", ""], ids=["data", "no data"])
def test_every_target_of_help_has_rules_for_all_it_needs(data):
    done = dry_run(*TARGETS, data=data)
    assert done.returncode == 0, done.stderr
    for figure in (ROOT / "figures").glob("*.png"):
        assert f"build/figures/{figure.name}" in done.stdout


@pytest.mark.parametrize(("robust", "control"), [(5, 5), (2, 5)])
def test_controls_are_compared_with_cnnf_attacked_at_the_same_step(robust, control):
    done = dry_run("controls", f"ROBUST_STEPS={robust}", f"CONTROL_STEPS={control}")
    attacked = commands(done, "-m neurocnnf robustness ")
    assert {int(re.search(r"--n-steps (\d)", one)[1]) for one in attacked} == {control}
    models = [one.split()[0] for one in attacked]
    assert len(models) == len(set(models)) == 7 * 3  # all but the shuffled one, whose images are answered together
    (compared,) = commands(done, "-m analysis.accuracy_spread ")
    tables = re.search(r"--attacked (.*?) +--control", compared)[1].split()
    assert sorted(tables) == sorted(re.search(r"--out (\S+)", one)[1] for one in attacked)


def test_each_seed_is_timed_beside_the_control_of_that_seed():
    timed = commands(dry_run("seeds"), "-m analysis.recognition_time ")
    assert len(timed) == 3
    for one in timed:
        ours, control = re.findall(r"decoded/([^/]+)/\.tang2018", one)
        assert control == ours.replace("cnnf-", "cnn-")
        assert f"--out build/times/tang2018/{ours} " in one


def test_trainings_are_attacked_with_every_seed_and_their_control():
    done = dry_run("robustness", "TRAININGS=cifar10-small", "ROBUST_STEPS=2")
    names = {f"{kind}-cifar10-small{seed}" for kind in ("cnnf", "cnn") for seed in ("", "-seed1", "-seed2")}
    assert {one.split()[0] for one in commands(done, "-m neurocnnf robustness ")} == names


def test_a_shorter_list_is_told_from_the_one_before(tmp_path):
    def ask(suite):
        target = f"{tmp_path}/.asked/suite"
        command = ["make", target, f"BUILD={tmp_path}", f"SUITE={suite}"]
        subprocess.run(command, cwd=ROOT, env=outside_make(), capture_output=True, check=True)
        return Path(target).read_text(), Path(target).stat().st_mtime_ns

    both, again, one = ask("a b"), ask("a b"), ask("b")
    assert both == again
    assert (both[0], one[0]) == ("a b\n", "b\n")
    assert one[1] > both[1]


def test_a_name_that_is_not_known_is_said_and_nothing_waits_for_input():
    done = dry_run("seeds", "SUITE=nobody")
    assert done.returncode
    assert "SUITE: expected models in neurocnnf/weights, and CNN-F and control of one seed, got nobody" in done.stderr


@pytest.mark.parametrize("suite", ["", "cnnf-mnist lateral-mnist-small cnn-mnist"])
def test_a_suite_waits_for_the_scores_that_figures_take_of_its_models_and_for_no_others(suite):
    asked = commands(dry_run("suite", *([f"SUITE={suite}"] if suite else [])), "neurocnnf score ")
    kinds = ("cnnf", "lateral", "predictive", "ungated", "cnn")
    models = suite.split() or [f"{kind}-cifar-gray-small" for kind in kinds]
    assert {one.split()[0] for one in asked} == set(models)
    for model in models:
        own = [one for one in asked if one.startswith(f"{model} ")]
        assert [place for place, one in enumerate(own) if "--suite" in one] == [len(own) - 1]
        assert (len(own) > 1) == (model in (models[0], models[-1]))


@pytest.mark.parametrize("target", ["figures", "seeds", "paper"])
def test_every_stage_takes_the_steps_that_are_asked_for(target):
    done = dry_run(target, "STEPS=3")
    names = ("decode_stage", "condition_times", "speed_accuracy", "time_mapping", "accuracy_spread", "step_gains")
    stages = ["neurocnnf score ", *(f"-m analysis.{name} " for name in names)]
    taken = [one for stage in stages for one in commands(done, stage)]
    assert taken
    assert all("--n-steps 3 " in one for one in taken)


@pytest.mark.parametrize(
    "target",
    [
        *(f"figures/{name}.png" for name in ("accuracy_by_step", "neural_scores", "recognition_times")),
        "times/tang2018/.cnnf-cifar-gray-small",
        "networks/.maniquet2025",
        "seeds/accuracy.summary.csv",
    ],
)
def test_what_is_made_of_the_suites_first_and_last_is_made_again_for_another_suite(target):
    rules = dry_run("--print-data-base").stdout
    assert "build/.asked/suite" in re.search(rf"^build/{re.escape(target)}: (.*)$", rules, re.MULTILINE)[1].split()


def test_the_mean_over_steps_answers_for_every_seed_of_the_suite_and_is_compared_once():
    done = dry_run("averages", "SUITE=cnnf-mnist-small cnn-mnist", "STEPS=3")
    asked = commands(done, "neurocnnf evaluate ")
    seeds = ("", "-seed1", "-seed2")
    assert sorted(one.split()[0] for one in asked) == ["cnn-mnist", *(f"cnnf-mnist-small{seed}" for seed in seeds)]
    assert all("--readout average --n-steps 3 " in one for one in asked)
    for stage in ("accuracy_spread", "step_gains"):
        (one,) = commands(done, f"-m analysis.{stage} ")
        assert len(re.findall(r"averages/steps-3/\S+\.csv", one)) == 4
    rule = re.search(r"^build/averages/gains\.summary\.csv: (.*)$", dry_run("--print-data-base").stdout, re.MULTILINE)
    assert {"build/.asked/seeds", "build/.asked/steps"} <= set(rule[1].split())


@pytest.mark.parametrize(("control", "seeds"), [("cnn-mnist-small", 3), ("cnn-mnist", 1)])
def test_a_seed_without_a_control_of_the_same_seed_is_not_timed(control, seeds):
    done = dry_run("figures", f"SUITE=cnnf-mnist-small {control}")
    assert len(commands(done, "-m analysis.recognition_time ")) == seeds
    assert len(commands(done, "-m analysis.decode_stage ")) == 2 * seeds


def test_seeds_that_may_write_the_same_simulated_results_wait_for_one_another():
    rules = dry_run("--print-data-base").stdout
    for before, seed in (("", "-seed1"), ("-seed1", "-seed2")):
        for place in ("times/tang2018", "seeds/comparison"):
            rule = re.search(rf"^build/{place}/\.cnnf-cifar-gray-small{seed}: (.*)$", rules, re.MULTILINE)[1]
            assert rule.partition("|")[2].split() == [f"build/{place}/.cnnf-cifar-gray-small{before}"]
        for kind in ("cnnf", "cnn"):
            name = f"build/scores/.{kind}-cifar-gray-small"
            rule = re.search(rf"^{re.escape(name + seed)}\.%: (.*)$", rules, re.MULTILINE)[1]
            assert rule.partition("|")[2].split() == [f"{name}{before}.%"]

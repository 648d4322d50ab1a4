"""A robustness table is what it says: the worst of attacks that aim at the answers they are held against."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from neurocnnf import build_model, load_model
from neurocnnf.attack_runs import Effort
from neurocnnf.images import load_training_set
from neurocnnf.recipes import Attack
from neurocnnf.robustness import _table, attack_of, by_step, robustness, robustness_on
from neurocnnf.train import load_training_tensors
from neurocnnf.validation import READOUTS

N, STEPS = 16, 1
WEAK = Attack(epsilon=0.05, step_size=0.018)
EFFORT = Effort(
    n_restarts=1, strong_steps=50, n_costly=3, spsa_steps=4, spsa_pairs=12, auto_iterations=20, auto_queries=20
)
FAST = replace(EFFORT, strong_steps=8, n_costly=1, spsa_steps=1, auto_iterations=2, auto_queries=2)


@pytest.fixture(scope="module")
def nets():
    return load_model("cnnf-digits"), load_model("cnn-digits")


@pytest.fixture(scope="module")
def digits():
    images, labels = load_training_tensors("digits", "test")
    return images[:N], labels[:N]


@pytest.fixture(scope="module")
def table(nets, digits):
    return robustness(nets[0], *digits, WEAK, STEPS, control=nets[1], effort=EFFORT, seed=3)


def correct(table, attack, gradient):
    part = table[(table["attack"] == attack) & (table["gradient"] == gradient)]
    return part.set_index(["readout", "step"])["n_correct"]


def quick(model, digits, attack=WEAK, n_steps=STEPS, effort=FAST, **options):
    return robustness(model, *digits, attack, n_steps, effort=effort, seed=3, **options)


@pytest.fixture(scope="module")
def even(nets, digits):
    """Every attack on the same images, SPSA long enough to take some."""
    effort = replace(EFFORT, n_costly=N, spsa_steps=16, auto_iterations=2)
    return robustness(nets[0], *digits, WEAK, STEPS, control=nets[1], effort=effort, seed=3)


NOISE = 1  # image of 16


def test_every_attack_has_every_readout_at_every_step(table):
    expected = [("clean", "none"), ("pgd-7", "first"), ("pgd-7", "e2e"), ("pgd-50", "first"), ("pgd-50", "e2e")]
    expected += [("pgd-50-smooth", "e2e"), ("spsa", "first"), ("spsa", "e2e"), ("autoattack", "e2e")]
    expected += [("transfer-pgd-7", "transfer"), ("any", "e2e"), ("any", "any")]
    rows = [(*pair, readout, step) for pair in expected for readout in READOUTS for step in range(STEPS + 1)]
    assert list(table[["attack", "gradient", "readout", "step"]].itertuples(index=False, name=None)) == rows
    assert set(table["epsilon"][table["attack"] == "clean"]) == {0.0}
    assert set(table["epsilon"][table["attack"] != "clean"]) == {WEAK.epsilon}
    assert (table["accuracy"] == table["n_correct"] / table["n_used"]).all()
    costly = table["attack"].isin(["spsa", "autoattack", "any"])
    assert set(table["n_used"][costly]) == {EFFORT.n_costly}
    assert set(table["n_used"][~costly]) == {N}


def test_clean_answers_are_the_models_own(nets, digits, table):
    for readout in READOUTS:
        for step in range(STEPS + 1):
            right = (nets[0].predict(digits[0], step, readout) == digits[1]).sum().item()
            assert correct(table, "clean", "none")[readout, step] == right


def test_intervals_are_wilsons(table):
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(table["n_correct"], table["n_used"], method="wilson")
    pd.testing.assert_series_equal(table["low"], pd.Series(low), check_names=False)
    pd.testing.assert_series_equal(table["high"], pd.Series(high), check_names=False)


def test_the_tests_attack_leaves_some_answers_and_takes_others(table):
    assert correct(table, "clean", "none").min() >= N - 1
    assert 0 < correct(table, "pgd-7", "first").min() < N


@pytest.mark.parametrize("gradient", ["first", "e2e"])
def test_more_attack_steps_are_not_weaker_beyond_noise(table, gradient):
    assert (correct(table, "pgd-50", gradient) <= correct(table, "pgd-7", gradient) + NOISE).all()


@pytest.mark.parametrize("attack", ["pgd-7", "pgd-50"])
@pytest.mark.parametrize("weaker", [("transfer-pgd-7", "transfer"), ("spsa", "e2e")], ids=lambda pair: pair[0])
def test_white_box_is_at_least_as_strong_as_transfer_and_as_no_gradient(even, attack, weaker):
    least, others = correct(even, attack, "e2e"), correct(even, *weaker)
    assert others.min() < N - NOISE  # or the next line could not fail
    assert (least <= others + NOISE).all()


def test_no_attack_helps_and_what_none_changed_is_the_least(nets, digits):
    few = (digits[0][:6], digits[1][:6])
    table = quick(nets[0], few, effort=replace(FAST, n_costly=6), control=nets[1])
    clean, shared, least = (correct(table, *pair) for pair in (("clean", "none"), ("any", "e2e"), ("any", "any")))
    assert (least <= shared).all()
    for attack, gradient in table[["attack", "gradient"]].drop_duplicates().itertuples(index=False):
        found = correct(table, attack, gradient)
        assert (least <= found).all()
        assert (found <= clean).all()
        assert gradient != "e2e" or (shared <= found).all()


def test_what_no_attack_changed_is_counted_among_images_that_all_attacked():
    left = torch.ones(2, 1, 4, dtype=torch.bool)
    turned = left[..., :3].clone()
    turned[..., 0] = False
    elsewhere = left.clone()
    elsewhere[..., 2:] = False
    found = [("clean", "none", left), ("spsa", "e2e", turned), ("pgd-7", "first", elsewhere), ("pgd-7", "e2e", left)]
    table = _table(found, 0.1, 4)
    worst = table[(table["attack"] == "any") & (table["readout"] == "last")].set_index("gradient")
    assert worst["n_used"].to_dict() == {"e2e": 3, "any": 3}
    assert worst["n_correct"].to_dict() == {"e2e": 2, "any": 1}
    # At step 0 both gradients are one, and shown as one; what the first found there counts all the same.
    assert correct(table, "pgd-7", "first").equals(correct(table, "pgd-7", "e2e"))


def test_at_step_0_both_gradients_are_one(table):
    for attack in ("pgd-7", "pgd-50", "spsa"):
        first, e2e = correct(table, attack, "first"), correct(table, attack, "e2e")
        assert first.xs(0, level="step").equals(e2e.xs(0, level="step"))


def test_restarts_never_help_the_defender(nets, digits):
    once, thrice = (quick(nets[0], digits, effort=replace(FAST, n_restarts=n)) for n in (1, 3))
    # The first of the starts is the same one.
    assert (thrice["n_correct"] <= once["n_correct"]).all()


def test_accuracy_falls_to_0_as_epsilon_grows(nets, digits):
    found = [
        correct(quick(nets[0], digits, Attack(epsilon, epsilon / 3)), "pgd-7", "e2e").mean()
        for epsilon in (0, 0.05, 0.5)
    ]
    assert found[0] >= N - 1
    assert found[0] > found[1] > found[2] == 0


def test_no_room_to_move_changes_nothing(nets, digits):
    table = quick(nets[0], digits, Attack(0.0, 0.0), control=nets[1])
    assert correct(table, "pgd-8", "e2e").equals(correct(table, "clean", "none"))
    assert (correct(table, "any", "any") == FAST.n_costly).all()


def test_a_feedforward_control_has_step_0_only_and_meets_every_attack_once(nets, digits):
    calls = []
    table = quick(nets[1], digits, n_steps=5, progress=lambda *args: calls.append(args))
    assert set(table["step"]) == {0}
    assert set(table["attack"]) == {"clean", "pgd-7", "pgd-8", "pgd-8-smooth", "spsa", "autoattack", "any"}
    assert correct(table, "any", "any").equals(correct(table, "any", "e2e"))
    assert calls[-1][1] == 5  # first and e2e are one
    first = correct(table, "pgd-8", "first")
    assert first.equals(correct(table, "pgd-8", "e2e"))
    assert first["last", 0] == first["average", 0]
    assert calls[-1] == ("cnn-digits: autoattack e2e", len(calls), len(calls))


def test_an_answer_that_depends_on_other_images_is_not_attacked(digits):
    with pytest.raises(ValueError, match="looks at each image alone"):
        quick(build_model("shuffled-digits"), digits)


def test_where_nothing_is_right_nothing_is_attacked(nets, digits):
    table = quick(nets[0], (digits[0], (nets[0].predict(digits[0], 0, "last") + 1) % 10), n_steps=0)
    assert set(table["n_correct"]) == {0}


def test_the_seed_decides(nets, digits):
    first, again = (quick(nets[0], digits, effort=replace(FAST, n_costly=2)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


# Strong enough to turn some answers and leave others, by every attack.
FELT = Attack(epsilon=0.06, step_size=0.02)
COSTLY = replace(FAST, n_costly=8, spsa_steps=6, auto_iterations=5, auto_queries=10)


def felt(net, few, **options):
    return robustness(net, *few, FELT, effort=COSTLY, seed=3, **options)


def test_the_last_steps_answers_alone_are_found_as_among_all(nets, digits):
    few = (digits[0][:8], digits[1][:8])
    every, last = (felt(nets[0], few, n_steps=2, control=nets[1], last_only=only) for only in (False, True))
    for attack in ("pgd-7", "pgd-8", "spsa", "autoattack"):
        assert 0 < correct(last, attack, "e2e").min() < 8, attack
    own = (every["step"] == 2) & (every["readout"] == "last") & every["gradient"].isin(["none", "e2e"])
    pd.testing.assert_frame_equal(last, every[own].reset_index(drop=True))


def test_several_processes_find_what_one_does(nets, digits):
    few, calls = (digits[0][:8], digits[1][:8]), []
    one, two = (
        felt(nets[0], few, n_steps=1, control=nets[1], workers=n, progress=lambda *args: calls.append(args))
        for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)
    half = len(calls) // 2
    assert [done for _, done, _ in calls[half:]] == list(range(1, half + 1))
    assert sorted(what for what, *_ in calls[half:]) == sorted(what for what, *_ in calls[:half])


@pytest.mark.parametrize("epsilon", [-0.1, float("inf"), float("nan")])
def test_an_impossible_epsilon_is_refused(nets, digits, epsilon):
    with pytest.raises(ValueError, match=r"epsilon: expected 0 or more, .*Take"):
        quick(nets[0], digits, Attack(epsilon, 0.1))


@pytest.mark.parametrize("data", ["mnist", "fashion-mnist", "digits", "cifar10", "cifar-gray"])
def test_each_data_set_has_the_papers_epsilon_and_attack_step(data):
    expected = (0.063, 0.02, 7) if data.startswith("cifar") else (0.2, 0.071, 7)
    found = attack_of(data)
    assert (found.epsilon, found.step_size, found.n_attack_steps) == expected


def test_a_training_sets_shuffled_test_images_are_attacked(nets):
    few = replace(FAST, strong_steps=2)
    table = robustness_on(nets[0], "digits", epsilons=[0.0, 0.1], n_images=6, n_steps=1, seed=4, effort=few)
    images, labels = load_training_set("digits", "test")
    assert table[["model", "kind", "data"]].drop_duplicates().to_numpy().tolist() == [["cnnf-digits", "cnnf", "digits"]]
    assert set(table["n_total"]) == {len(labels)}
    assert sorted(set(table["epsilon"])) == [0.0, 0.1]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(4))[:6].numpy()
    seen = torch.from_numpy(images[order]).permute(0, 3, 1, 2) / 127.5 - 1
    right = (nets[0].predict(seen, 1, "last") == torch.from_numpy(labels[order])).sum().item()
    clean = table[(table["attack"] == "clean") & (table["readout"] == "last") & (table["step"] == 1)]
    assert clean["n_correct"].tolist() == [right, right]  # once per epsilon


def test_the_table_by_step_holds_the_same_accuracies(table):
    wide = by_step(table)
    assert list(wide.columns) == ["epsilon", "attack", "gradient", "readout", "n_used", 0, 1]
    for row in wide.to_dict("records"):
        tidy = correct(table, row["attack"], row["gradient"])[row["readout"]]
        assert [row[0], row[1]] == (tidy / row["n_used"]).tolist()
    assert len(wide) * 2 == len(table)

"""The composite: means whose answer is known, what is missing stays missing, and shares in closed form."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import list_benchmarks
from benchmarks.composite import COMMON, COMPOSITE, composite, entries, family_of, leave_one_out, share_first

NAN = float("nan")
V4, PLS, HUMAN, MACAQUE = "c.V4-ridge", "c.V4-pls", "k.humanIT-rsa", "k.macaqueIT-rsa"
LABELS, OST = "cifar10h.soft-labels", "kar2019.ost"


def make(values, models=("a", "b"), raw=None):
    """Make a table of scores from benchmark -> a value for each model; intervals of ± 0.1."""
    rows = []
    for benchmark, numbers in values.items():
        for model, value in zip(models, numbers, strict=True):
            shown = {"value": value, "low": value - 0.1, "high": value + 0.1, "raw": value}
            rows.append({"benchmark": benchmark, "model": model, **shown})
    table = pd.DataFrame(rows)
    if raw:
        table.loc[table["benchmark"].isin(raw), "raw"] = 0.25
    return table


def one(table, model, family=COMPOSITE):
    return table[(table["model"] == model) & (table["family"] == family)].iloc[0]


def test_families_count_alike_however_many_benchmarks_they_have():
    table = composite(make({V4: (0.2, 0), PLS: (0.4, 0), HUMAN: (0.9, 0)}))
    assert one(table, "a", "V4")["value"] == pytest.approx(0.3)
    assert one(table, "a", "IT")["value"] == pytest.approx(0.9)
    assert one(table, "a")["value"] == pytest.approx(0.6)
    assert one(table, "a")["n_benchmarks"] == 3
    assert (one(table, "a")["rank"], one(table, "b")["rank"]) == (1, 2)


def test_intervals_add_within_a_study_and_in_squares_between_studies():
    table = composite(make({V4: (0.2, 0), PLS: (0.4, 0), HUMAN: (0.9, 0)}))
    row = one(table, "a", "V4")
    assert (row["low"], row["high"]) == pytest.approx((0.2, 0.4))  # wholly dependent: as wide as each
    row = one(table, "a")
    half = np.sqrt(0.05**2 + 0.05**2)
    assert (row["low"], row["high"]) == pytest.approx((0.6 - half, 0.6 + half))


def test_an_unknown_interval_leaves_the_mean_without_one():
    scores = make({V4: (0.2, 0.1), HUMAN: (0.9, 0.1)})
    scores.loc[0, ["low", "high"]] = NAN
    row = one(composite(scores), "a")
    assert row["value"] == pytest.approx(0.55)
    assert np.isnan([row["low"], row["high"]]).all()


def test_a_model_that_lacks_a_score_has_no_composite_and_is_not_ranked():
    scores = make({V4: (0.2, 0.9), HUMAN: (NAN, 0.1), LABELS: (0.5, 0.5)})
    table = composite(scores)
    row = one(table, "a")
    assert np.isnan([row["value"], row["rank"], one(table, "a", "IT")["value"]]).all()
    assert (row["missing"], row["n_scored"], row["n_benchmarks"]) == (HUMAN, 2, 3)
    assert one(table, "a", "V4")["value"] == pytest.approx(0.2)
    assert one(table, "b")["value"] == pytest.approx(0.5)
    assert one(table, "b")["rank"] == 1


def test_ranks_are_of_the_benchmarks_that_every_model_has():
    scores = make({V4: (0.2, 0.9), HUMAN: (NAN, 0.1), LABELS: (0.5, 0.5)})
    table = composite(scores)
    assert one(table, "a", COMMON)["value"] == pytest.approx(0.35)
    assert one(table, "b", COMMON)["value"] == pytest.approx(0.7)
    assert entries(scores)["state"].tolist() == ["enters", "not of all models", "enters"]
    shares = share_first(scores).set_index("model")
    assert shares["share_first"].tolist() == [0, 1]
    assert shares.loc["a", "families"] == "V4, behaviour"
    left = leave_one_out(scores)
    assert left["left_out"].unique().tolist() == ["", V4, LABELS]
    assert left.loc[left["left_out"] == V4, "rank"].tolist() == [1, 1]


def test_with_nothing_in_common_nobody_is_ranked():
    scores = make({V4: (0.2, NAN), HUMAN: (NAN, 0.1)})
    assert share_first(scores)["share_first"].isna().all()
    assert leave_one_out(scores)["rank"].isna().all()
    only = leave_one_out(make({V4: (0.2, 0.1)}))
    assert only.loc[only["left_out"] == V4, "rank"].isna().all()


def test_what_nobody_has_a_score_on_is_named_and_does_not_enter():
    scores = make({V4: (0.2, 0.4), MACAQUE: (NAN, NAN), OST: (NAN, NAN), "other.thing": (1, 1)}, raw=[MACAQUE])
    states = entries(scores).set_index("benchmark")
    assert states["state"].to_dict() == {
        V4: "enters",
        MACAQUE: "no ceiling",
        OST: "no score",
        "other.thing": "no family",
    }
    assert states.loc[MACAQUE, "family"] == "IT"
    table = composite(scores)
    assert one(table, "b")["value"] == pytest.approx(0.4)
    timing = one(table, "b", "timing")
    assert np.isnan(timing["value"])
    assert timing["n_benchmarks"] == 0


def test_the_share_of_weightings_is_that_of_the_closed_form():
    """Of two families weighted w and 1 - w, w uniform: a is first where w > loss / (gain + loss)."""
    table = make({V4: (0.6, 0.3), HUMAN: (0.2, 0.3)})
    shares = share_first(table, seed=1).set_index("model")
    assert shares.loc["a", "share_first"] == pytest.approx(0.3 / 0.4, abs=0.015)
    assert shares["share_first"].sum() == pytest.approx(1)
    assert shares[["best_rank", "worst_rank"]].to_numpy().tolist() == [[1, 2], [1, 2]]
    pd.testing.assert_frame_equal(share_first(table, seed=1), share_first(table, seed=1))


def test_a_model_that_is_better_everywhere_is_first_under_every_weighting():
    shares = share_first(make({V4: (0.6, 0.3), HUMAN: (0.4, 0.3), LABELS: (0.9, 0.8)})).set_index("model")
    assert shares["share_first"].tolist() == [1, 0]
    assert shares["worst_rank"].tolist() == [1, 2]
    assert shares.loc["a", "families"] == "V4, IT, behaviour"


def test_equal_models_share_the_first_rank():
    shares = share_first(make({V4: (0.5, 0.5), HUMAN: (0.4, 0.4)}))
    assert shares["share_first"].tolist() == [0.5, 0.5]


def test_leaving_out_the_benchmark_that_made_a_model_first_turns_the_order():
    table = leave_one_out(make({V4: (0.9, 0.1), HUMAN: (0.3, 0.4), LABELS: (0.3, 0.4)}))
    ranks = table.pivot(index="left_out", columns="model", values="rank")
    assert ranks.loc["", "a"] == 1
    assert ranks.loc[V4].tolist() == [2, 1]
    assert ranks.loc[HUMAN, "a"] == 1
    assert set(ranks.index) == {"", V4, HUMAN, LABELS}


def test_two_scores_of_one_model_are_refused():
    scores = pd.concat([make({V4: (0.9, 0.1)})] * 2)
    with pytest.raises(ValueError, match=r"expected one of each model on each benchmark, got two of a on c\.V4-ridge"):
        composite(scores)


def test_every_real_benchmark_has_a_family():
    real = [benchmark.identifier for benchmark in list_benchmarks() if not benchmark.simulated]
    assert {name: family_of(name) for name in real if family_of(name) is None} == {}
    assert family_of("kriegeskorte2008.humanIT-rsa") == "IT"
    assert family_of("zhang2011.IT-decoding") == family_of("maniquet2025.masking") == "timing"
    assert family_of("cifar10h.rt-by-image") == family_of("kumbhar2021.sat") == "timing"
    assert family_of("maniquet2025.confusion") == family_of("geirhos.accuracy-by-condition") == "behaviour"
    assert family_of("kriegeskorte2008.judgement-rsa") == "behaviour"

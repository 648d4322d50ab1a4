"""Each row of statistics is what it says."""

import numpy as np
import pandas as pd
import pytest

from analysis.inference import percentile_interval, rank_correlation
from analysis.predictors import CORRELATIONS, correlation_rows


def test_the_rows_of_a_study_equal_each_statistic_computed_by_itself():
    """Shared ranks change nothing, with objects missing on either side."""
    rng = np.random.default_rng(14)
    names = ["model_time", "model_time_drop_unsolved", "step0_confidence", "control_confidence", "mean_occlusion"]
    objects = dict(zip(names, rng.standard_normal((5, 40)), strict=True))
    objects["model_time_drop_unsolved"][:6] = np.nan
    objects["category"] = np.array(["cat", "dog", "hen"])[rng.integers(0, 3, 40)]
    objects["human_time_z"] = np.where(np.arange(40) == 9, np.nan, objects["model_time"] + rng.standard_normal(40))
    drawn = rng.integers(0, 40, (30, 40))
    human_drawn = objects["human_time_z"][drawn] + 0.1 * rng.standard_normal((30, 40))
    human_drawn[3, 5] = np.nan
    rows = {row[0]: row[1:] for row in correlation_rows(pd.DataFrame(objects), human_drawn, drawn, 0.8, 50, 1)}
    for name, (variable, given) in CORRELATIONS.items():
        x, rest = objects[variable], [objects[column] for column in given if column != "category"]
        if "category" in given:  # other indicators than ours, of the same space
            rest += [(objects["category"] == one).astype(float) for one in ("cat", "dog")]
        for scores, ending in (("ranks", ""), ("normal", "_normal_scores")):
            if given or not ending:
                row = rows.pop(name + ending)
                resampled = rank_correlation(x[drawn], human_drawn, [z[drawn] for z in rest], scores)
                assert row[0] == pytest.approx(rank_correlation(x, objects["human_time_z"], rest, scores))
                shift = row[0] - np.nanmean(resampled)
                assert row[1:3] == pytest.approx(percentile_interval(np.clip(resampled + shift, -1, 1)))
                assert row[5:] == (33 if "drop" in name else 39, 40)
    assert not rows

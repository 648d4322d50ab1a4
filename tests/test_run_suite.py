"""The suite as it runs: with real models and simulated recordings, in one process or two."""

import json

import pytest

from benchmarks.run_suite import FAILED, NO_DATA, SCORED, Settings, run_suite
from benchmarks.suite import load_benchmark

BENCHMARKS = ("simulated.humanIT-rsa", "simulated.judgement-rsa")
QUICK = Settings(n_steps=1, quick=True)


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return folder, run_suite("cnn-digits", BENCHMARKS, folder, QUICK)


def test_rows_are_what_the_files_say(alone):
    folder, rows = alone
    assert [row["benchmark"] for row in rows] == list(BENCHMARKS)
    for row in rows:
        summary = json.loads((folder / f"cnn-digits.{row['benchmark']}.json").read_text())
        assert row["state"] == SCORED
        assert (row["value"], row["low"]) == (summary["value"], summary["interval"][0])
        assert (row["n_used"], row["n_total"]) == (92, 92)


def test_two_workers_write_the_same_bytes_as_one(alone, tmp_path):
    folder, rows = alone
    told = []
    again = run_suite("cnn-digits", BENCHMARKS, tmp_path, QUICK, workers=2, progress=lambda *what: told.append(what))
    assert again == rows
    assert files(tmp_path) == files(folder)
    assert told[-1] == ("cnn-digits: benchmarks", 2, 2)


def test_what_stands_there_is_not_made_again(alone):
    folder, rows = alone
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert run_suite("cnn-digits", BENCHMARKS, folder, QUICK) == rows
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_missing_data_and_failures_are_rows_with_a_reason(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("NEUROCNNF_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr("neurocnnf.datastore.DataStore._download", refuse)
    rows = run_suite("cnn-digits", ("kriegeskorte2008.humanIT-rsa", "no-such"), tmp_path, QUICK)
    assert [row["state"] for row in rows] == [NO_DATA, FAILED]
    assert rows[0]["reason"].startswith("kriegeskorte2008_92/")
    assert "expected one of" in rows[1]["reason"]
    assert rows[0]["value"] is rows[1]["value"] is None


def refuse(store, name):
    from neurocnnf.datastore import DataMissing

    raise DataMissing(name, "no connection in this test")


def test_an_unknown_model_is_one_error(tmp_path):
    with pytest.raises(ValueError, match="no-such-model"):
        run_suite("no-such-model", BENCHMARKS, tmp_path, QUICK)


def test_memory_goes_to_benchmarks_that_know_it_and_to_no_other():
    assert load_benchmark("simulated.humanIT-rsa", memory=5).memory == 5
    assert not hasattr(load_benchmark("simulated.soft-labels", memory=5), "memory")

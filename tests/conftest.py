"""Fixtures shared by all tests."""

import os

import pytest


@pytest.fixture(scope="session")
def studies():
    """Give a store of the real studies, or skip where they are not at hand."""
    if not os.environ.get("NEUROCNNF_DATA"):
        pytest.skip("needs the real studies: set NEUROCNNF_DATA to the folder that holds them")
    from neurocnnf.datastore import DataStore

    return DataStore()

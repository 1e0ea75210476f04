"""Fixtures that every test module may use."""

import os

import pytest
from hypothesis import settings

from lib import config

# the same examples every time, on machines of any speed; HYPOTHESIS_PROFILE=search looks for new ones
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


@pytest.fixture(scope="session")
def data():
    """Folder of real records; the test is skipped where there is none."""
    folder = config.data_folder()
    if folder is None:
        pytest.skip("PRECURSOR_DATA is not set: no real records here")
    return folder

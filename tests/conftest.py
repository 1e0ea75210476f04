"""Fixtures that every test module may use."""

import pytest

from lib import config


@pytest.fixture(scope="session")
def data():
    """Folder of real records; the test is skipped where there is none."""
    folder = config.data_folder()
    if folder is None:
        pytest.skip("PRECURSOR_DATA is not set: no real records here")
    return folder

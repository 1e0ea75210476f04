"""lib.targets: what is asked of a window, and where the question does not apply."""

import numpy as np
import pandas as pd
import pytest

from lib import targets
from lib.files import InputError

WINDOWS = pd.DataFrame({
    "event_id": ["", "e1", "e2"], "magnitude_class": ["Normal", "Moderate", "Large"],
    "azimuth_class": ["Normal", "N", "SW"], "azimuth_deg": [np.nan, 3.0, 225.0]})


@pytest.mark.parametrize(("target", "expected"), [
    ("event", [0, 1, 1]), ("magnitude", [0, 1, 3]), ("azimuth", [0, 1, 6]), ("event_magnitude", [-1, 0, 2])])
def test_classes_by_hand(target, expected):
    found = targets.truth(WINDOWS, target)
    assert found.tolist() == expected and found.dtype == np.int64
    assert targets.applies(found).tolist() == [k >= 0 for k in expected]


def test_the_bearing_of_a_quiet_window_is_no_question():
    found = targets.truth(WINDOWS, "direction")
    assert targets.applies(found).tolist() == [False, True, True] and found[1:].tolist() == [3.0, 225.0]


@pytest.mark.parametrize("target", ["magnitude", "event_magnitude", "azimuth"])
def test_an_unknown_class_is_named_with_its_row(target):
    name = "azimuth_class" if target == "azimuth" else "magnitude_class"
    with pytest.raises(InputError, match=r"row 1.*Huge"):
        targets.truth(WINDOWS.assign(**{name: ["Normal", "Huge", "Normal"]}), target)


def test_unknown_targets_and_missing_columns_are_refused():
    with pytest.raises(InputError, match="event_magnitude"):
        targets.truth(WINDOWS, "depth")
    with pytest.raises(InputError, match="targets"):
        targets.check(())
    with pytest.raises(InputError, match="azimuth_deg"):
        targets.truth(WINDOWS.drop(columns="azimuth_deg"), "direction")


def test_vectors_answer_with_their_bearing():
    """North, east, south, west; and a hair west of north is 0, never 360."""
    vectors = np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [-1e-20, 1]], float)   # east, north
    assert targets.answer(vectors, "direction").tolist() == [0, 90, 180, 270, 0]
    assert targets.belong(vectors, "direction").all() and not targets.belong(2 * vectors, "direction").any()


def test_probabilities_answer_with_the_likeliest_class():
    p = np.array([[0.2, 0.8], [0.9, 0.1], [np.nan, 1.0], [0.5, 0.4]])
    assert targets.answer(p[:2], "event").tolist() == [1, 0]
    assert targets.belong(p, "event").tolist() == [True, True, False, False]

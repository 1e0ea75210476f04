"""Signs as print has them."""

from lib.typography import minus


def test_a_hyphen_becomes_a_minus_where_a_number_begins():
    """Not inside dates, words or exponents."""
    assert minus("-0.5 (-1 to .2), -.3") == "\N{MINUS SIGN}0.5 (\N{MINUS SIGN}1 to .2), \N{MINUS SIGN}.3"
    for text in ("2020-01-05", "low-frequency", "5.1e-04", "-"):
        assert minus(text) == text

"""Signs as print has them (layer 0)."""

import re

HYPHEN = re.compile(r"(?<![\w.])-(?=[\d.])")      # one that begins a number, not one inside a date or a word


def minus(text: str) -> str:
    """Return the text with a minus sign in place of every hyphen that begins a number.

    >>> minus("-0.5 (-1 to .2) on 2020-01-05")
    '−0.5 (−1 to .2) on 2020-01-05'
    """
    return HYPHEN.sub("\N{MINUS SIGN}", text)

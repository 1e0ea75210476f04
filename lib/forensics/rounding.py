"""Which whole numbers a printed percentage allows (layer 4).

All arithmetic is on integers and fractions. A printed number stands for the closed interval of half a unit of
its last digit to either side, so that rounding half up and half to even are both allowed.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import numpy as np

from lib.files import InputError

MOST = 10**6       # numbers returned by one call
CELLS = 5 * 10**7  # sizes times values that one search may try


def check_n(n: int, where: str = "n") -> int:
    """Return n if it is a whole number of 1 or more; proves nothing about what was counted."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError("forensics", where, n, "a whole number, 1 or more")
    return int(n)


def digits(value: float | str, decimals: int, where: str = "value") -> int:
    """Return a printed number as an integer of its last digit's units; proves nothing by itself.

    >>> digits("98.60", 2)
    9860
    """
    if isinstance(decimals, bool) or not isinstance(decimals, (int, np.integer)) or not 0 <= decimals <= 12:
        raise InputError("forensics", "decimals", decimals, "a whole number from 0 to 12")
    try:
        scaled = Decimal(str(value).strip()).scaleb(int(decimals))
        whole = int(scaled) if scaled.is_finite() else None
    except InvalidOperation:
        whole = None
    if whole is None or whole != scaled:
        raise InputError("forensics", where, value, f"a number with at most {decimals} decimals, as printed")
    return whole


def interval(value: float | str, decimals: int, where: str = "value") -> tuple[Fraction, Fraction]:
    """Return the closed interval of numbers that print as `value`; proves nothing if it was truncated."""
    v, unit = digits(value, decimals, where), 2 * 10**int(decimals)
    return Fraction(2 * v - 1, unit), Fraction(2 * v + 1, unit)


def prints_as(value: float, text: float | str, decimals: int) -> bool:
    """Whether a computed number rounds to the printed one; proves nothing with few decimals."""
    low, high = (float(end) for end in interval(text, decimals))
    return low - 1e-12 <= value <= high + 1e-12


def read_share(text: str, where: str = "value") -> tuple[Fraction, Fraction]:
    """Return the closed interval of shares, cut to [0, 1], that print as `text`.

    Proves nothing if the number was truncated instead of rounded.

    Parameters
    ----------
    text : str
        As printed, with every zero: ``"61.5%"`` or ``"0.6150"``.

    Raises
    ------
    InputError
        For a number instead of text (0.50 and 0.5 differ), no number, or a share outside 0 to 100 %.

    Examples
    --------
    >>> [str(end) for end in read_share("61.5%")]
    ['1229/2000', '1231/2000']
    """
    if not isinstance(text, str):
        raise InputError("forensics", where, text, "text as printed, such as '61.5%' or '0.615'")
    bare = text.strip().removesuffix("%").strip()
    whole = 100 if "%" in text else 1
    decimals = len(bare.partition(".")[2])
    low, high = interval(bare, decimals, where)
    if not 0 <= low + high <= 2 * whole:
        raise InputError("forensics", where, text, "a share from 0% to 100%, or from 0 to 1")
    return max(low / whole, Fraction(0)), min(high / whole, Fraction(1))


def grim(percent: float | str, decimals: int, n: int, whole: int = 100) -> list[int]:
    """Numerators k of n whose percentage prints as `percent`.

    Proves nothing where n exceeds 10^decimals in the unit of the number: then every value has a numerator.
    An empty list proves that the number is no rounded share of n; it may be a mean of shares, be truncated,
    or belong to another n.

    Parameters
    ----------
    percent : float or str
        The printed number.
    decimals : int
        Printed decimals; 67.1 printed as 67.10 has two.
    n : int
        Number of cases.
    whole : int
        What stands for all cases: 100 for per cent, 1 for shares.

    Raises
    ------
    InputError
        For n < 1, a number outside 0 to `whole`, more decimals than stated, or more than a million answers.

    References
    ----------
    Brown and Heathers (2017); validity.md A16.

    Examples
    --------
    >>> grim(97.57, 2, 1972), grim(97.53, 2, 1972)
    ([1924], [])
    >>> grim("0.6716", 4, 472, whole=1)
    [317]
    """
    n = check_n(n)
    v, d = _share_digits(percent, decimals, whole)
    high, tie = divmod((2 * v + 1) * n, d)
    high -= tie == 0 and v % 2      # a tie above an odd digit goes up, half up as well as half to even
    low, high = max(0, -((1 - 2 * v) * n // d)), min(n, high)
    if high - low >= MOST:
        raise InputError("forensics.grim", "n", n, f"fewer than {MOST} numerators; this has {high - low + 1}")
    return list(range(low, high + 1))


def _share_digits(value, decimals, whole):
    """Digits of a share, and twice what the digits of all cases are."""
    if whole not in (1, 100):
        raise InputError("forensics", "whole", whole, "100 for per cent, 1 for shares")
    v, top = digits(value, decimals), whole * 10**int(decimals)
    if not 0 <= v <= top:
        raise InputError("forensics", "value", value, f"a number from 0 to {whole}")
    return v, 2 * top


def grim_sizes(percents: Sequence, decimals: int | Sequence[int], sizes: range,
               whole: int = 100) -> list[int]:
    """Sizes n for which every printed percentage has a numerator.

    Proves nothing if the list is long: with d decimals per cent, every n from 10^(d+2) on fits anything.
    A size on the list is possible, not established; multiples of a size that fits always fit too.

    Parameters
    ----------
    percents : sequence of float or str
    decimals : int or sequence of int
        One for all, or one a value.
    sizes : range
        Sizes to try, from 1 on.
    whole : int
        100 for per cent, 1 for shares.

    Raises
    ------
    InputError
        As `grim`; for no values, an empty range, or more than 5e7 trials.

    Examples
    --------
    >>> grim_sizes(["0.6716", "0.6208", "0.6186"], 4, range(50, 1000), whole=1)
    [472, 944]
    """
    percents = list(percents)
    decimals = [decimals] * len(percents) if np.ndim(decimals) == 0 else list(decimals)
    if not percents or len(decimals) != len(percents) or not len(sizes):
        raise InputError("forensics.grim_sizes", "values, decimals, sizes",
                         (len(percents), len(decimals), len(sizes)),
                         "at least one value, as many decimals, and sizes")
    check_n(min(sizes), "sizes")
    if len(sizes) * len(percents) > CELLS or max(sizes) > 10**7 or max(decimals) > 9:
        raise InputError("forensics.grim_sizes", "trials", len(sizes) * len(percents),
                         f"at most {CELLS}, sizes up to 10 000 000 and 9 decimals: give a shorter range")
    n = np.asarray(sizes, np.int64)
    fits = np.ones(n.size, bool)
    for value, places in zip(percents, decimals, strict=True):
        v, d = _share_digits(value, places, whole)
        fits &= -((1 - 2 * v) * n // d) <= (2 * v + 1) * n // d
    return n[fits].tolist()

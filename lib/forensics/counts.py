"""Which whole numbers a printed percentage, mean or standard deviation allows (layer 4).

All arithmetic is on integers and fractions. A printed number stands for the closed interval of half a unit of
its last digit to either side, so that rounding half up and half to even are both allowed.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import ceil, floor

import numpy as np
from scipy import stats

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
    low, high = max(0, -((1 - 2 * v) * n // d)), min(n, (2 * v + 1) * n // d)
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


def grim_sizes(percents: Sequence, decimals: int | Sequence[int], sizes: range, whole: int = 100) -> list[int]:
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
                         (len(percents), len(decimals), len(sizes)), "at least one value, as many decimals, sizes")
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


def grimmer(mean: float | str, sd: float | str, n: int, decimals: tuple[int, int], ddof: int = 1,
            unit: int = 1) -> list[tuple[int, int]]:
    """Sums and sums of squares of n whole numbers that print as this mean and standard deviation.

    Proves nothing if the list is not empty: the conditions are necessary, not sufficient. An empty list proves
    that no n whole numbers (or multiples of 1/unit) print so with this `ddof`.

    Parameters
    ----------
    mean, sd : float or str
        As printed.
    n : int
        Number of values, more than `ddof`.
    decimals : (int, int)
        Printed decimals of the mean and of the standard deviation.
    ddof : int
        0 or 1.
    unit : int
        Values are whole multiples of 1/unit: 472 for shares of 472 cases.

    Returns
    -------
    list of (int, int)
        Sum and sum of squares of the n whole numbers (values times `unit`).

    Raises
    ------
    InputError
        For n <= ddof, a negative spread, or more than a million sums.

    References
    ----------
    Anaya (2016); Allard (2018) for the parity of the sum of squares.

    Examples
    --------
    >>> grimmer("3.5", "0.71", 2, (1, 2)), grimmer("3.5", "0.80", 2, (1, 2))
    ([(7, 25)], [])
    """
    n, unit = check_n(n), check_n(unit, "unit")
    if ddof not in (0, 1) or n <= ddof:
        raise InputError("forensics.grimmer", "n, ddof", (n, ddof), "ddof 0 or 1, and n above it")
    low, high = (end * n * unit for end in interval(mean, decimals[0], "mean"))
    least, most = interval(sd, decimals[1], "sd")
    if most + least < 0:
        raise InputError("forensics.grimmer", "sd", sd, "0 or more")
    scale = (n - ddof) * unit**2
    width = scale * (most**2 - max(least, 0) ** 2) + 1
    if (high - low + 1) * (width / 2 + 1) > MOST:
        raise InputError("forensics.grimmer", "sums to try", int((high - low + 1) * (width / 2 + 1)),
                         f"at most {MOST}: more decimals or fewer values")
    found = []
    for total in range(ceil(low), floor(high) + 1):
        q, r = divmod(total, n)
        evenest = (n - r) * q**2 + r * (q + 1) ** 2          # the least sum of squares with this sum
        first = max(evenest, ceil(scale * max(least, 0) ** 2 + Fraction(total**2, n)))
        first += (first - total) % 2                         # x and x^2 are odd together
        last = floor(scale * most**2 + Fraction(total**2, n))
        found += [(total, squares) for squares in range(first, last + 1, 2)]
    return found


def ddof_of(values: Sequence[float], printed_sd: float | str, decimals: int) -> list[int]:
    """Values of `ddof`, of 0 and 1, whose standard deviation prints as `printed_sd`.

    Proves nothing if both fit (few decimals, many values), or if `values` are themselves rounded coarsely.

    >>> ddof_of([1, 2, 3, 4], "1.12", 2), ddof_of([1, 2, 3, 4], "1.29", 2)
    ([0], [1])
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise InputError("forensics.ddof_of", "values", values.tolist(), "two or more finite numbers")
    low, high = (float(end) for end in interval(printed_sd, decimals, "printed_sd"))
    if high <= 0:
        raise InputError("forensics.ddof_of", "printed_sd", printed_sd, "0 or more")
    return [ddof for ddof in (0, 1) if low - 1e-12 <= values.std(ddof=ddof) <= high + 1e-12]


def divisibility(counts: Sequence[int], sizes: Sequence[int], k: int, p: float | Sequence | None = None) -> dict:
    """How many counts are divisible by k, and how probable so many are if cases were right independently.

    Proves nothing if sizes are small (then few counts are possible), for k = 1, or about the reason: k copies
    of each case that share one prediction are one reason, a rule that decides on groups of k is another.

    Parameters
    ----------
    counts, sizes : sequences of int
        Hits and cases, one pair a fold.
    k : int
        Divisor, 2 or more: copies a case.
    p : float or sequence, optional
        Probability of a hit, one for all or one a fold; by default the pooled share of hits.

    Returns
    -------
    dict
        `divisible`, `of`, `expected` (mean number by chance), `p_at_least` (exact).

    References
    ----------
    systems.md 3.1.

    Examples
    --------
    >>> round(divisibility([4, 8], [10, 10], 4)["expected"], 3)
    0.507
    """
    counts, sizes = np.asarray(counts), np.asarray(sizes)
    good = counts.shape == sizes.shape and counts.ndim == 1 and counts.size and counts.dtype.kind in "iu" \
        and sizes.dtype.kind in "iu"
    if not good or (sizes < 1).any() or (counts < 0).any() or (counts > sizes).any():
        raise InputError("forensics.divisibility", "counts, sizes", (counts.tolist(), sizes.tolist()),
                         "whole numbers, 0 <= count <= size, size >= 1, one pair a fold")
    k = check_n(k, "k")
    p = np.broadcast_to(counts.sum() / sizes.sum() if p is None else np.asarray(p, float), counts.shape)
    if k < 2 or not ((p >= 0) & (p <= 1)).all():
        raise InputError("forensics.divisibility", "k, p", (k, p.tolist()), "k >= 2 and 0 <= p <= 1")
    each = [stats.binom.pmf(np.arange(0, n + 1, k), n, q).sum() for n, q in zip(sizes, p, strict=True)]
    law = np.ones(1)                       # of the number of divisible counts
    for chance in each:
        law = np.convolve(law, [1 - chance, chance])
    found = int((counts % k == 0).sum())
    return {"divisible": found, "of": int(counts.size), "expected": float(np.sum(each)),
            "p_at_least": float(law[found:].sum())}


def complements(shares: Mapping[str, str], n: int | None = None) -> list[tuple[str, str]]:
    """Pairs of printed shares that can add up to one, as two constant answers do.

    Proves nothing with few decimals or many shares: among 10 numbers of 2 decimals a pair turns up by chance
    in about one table of three. With `n` the two numerators must add up to n.

    Parameters
    ----------
    shares : mapping
        Name to text as printed.
    n : int, optional
        Common number of cases.

    Examples
    --------
    >>> complements({"hour": "0.586", "day": "0.414", "week": "0.664"}, n=128)
    [('hour', 'day')]
    """
    spans = {name: read_share(text, name) for name, text in shares.items()}
    if n is not None:
        n = check_n(n)
        spans = {name: (ceil(low * n), floor(high * n)) for name, (low, high) in spans.items()}
    whole, names = 1 if n is None else n, list(spans)
    possible = {name: low <= high for name, (low, high) in spans.items()}
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1:] if possible[a] and possible[b]
            and spans[a][0] + spans[b][0] <= whole <= spans[a][1] + spans[b][1]]


def total_check(parts: Sequence[float], total: float) -> dict:
    """Compare the sum of printed parts with the printed total.

    Proves nothing about the parts if they add up; if not, nothing about which number is off.

    >>> total_check([888, 20, 1036, 28], 1972)["consistent"]
    True
    """
    values = np.asarray([*parts, total], float)
    if values.size < 2 or not np.isfinite(values).all():
        raise InputError("forensics.total_check", "parts, total", values.tolist(), "one part or more, all finite")
    added = sum((Fraction(str(x)) for x in parts), Fraction(0))
    gap = added - Fraction(str(total))
    return {"sum": float(added), "total": float(total), "difference": float(gap), "consistent": gap == 0}

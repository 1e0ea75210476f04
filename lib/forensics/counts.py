"""Counts, sums and spreads behind printed tables (layer 4)."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil, floor

import numpy as np
from scipy import stats

from lib.files import InputError
from lib.forensics.rounding import MOST, check_n, digits, interval, prints_as, read_share


def grimmer(mean: float | str, sd: float | str, n: int, decimals: tuple[int, int], ddof: int = 1,
            unit: int = 1) -> list[tuple[int, int]]:
    """List sums and sums of squares of n whole numbers that print as this mean and standard deviation.

    Proves nothing if the list is not empty: the conditions are necessary, not sufficient. An empty list
    proves that no n whole numbers (or multiples of 1/unit) print so with this `ddof`.

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
    if digits(printed_sd, decimals, "printed_sd") < 0:
        raise InputError("forensics.ddof_of", "printed_sd", printed_sd, "0 or more")
    return [ddof for ddof in (0, 1) if prints_as(values.std(ddof=ddof), printed_sd, decimals)]


def divisibility(counts: Sequence[int], sizes: Sequence[int], k: int,
                 p: float | Sequence | None = None) -> dict:
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
    >>> divisibility([0, 2], [2, 2], 2)["expected"]          # 0 or 2 heads of two coins
    1.0
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

    Proves nothing with few decimals or many shares: pairs then turn up by chance. With `n` the two numerators
    must add up to n, which is stricter.

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
        raise InputError("forensics.total_check", "parts, total", values.tolist(),
                         "one part or more, all finite")
    added = sum((Fraction(str(x)) for x in parts), Fraction(0))
    gap = added - Fraction(str(total))
    return {"sum": float(added), "total": float(total), "difference": float(gap), "consistent": gap == 0}

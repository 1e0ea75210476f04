"""Body of an IAGA-2002 file: dates, times, days of year and values (layer 1).

`parse_fixed` handles whole columns of characters at once, at about a fifth of a microsecond a line, and
gives up on anything unusual. `parse_lines` is the same line by line, tolerant of spacing, and names
the line it cannot read. Both give the same numbers, bit for bit.
"""

import re

import numpy as np

from lib.files import InputError

ROW = re.compile(r"\s*(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z?\s+(\d{1,3})"
                 r"(?:\s(.*))?$", re.ASCII)
NUMBER = re.compile(r"[-+]?\d{1,7}(?:\.\d*)?$", re.ASCII)
DAY_NS = 86_400_000_000_000


# Where year, month, day, hour, minute, second, millisecond and day of year stand in a row.
STAMP = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19), (20, 23), (24, 27))
BLOCK = 8192   # rows at a time: they stay in the processor's cache, and memory stays small
PLACES = np.array([1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 0.0, 1.0, 0.1]) * 10.0   # of '-12345.67', in hundredths


def parse_fixed(body: bytes, n_columns: int):
    """Parse a body of exact fixed width; None if it is not.

    Returns
    -------
    times : int array, shape (n,), nanoseconds since 1970
    doy : int array, shape (n,), day of year
    table : float array, shape (n_columns, n); marks for missing values as they stand
    """
    body += b"\n"
    length = body.index(b"\n") + 1
    width = 30 + 10 * n_columns
    if length <= width or len(body) % length:
        return None
    rows = np.frombuffer(body, np.uint8).reshape(-1, length)
    parts = []
    for first in range(0, len(rows), BLOCK):
        parts.append(_parse_block(np.ascontiguousarray(rows[first:first + BLOCK].T), width))
        if parts[-1] is None:
            return None
    return tuple(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))


def _parse_block(m, width):
    """Parse some rows, one row of `m` a character of the line; None if one is not of fixed width."""
    if not ((m[-1] == 10).all() and (m[width:-1] == 32).all() and (m[27:30] == 32).all()):
        return None
    marks = zip((4, 7, 10, 13, 16, 19, 23), b"-- ::. ", strict=True)
    if not all((m[column] == mark).all() for column, mark in marks):
        return None
    digit = m[:width] - np.uint8(48)
    is_digit = digit < 10
    stamp = [k for span in STAMP for k in range(*span)]
    table = _decimals(m[30:width], digit[30:], is_digit[30:])
    if table is None or not is_digit[stamp].all():
        return None
    *parts, doy = _stamp_weights() @ digit[:27].astype(float)
    times = _times_ns(parts)
    return None if (times < 0).any() else (times, doy.astype(np.int32), table)


def _stamp_weights():
    """Matrix that takes the digits of a stamp to its eight numbers; sums of whole numbers are exact."""
    weights = np.zeros((len(STAMP), 27))
    for row, (first, end) in zip(weights, STAMP, strict=True):
        row[first:end] = 10.0 ** np.arange(end - first)[::-1]
    return weights


def _decimals(m, digit, is_digit):
    """Read numbers like '  -834.00' from ten rows of characters a column; None if one differs."""
    m, digit, is_digit = (x.reshape(-1, 10, x.shape[1]) for x in (m, digit, is_digit))
    head, lead = m[:, :6], is_digit[:, :6]
    negative = head == 45
    started = lead | negative
    if not ((m[:, 7] == 46).all() and is_digit[:, [6, 8, 9]].all() and (started | (head == 32)).all()
            and (started[:, :5] <= lead[:, 1:]).all()):   # a digit or minus is followed by digits only
        return None
    hundredths = PLACES @ np.where(is_digit, digit, 0).astype(float)
    return np.where(negative.any(1), 0.0 - hundredths, hundredths) / 100.0


def _runs(x):
    """First index and length of every run of equal numbers: a day is worked out once, not per row."""
    first = np.flatnonzero(np.concatenate([[True], x[1:] != x[:-1]]))
    return first, np.diff(np.append(first, len(x)))


def _times_ns(parts):
    """Count nanoseconds since 1970 from year ... millisecond; -1 where there is no such time.

    24:00:00 is accepted as the next midnight.
    """
    year, month, day, hour, minute, second, milli = (np.asarray(p, np.int64) for p in parts)
    first, length = _runs((year * 100 + month) * 100 + day)
    days = np.repeat(_day_number(year[first], month[first], day[first]), length)
    of_day = ((60 * hour + minute) * 60 + second) * 1000 + milli
    good = (days >= 0) & (minute < 60) & (second < 60) & (of_day <= 86_400_000)
    return np.where(good, (days * 86_400_000 + of_day) * 1_000_000, -1)


def _day_number(year, month, day):
    """Days since 1970, -1 for a date that does not exist or is not within 1970 to 2199."""
    good = (year >= 1970) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1)
    first = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    good &= day <= ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(int)
    return np.where(good, first.astype("datetime64[D]").astype(np.int64) + day - 1, -1)


def parse_lines(body: bytes, elements, source, first: int):
    """Parse any spacing line by line, as `parse_fixed`; also returns the line numbers.

    Raises
    ------
    InputError
        At the first line that is no row, or when the last one is cut.
    """
    parts, table, numbers = [], [], []
    rows = body.decode("latin-1").split("\n")
    for number, line in enumerate(rows):
        if not line.strip(" \t\r\x1a"):
            continue
        row, values = _parse_row(line, elements, source, f"line {first + number}")
        if number == len(rows) - 1 and number and len(line) < len(rows[number - 1].rstrip()):
            raise InputError(source, f"line {first + number}", line,
                             "a line as long as the one before; the file is cut, fetch it again")
        parts.append(row)
        table.append(values)
        numbers.append(number)
    if not table:
        raise InputError(source, f"line {first}", "no data line", "rows of date, time and values; "
                         "the file is cut, fetch it again")
    *stamp, nanos, doy = np.array(parts).T
    seconds = _times_ns([*stamp, np.zeros(len(doy))])
    if (seconds < 0).any():
        number = numbers[int(np.argmax(seconds < 0))]
        raise InputError(source, f"line {first + number}", rows[number][:23],
                         "a date from 1970 to 2199 that exists (a leap second cannot be placed on "
                         "a UTC axis: delete that row)")
    return seconds + nanos, doy, np.array(table).T, numbers


def _parse_row(line: str, elements, source, where: str):
    """Read year ... second, nanosecond, day of year, and the values."""
    match = ROW.match(line.rstrip(" \t\r|"))
    if match is None:
        raise InputError(source, where, line, "YYYY-MM-DD hh:mm:ss.sss DOY and the values")
    *parts, fraction, doy, rest = match.groups()
    nanos = (fraction or "0").ljust(9, "0")
    fields = (rest or "").split()
    if len(fields) != len(elements):   # values of ten characters may touch
        fields = [line[a:a + 10].strip() for a in range(30, 30 + 10 * len(elements), 10)]
    bad = [k for k, field in enumerate(fields) if not NUMBER.match(field)]
    if bad:
        raise InputError(source, f"{where}, column {elements[bad[0]]}", fields[bad[0]] or line,
                         f"{len(elements)} numbers; if this is the last line, the file is cut")
    return [int(part) for part in (*parts, nanos, doy)], [float(field) for field in fields]


def check_day_of_year(times, doy, source, where):
    """Raise for a row whose day of year contradicts its date, unless the whole column does.

    One such row is damage; a wrong column is a habit of some writers.
    """
    day = times // DAY_NS
    first, length = _runs(day)
    wrong = np.repeat(_day_of_year(day[first]), length) != doy
    if not wrong.any():
        return
    wrong &= (times % DAY_NS != 0) | (_day_of_year(day - 1) != doy)   # 24:00 carries the day before
    if wrong.any() and not wrong.all():
        row = int(np.argmax(wrong))
        date = day[row].astype("datetime64[D]")
        raise InputError(source, where(row), f"{date} with day of year {doy[row]}",
                         "date and day of year that agree; the line is damaged, fetch it again")


def _day_of_year(day):
    date = day.astype("datetime64[D]")
    return (date - date.astype("datetime64[Y]")).astype(int) + 1

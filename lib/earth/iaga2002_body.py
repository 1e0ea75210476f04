"""Body of an IAGA-2002 file: dates, times, days of year and values (layer 1).

`parse_fixed` handles whole columns of characters at once, at about half a microsecond a line, and
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


def _digits(m, columns):
    """Read fixed digit columns as integers; m has one row a character. Also: were all digits."""
    number, good = np.zeros(m.shape[1], np.int32), True
    for column in columns:
        digit = m[column] - np.uint8(48)
        good = good and bool((digit < 10).all())
        number = number * 10 + digit
    return number, good


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
    m = np.ascontiguousarray(np.frombuffer(body, np.uint8).reshape(-1, length).T)
    if not ((m[-1] == 10).all() and (m[width:-1] == 32).all() and (m[27:30] == 32).all()):
        return None
    marks = zip((4, 7, 10, 13, 16, 19, 23), b"-- ::. ", strict=True)
    if not all((m[column] == mark).all() for column, mark in marks):
        return None
    parts = [_digits(m, span) for span in (range(4), (5, 6), (8, 9), (11, 12), (14, 15), (17, 18),
                                           (20, 21, 22), (24, 25, 26))]
    times = _times_ns([part for part, _ in parts[:7]])
    table = [_decimal(m[30 + 10 * k:40 + 10 * k]) for k in range(n_columns)]
    if not all(good for _, good in parts) or (times < 0).any() or any(x is None for x in table):
        return None
    return times, parts[7][0], np.array(table)


def _decimal(m):
    """Read numbers like '  -834.00' from ten rows of characters; None if one differs."""
    digit = m - np.uint8(48)
    is_digit = digit < 10
    if not ((m[7] == 46).all() and is_digit[[6, 8, 9]].all()):
        return None
    negative = m[:6] == 45
    number = np.zeros(m.shape[1], np.int32)
    started = np.zeros(m.shape[1], bool)
    for k in range(6):
        legal = np.where(started, is_digit[k], is_digit[k] | negative[k] | (m[k] == 32))
        if not legal.all():
            return None
        started |= is_digit[k] | negative[k]
        number = number * 10 + digit[k] * is_digit[k]
    for k in (6, 8, 9):
        number = number * 10 + digit[k]
    return np.where(negative.any(0), -number, number) / 100.0


def _times_ns(parts):
    """Count nanoseconds since 1970 from year ... millisecond; -1 where there is no such time.

    24:00:00 is accepted as the next midnight.
    """
    year, month, day, hour, minute, second, milli = (np.asarray(p, np.int64) for p in parts)
    good = (year >= 1970) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1)
    first = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    good &= day <= ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(int)
    of_day = ((60 * hour + minute) * 60 + second) * 1000 + milli
    good &= (minute < 60) & (second < 60) & (of_day <= 86_400_000)
    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    return np.where(good, (days * 86_400_000 + of_day) * 1_000_000, -1)


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
    dates = times.astype("datetime64[ns]").astype("datetime64[D]")

    def number(days):
        return (days - days.astype("datetime64[Y]")).astype(int) + 1

    wrong = number(dates) != doy
    wrong &= (times % DAY_NS != 0) | (number(dates - 1) != doy)   # 24:00 carries the day before
    if wrong.any() and not wrong.all():
        row = int(np.argmax(wrong))
        raise InputError(source, where(row), f"{dates[row]} with day of year {doy[row]}",
                         "date and day of year that agree; the line is damaged, fetch it again")

"""What a notebook's parameters may be: read from its own cell, checked before anything runs.

A line of the cell tagged `parameters` says it all::

    share = 0.1   # type: float  # part of the weeks under alarm [0.01, 0.99]

Words with bars between them, as in ``smoke | light | full``, are the choices; two numbers in brackets are the
bounds. Where a comment gives none, the name may be known here or in `lib.config.LIMITS`. "0 keeps" says that
0 is accepted beside them.
"""

import ast
import math
import re
from dataclasses import dataclass
from pathlib import Path

from lib import config
from lib.files import InputError

CELL = re.compile(r"^# %%", re.MULTILINE)
CHOICES = re.compile(r"[\w.]+(?: \| [\w.]+)+")
RANGE = re.compile(r"\[(-?[\d.]+), (-?[\d.]+|inf)\]")
ADDRESS = re.compile(r"(?:(?:tcp|tls|ws|wss|ucx)://[^\s/:]+:\d+)?")      # of a dask scheduler, or none
BOUNDS = {"workers": (1, math.inf), "events": (1, 365), "memory_gb": (0.1, math.inf), "share": (0.001, 0.999),
          "bearing_deg": (0, 360), "alarm_nt": (0, math.inf)}
KEEPS = re.compile(r"\b0 keeps\b|as in \d\d_")      # of a count, 0 then stands for the profile's number


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    kind: str                          # as the line says, or the default's
    default: object
    comment: str
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    zero: bool = False                 # 0 is accepted outside the bounds

    @property
    def accepted(self) -> str:
        """Say in a few words which values are accepted."""
        if self.name == "scheduler":
            return "empty, or as tcp://host:8786"
        if self.choices:
            return " | ".join(self.choices)
        if self.bounds is None:
            return {"bool": "True | False"}.get(self.kind, "any")
        low, high = (f"{bound:g}" for bound in self.bounds)
        low = "0" if self.zero and low == "1" else "0, or " * self.zero + low
        return f"{low} or more" if high == "inf" else f"{low} to {high}"


def read(path: Path) -> dict[str, Parameter]:
    """Return the parameters of a notebook's source, in order.

    Raises
    ------
    InputError
        If it has not exactly one cell of parameters, or a line of it is not `name = literal`.
    """
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in CELL.split(text) if cell.split("\n", 1)[0].strip() == 'tags=["parameters"]']
    if len(cells) != 1:
        raise InputError(path.name, "parameters cells", len(cells),
                         'one cell that starts # %% tags=["parameters"]')
    source = cells[0].split("\n", 1)[1]
    found = [_parameter(path, node, source) for node in ast.parse(source).body]
    return {parameter.name: parameter for parameter in found}


def _parameter(path, node, source):
    """Read one line."""
    line = source.split("\n")[node.end_lineno - 1]
    try:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        name, default = target.id, ast.literal_eval(node.value)
    except (AttributeError, ValueError) as error:
        raise InputError(path.name, "parameters cell", line,
                         "name = literal  # type: kind  # meaning") from error
    comment = line[node.end_col_offset:].lstrip(" #")
    said = re.match(r"type: ([\w| ]+?)\s*(?:#\s*(.*))?$", comment)
    kind, comment = (said.group(1), said.group(2) or "") if said else (type(default).__name__, comment)
    if isinstance(node, ast.AnnAssign):
        kind = ast.unparse(node.annotation)
    words, numbers = CHOICES.search(comment), RANGE.search(comment)
    bounds = tuple(map(float, numbers.groups())) if numbers else BOUNDS.get(name, config.LIMITS.get(name))
    is_text, zero = isinstance(default, str), default == 0 and kind == "int" and bool(KEEPS.search(comment))
    bounds = (1, math.inf) if zero and bounds is None else bounds
    choices = tuple(words.group().split(" | ")) if words and is_text else _known(name) if is_text else ()
    return Parameter(name, kind, default, RANGE.sub("", comment).strip(), choices, bounds, zero)


def _known(name):
    """Choices of a name that means the same in every notebook; what is slow to import comes last."""
    if name in ("profile", "study"):
        return tuple(config.PROFILES if name == "profile" else config.STUDIES)
    if name == "protocol":
        from lib import splits
        return tuple(splits.PROTOCOLS)
    if name in ("law", "amplitude_law"):
        from lib.earth import sources
        return sources.LAWS
    if name == "station":
        from lib.earth import stations
        return tuple(stations.indonesian_stations().code)
    return ()


def values(path: Path, overrides: dict | None = None) -> dict:
    """Return the value of every parameter, with the overrides that were given.

    Raises
    ------
    InputError
        If an override is unknown, of another type, out of its bounds or none of its choices.
    """
    known = read(path)
    found = {name: parameter.default for name, parameter in known.items()}
    for name, value in (overrides or {}).items():
        if name not in known:
            raise InputError(path.name, "parameter", name, ", ".join(known))
        found[name] = check(path.name, known[name], value)
    return found


def check(source: str, parameter: Parameter, value):
    """Return the value if the parameter may have it; a whole number may stand for a float."""
    default, where = parameter.default, f"parameter {parameter.name}"
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if value is None and (default is None or "None" in parameter.kind):
        return value
    if default is not None and type(value) is not type(default):
        raise InputError(source, where, value, f"a value like {default!r}: {parameter.accepted}")
    good = True
    if isinstance(value, str):
        good = value in parameter.choices if parameter.choices else (
            parameter.name != "scheduler" or ADDRESS.fullmatch(value) is not None)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = parameter.bounds or (-math.inf, math.inf)
        good = math.isfinite(value) and (low <= value <= high or (parameter.zero and value == 0))
    if not good:
        raise InputError(source, where, value, parameter.accepted)
    return value

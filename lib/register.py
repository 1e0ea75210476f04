"""Claims and REFORMS forms as files that can be checked (layer 5).

A claim is an exact quote with what was printed, what we computed (keys of results files, never typed
numbers) and a status. The status comes with a rule: conditions on the computed values, such as
``[mean of folds, rounds to, accuracy]``. A status whose rule no longer holds is out of date.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from lib.files import InputError

STUDIES = ("convnext", "crnn", "tec", "observatory")
OPEN = "needs data that are not public"
STATUSES = ("recomputed", "reproduced on a synthetic world", "not supported by the printed numbers", OPEN)
ANSWERS = ("reported", "partly", "absent", "not applicable")
CLAIM = {"id": str, "study": str, "quote": str, "source": str, "place": str, "printed": dict, "computed": list,
         "status": str, "rule": list, "test": str, "settle": str}
COMPUTED = {"name": str, "result": str, "key": str, "format": str}
ITEM = {"status": str, "evidence": str, "place": str}


@dataclass(frozen=True)
class Claim:
    """One entry of the register; the fields are those of the file."""

    id: str
    study: str
    quote: str
    source: str                # seed file
    place: str                 # section, table or line of it
    printed: dict[str, str]    # name to number as printed, decimals kept
    computed: tuple[dict, ...]  # name, result, key, format, and optionally scale and unit
    status: str
    rule: tuple[tuple, ...]    # conditions (left, operator, right); empty where nothing public can decide
    test: str                  # the test of the function behind the computed values
    settle: str                # what would settle it


def printed_number(text: str) -> tuple[float, int]:
    """Return the first number of a printed text and its decimals.

    >>> printed_number("97.53 %"), printed_number("1,972 images")
    ((97.53, 2), (1972.0, 0))
    """
    found = re.search(r"-?\d+(?:\.(\d+))?", re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))
    if not found:
        raise InputError("printed value", "text", text, "a text with a number in it")
    return float(found.group()), len(found.group(1) or "")


def _rounds(value, text):
    """Whether a value, rounded either way at a half, is what was printed."""
    number, decimals = printed_number(text)
    return abs(value - number) <= 0.5 * 10.0 ** -decimals * (1 + 1e-9)


def _covers(interval, value):
    return interval[0] <= value <= interval[1]


OPERATORS = {
    "rounds to": _rounds,
    "does not round to": lambda a, b: not _rounds(a, b),
    "equals": lambda a, b: math.isclose(a, b, rel_tol=1e-9) if isinstance(a, float) else a == b,
    "differs from": lambda a, b: not OPERATORS["equals"](a, b),
    "is above": lambda a, b: a > b,
    "is at least": lambda a, b: a >= b,
    "is below": lambda a, b: a < b,
    "is at most": lambda a, b: a <= b,
    "covers": _covers,
    "does not cover": lambda a, b: not _covers(a, b),
    "contains": lambda a, b: b in a,
    "does not contain": lambda a, b: b not in a,
    "has length": lambda a, b: len(a) == b,
}
AGREE = ("rounds to", "equals", "contains")     # a recomputed value has to agree with something printed


# --- reading ------------------------------------------------------------------------------------------------

def _yaml(path):
    """Read one YAML file."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, "file", error.strerror, "a YAML file that can be read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "text"
        raise InputError(path, where, getattr(error, "problem", None) or str(error), "valid YAML, UTF-8") from error


def _fields(path, where, value, wanted, optional=()):
    """Refuse an entry without its fields, with unknown ones, or with one of the wrong kind."""
    if not isinstance(value, dict):
        raise InputError(path, where, value, f"a mapping with {', '.join(wanted)}")
    for name in [*wanted, *value]:
        if name not in value:
            raise InputError(path, f"{where}, field {name}", "missing", wanted[name].__name__)
        if name not in wanted and name not in optional:
            raise InputError(path, f"{where}, field {name}", value[name], f"one of {', '.join(wanted)}")
        kind = wanted.get(name, object)
        if not isinstance(value[name], kind) or (kind is str and not value[name].strip()):
            raise InputError(path, f"{where}, field {name}", value[name], f"a {kind.__name__}, not empty")


def _one_of(path, where, value, accepted):
    if value not in accepted:
        raise InputError(path, where, value, "one of " + ", ".join(map(str, accepted)))


def load_claims(path: str | Path) -> list[Claim]:
    """Read the register of claims.

    Raises
    ------
    InputError
        If the file is not YAML, or an entry lacks a field, has an unknown one, repeats an id, or has a rule
        that names nothing known or does not fit its status; the message names file, entry and field.
    """
    entries = _yaml(path)
    if not isinstance(entries, list) or not entries:
        raise InputError(path, "file", type(entries).__name__, "a list of claims")
    claims = {}
    for i, entry in enumerate(entries):
        name = entry.get("id") if isinstance(entry, dict) else None
        where = f"entry {i + 1} ({name or 'without id'})"
        _fields(path, where, entry, CLAIM)
        if name in claims:
            raise InputError(path, f"{where}, field id", name, "an id used once")
        claims[name] = _claim(path, where, entry)
    return list(claims.values())


def _claim(path, where, entry):
    """Check what the fields of one entry hold."""
    _one_of(path, f"{where}, field study", entry["study"], STUDIES)
    _one_of(path, f"{where}, field status", entry["status"], STATUSES)
    for item in entry["computed"]:
        _fields(path, f"{where}, field computed", item, COMPUTED, ("scale", "unit"))
    for name, text in entry["printed"].items():
        if not isinstance(text, str) or not re.search(r"\d", text):
            raise InputError(path, f"{where}, field printed.{name}", text, "a number as printed, in quotes")
    computed, known = {item["name"] for item in entry["computed"]}, set(entry["printed"])
    for condition in entry["rule"]:
        if not isinstance(condition, list) or len(condition) != 3 or condition[0] not in computed:
            raise InputError(path, f"{where}, field rule", condition, "[computed name, operator, other]")
        _one_of(path, f"{where}, field rule", condition[1], OPERATORS)
        if isinstance(condition[2], str):
            names = known if condition[1].endswith("round to") or condition[1] == "rounds to" else known | computed
            _one_of(path, f"{where}, field rule", condition[2], sorted(names))
    agrees = any(op in AGREE and other in known for _, op, other in entry["rule"])
    fits = {OPEN: not entry["rule"], STATUSES[0]: agrees}.get(entry["status"], bool(entry["rule"]))
    if not fits:
        raise InputError(path, f"{where}, field rule", entry["rule"], "no condition where data are needed, agreement "
                         "with a printed value where it is recomputed, otherwise at least one condition")
    return Claim(**{**entry, "computed": tuple(entry["computed"]), "rule": tuple(map(tuple, entry["rule"]))})


def load_reforms(path: str | Path) -> tuple[dict[str, dict[str, str]], dict]:
    """Read the filled REFORMS form of one study and, beside it, the items (Kapoor et al. 2024, Table 1).

    Returns
    -------
    modules : dict
        Module to its items: number to text, in our words, from ``items.yml`` in the same folder.
    form : dict
        `study`, `seen` (what of the study was available to us) and `items`: number to `status`,
        `evidence` and `place`.

    Raises
    ------
    InputError
        If an item is missing, unknown, or has a bad field; the message names file, item and field.
    """
    path = Path(path)
    modules, form = _yaml(path.with_name("items.yml")), _yaml(path)
    _fields(path, "form", form, {"study": str, "seen": str, "items": dict})
    numbers = [number for items in modules.values() for number in items]
    for number in [*numbers, *form["items"]]:
        if number not in form["items"] or number not in numbers:
            raise InputError(path, f"item {number}", "missing" if number in numbers else "unknown",
                             f"each of the {len(numbers)} items once")
        _fields(path, f"item {number}", form["items"][number], ITEM)
        _one_of(path, f"item {number}, field status", form["items"][number]["status"], ANSWERS)
    return modules, form


# --- checking -----------------------------------------------------------------------------------------------

def results_in(folder: str | Path) -> dict[str, dict]:
    """Read every results file of a folder: name without ending to content."""
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(path, "file", "damaged JSON", "a file written by report.save_results") from error
    return found


def computed_values(claim: Claim, results: Mapping[str, dict]) -> dict:
    """Return the claim's computed values by name, scaled.

    Raises
    ------
    InputError
        If a results file or a key is missing; the message names the claim, the file and the key.
    """
    values = {}
    for item in claim.computed:
        value, where = results, f"claim {claim.id}, {item['name']}"
        for step in (item["result"], *item["key"].split(".")):
            try:
                value = value[int(step) if isinstance(value, list) else step]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise InputError(f"results of {item['result']}", where, f"no {step!r} of {item['key']}",
                                 "a key of that results file") from error
        scale = item.get("scale", 1)
        values[item["name"]] = value if scale == 1 else value * scale
    return values


def failing(claim: Claim, results: Mapping[str, dict]) -> list[str]:
    """Return the conditions of the rule that do not hold; none if the status follows."""
    values = computed_values(claim, results)
    wrong = []
    for left, operator, right in claim.rule:
        other = values.get(right, right) if isinstance(right, str) else right
        if isinstance(other, str):
            other = claim.printed[right] if "round" in operator else printed_number(claim.printed[right])[0]
        if not OPERATORS[operator](values[left], other):
            wrong.append(f"{left} ({values[left]!r}) {operator} {right} ({other!r})")
    return wrong

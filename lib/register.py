"""Claims and REFORMS forms as files that can be checked (layer 5).

A claim is an exact quote with what was printed, what we computed (keys of results files, never typed numbers)
and a status with its rule: where a condition of it no longer holds, the status is out of date.
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


@dataclass(frozen=True)
class Claim:
    """One entry of the register; the fields are those of the file."""

    id: str
    study: str
    quote: str
    source: str        # seed file
    place: str         # section or table of it
    printed: dict      # name to number as printed, decimals kept
    computed: list     # mappings: name, result, key, format; if needed over (key to divide by), scale, unit
    status: str
    rule: list         # conditions [computed, operator, other]; empty where nothing public can decide
    test: str          # the test behind the computed values
    settle: str        # what would settle it


def printed_number(text: str) -> tuple[float, int]:
    """Return the first number of a printed text, and its decimals.

    >>> printed_number("97.53 %"), printed_number("1,972 images")
    ((97.53, 2), (1972.0, 0))
    """
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text).replace(",", ".")    # thousands; a decimal comma
    found = re.search(r"-?\d+(?:\.(\d+))?", text)
    return float(found.group()), len(found.group(1) or "")


def _rounds(value, text):
    """Whether a value, rounded at a half either way, is the printed number."""
    number, decimals = printed_number(text)
    return abs(value - number) <= 0.5 * 10.0 ** -decimals * (1 + 1e-9)


OPERATORS = {     # the first two compare at the precision of the printed number
    "rounds to": _rounds,
    "does not round to": lambda a, b: not _rounds(a, b),
    "equals": lambda a, b: math.isclose(a, b, rel_tol=1e-9) if isinstance(a, float) else a == b,
    "is above": lambda a, b: a > b,
    "is at least": lambda a, b: a >= b,
    "is below": lambda a, b: a < b,
    "has length": lambda a, b: len(a) == b,
}
COMPUTED = {"name": str, "result": str, "key": str, "format": str}
ITEM = {"status": str, "evidence": str, "place": str}
AGREE = ("rounds to", "equals")


def _read(path, parse):
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        line = re.search(r"line \d+|$", str(error)).group() or "file"
        raise InputError(path, line, str(error).split("\n")[0], f"what {parse.__name__} can read") from error


def _fields(path, where, entry, wanted, optional=()):
    """Refuse an entry that lacks a field, has an unknown one, or an empty or wrong value."""
    if not isinstance(entry, dict):
        raise InputError(path, where, entry, f"a mapping with {', '.join(wanted)}")
    for name in [*wanted, *entry]:
        value, kind = entry.get(name, "missing"), wanted.get(name, object)
        good = name in entry and (name in wanted or name in optional) and isinstance(value, kind)
        if not good or value in ("", " "):
            accepted = f"a {kind.__name__}, not empty" if name in wanted else f"only {', '.join(wanted)}"
            raise InputError(path, f"{where}, field {name}", value, accepted)


def _one_of(path, where, value, accepted):
    if value not in accepted:
        raise InputError(path, where, value, "one of " + ", ".join(map(str, accepted)))


def load_claims(path: str | Path) -> list[Claim]:
    """Read the register of claims.

    Raises
    ------
    InputError
        If an entry lacks a field, has an unknown one, repeats an id, or has a rule that names nothing known
        or does not fit its status; the message names file, entry and field.
    """
    entries = _read(path, yaml.safe_load)
    if not isinstance(entries, list) or not entries:
        raise InputError(path, "file", type(entries).__name__, "a list of claims")
    claims = {}
    for i, entry in enumerate(entries, 1):
        where = f"entry {i} ({entry.get('id') if isinstance(entry, dict) else 'without id'})"
        _fields(path, where, entry, Claim.__annotations__)
        _one_of(path, f"{where}, field study", entry["study"], STUDIES)
        _one_of(path, f"{where}, field status", entry["status"], STATUSES)
        for item in entry["computed"]:
            _fields(path, f"{where}, field computed", item, COMPUTED, ("over", "scale", "unit"))
        for name, text in entry["printed"].items():
            if not isinstance(text, str) or not re.search(r"\d", text):
                raise InputError(path, f"{where}, field printed.{name}", text, "a printed number, in quotes")
        if entry["id"] in claims:
            raise InputError(path, f"{where}, field id", entry["id"], "an id used once")
        claims[entry["id"]] = Claim(**entry)
        _check_rule(path, f"{where}, field rule", claims[entry["id"]])
    return list(claims.values())


def _check_rule(path, where, claim):
    """Refuse conditions on unknown names, and a rule from which the status cannot follow."""
    computed = [item["name"] for item in claim.computed]
    for condition in claim.rule:
        if not isinstance(condition, list) or len(condition) != 3 or condition[0] not in computed:
            raise InputError(path, where, condition, "[a computed name, an operator, a name or a number]")
        _one_of(path, where, condition[1], OPERATORS)
        if isinstance(condition[2], str) or "round" in condition[1]:
            _one_of(path, where, condition[2], [*claim.printed, *(computed * ("round" not in condition[1]))])
    agrees = [c for c in claim.rule if not claim.printed or c[1] in AGREE and c[2] in claim.printed]
    if not {OPEN: not claim.rule, STATUSES[0]: agrees}.get(claim.status, claim.rule):
        raise InputError(path, where, claim.rule, "agreement with a printed value where it is recomputed, no "
                         "condition where data are needed, otherwise at least one")


def load_reforms(path: str | Path) -> tuple[dict[str, dict[str, str]], dict]:
    """Read ``items.yml`` (module to items, after Kapoor et al. 2024) and the form of one study beside it.

    Raises
    ------
    InputError
        If an item is missing, unknown, or has a bad field; the message names file, item and field.
    """
    modules, form = (_read(p, yaml.safe_load) for p in (Path(path).with_name("items.yml"), path))
    _fields(path, "form", form, {"study": str, "seen": str, "items": dict})
    _fields(path, "items", form["items"], {number: dict for items in modules.values() for number in items})
    for number, item in form["items"].items():
        _fields(path, f"item {number}", item, ITEM)
        _one_of(path, f"item {number}, field status", item["status"], ANSWERS)
    return modules, form


def _value(claim, item, key, results):
    value = results
    for step in (item["result"], *key.split(".")):
        try:
            value = value[int(step) if isinstance(value, list) else step]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            where = f"claim {claim.id}, {item['name']}"
            raise InputError(f"results of {item['result']}", where, key, f"a key; no {step!r}") from error
    return value


def computed_values(claim: Claim, results: Mapping[str, dict]) -> dict:
    """Return the claim's computed values by name; `results` as from `results_in`.

    Raises
    ------
    InputError
        If a key is missing; the message names the claim, the value and the key.
    """
    values = {}
    for item in claim.computed:
        value = _value(claim, item, item["key"], results) * item.get("scale", 1)
        values[item["name"]] = value / _value(claim, item, item["over"], results) if "over" in item else value
    return values


def failing(claim: Claim, results: Mapping[str, dict]) -> list[str]:
    """Return the conditions of the rule that do not hold; none if the status follows."""
    values, wrong = computed_values(claim, results), []
    for left, operator, right in claim.rule:
        other = claim.printed.get(right, values.get(right, right))
        if right in claim.printed and "round" not in operator:
            other = printed_number(other)[0]
        if not OPERATORS[operator](values[left], other):
            wrong.append(f"{left} ({values[left]}) {operator} {right} ({other})")
    return wrong


def results_in(folder: str | Path) -> dict[str, dict]:
    """Return every results file of a folder by its name without ending."""
    return {path.stem: _read(path, json.loads) for path in sorted(Path(folder).glob("*.json"))}

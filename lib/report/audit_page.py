"""An audit as tables of a page, or as a page of its own (layer 6).

From a shell: ``python -m lib.report audit.json page.html``, after ``python -m lib.audit --json``.
"""

import html
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lib.audit import Audit
from lib.files import InputError, atomic_path
from lib.report.page import table
from lib.report.tables import table_html

CAPTIONS = {
    "verdicts": "Verdicts: what was looked for, what was found, and what to do.",
    "links": "Certificate: links between training and test windows.",
    "floors": "Floors: what predictors that see no record reach under this split.",
    "probes": "Shortcut probes: what can be read from the images, and whether it tells the class.",
    "claim": "The predictions, earthquake by earthquake.",
    "sample": "Sample: what counts as one observation.",
}
SAID = {True: "passed", False: "flagged", None: "not checked"}
STYLE = ("body{font:1rem/1.5 sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
         "table{border-collapse:collapse;margin:1rem 0}caption{text-align:left;font-weight:bold}"
         "th,td{border:1px solid;padding:.2rem .6rem;text-align:left;font-weight:normal}"
         ".num{text-align:right}thead th{font-weight:bold}")


def audit_tables(found: Audit | Mapping) -> dict[str, pd.DataFrame]:
    """Return the tables of an audit, or of its JSON form: verdicts first, then what they rest on.

    Raises
    ------
    InputError
        If the mapping is not one that `Audit.to_dict` made.
    """
    values = found.to_dict() if isinstance(found, Audit) else found
    try:
        return _tables(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError("audit", "field", str(error),
                         "an audit written by python -m lib.audit --json") from error


def _tables(values):
    links, sample = values["certificate"], values["sample"]
    tables = {
        "verdicts": pd.DataFrame([{
            "criterion": v["criterion"], "value": v["value"], "limit": v["limit"],
            "verdict": SAID[v["passed"]], "what to do": "" if v["passed"] else v["advice"]}
            for v in values["verdicts"]]),
        "links": pd.DataFrame([{
            "link": kind.replace("_", " "), "pairs": links[kind],
            "test windows touched": f"{100 * share:.0f} %"}
            for kind, share in links["fraction"].items()]),
        "floors": pd.DataFrame([{
            "floor": name.replace("_", " "), "MCC": row["score"], "95 % interval": _span(row["interval"])}
            for name, row in sorted(values["floors"].items(), key=lambda item: -item[1]["score"])]),
        "probes": pd.DataFrame([{
            "attribute": row["attribute"], "read from x (MCC)": row["decoded"],
            "read, 95 % interval": _span(row["decoded_interval"]), "class from it (MCC)": row["tells"],
            "class, 95 % interval": _span(row["tells_interval"])} for row in values["probes"]]),
        "sample": pd.DataFrame([{"what": key.replace("_", " "), "number": f"{sample[key]:.4g}"} for key in (
            "windows", "stations", "events", "groups", "fewest_groups_of_a_class", "effective", "majority")]),
    }
    if claim := values["claim"]:
        tables["claim"] = pd.DataFrame([
            {"what": "MCC", "value": f"{claim['score']:.3f}", "95 % interval": _span(claim["interval"])},
            {"what": f"MCC above the best floor ({claim['best_floor'].replace('_', ' ')})", "value": "",
             "95 % interval": _span(claim["above_best_floor"])},
            {"what": "p, labels permuted by earthquake", "value": f"{claim['p']:.3f}", "95 % interval": ""},
            {"what": "accuracy", "value": f"{claim['scores']['accuracy']:.3f}", "95 % interval": ""},
            {"what": "accuracy of the majority class", "value": f"{claim['majority_accuracy']:.3f}",
             "95 % interval": ""}])
        if one := claim["one_per_family"]:
            tables["claim"].loc[len(tables["claim"])] = ["MCC, one row a family", f"{one['score']:.3f}", ""]
    return {name: frame for name, frame in tables.items() if len(frame)}


def _span(interval):
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def show_audit(found: Audit | Mapping, name: str = "audit",
               only: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """Show an audit on the open page as tables, and return them.

    Parameters
    ----------
    found : Audit or mapping
        From `lib.audit.audit`, or its JSON form.
    name : str
        Start of the tables' labels: ``tab-<name>-verdicts``, ``tab-<name>-links`` ...
    only : sequence of str
        Keys of `CAPTIONS` to show; all by default.

    Raises
    ------
    InputError
        For an unknown table, or a mapping that is no audit.
    """
    if unknown := sorted(set(only) - set(CAPTIONS)):
        raise InputError("report.show_audit", "only", unknown, ", ".join(CAPTIONS))
    tables = audit_tables(found)
    for key, frame in tables.items():
        if not only or key in only:
            table(frame, f"{name}-{key}", CAPTIONS[key])
    return tables


def write_page(found: Audit | Mapping, path: str | Path) -> None:
    """Write an audit as one HTML file that needs nothing beside it."""
    values = found.to_dict() if isinstance(found, Audit) else found
    tables = audit_tables(values)
    said = f"{len(values['flagged'])} flagged. Split: {values['split']}"
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in values["notes"])
    body = "\n".join(table_html(frame, key, CAPTIONS[key], {}) for key, frame in tables.items())
    with atomic_path(path) as temporary:
        temporary.write_text(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Audit</title><style>{STYLE}'
            f"</style></head><body><h1>Audit</h1><p>{html.escape(said)}</p>\n{body}\n<ul>{notes}</ul></body>"
            "</html>\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Turn the JSON of an audit into a page; 2 for input that cannot be used."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if len(given) != 2:
            raise InputError("audit_page", "arguments", given, "audit.json page.html")
        try:
            values = json.loads(Path(given[0]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(given[0], "file", str(error),
                             "JSON written by python -m lib.audit --json") from error
        write_page(values, given[1])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0

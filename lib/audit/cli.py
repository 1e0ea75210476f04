"""The audit from a shell: ``python -m lib.audit windows.csv --predictions p.csv`` (layer 5)."""

import argparse
import sys
from collections.abc import Sequence

from lib import splits
from lib.audit import files
from lib.audit.core import Audit, audit
from lib.certificate import describe
from lib.files import InputError, write_json
from lib.purge import EMBARGO_DAYS


def text(found: Audit) -> str:
    """Return the audit as plain text, flagged lines first."""
    order = {False: 0, None: 1, True: 2}
    lines = [f"{len(found.flagged)} flagged. Split: {found.split}", describe(found.certificate),
             "windows {windows}, events {events}, groups {groups}, effective {effective:.4g}".format(
                 **found.sample)]
    for v in sorted(found.verdicts, key=lambda v: order[v.passed]):
        value = "–" if v.value is None else f"{v.value:.3g}"
        mark = {False: "FLAG", None: "  ? ", True: " ok "}[v.passed]
        advice = "" if v.passed else f" {v.advice}"
        lines.append(f"[{mark}] {v.criterion}: {value} (limit: {v.limit}){advice}")
    return "\n".join([*lines, *(f"Note: {note}" for note in found.notes)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an audit from the command line; the exit code is 0, 1 (flagged) or 2 (bad input)."""
    parser = argparse.ArgumentParser(prog="python -m lib.audit", description="Audit a study from its tables.")
    parser.add_argument("windows", help="CSV: window_id, station, start, end, event_id or block_id, a label")
    parser.add_argument("--predictions", help="CSV: window_id, y_pred; optional fold, y_true, target")
    parser.add_argument("--x", help="npz or npy: one row for each window")
    parser.add_argument("--label", help="column of the class")
    parser.add_argument("--protocol", choices=sorted(splits.PROTOCOLS), help="audit this split")
    parser.add_argument("--folds", type=int, default=5, help="number of folds of the protocol")
    parser.add_argument("--embargo", type=float, default=EMBARGO_DAYS, help="days")
    parser.add_argument("--json", help="write the audit here")
    given = parser.parse_args(arguments)
    try:
        windows = files.read_csv(given.windows)
        found = audit(windows, given.x and files.read_x(given.x, windows),
                      given.predictions and files.read_csv(given.predictions), label=given.label,
                      protocol=given.protocol, n_folds=given.folds, embargo_days=given.embargo)
        if given.json:
            write_json(given.json, found.to_dict())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text(found))
    return 1 if found.flagged else 0

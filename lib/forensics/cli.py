"""The commands of ``python -m lib.forensics``: the checks on a reader's own numbers (layer 4).

Exit status: 0 the numbers can belong together, 1 they cannot, 2 input that cannot be used. 0 is no proof.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from lib import forensics
from lib.files import InputError
from lib.forensics.rounding import prints_as

COLUMNS = "columns n and hits, or n and percent"
EPILOG = """examples:
  python -m lib.forensics grim 98.68% 97.53% --n 304
  python -m lib.forensics sizes 0.6716 0.6208 0.6186 --from 50 --to 2356
  python -m lib.forensics confusion recall=100.0% precision=61.5% --n 28
  python -m lib.forensics folds folds.csv --decimals 4 --mean 97.53 --sd 0.96 --copies 4 --total 1972
  python -m lib.forensics nyquist 0.02 60
  python -m lib.forensics parameters 3x10080x1 conv:32:3x3 pool:1x2 flatten dense:2 --total 20
  python -m lib.forensics best-of 10 --mean 0.6348 --sd 0.0175 --best 0.6716

exit status: 0 the numbers can belong together (which is no proof), 1 they cannot, 2 bad input
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one check and return the exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        return 0 if chosen.run(chosen) else 1
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser():
    """Describe the commands and their numbers."""
    parser = argparse.ArgumentParser("python -m lib.forensics", epilog=EPILOG, description=forensics.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title="checks", required=True, metavar="check")

    def command(name, run, text, *positional):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        for words, options in positional:
            sub.add_argument(words, **options)
        return sub

    many = {"nargs": "+", "metavar": "SHARE", "help": "as printed: 61.5%% or 0.6154"}
    sub = command("grim", _grim, "which numerators print so", ("shares", many))
    sub.add_argument("--n", type=int, required=True, help="number of cases")
    sub = command("sizes", _sizes, "which numbers of cases fit all shares", ("shares", many))
    sub.add_argument("--from", type=int, default=1, dest="first")
    sub.add_argument("--to", type=int, required=True, dest="last")
    sub = command("confusion", _confusion, "which two-class confusion matrices fit",
                  ("metrics", {"nargs": "+", "metavar": "NAME=SHARE", "help": ", ".join(forensics.METRICS)}))
    sub.add_argument("--n", required=True, help="cases: 28, or 20:40 to try a range")
    sub.add_argument("--positives", type=int, help="positive cases, where known")
    sub = command("folds", _folds, "counts, mean, spread and divisibility of a table of folds",
                  ("file", {"type": Path, "help": f"CSV with {COLUMNS} (as printed)"}))
    sub.add_argument("--decimals", type=int, help="printed decimals of the percentages, if 98 means 98.0000")
    sub.add_argument("--mean", help="printed mean of the folds in per cent")
    sub.add_argument("--sd", help="printed standard deviation in per cent")
    sub.add_argument("--copies", type=int, default=4, help="divisor to look for (4)")
    sub.add_argument("--total", type=int, help="printed number of cases of all folds")
    sub = command("nyquist", _nyquist, "whether a filter corner exists at a sampling interval",
                  ("corner_hz", {"type": float}), ("sampling_s", {"type": float}))
    sub = command("parameters", _parameters, "parameters of a plain network, layer by layer",
                  ("shape", {"help": "input, channels last: 3x10080x1"}),
                  ("layers", {"nargs": "+", "help": "conv:32:3x3 pool:1x2 flatten dense:64"}))
    sub.add_argument("--padding", default="same", help="same or valid")
    sub.add_argument("--total", type=int, help="printed number of parameters")
    sub = command("best-of", _best_of, "expected best of several runs", ("looks", {"type": int}))
    for name in ("mean", "sd"):
        sub.add_argument(f"--{name}", type=float, required=True)
    sub.add_argument("--best", type=float, help="printed best")
    return parser


def _numerators(text, n, decimals=None):
    """Numerators of a share printed as text, zeros and all; `decimals` where zeros were dropped."""
    forensics.read_share(text)
    whole, bare = (100 if "%" in text else 1), text.strip().removesuffix("%").strip()
    return forensics.grim(bare, len(bare.partition(".")[2]) if decimals is None else decimals, n, whole)


def _few(values):
    """List at most ten values."""
    return ", ".join(str(v) for v in values[:10]) + (f" ... {len(values)} in all" if len(values) > 10 else "")


def _grim(chosen):
    fits = True
    for text in chosen.shares:
        found = _numerators(text, chosen.n)
        fits = fits and bool(found)
        print(f"{text} of {chosen.n}: {_few(found) or 'no whole number of cases prints so'}")
    return fits


def _sizes(chosen):
    kinds = {"%" in text for text in chosen.shares}
    if len(kinds) > 1:
        raise InputError("forensics", "shares", chosen.shares, "all with % or all without")
    bare = [text.strip().removesuffix("%").strip() for text in chosen.shares]
    found = forensics.grim_sizes(bare, [len(b.partition(".")[2]) for b in bare],
                                 range(chosen.first, chosen.last + 1), 100 if kinds == {True} else 1)
    print(f"numbers of cases from {chosen.first} to {chosen.last} that fit all {len(bare)}: "
          f"{_few(found) or 'none'}")
    return bool(found)


def _confusion(chosen):
    metrics = dict(pair.partition("=")[::2] for pair in chosen.metrics)
    first, _, last = chosen.n.partition(":")
    if not first.isdigit() or not (last or first).isdigit():
        raise InputError("forensics", "--n", chosen.n, "a number, or two joined by a colon: 20:40")
    n = range(int(first), int(last) + 1) if last else int(first)
    found = forensics.confusion_matrices(metrics, n, chosen.positives)
    print(found.head(50).to_string(index=False) if len(found) else "no confusion matrix fits")
    print(f"{len(found)} in all")
    return len(found) > 0


def _read_folds(path, decimals):
    """Sizes and possible hits of each fold of a CSV file."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, "file", str(error), f"a CSV file with {COLUMNS}") from error
    if not rows or "n" not in rows[0] or not {"hits", "percent"} & set(rows[0]):
        raise InputError(path, "header", list(rows[0]) if rows else "no rows", COLUMNS)
    sizes, hits = [], []
    for line, row in enumerate(rows, 2):
        values = {name: (row[name] or "").strip() for name in ("n", "hits", "percent") if name in row}
        try:
            size = int(values["n"])
            found = [int(values["hits"])] if "hits" in values else \
                _numerators(values["percent"].removesuffix("%") + "%", size, decimals)
        except (ValueError, TypeError) as error:
            raise InputError(path, f"line {line}", values, f"whole numbers or shares ({error})") from error
        if size < 1 or any(not 0 <= k <= size for k in found):
            raise InputError(path, f"line {line}", values, "n of 1 or more and hits from 0 to n")
        sizes, hits = [*sizes, size], [*hits, found]
    return sizes, hits


def _folds(chosen):
    sizes, candidates = _read_folds(chosen.file, chosen.decimals)
    fits = all(candidates)
    for fold, (n, found) in enumerate(zip(sizes, candidates, strict=True), 1):
        print(f"fold {fold}: {_few(found) or 'no whole number of hits'} of {n}")
    if chosen.total is not None:
        sums = forensics.total_check(sizes, chosen.total)
        fits = fits and sums["consistent"]
        print(f"cases: {sum(sizes)}, printed {chosen.total}, difference {sums['difference']:g}")
    if any(len(found) != 1 for found in candidates):
        print("hits are not known for every fold: mean, spread and divisibility are left out")
        return fits
    return _spread(chosen, np.array(sizes), np.array([found[0] for found in candidates])) and fits


def _spread(chosen, sizes, hits):
    """Print mean, standard deviations and divisibility of known hits; compare with what is printed."""
    percent, fits = 100 * hits / sizes, True
    print(f"mean of folds {percent.mean():.4f} %, pooled {hits.sum()} of {sizes.sum()} = "
          f"{100 * hits.sum() / sizes.sum():.4f} %")
    for name, value in (("mean of folds", percent.mean()), ("pooled", 100 * hits.sum() / sizes.sum())):
        if chosen.mean is not None:
            places = len(chosen.mean.partition(".")[2])
            same = prints_as(value, chosen.mean, places)
            print(f"  {name} {'prints' if same else 'does not print'} as {chosen.mean}")
            fits = same if name == "mean of folds" else fits or same
    if len(hits) > 1:
        print(f"standard deviation {percent.std():.4f} (ddof 0), {percent.std(ddof=1):.4f} (ddof 1)")
    if chosen.sd is not None:
        found = forensics.ddof_of(percent, chosen.sd, len(chosen.sd.partition(".")[2]))
        print(f"  prints as {chosen.sd} with ddof {' or '.join(map(str, found)) or '- neither 0 nor 1'}")
        fits = fits and bool(found)
    law = forensics.divisibility(hits, sizes, chosen.copies)
    print(f"hits divisible by {chosen.copies}: {law['divisible']} of {law['of']}, "
          f"{law['expected']:.1f} expected if cases were independent; "
          f"probability of so many: {law['p_at_least']:.3g}")
    return fits


def _nyquist(chosen):
    found = forensics.nyquist_check(chosen.corner_hz, chosen.sampling_s)
    print(f"Nyquist frequency {found['nyquist_hz']:.6g} Hz; the corner is {found['ratio']:.3g} times that")
    return found["possible"]


def _parameters(chosen):
    numbers = [part.split(":") for part in chosen.layers]
    try:
        shape = [int(x) for x in chosen.shape.split("x")]
        layers = [(kind, *map(int, rest[:-1] if kind in ("conv", "pool") else rest),
                   *([tuple(map(int, rest[-1].split("x")))] if kind in ("conv", "pool") and rest else []))
                  for kind, *rest in numbers]
    except ValueError as error:
        raise InputError("forensics", "shape, layers", [chosen.shape, *chosen.layers],
                         "3x10080x1 conv:32:3x3 pool:1x2 flatten dense:64") from error
    table = forensics.parameter_table(shape, layers, chosen.padding)
    print(table.assign(shape=["x".join(map(str, s)) for s in table["shape"]]).to_string(index=False))
    total = int(table.parameters.sum())
    print(f"total {total}, printed {chosen.total if chosen.total is not None else 'total not given'}")
    return chosen.total in (None, total)


def _best_of(chosen):
    expected = forensics.best_of(chosen.mean, chosen.sd, chosen.looks)
    print(f"expected best of {chosen.looks}: {expected:.4f}, {expected - chosen.mean:.4f} above the mean")
    if chosen.best is None:
        return True
    print(f"printed best {chosen.best:g}, {chosen.best - expected:+.4f} from the expected best")
    return chosen.best >= chosen.mean

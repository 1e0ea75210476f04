"""Fetching from a shell: ``python -m lib.earth.fetch --help`` (layer 1)."""

import argparse
import sys
from collections.abc import Sequence

from lib.earth.fetch import fetch, plan, verify
from lib.files import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch from the command line, one line a file; the exit code is 0, or 1 with one sentence."""
    parser = argparse.ArgumentParser("python -m lib.earth.fetch", description=fetch.__doc__.splitlines()[0],
                                     epilog="With --out alone, the files of the folder are checked.")
    parser.add_argument("--kind", default="geomag", help=", ".join(plan.KINDS))
    parser.add_argument("--station", help="code of an observatory, such as KAK (geomag)")
    parser.add_argument("--from", dest="start", help="first day, UTC, such as 2011-03-01")
    parser.add_argument("--to", dest="end", help="last day, included")
    parser.add_argument("--out", required=True, help="data folder")
    parser.add_argument("--server", help="another address than " + ", ".join(plan.SERVERS.values()))
    parser.add_argument("--dataset", default=plan.DATASET, help="HAPI id; {station} is replaced")
    parser.add_argument("--template", help="path below the server, with {date:%%Y%%m%%d}, {date:%%j} ...")
    parser.add_argument("--min-magnitude", type=float, default=4.0, help="of events")
    parser.add_argument("--box", type=float, nargs=4, metavar=("WEST", "EAST", "SOUTH", "NORTH"),
                        help="of events")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one answer")
    parser.add_argument("--update", action="store_true", help="fetch again, accept other contents")
    given = parser.parse_args(arguments)
    try:
        if given.start is None and given.end is None:
            print(f"{len(verify(given.out))} files are as {given.out} lists them")
            return 0
        fetch(given.kind, given.start, given.end, given.out, station=given.station, server=given.server,
              dataset=given.dataset, template=given.template, min_magnitude=given.min_magnitude,
              box=given.box, timeout_s=given.timeout, update=given.update,
              tell=lambda line: print(line, flush=True))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0

"""Predictions from a shell: ``python -m lib.predict INPUT --weights W.safetensors`` (above layer 6)."""

import argparse
import sys
from collections.abc import Sequence

from lib import cards
from lib.files import InputError
from lib.predict import core, inputs, output


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict from the command line; the exit code is 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    try:
        formats = tuple(given.format.split(","))
        output.check_formats(formats)
        weights = cards.load_pretrained(given.weights, given.folder, study=given.study,
                                        allow_network=given.allow_network)
        kind, chunks, unreadable = inputs.open_input(given.input, weights.study, given.step, given.gaps)
        found = core.run(chunks, weights, given.threshold, given.map)
        about = {"input": given.input, "kind": kind, "threshold": given.threshold, "gap_rule": given.gaps,
                 "unreadable": unreadable}
        if given.out:
            print(output.summary(found), *output.write(found, weights, about, given.out, formats), sep="\n")
        else:
            print(output.as_csv(found.table), end="")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m lib.predict", description=output.LIMITS)
    parser.add_argument("input", help="a record file, a folder of them, windows (.npy) or a picture (.png)")
    parser.add_argument("--weights", required=True, help="safetensors file with its card, or a hub name")
    parser.add_argument("--folder", help="folder that the weights have to lie in")
    parser.add_argument("--study", help="name of the study that the weights have to be of")
    parser.add_argument("--out", help="folder for the files; else the table is printed")
    parser.add_argument("--format", default="json,csv", help=f"any of {','.join(output.FORMATS)}")
    parser.add_argument("--step", type=float, help="seconds between windows; one window by default")
    parser.add_argument("--threshold", type=float, help="abstain below this calibrated probability")
    parser.add_argument("--gaps", default="none", help="none, mean_3min or interpolate")
    parser.add_argument("--map", type=int, help="window to explain; the first valid one by default")
    parser.add_argument("--allow-network", action="store_true", help="ask the hub for weights")
    return parser

"""Measure ratios against what a user would pick instead: ``python -m benchmarks [NAME ...]``."""

import json
import sys
import time
from pathlib import Path

from benchmarks import (
    bench_cluster,
    bench_costs,
    bench_crnn,
    bench_cwt,
    bench_ionex,
    bench_predict,
    bench_step,
    bench_stft,
    bench_tec,
    bench_world,
    bench_year,
    measure,
)
from lib import config
from lib.files import InputError

MEASURES = {
    "stft": bench_stft.images,
    "cwt": bench_cwt.images,
    "ionex": bench_ionex.run,
    "year": bench_year.run,
    "tec": bench_tec.images,
    "memory": bench_stft.memory,
    "world": bench_world.run,
    "costs": bench_costs.run,
    "cluster": bench_cluster.run,
    "predict": bench_predict.day,
    "pictures": bench_predict.pictures,
    "step-light": bench_step.light,
    "step-crnn": bench_crnn.light,
    "step-convnext": bench_step.convnext,
}
OUTPUT = config.RESULTS / "bench.json"


def main(names: list[str], output: Path = OUTPUT) -> list[measure.Row]:
    """Run the named measures, or all of them; print a table and write results/bench.json.

    Parameters
    ----------
    names : list of str
        Keys of `MEASURES`. Then the rows of the others stay in the file as they were.
    output : Path

    Raises
    ------
    InputError
        For an unknown name.
    """
    for name in names:
        if name not in MEASURES:
            raise InputError("benchmarks", "name", name, ", ".join(MEASURES))
    kept = json.loads(output.read_text(encoding="utf-8")) if names and output.exists() else []
    rows, start = [], time.monotonic()
    for name in names or MEASURES:
        print(f"{time.monotonic() - start:4.0f} s  {name} ...", file=sys.stderr, flush=True)
        rows += MEASURES[name]()
    measure.write(output, measure.records(rows), kept)
    print(measure.table(rows), f"\n{time.monotonic() - start:.0f} s on {measure.hardware()}", sep="\n")
    return rows


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error}")

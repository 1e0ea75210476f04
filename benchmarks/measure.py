"""What every benchmark shares: interleaved repetitions, rows, the table and results/bench.json."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lib import provenance
from lib.files import write_json

KEYS = ("name", "ratio", "goal", "better", "hardware", "commit")   # of a row in results/bench.json


class Row(NamedTuple):
    """One measured quantity, all its repetitions and what it has to reach; no goal: for information."""

    name: str
    values: np.ndarray
    goal: float | None
    better: str              # "higher" | "lower"

    @property
    def ratio(self) -> float:
        """Median over repetitions, to three decimals."""
        return round(float(np.median(self.values)), 3)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the goal; None without a goal.

        >>> Row("a", [0.9, 0.94, 0.96], 0.95, "higher").reached, Row("b", [3.0], 3, "lower").reached
        (False, True)
        """
        if self.goal is None:
            return None
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal


def interleaved(slow, fast, repetitions: int) -> np.ndarray:
    """Wall time of `slow` over that of `fast`, call after call, so that other load hits both."""
    slow(), fast()
    return np.array([seconds(slow) / seconds(fast) for _ in range(repetitions)])


def seconds(function) -> float:
    """Wall time of one call."""
    start = clock()
    function()
    return clock() - start


def clock() -> float:
    """Wall time in seconds, once everything sent to a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def table(rows: list[Row]) -> str:
    """Lines to read: name, median, smallest and largest repetition, goal, whether it is reached."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  {'median':>8}  {'min - max':>17}  {'goal':>8}  reached"]
    for row in rows:
        span = f"{np.min(row.values):.4g} - {np.max(row.values):.4g}"
        goal = "" if row.goal is None else f"{'>=' if row.better == 'higher' else '<='} {row.goal:g}"
        reached = {True: "yes", False: "NO", None: "-"}[row.reached]
        lines.append(f"{row.name:{width}}  {row.ratio:8.4g}  {span:>17}  {goal:>8}  {reached}")
    return "\n".join(lines)


def records(rows: list[Row]) -> list[dict]:
    """Rows as results/bench.json holds them, with the machine and the commit they were measured on."""
    where = {"hardware": hardware(), "commit": provenance.commit()}
    return [{"name": row.name, "ratio": row.ratio, "goal": row.goal, "better": row.better, **where}
            for row in rows]


def write(path: Path, fresh: list[dict], kept: list[dict] = ()) -> None:
    """Write fresh records after those kept rows that were not measured again, whole or not at all."""
    names = {record["name"] for record in fresh}
    write_json(path, [record for record in kept if record["name"] not in names] + fresh)


def hardware() -> str:
    """Processor, cores, GPU where there is one, and torch threads."""
    return f"{provenance.hardware()}, {torch.get_num_threads()} torch threads"

"""Predictions as JSON, CSV, map and figure (above layer 6)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from lib import cards, published_layout, representation, targets
from lib.files import InputError, atomic_path, write_json
from lib.predict.core import Result, explain
from lib.predict.figure import draw

FORMATS = ("json", "csv", "figure")
LIMITS = ("The network answers whatever it is shown. An answer is no statement about a coming earthquake: "
          "compare the scores with the floors beside them.")
_CARD = ("sha256", "licence", "commit", "data_hash", "scores", "protocol", "fold")


def write(result: Result, given: cards.Pretrained, about: dict, out: str | Path,
          formats: tuple[str, ...] = ("json", "csv")) -> list[Path]:
    """Write predictions into a folder, each file whole or not at all.

    Parameters
    ----------
    result : Result
    given : cards.Pretrained
    about : dict
        Input, kind, threshold, unreadable files: what the JSON says besides.
    out : path
        Folder.
    formats : tuple of str
        Of `FORMATS`; figure writes the map (map.npz, map.png) too.

    Returns
    -------
    list of Path
    """
    check_formats(formats)
    out, written = Path(out), []
    maps = explain(result.image, given) if "figure" in formats and result.image is not None else None
    if "json" in formats:
        write_json(out / "predictions.json", document(result, given, about))
        written.append(out / "predictions.json")
    if "csv" in formats:
        with atomic_path(out / "predictions.csv") as temporary:
            temporary.write_text(as_csv(result.table), encoding="utf-8")
        written.append(out / "predictions.csv")
    if "figure" in formats:
        written += _write_map(result, given, maps, out)
    return written


def check_formats(formats: tuple[str, ...]) -> None:
    """Refuse a format that is not one."""
    for name in formats:
        if name not in FORMATS:
            raise InputError("predict", "format", name, ", ".join(FORMATS))


def as_csv(table: pd.DataFrame) -> str:
    """Predictions as text, times in ISO 8601, nothing where there is no prediction."""
    return table.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%S")


def document(result: Result, given: cards.Pretrained, about: dict) -> dict:
    """Everything about some predictions in a JSON form: input, weights, calibration, windows."""
    study = given.study
    calibration = {t: given.temperature.get(t, "uncalibrated") for t in study.targets
                   if t != targets.DIRECTION}
    return {**about, "limits": LIMITS, "temperature": calibration, "map_of_window": result.row,
            "weights": {"file": given.path.name, "study": study.name, "profile": study.profile,
                        **{name: given.card[name] for name in _CARD if name in given.card}},
            "windows": [_window(row, study.targets) for row in result.table.to_dict("records")]}


def _window(row, names):
    """One window as nested JSON; null where it is not valid."""
    found = {name: row[name] for name in ("station", "window", "file", "start", "end", "valid", "calibration")
             if name in row}
    for target in names if row["valid"] else ():
        if target == targets.DIRECTION:
            found[target] = {part: row[f"direction_{part}"] for part in ("deg", "east", "north")}
            continue
        found[target] = {"class": row[f"{target}_class"], "probabilities": {
            name: row[f"p_{target}_{name}"] for name in targets.TARGETS[target]}}
        if target == "azimuth":
            degrees = row["azimuth_deg"]
            found[target]["degrees"] = None if np.isnan(degrees) else degrees
    return found


def _write_map(result, given, maps, out):
    """Write the map of the kept window as arrays and as a figure."""
    figure = draw(result, given, maps)
    study = given.study
    form = published_layout.form(study) if published_layout.is_layout(study) else representation.of(study)
    with atomic_path(out / "map.npz") as temporary, open(temporary, "wb") as stream:
        np.savez(stream, image=result.image, channels=np.array(form.channels), row=result.row,
                 **{f"map_{name}": values for name, values in maps.items()},
                 **{name: values for name, (values, _) in form.axes.items()})
    with atomic_path(out / "map.png") as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return [out / "map.npz", out / "map.png"]


def summary(result: Result) -> str:
    """Count windows and answers, one line each."""
    table = result.table
    lines = [f"{len(table)} windows, {int(table['valid'].sum())} without gaps; probabilities "
             f"{table['calibration'].iloc[0]}"]
    for name in [c for c in table.columns if c.endswith("_class")]:
        counts = table[name].value_counts().to_dict()
        lines.append(f"{name.removesuffix('_class')}: {json.dumps(counts)}")
    return "\n".join(lines)

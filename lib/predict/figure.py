"""The figure of one prediction: what the network saw, and where the evidence lies (above layer 6)."""

import numpy as np

from lib import cards, published_layout, report, representation, targets
from lib.files import InputError
from lib.predict.core import Result, explain


def draw(result: Result, given: cards.Pretrained, maps: dict | None = None):
    """Draw the image of the kept window and the map of every class target; a `Figure`.

    Parameters
    ----------
    result : Result
        With an image.
    given : cards.Pretrained
    maps : dict, optional
        From `explain`; made here by default.

    Raises
    ------
    InputError
        If no window was valid, or the study's images have no frequencies.
    """
    if result.image is None:
        raise InputError("predict.draw", "valid windows", 0, "at least one")
    study = given.study
    pictures = published_layout.is_layout(study)
    axes = (published_layout.form(study) if pictures else representation.of(study)).axes
    if "frequency_hz" not in axes:
        raise InputError("predict.draw", "axes", list(axes),
                         "images over frequency and time; take csv or json")
    maps = explain(result.image, given) if maps is None else maps
    shown = {_title(name, result.table.loc[result.row]): values for name, values in maps.items()}
    (frequency_hz, _), (time_s, _) = axes["frequency_hz"], axes["time_s"]
    uneven = not np.allclose(np.diff(frequency_hz), frequency_hz[1] - frequency_hz[0])
    rows = np.arange(len(frequency_hz)) / report.images.MHZ if uneven else frequency_hz
    figure = report.plot_gradcam(result.image.astype(np.float32), shown, rows, time_s)
    if uneven:                    # wavelet scales and stacked panels have no even frequency axis
        for ax in figure.axes:
            if ax.get_ylabel().startswith("frequency"):
                ax.set_ylabel("row of the image")
    return figure


def _title(target, row):
    name, answer = target.replace("_", " "), row[f"{target}_class"]
    p = row[[f"p_{target}_{c}" for c in targets.TARGETS[target]]].max()
    return f"{name}: {answer} ({p:.2f})"

"""Predictions of a trained network for records, windows and pictures (above layer 6).

From a shell: ``python -m lib.predict INPUT --weights W.safetensors [--out FOLDER]``. Ends with 0, or with 2
for input that cannot be used.
"""

from lib.predict.cli import main
from lib.predict.core import (
    Result,
    explain,
    predict,
    predict_file,
    predict_folder,
    predict_pictures,
    predict_windows,
    run,
)
from lib.predict.figure import draw
from lib.predict.inputs import open_input

__all__ = ["Result", "draw", "explain", "main", "open_input", "predict", "predict_file", "predict_folder",
           "predict_pictures", "predict_windows", "run"]

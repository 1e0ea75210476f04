"""Figures, tables, numbers and results: the only way out to a page (layer 6)."""

from lib.report.charts import plot_bars, plot_confusion, plot_lines, plot_reliability, plot_scores
from lib.report.cuts import plot_cuts
from lib.report.images import plot_gradcam, plot_image, plot_spectrogram
from lib.report.page import begin, figure, glue, table
from lib.report.plots import plot_catalog, plot_map, plot_radii, plot_record
from lib.report.results import load_results, save_results
from lib.report.scores import check_row, scoreboard

__all__ = [
    "begin", "check_row", "figure", "glue", "load_results", "plot_bars", "plot_catalog", "plot_confusion",
    "plot_cuts", "plot_gradcam", "plot_image", "plot_lines", "plot_map", "plot_radii", "plot_record",
    "plot_reliability", "plot_scores", "plot_spectrogram", "save_results", "scoreboard", "table",
]

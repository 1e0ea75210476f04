"""What leaves for a page: figures, tables, numbers, results, scoreboards."""

import base64
import copy
import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lib import report
from lib.files import InputError
from lib.report import charts, images, labels, page, plots, style

STATIONS = pd.DataFrame({"code": ["SCN", "SKB"], "latitude": [-0.5, -7.0], "longitude": [100.0, 106.5]})
ROW = {"world": "planted", "protocol": "P2", "target": "magnitude", "score": np.float64(0.3),
       "interval": (0.2, 0.4), "p": 0.01, "floors": {"majority": 0.0}, "n_windows": np.int64(9),
       "n_events": 3, "n_effective": 2.5, "certificate": {"dup": 0, "day": 4}}


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Open a page that collects what it would display."""
    outputs = []
    monkeypatch.setenv("PRECURSOR_OUT", str(tmp_path))
    monkeypatch.setattr(page, "get_ipython", lambda: True)
    monkeypatch.setattr(page, "display", lambda data, raw, metadata: outputs.append((data, metadata)))
    report.begin("01_toy", "smoke")
    return SimpleNamespace(outputs=outputs, folder=tmp_path)


def test_a_page_has_to_be_opened(monkeypatch):
    """Nothing is shown before `begin`, and `begin` knows the profiles."""
    monkeypatch.setattr(page, "_page", page._Page())
    with pytest.raises(InputError, match="report.begin"):
        report.glue("a", 1)
    with pytest.raises(InputError, match="smoke"):
        report.begin("01_toy", "huge")


@pytest.mark.slow
def test_a_figure_is_saved_twice_and_described(shown):
    """PNG and PDF appear below the output folder; the output carries name, caption and description."""
    report.figure(report.plot_map(STATIONS), "map", "Stations.", "A map of two stations in the west.")
    data, metadata = shown.outputs[0]
    assert metadata["companion"] == {"kind": "figure", "name": "fig-map", "caption": "Stations.",
                                     "alt": "A map of two stations in the west."}
    assert set(metadata["image/png"]) == {"width"} and data["image/png"]
    assert {p.name for p in (shown.folder / "figures").iterdir()} == {"01_toy-map.png", "01_toy-map.pdf"}


def test_the_paper_stays_white_among_many_hues(shown):
    """A palette of 256 colours keeps the exact white of the page, however many hues the figure has."""
    figure = Figure()
    figure.subplots().imshow(1 - 0.1 * np.random.default_rng(1).random((200, 200, 3)))
    report.figure(figure, "hues", "Many hues.", "A square of pale colours.")
    with Image.open(shown.folder / "figures" / "01_toy-hues.png") as picture:
        assert picture.mode == "P" and picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.slow
def test_a_figure_drawn_twice_gives_the_same_bytes(shown):
    """No date, no release and no random id gets into the files."""
    digests = []
    for _ in range(2):
        report.figure(report.plot_map(STATIONS), "map", "Stations.", "A map of two stations in the west.")
        digests.append([hashlib.sha256(p.read_bytes()).hexdigest()
                        for p in sorted((shown.folder / "figures").iterdir())])
    assert digests[0] == digests[1]


@pytest.mark.parametrize(("name", "caption", "alt"), [
    ("Map 1", "Stations.", "A map of two stations."), ("map", " ", "A map of two stations."),
    ("map", "Stations.", "map.png")])
def test_a_figure_without_words_is_refused(shown, name, caption, alt):
    """A label that is none, an empty caption and a file name for a description."""
    with pytest.raises(InputError):
        report.figure(report.plot_map(STATIONS), name, caption, alt)


def test_full_figures_do_not_overwrite_light_ones(shown):
    """They have a folder of their own."""
    assert page.output_folder("figures", "full") != page.output_folder("figures", "light")
    assert page.output_folder("results", "full") == shown.folder / "results" / "full"


def test_without_a_runner_nothing_tracked_is_written(monkeypatch):
    """By hand, output goes to _build/out."""
    monkeypatch.delenv("PRECURSOR_OUT", raising=False)
    assert page.output_folder("results", "light").parts[-4:] == ("_build", "out", "results", "light")


def test_a_table_is_readable_by_screen_readers(shown):
    """Caption, column headers, row headers; text is escaped, missing values are dashes."""
    frame = pd.DataFrame({"class": ["a<b", "c"], "share": [0.123456, np.nan]})
    report.table(frame, "counts", "Shares & counts.")
    text = shown.outputs[0][0]["text/html"]
    assert "<caption>Shares &amp; counts.</caption>" in text and text.count('scope="col"') == 2
    assert '<th scope="row">a&lt;b</th>' in text and ">0.123</td>" in text
    assert "nan" not in text.lower() and "–" in text


def test_a_named_index_becomes_the_row_headers(shown):
    report.table(pd.DataFrame({"n": [1]}, index=pd.Index(["P2"], name="protocol")), "n", "Counts.",
                 {"n": "{:03d}"})
    assert '<th scope="row">P2</th><td class="num">001</td>' in shown.outputs[0][0]["text/html"]


def test_glue_publishes_plain_python_that_myst_reads(shown):
    """A numpy number becomes its Python repr under the prefix that myst-nb looks for."""
    report.glue("mean", np.float64(0.25))
    report.glue("word", "yes")
    data, metadata = shown.outputs[0]
    assert data == {"application/papermill.record/text/plain": "0.25"}
    assert metadata["scrapbook"] == {"name": "mean", "mime_prefix": "application/papermill.record/"}
    assert shown.outputs[1][0]["application/papermill.record/text/plain"] == "'yes'"


@pytest.mark.parametrize("value", [float("nan"), np.inf, None, [1], np.arange(3)])
def test_glue_refuses_what_a_page_never_prints(shown, value):
    with pytest.raises(InputError):
        report.glue("a", value)


def test_glue_refuses_two_values_for_a_name(shown):
    report.glue("a", 1)
    report.glue("a", 1)
    with pytest.raises(InputError, match="one value"):
        report.glue("a", 2)


def test_results_come_back_as_they_were_saved(shown):
    """Glued numbers, frames and arrays; the same call writes the same bytes."""
    report.glue("n", 3)
    values = {"scores": pd.DataFrame({"a": [1.5, np.nan]}), "x": np.arange(2), "none": None}
    report.save_results("01_toy", values)
    path = shown.folder / "results" / "smoke" / "01_toy.json"
    first = path.read_bytes()
    report.save_results("01_toy", values)
    loaded = report.load_results("01_toy", "smoke")
    assert path.read_bytes() == first
    assert loaded["numbers"] == {"n": 3} and loaded["scores"] == [{"a": 1.5}, {"a": None}]
    assert loaded["x"] == [0, 1] and loaded["none"] is None and loaded["profile"] == "smoke"


def test_results_refuse_nan_and_name_the_key(shown):
    with pytest.raises(InputError, match=r"01_toy\.a\.b\[1\]"):
        report.save_results("01_toy", {"a": {"b": [1.0, float("nan")]}})


def test_missing_and_damaged_results_are_clear_errors(shown):
    """Missing: an error that tells the command, or None if asked; damaged: the file's name."""
    assert report.load_results("09_none", "smoke", required=False) is None
    with pytest.raises(InputError, match="make notebooks PROFILE=smoke"):
        report.load_results("09_none", "smoke")
    path = shown.folder / "results" / "smoke" / "01_toy.json"
    path.parent.mkdir(parents=True)
    for text in ("{", "[]", json.dumps({"notebook": "02_other"})):
        path.write_text(text)
        with pytest.raises(InputError, match="01_toy"):
            report.load_results("01_toy", "smoke")


@pytest.mark.parametrize("part", ["score", "interval", "p", "floors", "n_windows", "n_events", "n_effective",
                                  "certificate"])
def test_the_scoreboard_refuses_a_score_without_its_evidence(shown, part):
    """Missing, None and undefined alike; the message names row and part."""
    for value in ("gone", None, np.nan):
        row = copy.deepcopy(ROW) | {part: value}
        if value == "gone":
            del row[part]
        with pytest.raises(InputError, match=f"planted P2 magnitude, .*{part}"):
            report.scoreboard([row], "MCC.")
    assert not shown.outputs


def test_the_scoreboard_refuses_empty_floors_and_crossed_intervals(shown):
    for change in ({"floors": {}}, {"floors": {"majority": np.nan}}, {"interval": (0.4, 0.2)}, {"p": 1.2},
                   {"interval": (0.1,)}):
        with pytest.raises(InputError):
            report.scoreboard([ROW | change], "MCC.")
    with pytest.raises(InputError):
        report.scoreboard([], "MCC.")


def test_the_scoreboard_prints_everything_and_returns_plain_rows(shown):
    rows = report.scoreboard([ROW], "MCC.")
    text = shown.outputs[0][0]["text/html"]
    for cell in ("0.300", "0.200 to 0.400", "0.010", "majority 0.000", ">9<", ">3<", "day 4"):
        assert cell in text, cell
    assert json.dumps(rows) and type(rows[0]["score"]) is float and rows[0]["n_windows"] == 9


def test_every_plot_draws(shown):
    """Each plot function returns a figure that renders, and none is known to pyplot."""
    rng = np.random.default_rng(0)
    f, t, image = np.linspace(0, 0.1, 8), np.linspace(0, 21600, 9), rng.normal(size=(7, 8, 9))
    catalog = STATIONS.assign(magnitude=5.0, depth_km=10.0, time=pd.Timestamp("2020-01-01"))
    drawn = [
        report.plot_map(STATIONS, catalog), report.plot_catalog(catalog),
        report.plot_radii({"a": lambda m: 10 ** (0.43 * m), "b": lambda m: 500.0 + 0 * m}),
        report.plot_record(rng.normal(size=(3, 50))),
        report.plot_spectrogram(image, f, t, band_hz=(0.01, 0.02), hours=(1, 2)),
        report.plot_gradcam(image, {"magnitude": np.zeros((8, 9))}, f, t, band_hz=(0.01, 0.02)),
        report.plot_scores([ROW | {"comparators": {"band power": 0.5}}]),
        report.plot_confusion(np.eye(3, dtype=int), "abc"),
        report.plot_lines(t, {"a": t, "b": t + 1}, "x", "y", bands={"a": (t - 1, t + 1)}),
        report.plot_bars({"a": 1.0}, "MCC", {"a": 0.5}),
        report.plot_reliability({name: pd.DataFrame({
            "confidence": [.2, .8], "frequency": [.1, .9], "low": [0, np.nan], "high": [.3, np.nan]})
            for name in "abcd"}),
    ]
    for fig in drawn:
        fig.canvas.draw()
        assert fig.get_figwidth() <= style.WIDTH_IN + 1e-9
    import matplotlib.pyplot as plt
    assert not plt.get_fignums()


def test_axes_are_physical():
    """Pixel centres in hertz and seconds become edges in millihertz and hours."""
    assert images._extent([0.0, 0.01], [0.0, 3600.0]) == pytest.approx([-0.5, 1.5, -5.0, 15.0])


@pytest.mark.parametrize("call", [
    lambda: plots.plot_map(STATIONS.drop(columns="code")), lambda: plots.plot_record(np.zeros((2, 9))),
    lambda: images.plot_spectrogram(np.zeros((3, 4, 5)), range(5), range(4)),
    lambda: images.plot_gradcam(np.zeros((3, 4, 5)), {"a": np.zeros((5, 4))}, range(4), range(5)),
    lambda: charts.plot_confusion(np.zeros((2, 3)), "ab"), lambda: charts.plot_scores([]),
    lambda: charts.plot_lines([1, 2], {"a": [1]}, "x", "y"), lambda: charts.plot_reliability({}),
    lambda: charts.plot_reliability({"a": pd.DataFrame({"confidence": [.5]})})])
def test_plots_refuse_what_does_not_fit(call):
    with pytest.raises(InputError):
        call()


def test_no_figure_shows_the_committed_one_again(shown, monkeypatch):
    """None copies the committed PNG and PDF, byte by byte, and shows them with today's words."""
    committed = shown.folder / "committed"
    committed.mkdir()
    (committed / "01_toy-map.png").write_bytes(b"a picture")
    (committed / "01_toy-map.pdf").write_bytes(b"a page")
    monkeypatch.setattr(page.config, "FIGURES", committed)
    report.figure(None, "map", "Stations.", "A map of two stations in the west.")
    data, metadata = shown.outputs[0]
    assert base64.b64decode(data["image/png"]) == b"a picture"
    assert metadata["companion"]["caption"] == "Stations." and metadata["image/png"]["width"] > 0
    for suffix, content in ((".png", b"a picture"), (".pdf", b"a page")):
        assert (shown.folder / "figures" / f"01_toy-map{suffix}").read_bytes() == content


@pytest.mark.parametrize("present", [(), (".png",), (".pdf",)])
def test_a_committed_figure_that_is_missing_is_named(shown, monkeypatch, present):
    """The message names the file, and no half of a figure is copied or shown."""
    committed = shown.folder / "committed"
    committed.mkdir()
    for suffix in present:
        (committed / f"01_toy-map{suffix}").write_bytes(b"x")
    monkeypatch.setattr(page.config, "FIGURES", committed)
    with pytest.raises(InputError, match="01_toy-map.*missing"):
        report.figure(None, "map", "Stations.", "A map of two stations in the west.")
    assert not shown.outputs and not (shown.folder / "figures").exists()


def test_row_headers_stay_left_and_long_text_gets_a_width(shown):
    """The head of the first column stands over its cells, numbers or not; a long text is marked."""
    frame = pd.DataFrame({"n": [1, 2], "links": ["station 1,218, overlap 162", "none"], "unit": ["nT", "s"]})
    report.table(frame, "n", "Counts.")
    text = shown.outputs[0][0]["text/html"]
    assert '<th scope="col">n</th>' in text and '<th scope="col" class="text">links</th>' in text
    assert '<td class="text">none</td><td>s</td>' in text


def test_numbers_of_a_table_are_aligned_and_have_a_minus_sign(shown):
    """Columns of numbers go right, text too if it is an interval; small numbers share their decimals."""
    frame = pd.DataFrame({"day": ["2020-01-02", "b"], "mixed": [3, "4"], "r": [-0.5, 0.125],
                          "interval": ["-0.5 to 1.25", "0.1 to 0.2"]})
    report.table(frame, "n", "Counts.")
    text = shown.outputs[0][0]["text/html"]
    assert text.count('scope="col" class="num"') == 3 and '<th scope="row">2020-01-02</th>' in text
    for cell in ("\N{MINUS SIGN}0.500", "0.125", "\N{MINUS SIGN}0.5 to 1.25"):
        assert f'<td class="num">{cell}</td>' in text, cell


def test_the_scoreboard_says_once_what_every_row_shares(shown):
    """Equal targets and counts move to the caption; differing ones stay columns."""
    report.scoreboard([ROW, ROW | {"world": "null", "n_events": 4}], "MCC.")
    text = shown.outputs[0][0]["text/html"]
    assert "In every row: target magnitude, windows 9." in text and ">windows<" not in text
    assert ">events<" in text and ">3<" in text and ">4<" in text


def test_station_labels_do_not_touch():
    """Four stations in a row, half a label apart: no two names overlap, none covers another's mark."""
    crowd = pd.DataFrame({"code": ["LPS", "SRG", "SKB", "CLP"], "latitude": [-5.8, -6.2, -7.1, -7.7],
                          "longitude": [105.6, 106.0, 106.5, 109.0]})
    wide = pd.DataFrame({"code": ["SBG", "JYP"], "latitude": [5.9, -2.5], "longitude": [95.3, 140.7]})
    fig = report.plot_map(pd.concat([crowd, wide], ignore_index=True))
    fig.draw_without_rendering()
    boxes = [t.get_window_extent() for t in fig.axes[0].texts if t.get_text()]
    assert len(boxes) == 6
    assert not [1 for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_labels_are_spread_both_ways():
    """Up from the lowest, and down again from the top of the axes."""
    placed = labels.spread({"a": 0.9, "b": 0.92, "c": 1.0}, 0.1, top=1.0)
    assert list(placed) == ["a", "b", "c"]
    assert [placed[k] for k in "abc"] == pytest.approx([0.8, 0.9, 1.0])


def test_counts_are_readable_on_every_shade():
    """White or ink on each shade of a confusion matrix has the contrast that WCAG asks of large text, 3."""
    import matplotlib
    for share in np.linspace(0, 1, 21):
        back = matplotlib.colormaps["Blues"](float(share))[:3]
        light = [np.where((c := np.asarray(matplotlib.colors.to_rgb(x))) <= 0.04045, c / 12.92,
                          ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)
                 for x in (back, charts._readable(back))]
        assert (max(light) + 0.05) / (min(light) + 0.05) >= 3, share


def test_full_results_name_machine_and_commit(shown):
    """What a GPU or a cluster made says where and from what; smoke and light stay free of both."""
    report.save_results("01_toy", {"a": 1})
    assert not {"hardware", "commit"} & set(report.load_results("01_toy", "smoke"))
    report.begin("01_toy", "full")
    report.save_results("01_toy", {"a": 1})
    assert {"hardware", "commit"} <= set(report.load_results("01_toy", "full"))

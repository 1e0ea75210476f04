
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lib import audit, config, report, splits, synthetic
from lib.audit import inputs
from lib.config import ROOT
from lib.files import InputError, write_json
from lib.report import audit_page


def clean(n_sets=120, seed=0):
    """Make a fair design by hand: case and control at one station, one hour, one Kp."""
    r = np.random.default_rng(seed)
    rows = []
    for i in range(n_sets):
        kp, station = r.uniform(0, 5), r.choice(list("ABCDE"))
        for event in (True, False):
            day = int(r.integers(0, 1400))
            rows += [dict(station=station,
                          start=pd.Timestamp("2018-01-01T14") + pd.Timedelta(day + lead, "D"),
                          event_id=f"e{i}" * event, block_id=f"q{i}" * (not event),
                          kp_max=kp + r.uniform(-.5, .5), lead_days=float(5 - lead) if event else np.nan,
                          label="event" if event else "quiet") for lead in (0, 2)]
    windows = pd.DataFrame(rows).drop_duplicates(["station", "start"])
    windows = windows.sort_values("start", ignore_index=True)
    names = [f"w{i:04d}x" for i in range(len(windows))]
    return windows.assign(window_id=names, parent_id=names, cluster_id=windows["event_id"], dst_min=-20.0,
                          end=windows["start"] + pd.Timedelta("6h"), lookback_s=0.0, horizon_s=7 * 86400.0)


def images(windows, seed=0, size=2.0, **shift):
    """White images; `shift` adds a pattern of its own, `size` strong, for each value of a column."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(len(windows), 1, 16, 16))
    for name in shift:
        code = np.unique(windows[name], return_inverse=True)[1]
        x += size * r.normal(size=(code.max() + 1, 1, 16, 16))[code]
    return x


def flags(found):
    return [v.criterion for v in found.flagged]


@pytest.mark.slow
def test_a_clean_design_is_not_flagged():
    """Nothing is flagged over ten seeds, with images that carry the station's mark."""
    for seed in range(10):
        windows = clean(seed=seed)
        x = images(windows, seed, .7, station=True) if seed < 3 else None
        found = audit.audit(windows, x, protocol="P5")
        assert flags(found) == []
        station = next(p for p in found.probes if p["attribute"] == "station")
        assert x is None or station["decoded"] > .8 and station["tells"] < .1


@pytest.mark.parametrize(("protocol", "word"), [
    ("P0", "an earthquake"), ("P2", "a date"), ("P4", "a date"), ("P1", "an earthquake")])
def test_links_that_a_split_leaves_are_flagged(protocol, word):
    assert any(word in flag for flag in flags(audit.audit(clean(), protocol=protocol)))


def planted(kind):
    """Return a clean design with one defect of published studies, its x, and words of the flag."""
    windows, x, words = clean(), None, [kind]
    event = (windows["label"] == "event").to_numpy()
    if kind == "lookup of station":
        windows["station"] = np.where(event, windows["station"], "TRD")      # quiet days at one station
        words = [kind, "only one class"]
    if kind == "lookup of kp":
        windows["kp_max"] = np.where(event, windows["kp_max"] + 2, 0.5)      # quiet means Kp < 2
    if kind == "lookup of hour":
        windows.loc[event, ["start", "end"]] += pd.Timedelta("3h")
    if kind == "follow their earthquake":
        windows.loc[event, "lead_days"] = -.1                                # the co-seismic hour
    if kind == "pipeline":
        windows["pipeline"] = np.where(event, "jet", "viridis")
        x = images(windows, pipeline=True)
    if kind == "station: readable":
        windows["station"] = np.where(event, windows["station"], "TRD")
        x = images(windows, station=True)
    return windows, x, words


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lookup of station", "lookup of kp", "lookup of hour",
                                  "follow their earthquake", "pipeline", "station: readable"])
def test_planted_defects_of_the_design_are_flagged(kind):
    windows, x, words = planted(kind)
    found = flags(audit.audit(windows, x, protocol="P5"))
    assert all(any(word in flag for flag in found) for word in words), found


def with_copies():
    """Store three copies of each event window, named as copies."""
    windows = clean()
    copies = [windows[windows["label"] == "event"].assign(
        window_id=lambda w, i=i: w["window_id"] + f"_aug{i}") for i in (1, 2, 3)]
    return pd.concat([windows, *copies], ignore_index=True)


@pytest.mark.slow
def test_copies_stored_before_the_split_are_flagged_by_name_bytes_and_likeness():
    """The families are found without parent_id; P2 keeps them together."""
    windows = with_copies().drop(columns="parent_id")
    base = windows["window_id"].str[:6]
    x = images(windows.assign(base=base), base=True) * 1.0
    found = audit.audit(windows, x, protocol="P0")
    assert {"copies", "likenesses"} <= {w for w in ("copies", "likenesses") for f in flags(found) if w in f}
    assert found.duplicates["families"] == (windows["label"] == "event").sum() / 4
    assert found.duplicates["largest"] == 4
    whole = audit.audit(windows, x, protocol="P2")
    assert not any("copies" in f or "likeness" in f for f in flags(whole))
    assert whole.sample["effective"] < len(windows) / 4


def test_a_score_made_of_copies_falls_when_each_family_counts_once():
    """Right on the copies, wrong elsewhere: the claim is not upheld."""
    windows = with_copies()
    right = windows["window_id"].str.contains("aug")
    flip = {"event": "quiet", "quiet": "event"}
    predictions = pd.DataFrame({"window_id": windows["window_id"], "fold": np.arange(len(windows)) % 5,
                                "y_pred": windows["label"].where(right, windows["label"].map(flip))})
    found = audit.audit(windows, predictions=predictions)
    claim = {v.criterion: v.passed for v in found.verdicts if v.kind == "claim"}
    assert not claim["MCC lost when each family of copies counts once"]
    assert found.claim["one_per_family"]["score"] == -1.0
    assert found.split == "5 folds of the predictions, trained on all other windows"
    assert any("base record" in flag for flag in flags(found))


@pytest.mark.slow
def test_a_claim_is_upheld_where_predictions_know_and_not_where_they_guess():
    windows, r = clean(), np.random.default_rng(1)
    y = windows["label"].to_numpy()
    known = np.where(r.random(len(y)) < .85, y, np.where(y == "event", "quiet", "event"))
    for guess, upheld in ((known, True), (r.permutation(y), False)):
        predictions = pd.DataFrame({"window_id": windows["window_id"], "y_pred": guess})[::-1]
        found = audit.audit(windows, predictions=predictions, protocol="P5")
        assert all(v.passed for v in found.verdicts if v.kind == "claim") == upheld
        assert found.claim["tested"] == len(windows) and flags(found) == []
    assert found.claim["scores"]["accuracy"] == np.mean(y == guess)


def test_predictions_of_a_hold_out_and_by_index_are_read():
    """The last fifth is predicted, by class index; other windows are taken for training."""
    windows = clean()
    late = windows.index >= len(windows) * 4 // 5
    predictions = pd.DataFrame({"window_id": windows["window_id"][late], "fold": "test", "y_pred": 1.0,
                                "y_true": (windows["label"][late] == "quiet").astype(int)})
    found = audit.audit(windows, predictions=predictions)
    assert found.certificate["n_test"] == late.sum() and found.certificate["n_folds"] == 1
    assert found.claim["score"] == 0 and found.claim["tested"] == late.sum()


@pytest.mark.slow
def test_folds_of_ones_own_and_columns_of_ones_own():
    """Only the required columns, a label by another name, folds as row positions."""
    windows = clean()[["window_id", "station", "start", "end", "event_id", "label"]]
    windows = windows.rename(columns={"label": "y"})
    split = splits.folds(clean().assign(magnitude_class=clean()["label"]), "P2", 4)
    found = audit.audit(windows, label="y", folds=split)
    assert found.split == "4 folds as given" and found.certificate["n_folds"] == 4
    assert found.sample["groups"] == windows["event_id"].nunique() - 1 + windows.loc[
        windows["event_id"] == "", "start"].dt.date.nunique()
    assert len(found.notes) == 5 and "block_id" in found.notes[0]
    unchecked = [v.criterion for v in found.verdicts if v.passed is None]
    assert any("kp" in c for c in unchecked) and any("likenesses" in c for c in unchecked)


def change(column, row, value):
    def do(windows):
        windows[column] = windows[column].astype(object)
        windows.loc[row, column] = value
        return windows
    return do


BAD_WINDOWS = {
    "columns": (lambda w: w.drop(columns=["start", "label"]), r"columns: found \['start', 'label'\]"),
    "no group": (lambda w: w.drop(columns=["event_id", "block_id"]), "event_id or block_id"),
    "no rows": (lambda w: w[:0], "at least one row"),
    "name twice": (change("window_id", 4, "w0001x"), "window_id, row 4"),
    "no station": (change("station", [2, 3], ""), "station, rows 2, 3:"),
    "unreadable time": (change("start", [1, 7], "31/01/2020"), "start, rows 1, 7: found '31/01/2020'"),
    "missing time": (change("end", 5, None), "end, row 5"),
    "local time": (change("start", 6, "2020-01-31T14:00:00+07:00"), "start, row 6.*UTC"),
    "named zone": (change("start", 6, "2020-01-31 14:00 WIB"), "start, row 6.*UTC"),
    "aware times": (lambda w: w.assign(start=w["start"].dt.tz_localize("Asia/Jakarta")),
                    "start, rows 0, 1.*UTC"),
    "numbers": (lambda w: w.assign(start=w["start"].astype("int64")), "not numbers"),
    "order": (lambda w: w.assign(end=w["start"]), "rows 0, 1, 2, 3, 4 and .* more.*after the start"),
    "empty label": (change("label", 9, ""), "label, row 9"),
    "one class": (lambda w: w.assign(label="event"), "two classes or more"),
    "many classes": (lambda w: w.assign(label=w["window_id"]), "at most 9"),
    "conflict": (change("label", 0, "storm"), "labels of .*, rows 0, "),
    "both groups": (lambda w: w.assign(event_id="e", block_id="q"), "event_id and block_id, rows 0"),
    "neither": (lambda w: w.assign(event_id="", block_id=""), "event_id and block_id, rows 0"),
    "seconds": (change("horizon_s", 3, "a week"), "horizon_s, row 3"),
    "negative": (change("lookback_s", 3, -1), "lookback_s, row 3"),
    "few events": (lambda w: w[(w["label"] == "quiet") | w["event_id"].isin(["e0", "e1", "e2"])],
                   "fewer events than folds"),
    "short": (lambda w: w.assign(**{c: w["start"].min() + (w[c] - w["start"].min()) / 100
                                    for c in ("start", "end")}), "no window left.*name the split")}


@pytest.mark.parametrize("name", BAD_WINDOWS)
def test_bad_windows_are_named_by_row(name):
    do, word = BAD_WINDOWS[name]
    with pytest.raises(InputError, match=word):
        audit.audit(do(clean()))


def test_unknown_labels_are_refused_where_the_names_are_known():
    windows = clean().rename(columns={"label": "magnitude_class"})
    with pytest.raises(InputError, match="Moderate, Medium, Large"):
        audit.audit(windows)
    with pytest.raises(InputError, match="quiet, storm"):
        audit.audit(clean(), classes=("quiet", "storm"))


BAD_PREDICTIONS = {
    "column": (lambda p: p.drop(columns="y_pred"), "y_pred"),
    "unknown window": (change("window_id", [3, 4], "other"), "window_id, rows 3, 4.*of the windows table"),
    "twice": (lambda p: pd.concat([p, p.assign(seed=2)], ignore_index=True), "keep one value of seed"),
    "class": (change("y_pred", 8, "storm"), "y_pred, row 8"),
    "nan": (change("y_pred", 8, np.nan), "y_pred, row 8"),
    "truth": (lambda p: p.assign(y_true="quiet"), "y_true, row"),
    "fold": (change("fold", 8, None), "fold, row 8"),
    "one fold": (lambda p: p.assign(fold=0), "two folds or more"),
    "many folds": (lambda p: p.assign(fold=range(len(p))), "fewer events than folds")}


@pytest.mark.parametrize("name", BAD_PREDICTIONS)
def test_bad_predictions_are_named_by_row(name):
    windows = clean()
    group = np.unique(windows["event_id"] + windows["block_id"], return_inverse=True)[1]
    good = pd.DataFrame({"window_id": windows["window_id"], "y_pred": "event", "seed": 1, "fold": group % 5})
    do, word = BAD_PREDICTIONS[name]
    with pytest.raises(InputError, match=word):
        audit.audit(windows, predictions=do(good))


def test_bad_x_is_named_by_row():
    windows = clean()
    x = images(windows)
    with pytest.raises(InputError, match="one for each window"):
        audit.audit(windows, x[:-1])
    x[[3, 5], 0, 2, 2] = np.nan
    with pytest.raises(InputError, match="values, rows 3, 5"):
        audit.audit(windows, x)
    with pytest.raises(InputError, match="shape and type"):
        audit.audit(windows, x[:, 0, 0, 0])


@pytest.mark.parametrize("text", ["2020-01-31T14:00:00Z", "2020-01-31 14:00:00", "2020-01-31T14:00:00+00:00",
                                  "2020-01-31 14:00 UTC", "2020-01-31T14:00:00.000-0000"])
def test_utc_times_are_read_however_they_are_written(text):
    found = inputs.read_times(pd.DataFrame({"start": [text, "2020-01-31"]}), "start")
    assert found[0] == np.datetime64("2020-01-31T14:00") and found[1] == np.datetime64("2020-01-31")


@pytest.mark.slow
def test_the_command_line_audits_files_of_another_study(tmp_path, capsys):
    """Semicolons and a BOM; exit codes 0, 1 and 2; the JSON is the audit; npz rows are put in order."""
    windows = clean()
    path = tmp_path / "windows.csv"
    windows.to_csv(path, index=False, sep=";", encoding="utf-8-sig")
    order = np.random.default_rng(0).permutation(len(windows))
    names = windows["window_id"].to_numpy(str)
    np.savez(tmp_path / "x.npz", x=images(windows)[order], window_id=names[order])
    pd.DataFrame({"window_id": windows["window_id"], "y_pred": windows["label"]}).to_csv(tmp_path / "p.csv")
    out = tmp_path / "out.json"
    assert audit.main([str(path), "--protocol", "P5", "--json", str(out), "--x", str(tmp_path / "x.npz"),
                       "--predictions", str(tmp_path / "p.csv")]) == 0
    said = json.loads(out.read_text())
    direct = audit.audit(windows, images(windows), pd.DataFrame(
        {"window_id": windows["window_id"], "y_pred": windows["label"]}), protocol="P5")
    write_json(tmp_path / "direct.json", direct.to_dict())
    assert said == json.loads((tmp_path / "direct.json").read_text())
    assert said["claim"]["score"] == 1.0 and said["flagged"] == []
    assert "0 flagged" in capsys.readouterr().out
    assert audit.main([str(path), "--protocol", "P0"]) == 1
    assert audit.main([str(tmp_path / "no.csv")]) == 2
    (tmp_path / "empty.csv").write_text("window_id,start\n")
    assert audit.main([str(tmp_path / "empty.csv")]) == 2
    assert "error: " in capsys.readouterr().err
    with pytest.raises(InputError, match="exactly once"):
        audit.read_x(str(tmp_path / "x.npz"), windows.assign(window_id="other"))
    with pytest.raises(InputError, match="npz or npy"):
        audit.read_x(str(path), windows)


# what `designs.published_ulf` plants, and the criterion that has to see it under the published split
PLANTED = {
    "quiet days of two stations": ["MCC of lookup of station", "stations where only one class occurs",
                                   "share a station with training", "MCC of metadata"],
    "quiet days of low Kp": ["MCC of lookup of kp", "MCC of lookup of dst"],
    "a split by station and date": ["share an earthquake or block", "share a family", "share a date",
                                    "share time, lookback or horizon"]}


def designed(design, seed, n):
    study = config.load("convnext", "light", {
        "seed": seed, "world.snr": 0.0, "windows.design": design, "windows.window_s": 3600,
        "windows.n_windows": n})
    return synthetic.make_windows(study)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_the_published_design_is_flagged_in_every_planted_defect_and_the_fair_one_in_none(seed):
    """At the published size under P1, copies under P0; the fair design under P5, at three sizes."""
    windows = designed("published_ulf", seed, 1972)
    found = flags(audit.audit(windows, label="magnitude_class", protocol="P1"))
    for defect, criteria in PLANTED.items():
        for word in criteria:
            assert any(word in flag for flag in found), (defect, word, found)
    found = flags(audit.audit(windows, label="magnitude_class", protocol="P0"))
    assert any("copies by bytes, name, base record" in flag for flag in found)
    for n in (240, 492, 984):
        fair = designed("fair_ulf", seed, n)
        assert flags(audit.audit(fair, label="magnitude_class", protocol="P5")) == []


@pytest.mark.slow
def test_an_audit_becomes_a_page(tmp_path, monkeypatch):
    """Tables for the book, and one HTML file from the JSON alone, with every verdict in it."""
    monkeypatch.setenv("PRECURSOR_OUT", str(tmp_path))
    found = audit.audit(clean(), protocol="P0")
    report.begin("07_evidence_lab", "smoke")
    tables = audit_page.show_audit(found)
    assert set(tables) == {"verdicts", "links", "floors", "probes", "sample"}
    assert len(tables["verdicts"]) == len(found.verdicts) == len(found.table())
    assert (tables["verdicts"]["verdict"] == "flagged").sum() >= len(found.flagged) > 0
    write_json(tmp_path / "a.json", found.to_dict())
    assert audit_page.main([str(tmp_path / "a.json"), str(tmp_path / "a.html")]) == 0
    page = (tmp_path / "a.html").read_text()
    assert page.count("<table>") == 5 and all(v.criterion in page for v in found.verdicts)
    assert audit_page.main([str(tmp_path / "no.json"), "a.html"]) == 2
    with pytest.raises(InputError, match="verdicts"):
        audit_page.show_audit(found, only=["all"])
    with pytest.raises(InputError, match="an audit written"):
        audit_page.audit_tables({"certificate": {}})


@pytest.mark.slow
def test_the_shell_command_ends_with_two_on_bad_input(tmp_path):
    (tmp_path / "w.csv").write_text("window_id,station\na,b\n")
    done = subprocess.run([sys.executable, "-m", "lib.audit", str(tmp_path / "w.csv")], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: windows table, columns")
    assert "Traceback" not in done.stderr

"""The page for students: all Python on it runs from an empty folder and does what the page says."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from book import keys
from lib import config, fitted, model, own_network, representation, runs, studies, synthetic, train
from lib.earth import iaga2002
from lib.earth.field import World
from lib.files import InputError, canonical_json
from lib.studies import NetworkSpec

PAGE = (keys.ROOT / "book" / "adapt.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^% (run|file): (\S+)\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {(kind, name): text for kind, name, _, text in FENCE.findall(PAGE)}
NAMES = [name for kind, name in BLOCKS if kind == "run"]
TINY = {"windows.window_s": 3600, "training.epochs": 1}      # of smoke, for the clock
NETWORK = '''
from torch import nn
class Flat(nn.Module):
    def __init__(self, n, classes):
        super().__init__()
        self.heads = nn.ModuleDict({t: nn.Linear(n, k) for t, k in classes.items()})
    def forward(self, x):
        return {t: head(x.flatten(1)) for t, head in self.heads.items()}
def build(spec, channels, classes, size):
    return Flat(channels * size[0] * size[1], classes)
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Make an empty folder to work in, smaller profiles, and nothing left behind in the library."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(config, "CACHE", tmp_path / "cache")
    smoke = config.PROFILES["smoke"]
    monkeypatch.setitem(smoke, "convnext", {**smoke["convnext"], **TINY})
    before = dict(studies.STUDIES), {name: dict(p) for name, p in config.PROFILES.items()}
    yield tmp_path
    studies.STUDIES.clear()
    studies.STUDIES.update(before[0])
    for name, profile in before[1].items():
        config.PROFILES[name].clear()
        config.PROFILES[name].update(profile)
    for name in ("book.examples.fifth_study", "book.examples.own_network", "mine"):
        sys.modules.pop(name, None)


def day_record(code="ABC"):
    """One synthetic day at one second, as a record."""
    world = World(1, studies.WorldSpec(start="2020-01-01", years=0.1, snr=0.0))
    h, d, z = np.round(world.window("YOG", "2020-01-05T00:00", 86400).astype(float), 2)
    place = world.stations.set_index("code").loc["YOG"]
    return xr.Dataset(dict(zip("HDZ", (("time", v) for v in (h, d, z)), strict=True)),
                      {"time": pd.date_range("2020-01-05", periods=86400, freq="s")},
                      {"station": code, "latitude": place.latitude, "longitude": place.longitude,
                       "sampling_s": 1.0})


def write_inputs(folder):
    """Write what a reader of the page would have: the listed files, a record, a catalogue, a table of Kp."""
    for (kind, name), text in BLOCKS.items():
        if kind == "file":
            (folder / name).write_text(text)


def write_catalogue(folder):
    """Write the catalogue of a world as ComCat would."""
    events = World(7, config.load("convnext", "smoke").world).catalog
    pd.DataFrame({"time": events.time.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "latitude": events.latitude,
                  "longitude": events.longitude, "depth": events.depth_km, "mag": events.magnitude,
                  "magType": "mw", "id": events.event_id}).to_csv(folder / "my_catalogue.csv", index=False)


def write_record(folder, name, code):
    """Write one day as an observatory would."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    iaga2002.write_iaga2002(day_record(code), folder / name)


def write_fetched(folder):
    """Write what `make fetch` would have brought."""
    write_record(folder, "data/geomag/kak/kak-best-avail-PT1S-xyzf_20200105.sec", "KAK")
    (folder / "data" / "space_weather").mkdir()
    (folder / "data" / "space_weather" / "SW-All.csv").write_text(
        "DATE,KP1,KP2,KP3,KP4,KP5,KP6,KP7,KP8,KP_SUM,F10.7_DATA_TYPE\n"
        "2020-01-04,3,3,3,3,3,3,3,3,24,OBS\n2020-01-05,27,13,7,10,20,17,0,3,97,OBS\n")


BEFORE = {"catalogue": write_catalogue, "exercise-4": write_fetched,
          "records": lambda folder: write_record(folder, "my_folder/abc20200105vsec.sec", "ABC")}


def whole(found, targets=("magnitude", "azimuth"), windows=None):
    """Every window has a prediction of every target, with probabilities."""
    table = found["predictions"]
    assert set(table.target) == set(targets) and np.isfinite(table[["p_0", "p_1"]]).all(axis=None)
    assert windows is None or table.groupby("target").window_id.nunique().eq(windows).all()


def check_chain(found):
    """Expect that a score for each target, with an interval and floors beside it."""
    whole(found, windows=96)
    assert [row["target"] for row in found["rows"]] == ["magnitude", "azimuth"]
    assert all(row["interval"][0] <= row["score"] <= row["interval"][1] for row in found["rows"])


def check_stations(found):
    """Expect that only the listed stations have windows, and each is held out once."""
    whole(found, windows=len(found["table"]))
    assert set(found["table"].station) <= {"ABC", "DEF", "GHI", "JKL"}
    assert found["table"].station.nunique() > 2
    assert set(found["predictions"].window_id) == set(found["table"].window_id)


def check_catalogue(found):
    """Expect that windows bear the labels of the file's earthquakes, inside the box and not too deep."""
    named = found["table"].event_id[found["table"].event_id != ""]
    assert len(named) and set(named) <= set(found["events"].event_id)
    events = found["events"]
    assert events.depth_km.max() <= 60 and events.cluster_id.nunique() < len(events)


def check_records(found):
    """Expect that the folder is listed and the gate judges."""
    assert len(found["inventory"]) == 1 and len(found["unreadable"]) == 0
    assert found["gate"].passed.notna().any() and found["record"].sizes["time"] == 86400


def check_band(found):
    """Expect that rows of the image lie in the band that was asked for."""
    whole(found)
    hz = found["data"].axes["frequency_hz"]
    assert found["data"].study["stft"]["freq_hz"] == [0.005, 0.045] and len(hz) == 32
    assert hz.min() >= 0.005 and hz.max() <= 0.045


def check_wavelets(found):
    """Expect that wavelet images were stored and trained on."""
    whole(found)
    assert "cwt" in found["data"].study and found["data"].axes["frequency_hz"].min() == pytest.approx(0.005)


def check_timm(found):
    """Expect that the backbone is timm's own."""
    whole(found)
    assert type(model.build(found["study"].network).backbone).__name__ == "MobileNetV3"


def check_own(found):
    """Expect that the stored network is the file's, and reads back only where its module is imported."""
    whole(found)
    path = next(config.CACHE.rglob("*.safetensors"))
    assert type(fitted.load_fit(path)[0].network).__name__ == "Small"
    del sys.modules["book.examples.own_network"]
    with pytest.raises(InputError, match="trust"):
        fitted.load_fit(path)


def check_fifth(found):
    """Expect that the entry is a study like the other four."""
    whole(found, targets=("event",))
    assert set(found["predictions"].study) == {"pulsations"} and "pulsations" in studies.STUDIES
    for profile in config.PROFILES:
        study = config.load("pulsations", profile)
        assert config.from_dict(json.loads(canonical_json(study))) == study
        assert representation.of(study).axes["time_s"][0].size == study.cwt.n_times


def check_exercise_1(found):
    """Expect that copies appear in `dup` under P0 only, and the floor rises there only."""
    links, floor = found["links"], found["adjacency"]
    assert links["with copies", "P0"]["dup"] > 0 and links["without copies", "P0"]["dup"] == 0
    assert links["with copies", "P0"]["event"] > links["without copies", "P0"]["event"]
    assert links["with copies", "P0"]["station_day"] > links["without copies", "P0"]["station_day"] == 0
    assert links["with copies", "P2"]["dup"] == links["with copies", "P2"]["event"] == 0
    assert floor["with copies", "P0"] > floor["without copies", "P0"] + 0.1
    assert abs(floor["with copies", "P2"] - floor["without copies", "P2"]) < 0.1


def check_exercise_2(found):
    """Expect that the station lookup is perfect under P0 and P2, and at chance under P4."""
    score = found["score"]
    assert score["P0", "lookup_station"] == score["P2", "lookup_station"] == 1
    assert score["P4", "lookup_station"] == 0


def check_exercise_3(found):
    """Expect that a strong source is seen, none is not; the field and the current are those of the text."""
    above = found["above"]
    assert above[16.0].low > 0 and above[0.0].low <= 0 <= above[0.0].high
    assert found["field_nt"][2.0] == pytest.approx(2 * 0.03 * 10**0.25)
    assert f"{0.03 * 10**0.25:.3f}$ nT" in PAGE and "five hundred amperes through ten kilometres" in PAGE
    current_am = float(found["stations"].required_moment_am(0.03 * 10**0.25, 100.0))
    assert current_am == pytest.approx(5.3e6, rel=0.01)
    assert found["dipole_nt"] == pytest.approx(0.1 * 0.03 * 10**0.25, rel=0.2)


def check_exercise_4(found):
    """Expect that bands are inside the image, half of the columns are day, and Kp is that of the day."""
    assert found["day"].sum() in (47, 48, 49) and np.isfinite(list(found["excess"].values())).all()
    assert found["kp"].max() == pytest.approx(2.667, abs=1e-3) and len(found["kp"]) == 8


def test_every_piece_of_python_on_the_page_is_run():
    """No block of Python without a mark; each mark has a block, a name of its own and a check."""
    assert PAGE.count("```python") == len(NAMES) == len(set(NAMES)) >= 12
    assert len(re.findall(r"^% (?:run|file):", PAGE, re.MULTILINE)) == len(BLOCKS)
    assert {f"check_{name.replace('-', '_')}" for name in NAMES} == {n for n in globals()
                                                                     if n.startswith("check_")}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_an_empty_folder(place, name):
    """Copied from the page and run, it does what the page says."""
    write_inputs(place)
    if name in BEFORE:
        BEFORE[name](place)
    found = {}
    exec(compile(BLOCKS["run", name], f"adapt.md, {name}", "exec"), found)
    globals()[f"check_{name.replace('-', '_')}"](found)


def test_examples_are_short():
    """A file that is to be copied fits on a screen."""
    for path in (keys.ROOT / "book" / "examples").glob("*.py"):
        assert path.read_text(encoding="utf-8").count("\n") <= 35, path.name


def spec(family="mine:build"):
    return NetworkSpec(family=family)


def test_an_own_network_is_built_from_its_file_as_it_is(place):
    """Heads as asked; an edited file is another network and another run key at once."""
    path = place / "mine.py"
    path.write_text(NETWORK)
    study = config.load("convnext", "smoke", {"network.family": "mine:build"})
    network = model.build(spec(), 3, {"magnitude": 4}, (8, 8))
    assert network.heads["magnitude"].out_features == 4 and network.spec.family == "mine:build"
    assert model.build(spec(), 3, {"magnitude": 4}, (8, 8)).__class__ is network.__class__
    key = runs.run_key(study, "x", "P2")
    assert key == runs.run_key(study, "x", "P2")
    path.write_text(NETWORK.replace("nn.Linear(n, k)", "nn.Linear(n, k, bias=False)"))
    assert runs.run_key(study, "x", "P2") != key
    assert model.build(spec(), 3, {"magnitude": 4}, (8, 8)).heads["magnitude"].bias is None


@pytest.mark.parametrize(("family", "text", "said"), [
    ("none_of_these", "", "multitask, crnn"), ("nowhere:build", "", "module:function"),
    ("mine:other", NETWORK, "module:function"), ("mine:", NETWORK, "module:function"),
    (":build", NETWORK, "module:function"), ("os:abort", "", "module:function"),
    ("mine:build", NETWORK.replace("spec, channels", "channels, spec"), "module:function"),
    ("mine:build", "def build(", "module:function"),
    ("mine:build", NETWORK + "\n1 / 0\n", "ZeroDivisionError"),
    ("mine:build", "def build(spec, channels, classes, size):\n    return 3\n", "torch.nn.Module"),
    ("mine:build", NETWORK.replace("n, k)", "n + 1, k)"), "forward"),
    ("mine:build", NETWORK.replace("n, k)", "n, 2 * k)"), "two images"),
    ("mine:build", NETWORK.replace("return {t: head(x.flatten(1)) for t, head in self.heads.items()}",
                                   "return self.heads['magnitude'](x.flatten(1))"), "two images")])
def test_an_own_network_that_cannot_be_used_is_refused(place, family, text, said):
    """Unknown, unfit or failing: one sentence that says what is accepted, and no half-imported module."""
    (place / "mine.py").write_text(text)
    with pytest.raises(InputError, match=said):
        model.build(spec(family), 3, {"magnitude": 4}, (8, 8))
    if "1 / 0" in text:
        assert "mine" not in sys.modules


def test_what_is_no_network_is_not_even_run(place):
    """A file without the function, or with other arguments, is read and never executed."""
    for rest in ("", "def build(a, b):\n    return 1\n"):
        (place / "mine.py").write_text("import os\nos.mkdir('ran')\n" + rest)
        with pytest.raises(InputError):
            own_network.builder("mine:build")
    assert not Path("ran").exists()


def test_a_card_does_not_choose_what_is_imported(place):
    """Weights of an own network load where its module is imported, and only there."""
    (place / "mine.py").write_text(NETWORK)
    network = model.build(spec(), 3, {"magnitude": 4}, (8, 8))
    model.save_weights(network, place / "w.safetensors", {})
    again, _ = model.load_weights(place / "w.safetensors")
    assert all((a == b).all() for a, b in zip(network.state_dict().values(), again.state_dict().values(),
                                              strict=True))
    del sys.modules["mine"]
    with pytest.raises(InputError, match="import it before"):
        model.load_weights(place / "w.safetensors")


def test_weights_start_an_own_network(place):
    """A safetensors file of the same network starts it, as it does for our own."""
    (place / "mine.py").write_text(NETWORK)
    first = model.build(spec(), 3, {"magnitude": 4}, (8, 8))
    model.save_weights(first, place / "w.safetensors", {})
    started = model.build(NetworkSpec(family="mine:build", weights=str(place / "w.safetensors")), 3,
                          {"magnitude": 4}, (8, 8))
    assert (started.heads["magnitude"].weight == first.heads["magnitude"].weight).all()
    with pytest.raises(InputError, match="convolutional"):
        model.target_layer(started, (8, 8))


@pytest.mark.slow
def test_processes_of_a_pool_find_an_own_network(place):
    """Folds trained in a fresh process are those trained here, byte for byte."""
    (place / "mine.py").write_text(NETWORK)
    study = config.load("convnext", "smoke", {"network.family": "mine:build"})
    path = synthetic.make_dataset(study)
    here = train.cross_validate(study, path, "P2", folder=place / "here")
    with train.pool(1) as pool:
        there = train.cross_validate(study, path, "P2", pool, folder=place / "there")
    pd.testing.assert_frame_equal(here, there, check_exact=True)

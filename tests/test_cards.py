"""Cards beside weights: what they say is checked, and what does not match is refused."""

import dataclasses
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import cards, config, model, objectives
from lib.files import InputError

STUDY = config.load("convnext", "smoke")
SCORES = [{"target": "magnitude", "score": 0.1, "floors": {"station": 0.2}}]


def store(folder, name="w.safetensors"):
    """Store a network as it starts."""
    torch.manual_seed(0)
    network = model.build(STUDY.network, 3, objectives.outputs(STUDY), (32, 32)).eval()
    model.save_weights(network, folder / name, {"study": STUDY, "mean": np.zeros(3), "std": np.ones(3),
                                                "history": {}, "best_epoch": 0})
    return folder / name


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return store(tmp_path_factory.mktemp("cards"))


@pytest.fixture
def weights(kept, tmp_path):
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"w{suffix}").write_bytes(kept.with_suffix(suffix).read_bytes())
    return tmp_path / "w.safetensors"


def test_a_completed_card_says_everything(weights):
    """Scores with floors, licence, commit and data hash come back; what was there stays."""
    before = cards.read_card(weights)
    fields = {"scores": SCORES, "licence": "CC-BY-4.0", "commit": "abc", "data_hash": "0" * 16,
              "temperature": {"magnitude": 1.25}}
    cards.complete(weights, **fields)
    given = cards.load_pretrained(weights)
    assert {name: given.card[name] for name in fields} == fields
    assert {name: given.card[name] for name in before} == before
    assert given.temperature == {"magnitude": 1.25} and given.study == STUDY
    cards.complete(weights, licence="MIT")
    assert cards.read_card(weights)["licence"] == "MIT" and cards.read_card(weights)["commit"] == "abc"


@pytest.mark.parametrize(("fields", "word"), [
    ({"licence": ""}, "licence"), ({"license": "MIT"}, "field: found 'license'"), ({"scores": []}, "floors"),
    ({"scores": [{"target": "magnitude", "score": 0.5}]}, "floors"),
    ({"scores": [SCORES[0] | {"floors": {}}]}, "floors"),
    ({"temperature": {"magnitude": 0}}, "above 0"), ({"temperature": {"direction": 1.0}}, "class target"),
    ({"temperature": {"depth": 1.0}}, "class target"), ({"mean": [1.0]}, "field: found 'mean'"),
])
def test_fields_that_say_nothing_are_refused(weights, fields, word):
    whole = weights.with_suffix(".json").read_bytes()
    with pytest.raises(InputError, match=word):
        cards.complete(weights, **fields)
    assert weights.with_suffix(".json").read_bytes() == whole


def test_one_flipped_byte_is_refused(weights):
    """Anywhere in the weights; and in a completed card, wherever it changes what the card says."""
    cards.complete(weights, scores=SCORES, licence="MIT", temperature={"magnitude": 1.25})
    rng = np.random.default_rng(0)
    whole = weights.read_bytes()
    for at in [0, 8, len(whole) - 1, *rng.integers(0, len(whole), 12)]:
        weights.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        with pytest.raises(InputError, match=r"w\.(safetensors|json)"):
            cards.load_pretrained(weights)
    weights.write_bytes(whole)
    path = weights.with_suffix(".json")
    whole = path.read_bytes()
    told = json.loads(whole)
    for at in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        try:
            assert cards.load_pretrained(weights).card == told
        except InputError as error:
            assert "w.json" in str(error)
    changed = whole.replace(b'"magnitude": 1.25', b'"magnitude": 1.75')
    assert changed != whole
    path.write_bytes(changed)
    with pytest.raises(InputError, match="card_sha256"):
        cards.load_pretrained(weights)


class _Trap:
    def __reduce__(self):
        return Path.touch, (Path("opened"),)


def test_a_pickle_is_never_opened(weights, tmp_path, monkeypatch):
    """Neither by its suffix nor under another name; the trap inside would leave a file."""
    monkeypatch.chdir(tmp_path)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Trap()))
    for name in ("m.pt", "m.pth", "m.pkl", "m.ckpt", "m.bin", "w.safetensors"):
        for content in (pickle.dumps(_Trap()), zipped.getvalue()):
            Path(name).write_bytes(content)
            with pytest.raises(InputError, match="a pickle can run code.*save_file"):
                cards.load_pretrained(name)
    Path("m.pt").write_bytes(b"anything")
    with pytest.raises(InputError, match="a pickle can run code"):
        cards.load_pretrained(tmp_path / "m.pt")
    assert not Path("opened").exists()


def test_weights_of_another_study_are_refused(weights):
    """By name, or by what differs from the study asked for; the profile and training may differ."""
    assert cards.load_pretrained(weights, study="convnext").study == STUDY
    same = dataclasses.replace(STUDY, profile="light",
                               training=dataclasses.replace(STUDY.training, epochs=99))
    assert cards.load_pretrained(weights, study=same).study == STUDY
    for wanted, word in (("crnn", "study: found 'convnext'"), (config.load("tec", "smoke"), "study"),
                         (dataclasses.replace(STUDY, targets=("azimuth",)), "targets"),
                         (config.load("convnext", "smoke", {"stft.nperseg": 512}), "stft.nperseg: found 256"),
                         (config.load("convnext", "smoke", {"windows.window_s": 3600}), "windows.window_s"),
                         (config.load("convnext", "smoke", {"network.hidden": 16}), "network.hidden")):
        with pytest.raises(InputError, match=f"{word}.*another study's"):
            cards.load_pretrained(weights, study=wanted)


def test_no_path_leads_out_of_the_folder(weights, tmp_path):
    inside = tmp_path / "in"
    store(inside / "sub")
    assert cards.load_pretrained("sub/w.safetensors", inside).study == STUDY
    (inside / "link.safetensors").symlink_to(weights)
    (inside / "link.json").write_bytes(weights.with_suffix(".json").read_bytes())
    (inside / "half.safetensors").write_bytes(weights.read_bytes())
    (inside / "half.json").symlink_to(weights.with_suffix(".json"))
    for name in ("../w.safetensors", "sub/../sub/w.safetensors", weights, "link.safetensors",
                 "half.safetensors", "../" + inside.name + "/sub/w.safetensors"):
        with pytest.raises(InputError, match="a file inside the folder"):
            cards.load_pretrained(name, inside)
    with pytest.raises(InputError, match="no such file"):
        cards.load_pretrained("absent.safetensors", inside)


def test_missing_files_are_named(weights):
    weights.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"w\.json, reading"):
        cards.load_pretrained(weights)
    weights.with_suffix(".json").write_text("[1]")
    with pytest.raises(InputError, match=r"w\.json, contents"):
        cards.load_pretrained(weights)
    with pytest.raises(InputError, match="no such file"):
        cards.load_pretrained("folder/absent.safetensors")


def hub(root, names=("w",)):
    """Lay out a cache of huggingface_hub: blobs, and a snapshot of links to them."""
    repository = root / "models--somebody--net"
    snapshot = repository / "snapshots" / ("a" * 40)
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    snapshot.mkdir(parents=True)
    for name in names:
        stored = store(root, f"{name}.safetensors")
        for suffix in (".safetensors", ".json"):
            blob = repository / "blobs" / f"{name}{suffix}"
            stored.with_suffix(suffix).rename(blob)
            (snapshot / f"{name}{suffix}").symlink_to(blob)
    return snapshot


def test_a_hub_name_is_read_from_disk(tmp_path, monkeypatch):
    """What the hub's cache holds loads without a network; what it does not is refused in one sentence."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked the network"))
    snapshot = hub(tmp_path)
    assert cards.load_pretrained("somebody/net").path == snapshot / "w.safetensors"
    with pytest.raises(InputError, match="hub name somebody/else.*allow_network=True"):
        cards.load_pretrained("somebody/else")
    outside = store(tmp_path / "outside")
    (snapshot / "w.safetensors").unlink()
    (snapshot / "w.safetensors").symlink_to(outside)
    with pytest.raises(InputError, match="safetensors files"):
        cards.load_pretrained("somebody/net")


def test_a_hub_repository_holds_one_network(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub(tmp_path, ("a", "b"))
    with pytest.raises(InputError, match=r"\['a.safetensors', 'b.safetensors'\].*exactly one"):
        cards.load_pretrained("somebody/net")

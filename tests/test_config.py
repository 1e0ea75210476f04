import dataclasses
import json

import pytest

from lib import config, files
from lib.studies import STUDIES, Study


def test_full_profile_keeps_published_values():
    """The full profile changes how fast the published study runs, never what it is."""
    full = config.load("convnext", "full")
    training = dataclasses.replace(full.training, autocast=None, channels_last=False)
    assert training == Study("", "", "").training
    assert full.windows == STUDIES["convnext"].windows
    assert full.stft.nperseg == 256 and full.stft.noverlap == 128 and full.stft.size == (224, 224)
    assert (full.training.learning_rate, full.training.weight_decay) == (1e-4, 0.05)


@pytest.mark.parametrize(("arguments", "found", "accepted"), [
    (("nope", "light"), "nope", "convnext"),
    (("convnext", "lite"), "lite", "light"),
    (("convnext", "light", {"training.epoch": 3}), "epoch", "epochs"),
    (("convnext", "light", {"epochs": 3}), "epochs", "training"),
])
def test_unknown_names_are_refused_with_the_known_ones(arguments, found, accepted):
    with pytest.raises(files.InputError) as error:
        config.load(*arguments)
    assert found in str(error.value) and accepted in str(error.value)


def test_a_study_survives_json():
    """Cards and datasets carry the study as JSON; nothing is lost on the way."""
    for profile in config.PROFILES:
        study = config.load("convnext", profile)
        assert config.from_dict(json.loads(files.canonical_json(study))) == study


def test_unknown_field_in_stored_study_is_refused():
    values = json.loads(files.canonical_json(config.load()))
    values["training"]["momentum"] = 0.9
    with pytest.raises(files.InputError, match="momentum"):
        config.from_dict(values)


def test_seeds_differ_by_purpose_and_repeat():
    draw = config.rng(42, "fold", "P2", 3).integers(2**31)
    assert draw == config.rng(42, "fold", "P2", 3).integers(2**31)
    assert draw != config.rng(42, "fold", "P2", 4).integers(2**31)
    assert draw != config.rng(43, "fold", "P2", 3).integers(2**31)


def test_data_folder_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("PRECURSOR_DATA", str(tmp_path / "absent"))
    with pytest.raises(files.InputError, match="PRECURSOR_DATA"):
        config.data_folder()
    monkeypatch.delenv("PRECURSOR_DATA")
    assert config.data_folder() is None

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


@pytest.mark.parametrize(("field", "value"), [
    ("training.epochs", "3"), ("training.epochs", 0), ("training.epochs", 2.5), ("training.epochs", True),
    ("training.batch_size", 0), ("training.threads", -1), ("network.dropout", 2.0), ("network.light", "yes"),
    ("seed", -1), ("seed", 1.5), ("seed.x", 1), ("world", 5), ("world.snr", -1.0),
    ("world.years", float("nan")), ("windows.radius_km", float("inf")), ("windows.n_windows", 1),
    ("windows.hour_utc", 24), ("windows.lead_days", 3), ("windows.lead_days", ("a",)),
    ("targets", "magnitude"), ("evaluation.folds", 1),
])
def test_values_of_another_kind_or_out_of_range_are_refused(field, value):
    """The message names the field; nothing of it surfaces later as another error."""
    with pytest.raises(files.InputError, match=field.split(".")[-1]):
        config.load("convnext", "smoke", {field: value})


@pytest.mark.parametrize(("field", "value"), [
    ("world.snr", 1), ("evaluation.folds", None), ("windows.lead_days", [1, 2.5]), ("training.threads", None),
    ("network.weights", "imagenet"), ("training.inner_fraction", 0.3), ("stft.size", (8, 16)),
])
def test_values_of_the_right_kind_are_taken(field, value):
    """A whole number stands for a float and a list for a tuple; None where the field allows it."""
    part, name = field.split(".")
    found = getattr(getattr(config.load("convnext", "smoke", {field: value}), part), name)
    assert found == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("change", [
    lambda v: v.pop("seed"), lambda v: v["training"].pop("epochs"), lambda v: v.update(training=3),
    lambda v: v.update(stft=None), lambda v: v["training"].update(epochs="9"),
    lambda v: v.update(targets="x")])
def test_damaged_stored_studies_are_refused(change):
    values = json.loads(files.canonical_json(config.load()))
    change(values)
    with pytest.raises(files.InputError, match="study, "):
        config.from_dict(values)
    for other in ("text", None, [1]):
        with pytest.raises(files.InputError, match="study, fields of Study"):
            config.from_dict(other)


@pytest.mark.parametrize("seed", [-1, 1.5, None, "42"])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(files.InputError, match="seed"):
        config.rng(seed, "fold")

"""Folders, profiles and seeds (layer 0).

A profile is a set of overrides on a study. `full` is the study as published, `light` runs on two cores
without data or network, `smoke` runs the whole chain in the tests and its numbers mean nothing.
"""

import dataclasses
import math
import numbers
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lib.files import InputError, content_hash
from lib.studies import STUDIES, Study

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "figures"
RESULTS = ROOT / "results"
CACHE = Path(os.environ.get("PRECURSOR_CACHE", ROOT / "_build" / "cache"))

PROFILES: dict[str, dict[str, dict[str, object]]] = {
    "full": {
        "convnext": {"training.autocast": "bfloat16", "training.channels_last": True},
        "crnn": {"training.autocast": "bfloat16", "training.channels_last": True},
    },
    "light": {"convnext": {
        "world.years": 4.0,
        "windows.n_windows": 480,
        "windows.stations_per_event": 2,
        "windows.lead_days": (1, 3),
        "stft.size": (64, 64),
        "stft.freq_hz": (0.0, 0.125),
        "network.light": True,
        "network.hidden": 64,
        "network.dropout": 0.2,
        "training.epochs": 15,
        "training.learning_rate": 2e-3,
        "training.warmup_epochs": 2,
        "training.patience": 6,
        "training.threads": 1,
        "training.channels_last": True,
        "evaluation.folds": 5,
    }, "crnn": {
        "world.years": 6.0,
        "windows.window_s": 21600,
        "windows.hour_utc": 14,
        "windows.n_windows": 480,
        "windows.stations_per_event": 1,
        "windows.lead_days": (1, 3),
        "windows.n_storm": 120,
        "windows.n_storm_cases": 60,
        "cwt.n_scales": 32,
        "cwt.n_times": 72,
        "network.light": True,
        "training.epochs": 15,
        "training.learning_rate": 5e-3,
        "training.patience": 15,
        "training.threads": 1,
        "training.channels_last": True,
    }, "tec": {
        "world.years": 3.5,
        "windows.n_windows": 360,
        "network.light": True,
        "training.epochs": 4,
        "training.learning_rate": 2e-3,
        "training.patience": 4,
        "training.threads": 1,
        "evaluation.folds": 3,
    }, "observatory": {
        "world.years": 4.0,
        "windows.window_s": 86400,
        "windows.n_windows": 160,
        "network.light": True,
        "training.epochs": 12,
        "training.learning_rate": 2e-3,
        "training.patience": 12,
        "training.threads": 1,
        "evaluation.folds": 3,
    }},
    "smoke": {"convnext": {
        "world.years": 1.0,
        "windows.n_windows": 96,
        "stft.size": (32, 32),
        "stft.freq_hz": (0.0, 0.125),
        "network.light": True,
        "network.hidden": 32,
        "training.epochs": 2,
        "training.learning_rate": 2e-3,
        "training.warmup_epochs": 1,
        "training.patience": 2,
        "training.threads": 1,
        "evaluation.folds": 3,
        "evaluation.bootstrap": 200,
        "evaluation.permutations": 99,
    }, "crnn": {
        "world.years": 3.0,
        "windows.window_s": 3600,
        "windows.hour_utc": 14,
        "windows.n_windows": 80,
        "windows.lead_days": (1,),
        "windows.n_storm": 30,
        "windows.n_storm_cases": 10,
        "cwt.n_scales": 16,
        "cwt.n_times": 24,
        "network.light": True,
        "training.epochs": 2,
        "training.learning_rate": 2e-3,
        "training.threads": 1,
        "evaluation.folds": 3,
        "evaluation.bootstrap": 200,
        "evaluation.permutations": 199,
    }, "tec": {
        "world.years": 4.0,
        "windows.n_windows": 80,
        "network.light": True,
        "training.epochs": 2,
        "training.threads": 1,
        "evaluation.folds": 2,
        "evaluation.bootstrap": 200,
        "evaluation.permutations": 99,
    }, "observatory": {
        "world.years": 2.0,
        "windows.window_s": 3600,
        "windows.n_windows": 60,
        "network.light": True,
        "training.epochs": 2,
        "training.threads": 1,
        "evaluation.folds": 2,
        "evaluation.bootstrap": 200,
        "evaluation.permutations": 99,
    }},
}

LIMITS = {   # least and greatest value of fields by their name, wherever they stand
    "seed": (0, math.inf), "snr": (0, math.inf), "n_windows": (2, math.inf), "window_s": (1, math.inf),
    "hour_utc": (0, 23), "stations_per_event": (1, math.inf), "hidden": (1, math.inf), "dropout": (0, 1),
    "epochs": (1, math.inf), "batch_size": (1, math.inf), "patience": (0, math.inf), "threads": (1, math.inf),
    "folds": (2, math.inf), "bootstrap": (1, math.inf), "permutations": (1, math.inf)}


def load(study: str = "convnext", profile: str = "light",
         overrides: Mapping[str, object] | None = None) -> Study:
    """Return a study with a profile's overrides and the caller's applied, in this order.

    Parameters
    ----------
    study : str
        A key of `lib.studies.STUDIES`.
    profile : str
        `smoke`, `light` or `full`.
    overrides : mapping, optional
        Dotted field name to value, for example ``{"training.epochs": 3, "seed": 7}``.

    Raises
    ------
    InputError
        For an unknown study, profile or field (the message lists the known ones), or a value of another kind.

    Examples
    --------
    >>> load("convnext", "light", {"training.epochs": 3}).training.epochs
    3
    """
    if study not in STUDIES:
        raise InputError("config.load", "study", study, ", ".join(STUDIES))
    if profile not in PROFILES:
        raise InputError("config.load", "profile", profile, ", ".join(PROFILES))
    result = dataclasses.replace(STUDIES[study], profile=profile)
    for name, value in {**PROFILES[profile].get(study, {}), **(overrides or {})}.items():
        result = _replace(result, name, value)
    return result


def _replace(spec, dotted: str, value):
    """Return a copy of a frozen dataclass with one, possibly nested, field replaced."""
    name, _, rest = dotted.partition(".")
    known = {f.name: f.type for f in dataclasses.fields(spec)} if dataclasses.is_dataclass(spec) else {}
    if name not in known:
        raise InputError("config.load", f"override of {type(spec).__name__}", name,
                         ", ".join(known) or "nothing: the field above it has no parts")
    if rest:
        value = _replace(getattr(spec, name), rest, value)
    return dataclasses.replace(spec, **{name: _checked("config.load", name, value, known[name])})


def _checked(source, name, value, kind):
    """Return the value if it is of the annotated kind and in range; a list becomes a tuple."""
    value = tuple(value) if isinstance(value, list) else value
    low, high = LIMITS.get(name, (-math.inf, math.inf))
    if not _fits(value, kind) or (isinstance(value, numbers.Real) and not low <= value <= high):
        words = kind.__name__ if isinstance(kind, type) else str(kind)
        raise InputError(source, name, value, words + (f", {low} to {high}" if name in LIMITS else ""))
    return value


def _fits(value, kind):
    """Whether a value is of an annotated kind; a whole number may stand for a float, a bool for neither."""
    if isinstance(kind, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_fits(v, typing.get_args(kind)[0]) for v in value)
    if kind in (int, float):
        real = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, real) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind)


def from_dict(values: Mapping[str, object]) -> Study:
    """Rebuild a study from the JSON form that cards and datasets carry.

    Raises
    ------
    InputError
        For a field that no study has, one that is missing, or a value of another kind.
    """
    return _rebuild(Study, values)


def _rebuild(kind, values):
    """Rebuild one frozen dataclass; lists become the tuples that they were."""
    known = {f.name: f.type for f in dataclasses.fields(kind)}
    if not isinstance(values, Mapping) or set(values) != set(known):
        given = sorted(set(values) ^ set(known)) if isinstance(values, Mapping) else values
        raise InputError("study", f"fields of {kind.__name__}", given, f"exactly {', '.join(known)}")
    return kind(**{name: _part(name, value, known[name]) for name, value in values.items()})


def _part(name, value, kind):
    """One field: a dataclass, perhaps absent, or a plain value."""
    parts = [k for k in (kind, *typing.get_args(kind)) if dataclasses.is_dataclass(k)]
    return _rebuild(parts[0], value) if parts and value is not None else _checked("study", name, value, kind)


def config_hash(study: Study, *extra) -> str:
    """Sixteen hex digits that name a configuration; the key of every cached artefact."""
    return content_hash(study, *extra)


def rng(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a generator for one named purpose, derived from the study's seed and never reused raw.

    >>> float(rng(1, "a").random()) == float(rng(1, "b").random())
    False
    """
    if not isinstance(seed, numbers.Integral) or seed < 0:
        raise InputError("config.rng", "seed", seed, "a whole number, at least 0")
    key = int(content_hash(list(purpose)), 16) % 2**32
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def data_folder() -> Path | None:
    """Folder of real records, from the environment variable `PRECURSOR_DATA`; None when unset.

    Raises
    ------
    InputError
        If the variable is set and the folder does not exist.
    """
    value = os.environ.get("PRECURSOR_DATA")
    if not value:
        return None
    folder = Path(value)
    if not folder.is_dir():
        raise InputError("environment", "PRECURSOR_DATA", value, "an existing folder of records")
    return folder

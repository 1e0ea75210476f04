"""What a network sees of a window: one form for each study, made from samples (above layer 2).

A study has one representation: short-time Fourier (the default), wavelet, six-channel electron content, or
the samples themselves. Everything that stores or shows images asks here and nowhere else.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import sosfiltfilt

from lib import cwt, drift, normalise, quartiles, stft, tec_images
from lib.earth import filters
from lib.files import InputError
from lib.studies import COMPONENTS, Study

PARTS = ("cwt", "tec", "series")     # of a study; the first that is set replaces `stft`
JOINED = 1000       # windows of electron content in one made-up series: nanoseconds since 1970 end in 2262
POWER = "log10 nT^2/Hz; coherencies without unit"


@dataclass(frozen=True)
class Form:
    """How windows of one study become images."""

    images: Callable[[np.ndarray], np.ndarray]     # (n, components, samples) -> float32 (n, C, F, T)
    channels: tuple[str, ...]
    axes: dict[str, tuple[np.ndarray, str]]        # rows and columns: name -> centres, unit
    units: str
    n: int                                         # samples read a window
    components: int = len(COMPONENTS)
    before: np.timedelta64 = np.timedelta64(0, "s")   # how long before the window reading begins
    max_gap: float = 0.0                           # share of samples that may be missing
    dtype: type = np.float16                       # as stored


def part(study: Study) -> str:
    """Name the field of a study that holds its representation."""
    return next((name for name in PARTS if getattr(study, name) is not None), "stft")


def of(study: Study) -> Form:
    """Return the form of a study's windows.

    Raises
    ------
    InputError
        For settings of the representation that cannot be used with the study's windows.
    """
    return _FORMS[part(study)](study)


def code() -> list[str]:
    """Files whose change makes stored images obsolete."""
    return [__file__, *(module.__file__ for module in (stft, drift, cwt, tec_images, quartiles, normalise))]


def _samples(study):
    return round(study.windows.window_s / study.windows.sampling_s)


def _spectral(study, module, spec):
    """Images of power over frequency and time, by `lib.stft` or `lib.cwt`."""
    n, sampling_s = _samples(study), study.windows.sampling_s
    transform = stft.spectrogram if module is stft else cwt.scalogram
    rows = stft.frequencies_hz(spec, sampling_s) if module is stft else cwt.frequencies_hz(spec)
    return Form(functools.partial(transform, spec=spec, sampling_s=sampling_s),
                tuple(module.channel_names(spec)),
                {"frequency_hz": (rows, "Hz"),
                 "time_s": (module.times_s(spec, n, sampling_s), "s after the window's start")}, POWER, n)


def _tec(study):
    """Six channels of days by hours; reading begins with the reference days of the median."""
    spec, hour_s = study.tec, 3600
    if study.windows.sampling_s != hour_s or study.windows.window_s != spec.days * 86400:
        raise InputError("study", "windows.sampling_s, windows.window_s",
                         (study.windows.sampling_s, study.windows.window_s),
                         f"{hour_s} and {spec.days * 86400}: hourly values of {spec.days} days")
    days = np.arange(spec.days) + 0.5, "days after the window's start"
    hours = np.arange(tec_images.HOURS) + 0.5, "h after the window's start"
    axes = {"day": days, "hour": hours}
    return Form(functools.partial(_six_channels, spec=spec), tec_images.CHANNELS, axes,
                "TECU; polarities without unit", (spec.reference_days + spec.days) * tec_images.HOURS, 1,
                np.timedelta64(spec.reference_days, "D"), spec.max_gap)


def _six_channels(x, spec):
    """Images of windows (n, 1, hours), joined to one series: none reaches back into the one before it."""
    if len(x) > JOINED:
        return np.concatenate([_six_channels(x[i:i + JOINED], spec) for i in range(0, len(x), JOINED)])
    hours = pd.date_range("2000-01-01", periods=x.size, freq="h")
    starts = hours[spec.reference_days * tec_images.HOURS::x.shape[2]]
    return tec_images.six_channels(pd.Series(x.reshape(-1), hours), starts, spec.days, k=spec.k,
                                   reference_days=spec.reference_days, polarity=spec.polarity,
                                   max_gap=spec.max_gap).images


def _series(study):
    """Components by samples, in float32: as a share of |Bz| float16 would round to 20 nT."""
    n, spec = _samples(study), study.series
    time_s = (np.arange(n) + 0.5) * study.windows.sampling_s, "s after the window's start"
    units = {"max_bz": "share of the largest |Z|", "amplitude": f"{normalise.SCALE_NT:g} nT"}
    sos = None if spec.highpass_hz is None else filters.design_band(
        study.windows.sampling_s, spec.highpass_hz, source="study, series.highpass_hz")
    return Form(functools.partial(_normalised, kind=spec.normalise, sos=sos), ("field",),
                {"component": (np.arange(len(COMPONENTS)), "place in HDZ"), "time_s": time_s},
                units.get(spec.normalise, ""), n, dtype=np.float32)


def _normalised(x, kind, sos):
    """Windows (n, 3, samples) as one channel, high-passed forwards and backwards if asked."""
    x = x if sos is None else sosfiltfilt(sos, x, axis=-1)
    return normalise.normalise(x, kind)[:, None]


_FORMS = {"stft": lambda study: _spectral(study, stft, study.stft),
          "cwt": lambda study: _spectral(study, cwt, study.cwt), "tec": _tec, "series": _series}

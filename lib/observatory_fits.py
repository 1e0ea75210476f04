"""One way of doing the observatory study: a setting, its study, and what is quiet (layer 5).

Beside the published network stand other depths, optimisers and inputs, and the power in a few bands.
"""

import dataclasses

import numpy as np
import pandas as pd
from scipy.signal import welch
from sklearn.linear_model import LogisticRegression

from lib import config, updating
from lib import observatory_cnn as cnn
from lib.earth import minutes, observatory, space_weather
from lib.files import InputError
from lib.studies import Study

N_BANDS, LOWEST_HZ = 8, 0.0005      # of `band_power`; up to the Nyquist frequency of minute values [D]
SEGMENT = 64                        # samples of 60 s


@dataclasses.dataclass(frozen=True)
class Setting:
    """A model and what it is given; the defaults are S4's."""

    name: str = "as printed"
    model: str = "network"               # network | band_power (logistic regression)
    normalise: str = "max_bz"            # max_bz | amplitude
    highpass_hz: float | None = None
    activations: str = "printed"         # printed | text
    depth: int = 3
    optimizer: str = "adam"
    learning_rate: float | None = None   # None: the study's


BAND_POWER = Setting("band power", "band_power")
TEXT = Setting("text, max |Bz|", activations="text")
AMPLITUDE = Setting("text, nT", activations="text", normalise="amplitude")
FILTERED = Setting("text, nT, high-pass", activations="text", normalise="amplitude", highpass_hz=5e-4)


def apply(study: Study, setting: Setting, memory_gb: float = 4.0) -> Study:
    """Return the study with a setting, and a batch no larger than a step with Adam fits into the memory.

    Raises
    ------
    InputError
        If not even one window fits.
    """
    n = round(study.windows.window_s / study.windows.sampling_s)
    fits = cnn.batch_for_memory(n, int(memory_gb * 1e9), study.network.light)
    series = dataclasses.replace(study.series, normalise=setting.normalise, highpass_hz=setting.highpass_hz)
    network = dataclasses.replace(study.network, backbone=setting.activations, depth=setting.depth)
    training = dataclasses.replace(study.training, optimizer=setting.optimizer,
                                   learning_rate=setting.learning_rate or study.training.learning_rate,
                                   batch_size=min(study.training.batch_size, fits))
    return dataclasses.replace(study, series=series, network=network, training=training)


def band_power(x: np.ndarray) -> np.ndarray:
    """Log10 power of each component in eight log-spaced bands from 0.5 to 8.33 mHz, (N, 3, n) -> (N, 3 B).

    Mean over Welch's segments of 64 minutes at most, Hann, line removed; bands without a frequency are left
    out, so that an hour has fewer.
    """
    f, power = welch(x, 1 / minutes.MINUTE_S, "hann", min(SEGMENT, x.shape[-1]), detrend="linear")
    edges = np.geomspace(LOWEST_HZ, minutes.NYQUIST_HZ, N_BANDS + 1)
    bands = [(f >= low) & (f < high) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    found = np.stack([power[..., band].mean(-1) for band in bands if band.any()], -1)
    return np.log10(np.maximum(found, 1e-6)).reshape(len(x), -1)


def storm_free_share(kp: pd.Series, dst: pd.Series, n: int) -> float:
    """Share of days at which a window of n minutes may begin and meet no storm (Kp below 5, Dst above -50).

    >>> days = pd.date_range("2020-01-01", periods=80, freq="3h")
    >>> kp, dst = pd.Series(1.0, days), pd.Series(0.0, pd.date_range(days[0], periods=240, freq="h"))
    >>> kp.iloc[44] = 6.0
    >>> storm_free_share(kp, dst, 1440)
    0.9
    """
    length = n * observatory.MINUTE
    begin = np.datetime64(max(kp.index[0], dst.index[0]), "ns")
    n_days = int((np.datetime64(kp.index[-1]) - begin) / observatory.DAY) + 1
    days = begin + np.arange(n_days) * observatory.DAY
    last = np.datetime64(min(kp.index[-1] + pd.Timedelta("3h"), dst.index[-1] + pd.Timedelta("1h")))
    days = days[days + length <= last]
    kp_max, dst_min = space_weather.window_indices(kp, dst, days, days + length)
    return float(((kp_max < observatory.STORM_KP) & (dst_min > observatory.STORM_NT)).mean())


def memory_table(memory_gb: float) -> pd.DataFrame:
    """Tell what the full network takes for each length of window.

    Returns
    -------
    DataFrame
        By length: `parameters`, `first_layer_mb` and `step_mb` of 32 windows, `batch`: the largest that fits
        into the memory, 0 where none does.
    """
    rows = {}
    for length, n in minutes.LENGTHS.items():
        count = int(cnn.parameter_table(n)["parameters"].sum())
        try:
            batch = cnn.batch_for_memory(n, int(memory_gb * 1e9))
        except InputError:                        # not even one window
            batch = 0
        rows[length] = {"parameters": count, "first_layer_mb": cnn.first_layer_bytes(n, 32) / 1e6,
                        "step_mb": cnn.step_bytes(n, 32) / 1e6, "batch": batch}
    return pd.DataFrame(rows).T


def stream_curve(seed: int, sizes: tuple[int, ...], effect: float = 1.5, n_features: int = 20) -> list[float]:
    """Accuracy of a logistic regression on 500 fresh events of a stream of known truth, by training events.

    Parameters
    ----------
    seed : int
    sizes : tuple of int
        Events (three windows each) trained on, the first of one stream.
    effect, n_features
        As in `updating.toy_stream`.
    """
    x, y, _, _ = updating.toy_stream(max(sizes), seed, n_features=n_features, effect=effect)
    other = int(config.rng(seed, "stream curve").integers(2**31))
    x_test, y_test, _, _ = updating.toy_stream(500, other, n_features=n_features, effect=effect)
    return [float((LogisticRegression().fit(x[:3 * n], y[:3 * n]).predict(x_test) == y_test).mean())
            for n in sizes]

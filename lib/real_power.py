"""How strong a planted signal has to be in real noise, and what a detector does where nothing is (layer 6).

One draw: random dates become pseudo-events, a signal of known amplitude is added to their nights, a logistic
regression on band power is scored held out. The same draw is used at every amplitude. Unit: the pseudo-event,
one night of one station. Source: validity.md A3, A7, B4, D2.
"""

import numpy as np
import pandas as pd
from scipy.signal import welch
from scipy.stats import binomtest, spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib import config, intervals, metrics, splits
from lib.earth import planted, pseudo
from lib.files import InputError

BANDS_HZ = ((0.0005, 0.001), (0.001, 0.002), (0.002, 0.004), (0.004, 0.0083))   # the first holds no signal
SEGMENT = 64                  # samples of 60 s: 0.26 mHz
FLOOR = 1e-6                  # nT^2/Hz, below any instrument
FOLDS = 5
LEVEL = 0.05                  # of the sign test
DUTY = (0.3, 1.0)             # share of each hour that the burst fills, drawn for each event (C8)
WEEK = 7                      # nights: blocks that are resampled against serial correlation


def band_power(x: np.ndarray, sampling_s: float = 60.0) -> np.ndarray:
    """Log10 power of every component in four bands of each night, (N, 3, n) -> (N, 12).

    Mean over Welch's half-overlapping segments of 64 samples, Hann, line removed.
    """
    f, p = welch(x, 1 / sampling_s, "hann", SEGMENT, detrend="linear", axis=-1)
    inside = [(f >= low) & (f < high) for low, high in BANDS_HZ]
    power = np.stack([p[..., band].mean(-1) for band in inside], -1)       # (N, 3, bands)
    return np.log10(np.maximum(power, FLOOR)).reshape(len(x), -1)


def band_rms(x: np.ndarray, sampling_s: float = 60.0) -> np.ndarray:
    """Root mean square of every component in the planted band, nT, (N, 3, n) -> (N, 3).

    From the same spectra as `band_power`, summed over 1 to 8 mHz.
    """
    f, p = welch(x, 1 / sampling_s, "hann", SEGMENT, detrend="linear", axis=-1)
    low, high = planted.BAND_HZ
    return np.sqrt(p[..., (f >= low) & (f <= high)].sum(-1) * f[1])


def draw_windows(records: list, seed: int, n_events: int | None = None, bearing_deg: float = 0.0,
                 duty: float | tuple = DUTY, quiet_kp: float | None = None
                 ) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Place pseudo-events in one or more records of a station; return windows, nights and unit signals.

    Parameters
    ----------
    records : list of (nights, x)
        From `pseudo.cut_nights`.
    seed : int
    n_events : int, optional
        In each record.
    bearing_deg : float
    duty : float or (low, high)
    quiet_kp : float, optional
        See `pseudo.matched_nights`.

    Returns
    -------
    windows : DataFrame, N rows
    x : array, shape (N, 3, n)
    unit : array, shape (N, 3, n)
        Signal of amplitude 1 nT; zero in quiet nights.
    """
    shape = planted.make_shape(duty, **pseudo.ONE_NIGHT)
    tables, nights, units = [], [], []
    for table, x in records:
        windows = pseudo.matched_nights(table, seed, n_events, quiet_kp)
        unit = np.zeros((len(windows), *x.shape[1:]))
        for i in np.flatnonzero(windows.event_id != ""):
            unit[i] = planted.signal(windows.event_time[i], windows.start[i], x.shape[-1], seed, shape,
                                     bearing_deg)
        tables.append(windows)
        nights.append(x[windows.night])
        units.append(unit)
    return pd.concat(tables, ignore_index=True), np.concatenate(nights), np.concatenate(units)


def score_draw(records: list, amplitudes, seed: int, protocols=("P2", "P5"), n_events: int | None = None,
               bearing_deg: float = 0.0, quiet_kp: float | None = None) -> list[dict]:
    """Score one draw of pseudo-events at every amplitude under every protocol.

    A protocol that the record is too short for (an embargo of 30 days in a month of data) gives no row.
    `records`, `seed`, `n_events`, `bearing_deg` and `quiet_kp` as in `draw_windows`.

    Returns
    -------
    list of dict
        seed, protocol, amplitude_nt, mcc, accuracy, p (`sign_p`), n_events.
    """
    windows, x, unit = draw_windows(records, seed, n_events, bearing_deg, quiet_kp=quiet_kp)
    truth = (windows.event_id.to_numpy() != "").astype(np.int64)
    folds = {protocol: found for protocol in protocols if (found := _folds(windows, protocol, seed))}
    rows = []
    for amplitude in amplitudes:
        features = band_power(x + float(amplitude) * unit)
        for protocol, split in folds.items():
            y = np.empty_like(truth)                     # P2 and P5 test every window once
            for train, test in split:
                y[test] = fit(features[train], truth[train]).predict(features[test])
            matrix = metrics.confusion(truth, y, 2)
            rows.append({"seed": seed, "protocol": protocol, "amplitude_nt": float(amplitude),
                         "mcc": float(metrics.mcc(matrix)), "accuracy": float(metrics.accuracy(matrix)),
                         "p": sign_p(truth, y, windows.set_id.to_numpy()), "n_events": int(truth.sum())})
    return rows


def sign_p(truth: np.ndarray, predicted: np.ndarray, pair: np.ndarray) -> float:
    """One-sided p of predictions for matched pairs, by the night of the pair that had the alarm.

    Under the null the labels of a pair may change places. Pairs with an alarm in both nights or in none say
    nothing; among the others the alarm is in the event night as often as a coin shows heads. That is the
    permutation test of the MCC inside pairs, without drawing. Given the predictions; not refitted.

    >>> sign_p([1, 0, 1, 0, 1, 0], [1, 0, 1, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
    0.125
    """
    table = pd.DataFrame({"pair": pair, "event": np.asarray(truth, bool),
                          "alarm": np.asarray(predicted, bool)})
    alarm = table.pivot(index="pair", columns="event", values="alarm")
    right, wrong = int((alarm[True] & ~alarm[False]).sum()), int((alarm[False] & ~alarm[True]).sum())
    return float(binomtest(right, right + wrong, alternative="greater").pvalue) if right + wrong else 1.0


def _folds(windows, protocol, seed):
    """Folds, or None where time blocks with an embargo leave a fold nothing, or one class, to train on."""
    try:
        found = splits.folds(windows, protocol, FOLDS, seed, on_absent="raise")
    except InputError:
        return None
    return found


def fit(features: np.ndarray, truth: np.ndarray):
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky")).fit(features, truth)


def power_curve(draws: pd.DataFrame) -> pd.DataFrame:
    """Summarise draws by amplitude: mean MCC with its middle 95 % over draws, share with p at or below 0.05.

    Parameters
    ----------
    draws : DataFrame
        Rows of `score_draw` of one record and protocol.

    Returns
    -------
    DataFrame
        amplitude_nt, mcc, low, high, power, power_low, power_high (Clopper-Pearson), n_draws, n_events
        (mean).
    """
    rows = []
    for amplitude, some in draws.groupby("amplitude_nt"):
        hits, n = int((some.p <= LEVEL).sum()), len(some)
        share = intervals.clopper_pearson(hits, n, "draw")
        low, high = np.quantile(some.mcc, (0.025, 0.975))
        rows.append({"amplitude_nt": amplitude, "mcc": some.mcc.mean(), "low": low, "high": high,
                     "power": hits / n, "power_low": share.low, "power_high": share.high, "n_draws": n,
                     "n_events": some.n_events.mean()})
    return pd.DataFrame(rows)


def amplitude_at(draws: pd.DataFrame, seed: int, power: float = 0.8, resamples: int = 1000) -> dict:
    """Amplitude at which the power curve crosses a level, with an interval over draws.

    The curve is made monotone (pool adjacent violators) and interpolated; draws are resampled whole, with
    all their amplitudes. The draws share one record: the interval says how well this record's number is
    known, not how it would differ in another year.

    Returns
    -------
    dict
        nt, low, high (None where the level is not reached within the amplitudes), violation: the largest
        fall of the raw curve between neighbouring amplitudes.
    """
    wide = draws.pivot(index="seed", columns="amplitude_nt", values="p").le(LEVEL).to_numpy(float)
    amplitude = np.sort(draws.amplitude_nt.unique())
    raw, n = wide.mean(0), len(wide)
    weights = config.rng(seed, "amplitude_at").multinomial(n, np.full(n, 1 / n), size=resamples) / n
    crossed = [_crossing(amplitude, curve, power) for curve in _monotone(weights @ wide)]
    low, high = np.quantile(crossed, (0.025, 0.975), method="nearest")
    found = {"nt": _crossing(amplitude, _monotone(raw[None])[0], power), "low": low, "high": high}
    return {k: float(v) if np.isfinite(v) else None for k, v in found.items()} | {
        "violation": float(max(0.0, -np.diff(raw).min()))}


def _monotone(curves):
    """Isotonic regression of each row (R, A), as max over i <= k of min over j >= k of the mean of i..j."""
    n = curves.shape[1]
    i, j = np.arange(n)[:, None], np.arange(n)
    total = np.pad(np.cumsum(curves, axis=1), ((0, 0), (1, 0)))
    mean = np.where(j >= i, (total[:, None, 1:] - total[:, :-1, None]) / np.maximum(j - i + 1, 1), np.inf)
    least = np.minimum.accumulate(mean[..., ::-1], axis=-1)[..., ::-1]           # over j >= k
    return np.where(i <= j, least, -np.inf).max(axis=1)


def _crossing(amplitude, curve, power):
    """First amplitude at which a monotone curve reaches a level; inf if it never does."""
    reached = curve >= power - 1e-9          # sums of shares miss 0.8 by a rounding
    if not reached.any():
        return np.inf
    k = int(np.argmax(reached))
    if k == 0:
        return float(amplitude[0])
    share = (power - curve[k - 1]) / (curve[k] - curve[k - 1])
    return float(amplitude[k - 1] + share * (amplitude[k] - amplitude[k - 1]))


def untouched_scores(train: list, watch: tuple, amplitude_nt: float, seeds) -> np.ndarray:
    """Scores that detectors trained on planted nights give to every night of another record, nothing planted.

    Parameters
    ----------
    train : list of (nights, x)
    watch : (nights, x)
        Of another year: no night is in both.
    amplitude_nt : float
        Planted in training.
    seeds : iterable of int
        One detector each; their log odds are averaged.

    Returns
    -------
    array, shape (N,)
        Mean log odds of "planted".
    """
    features, total = band_power(watch[1]), np.zeros(len(watch[1]))
    for seed in seeds:
        windows, x, unit = draw_windows(train, seed)
        truth = (windows.event_id != "").to_numpy(int)
        total += fit(band_power(x + amplitude_nt * unit), truth).decision_function(features)
    return total / len(seeds)


def against_kp(score, kp, seed: int, share: float = 0.1, resamples: int = 1000) -> dict:
    """Compare a nightly score with Kp: rank correlation, and Kp of its top decile, intervals over weeks.

    Parameters
    ----------
    score, kp : array, shape (N,), in order of time
        Nights with NaN in either are left out.
    seed : int
    share : float
        Of nights that raise an alarm.

    Returns
    -------
    dict
        n, rho, low, high (Spearman); n_alarms, kp_alarms, kp_others (means).
    """
    score, kp = np.asarray(score, float), np.asarray(kp, float)
    known = np.isfinite(score) & np.isfinite(kp)
    week = np.arange(score.size)[known] // WEEK
    score, kp = score[known], kp[known]
    interval = intervals.cluster_bootstrap(lambda rows: spearmanr(score[rows], kp[rows]).statistic, week,
                                           resamples, config.rng(seed, "against_kp"), "week")
    alarm = score >= np.quantile(score, 1 - share)
    return {"n": int(score.size), "rho": float(spearmanr(score, kp).statistic), "low": interval.low,
            "high": interval.high, "n_alarms": int(alarm.sum()), "kp_alarms": float(kp[alarm].mean()),
            "kp_others": float(kp[~alarm].mean())}

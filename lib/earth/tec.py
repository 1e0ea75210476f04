"""A synthetic ionosphere: hourly TEC above one point, with planted anomalies (layer 1; validity.md C10)."""

import math

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from lib.config import rng
from lib.earth import heliosphere, seismicity
from lib.earth.stations import distance_azimuth, dobrovolsky_km
from lib.files import InputError

STATION = "TEC"
DEGREES_PER_HOUR = 15.0
F107_NOISE_SFU, F107_PHI = 5.0, 0.9          # C10 leaves the AR(1) of F10.7 open [D]
LEAST_STORM = 0.3                            # the factor of a storm never falls below this [D]
ANOMALY = 0.15                               # of TEC, at snr 1 (C10)
ANOMALY_DAYS = (-5, -1)                      # local days relative to the earthquake's, inclusive (C10)
ANOMALY_MAGNITUDE = 6.0                      # smallest earthquake with an anomaly (C10)
VARIANTS = {"afternoon": (12, 18, -1), "positive": (12, 18, 1), "morning": (6, 12, -1)}   # LT, LT, sign
# (longitude, latitude) of the earthquakes between the Kurils and Izu, coarse [M]
TRENCH = ((149.0, 44.5), (146.0, 43.0), (143.5, 41.3), (143.0, 40.0), (142.5, 38.7), (142.0, 37.5),
          (141.4, 36.3), (141.2, 35.0), (141.0, 33.5), (141.3, 31.0))


class TECWorld:
    """Hourly TEC above one point, with solar cycle, seasons, storms, earthquakes and planted anomalies.

    The ionosphere does not know the earthquakes; at snr 0 not even their distances are computed, and the
    TEC is that of a world without any.

    Parameters
    ----------
    seed : int
        Same seed, same world.
    start : str or datetime-like
        First day, UTC; taken at midnight.
    years : float
        Length, > 0.
    snr : float
        Depth of the planted anomaly in units of 15 % of TEC, from 0 to 6.
    variant : {"afternoon", "positive", "morning"}
        Depletion at 12-18 LT, enhancement then, or depletion at 6-12 LT, on the five local days before
        earthquakes of M >= 6 within 10^(.43 M) km.
    latitude, longitude : float
        The point, degrees.
    clustering : {"etas", "poisson"}
        Families of aftershocks, so that earthquakes bunch in time, or independent earthquakes.
    rate_m5_per_year, branching : float
        As in `seismicity.simulate_catalog`; .8 makes sequences longer and the bunching stronger.
    catalog : pandas.DataFrame, optional
        Earthquakes of your own instead of simulated ones.

    Attributes
    ----------
    series : pandas.Series
        TEC in TECU, rounded to .1, by hour (UTC).
    f107 : pandas.Series
        F10.7 in solar flux units, by day.
    kp, dst : pandas.Series
        Three-hourly Kp and hourly Dst (nT).
    catalog, stations : pandas.DataFrame
        Earthquakes; the one point, as a table of stations.

    Raises
    ------
    InputError
        For a span, snr, variant, place or clustering that cannot be used.

    Notes
    -----
    Source: validity.md C10. With F10.7 from 65 to 190 the formula gives 4 to 40 TECU at noon and 1 to 8 at
    night in 98 % of days: below the stated targets (10-60, 3-12) around solar minimum.

    When not to use: for places near the magnetic equator (there is no anomaly crest), as a map, or as
    evidence that precursors exist. A world with snr > 0 tests methods, not nature.

    Examples
    --------
    >>> world = TECWorld(1, "2012-01-01", 0.5)
    >>> len(world.series), world.series.name
    (4392, 'tec')
    """

    def __init__(self, seed: int, start="1999-01-01", years: float = 23.0, snr: float = 0.0,
                 variant: str = "afternoon", latitude: float = 36.5, longitude: float = 142.0,
                 clustering: str = "etas", *, rate_m5_per_year: float = 130.0, branching: float = 0.5,
                 catalog: pd.DataFrame | None = None):
        _check(seed, years, snr, variant, latitude, longitude)
        start = pd.Timestamp(start).normalize()
        days = math.ceil(years * seismicity.DAYS_PER_YEAR)
        self.seed, self.snr, self.variant = seed, float(snr), variant
        self.stations = pd.DataFrame({"code": [STATION], "latitude": [float(latitude)],
                                      "longitude": [float(longitude)]})
        self.catalog = catalog if catalog is not None else simulate_japan(
            seed, start, years, clustering, rate_m5_per_year=rate_m5_per_year, branching=branching)
        self.kp, self.dst = heliosphere.simulate_indices(seed, start, days)
        self.f107 = simulate_f107(seed, start, days)
        tec = background(seed, self.f107, self.dst, longitude)
        if self.snr:
            tec = tec * anomaly(self.dst.index, self.catalog, self.snr, variant, latitude, longitude)
        self.series = pd.Series(np.round(tec, 1), index=self.dst.index, name="tec")


def simulate_f107(seed: int, start, days: int) -> pd.Series:
    """Simulate daily F10.7 in solar flux units: cycle, 27-day rotation and AR(1) noise (C10).

    70 + 100 c + 15 sqrt(c) cos(2 pi t / 27 d + phase) + AR(1), c from `heliosphere.solar_cycle`.
    """
    index = pd.date_range(pd.Timestamp(start), periods=days, freq="D", unit="ns")
    phase = rng(seed, "tec", "rotation").uniform(0, 2 * np.pi)
    rotation = np.sqrt(heliosphere.solar_cycle(index)) * np.cos(2 * np.pi * np.arange(days) / 27 + phase)
    noise = _autoregressive(seed, "f107", days, F107_PHI, F107_NOISE_SFU)
    return pd.Series(heliosphere.f107_sfu(index) + 15 * rotation + noise, index=index, name="f107")


def quiet_tec(f107_sfu, day_of_year, local_time_h) -> np.ndarray:
    """Quiet TEC in TECU of a mid-latitude place (validity.md C10); the arguments broadcast.

    max(1, [4 + .22 (F - 60)] season diurnal), season = 1 + .18 cos(4 pi (doy - 80) / 365)
    + .10 cos(2 pi (doy - 15) / 365), diurnal = .18 + .82 max(0, cos(.92 2 pi (LT - 14) / 24))^1.3.

    >>> float(quiet_tec(160.0, 80.0, 14.0).round(3))
    31.815
    """
    doy = np.asarray(day_of_year, float)
    season = 1 + 0.18 * np.cos(4 * np.pi * (doy - 80) / 365) + 0.10 * np.cos(2 * np.pi * (doy - 15) / 365)
    from_peak = (np.asarray(local_time_h, float) - 14 + 12) % 24 - 12
    sun = np.maximum(0, np.cos(0.92 * 2 * np.pi * from_peak / 24)) ** 1.3
    return np.maximum(1, (4 + 0.22 * (np.asarray(f107_sfu) - 60)) * season * (0.18 + 0.82 * sun))


def storm_factor(dst_nt: np.ndarray) -> np.ndarray:
    """Factor of a storm on TEC: a positive phase of hours, then a depletion of a day (validity.md C10).

    1 + .6 lp5h(u) - .5 lp20h(u, 12 h later), u = max(0, -Dst - 40) / 100; lp are exponential averages over
    the past. Hourly values in, hourly values out.
    """
    u = np.maximum(0, -np.asarray(dst_nt, float) - 40) / 100
    late = np.concatenate([np.zeros(12), u])[:len(u)]
    return np.maximum(LEAST_STORM, 1 + 0.6 * _low_pass(u, 5) - 0.5 * _low_pass(late, 20))


def background(seed: int, f107: pd.Series, dst: pd.Series, longitude: float) -> np.ndarray:
    """Make hourly TEC without earthquakes, TECU, not rounded.

    Quiet TEC times exp(AR(1), .6, sd .15) from one local day to the next, times exp(AR(1), .7, sd .06) from
    hour to hour, times the storm factor (C10).
    """
    day, hour = local_days(dst.index, longitude)
    day -= day[0]
    # a local day that has begun before the first UTC day has the F10.7 of that day; likewise at the end
    values = f107.to_numpy()[np.clip(day, 0, len(f107) - 1)]
    doy = (dst.index + pd.Timedelta(hours=longitude / DEGREES_PER_HOUR)).day_of_year
    daily = _autoregressive(seed, "day", len(f107) + 1, 0.6, 0.15)[day]
    hourly = _autoregressive(seed, "hour", len(dst), 0.7, 0.06)
    return quiet_tec(values, doy, hour) * np.exp(daily + hourly) * storm_factor(dst.to_numpy())


def anomaly(hours: pd.DatetimeIndex, catalog: pd.DataFrame, snr: float, variant: str, latitude: float,
            longitude: float) -> np.ndarray:
    """Factor of the planted anomalies on hourly TEC, 1 where there is none (validity.md C10).

    On local days -5 to -1 of an earthquake, in the local hours of the variant; where several earthquakes
    claim an hour it is changed once.
    """
    large = catalog[catalog["magnitude"] >= ANOMALY_MAGNITUDE]
    distance_km, _ = distance_azimuth(latitude, longitude, large["latitude"].to_numpy(),
                                      large["longitude"].to_numpy())
    near = large[distance_km < dobrovolsky_km(large["magnitude"].to_numpy())]
    event_day, _ = local_days(pd.DatetimeIndex(near["time"]), longitude)
    claimed = (event_day[:, None] + np.arange(ANOMALY_DAYS[0], ANOMALY_DAYS[1] + 1)).ravel()
    day, hour = local_days(hours, longitude)
    first, last, sign = VARIANTS[variant]
    return 1 + sign * snr * ANOMALY * (np.isin(day, claimed) & (hour >= first) & (hour < last))


def local_days(times: pd.DatetimeIndex, longitude: float) -> tuple[np.ndarray, np.ndarray]:
    """Return local day number since 1970 and local time in hours of UTC times: LT = UT + longitude / 15.

    >>> day, hour = local_days(pd.DatetimeIndex(["1970-01-01T15:00"]), 142.0)
    >>> int(day[0]), round(float(hour[0]), 3)
    (1, 0.467)
    """
    hours = times.to_numpy("datetime64[ns]").astype(np.int64) / 3600e9 + longitude / DEGREES_PER_HOUR
    day = np.floor(hours / 24).astype(np.int64)
    return day, hours - 24 * day


def simulate_japan(seed: int, start, years: float, clustering: str = "etas", *,
                   rate_m5_per_year: float = 130.0, branching: float = 0.5) -> pd.DataFrame:
    """Simulate earthquakes of M >= 4.5 east of Japan: those of `seismicity`, each family moved as a whole.

    Times, magnitudes, depths and the distances within a family stay; its first event goes to a random place
    along `TRENCH` with the scatter of C7. Parameters, errors and columns as `seismicity.simulate_catalog`.
    """
    catalog = seismicity.simulate_catalog(seed, start, years, clustering, branching=branching,
                                          rate_m5_per_year=rate_m5_per_year)
    family, code = np.unique(catalog["cluster_id"], return_inverse=True)
    leader = np.unique(code, return_index=True)[1]                      # first in time
    generator = rng(seed, "tec", "trench")
    longitude, latitude = np.transpose(TRENCH)
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(longitude), np.diff(latitude)))])
    at = generator.uniform(0, along[-1], len(family))
    scatter = generator.normal(0, seismicity.SCATTER_DEG, (2, len(family)))
    old_longitude, old_latitude = catalog["longitude"].to_numpy(), catalog["latitude"].to_numpy()
    new_latitude = ((np.interp(at, along, latitude) + scatter[0])[code]
                    + old_latitude - old_latitude[leader][code])
    # a kilometre is more degrees of longitude here than near the equator
    east = (old_longitude - old_longitude[leader][code]) / np.cos(np.radians(new_latitude[leader][code]))
    new_longitude = (np.interp(at, along, longitude) + scatter[1])[code] + east
    # the power law of distances has a tail that would leave the globe
    return catalog.assign(latitude=np.clip(new_latitude, -89.0, 89.0),
                          longitude=(new_longitude + 180) % 360 - 180)


def _check(seed, years, snr, variant, latitude, longitude):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError("TECWorld", "seed", seed, "a whole number, at least 0")
    if not (np.isfinite(years) and years > 0):
        raise InputError("TECWorld", "years", years, "a positive number")
    if not 0 <= snr <= 6:
        raise InputError("TECWorld", "snr", snr, "a number from 0 to 6: 6 leaves a tenth of the TEC")
    if variant not in VARIANTS:
        raise InputError("TECWorld", "variant", variant, ", ".join(VARIANTS))
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise InputError("TECWorld", "latitude, longitude", (latitude, longitude),
                         "degrees from -90 to 90 and -180 to 180")


def _low_pass(values, hours):
    keep = math.exp(-1 / hours)
    return lfilter([1 - keep], [1, -keep], values)


def _autoregressive(seed, name, n, phi, sd):
    """Stationary AR(1) noise, (n,); a longer one has the same beginning."""
    draws = rng(seed, "tec", name).standard_normal(n) * sd * math.sqrt(1 - phi**2)
    draws[0] /= math.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], draws)

"""The synthetic Earth of the magnetic studies: any stretch of any station's record, on demand (layer 1)."""

import dataclasses
import math
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from lib.earth import artefacts as instruments
from lib.earth import background, heliosphere, precursor, seismicity, streams
from lib.earth.stations import indonesian_stations
from lib.files import InputError
from lib.studies import WorldSpec


class World:
    """A seeded network of 1 Hz magnetometers with earthquakes, space weather and planted precursors.

    Nothing is stored: `window` makes any stretch of any station anew, in any order, with the same bits.
    The background does not know the earthquakes; at snr 0 their stream is not even drawn.

    Parameters
    ----------
    seed : int
        Same seed, same world.
    spec : WorldSpec
        Time span, precursor and clustering.
    stations : pandas.DataFrame, optional
        code, latitude, longitude, h_nt, z_nt, dip_latitude_deg; default the Indonesian network.
    catalog : pandas.DataFrame, optional
        Earthquakes of your own instead of simulated ones.
    physics : background.Physics, optional
        Constants of the background.
    shape : precursor.Shape, optional
        Lead window, duty cycle and reach of the precursor.
    artefacts : artefacts.Artefacts, optional
        What instruments and culture add (C6), gaps included; default nothing, and the bits are the same.

    Attributes
    ----------
    catalog, stations : pandas.DataFrame
    kp, dst : pandas.Series
        Three-hourly Kp and hourly Dst (nT).

    Raises
    ------
    InputError
        For a seed, span, snr, source, law or clustering that cannot be used.

    Notes
    -----
    Source: validity.md C0 to C8. Artefacts have a random stream of their own: switching them on changes
    neither the field nor the precursors below them.

    When not to use: as evidence that precursors exist. A world with snr > 0 tests methods, not nature.

    Examples
    --------
    >>> world = World(1, WorldSpec(start="2020-01-01", years=0.1, snr=0.0))
    >>> world.window("SCN", "2020-01-05T14:00", 60).shape
    (3, 60)
    """

    def __init__(self, seed: int, spec: WorldSpec | None = None, stations: pd.DataFrame | None = None,
                 *, catalog: pd.DataFrame | None = None, physics: background.Physics | None = None,
                 shape: precursor.Shape | None = None, artefacts: instruments.Artefacts | None = None):
        self.seed, self.spec = _seed(seed), spec or WorldSpec()
        self.physics, self.shape = physics or background.Physics(), shape or precursor.Shape()
        self.artefacts = artefacts
        self.stations = indonesian_stations() if stations is None else stations
        self._given = (seed, spec, stations, catalog, physics, shape, artefacts)
        self._first_s = streams.whole_second(self.spec.start) // streams.HOUR_S * streams.HOUR_S
        if not self.spec.years > 0:
            raise InputError("WorldSpec", "years", self.spec.years, "a positive number")
        self._days = math.ceil(self.spec.years * seismicity.DAYS_PER_YEAR)
        start = pd.Timestamp(self._first_s, unit="s")
        self.catalog = catalog if catalog is not None else seismicity.simulate_catalog(
            self.seed, start, self.spec.years, self.spec.clustering)
        self.kp, self.dst = heliosphere.simulate_indices(self.seed, start, self._days)
        _snr(self.spec.snr)
        precursor.effects(self.catalog.iloc[:0], 0.0, 0.0, self.seed, self.spec.source,
                          self.spec.amplitude_law, self.shape)        # refuses unknown names now, not later
        self._common = lru_cache(maxsize=64)(self._draw_common)
        self._block = lru_cache(maxsize=32)(self._make_block)
        self._place = lru_cache(maxsize=None)(self._draw_place)

    def __reduce__(self):
        """Pickle what the world is made from: a worker makes the same world."""
        return _again, self._given

    def window(self, station: str, start, n: int, snr: float | None = None) -> np.ndarray:
        """Record of one station: background, and precursors if snr is not 0.

        Parameters
        ----------
        station : str
            Code of a row of `stations`.
        start : str or datetime-like
            First sample, UTC, a whole second.
        n : int
            Samples, 1 Hz.
        snr : float, optional
            Amplitude of the precursors in units of sigma0 (.03 nT); default `spec.snr`.

        Returns
        -------
        numpy.ndarray
            float32 (3, n), nT; H, D, Z = north, east, down. NaN in gaps of `artefacts` only.

        Raises
        ------
        InputError
            For an unknown station, a time outside the world or a bad length or snr.
        """
        snr = _snr(self.spec.snr if snr is None else snr)
        place = self._place(station)
        first_s, n = streams.whole_second(start), streams.positive_count(n)
        end_s = self._first_s + 86400 * self._days
        if first_s < self._first_s or first_s + n > end_s:
            span = f"{pd.Timestamp(self._first_s, unit='s')} to {pd.Timestamp(end_s, unit='s')}"
            raise InputError("World.window", "start and n", f"{start} + {n} s", f"times from {span}")
        out = np.empty((3, n), np.float32)
        for hour, here, there in streams.hour_slices(first_s, n):
            record = self._background_hour(station, hour)
            if snr:
                planted = precursor.effect_hour(place.effects, hour, self.seed, self.spec.source, self.shape)
                if planted is not None:
                    record = record + np.float32(snr) * planted
            if self.artefacts:
                record = instruments.apply_hour(record, place.history, hour, self.seed, self.artefacts)
            out[:, there] = record[:, here]
        return out + place.constant_nt

    def station_constants(self, station: str) -> background.Station:
        """Return the drawn gain, orientation, tipper and noise of a station: its true fingerprint."""
        return self._place(station).constants

    def effects(self, station: str) -> precursor.Effects:
        """Return which earthquakes reach a station, with their amplitudes on H, D, Z at snr 1."""
        return self._place(station).effects

    def _background_hour(self, station, hour):
        """Record of one hour less its constant, without precursors, float32 (3, 3600)."""
        place = self._place(station).constants
        record = streams.joined_hour(lambda h: self._block(station, h), hour)
        i = hour - self._first_s // streams.HOUR_S
        if self.physics.sq:
            record += background.sq_hour(place, hour, self.seed, self.physics)
        if self.physics.dst:
            record[0] += np.float32(self.physics.dst) * background.ring_current_hour(
                place, self._dst_padded[i:i + 3], hour, *self._commencements)
        if self.physics.pi2_per_hour:
            pi2 = background.pi2_hour(place, hour, self.seed, self.physics)
            record = record if pi2 is None else record + pi2
        return record

    def _draw_common(self, hour):
        return background.common_spectrum(self.seed, hour)

    def _make_block(self, station, hour):
        place = self._place(station)
        i = hour + 1 - self._first_s // streams.HOUR_S             # the block's middle
        return background.station_block(place.constants, self._common(hour), hour, self._kp_hourly[i],
                                        place.levels[i // 24], self.seed, self.physics)

    def _draw_place(self, code):
        """Everything of one station that does not change from hour to hour."""
        rows = self.stations[self.stations["code"] == code]
        if len(rows) != 1:
            raise InputError("World.window", "station", code, ", ".join(self.stations["code"]))
        row = rows.iloc[0].to_dict()
        constants = background.draw_station(row, self.seed, self.physics)
        return _Place(
            constants,
            background.daily_levels(constants, self.seed, self._days + 1, self.physics),
            precursor.effects(self.catalog, row["latitude"], row["longitude"], self.seed,
                              self.spec.source, self.spec.amplitude_law, self.shape),
            np.array([[row["h_nt"]], [0.0], [row["z_nt"]]], np.float32),
            self.artefacts and instruments.draw_history(constants, self.seed, self._first_s, self._days,
                                                        self.artefacts))

    @cached_property
    def _kp_hourly(self):
        """Kp at every full hour, joined linearly between the middles of its intervals."""
        hours = np.arange(24 * self._days + 1)
        return np.interp(hours, 3 * np.arange(len(self.kp)) + 1.5, self.kp.to_numpy())

    @cached_property
    def _dst_padded(self):
        return np.pad(self.dst.to_numpy(), 1, mode="edge")

    @cached_property
    def _commencements(self):
        """Onsets (s since 1970) and steps (nT) of sudden commencements."""
        storms = heliosphere.simulate_storms(self.seed, self.kp.index[0], self._days)
        return (self._first_s + streams.HOUR_S * storms["onset_h"].to_numpy(),
                storms["commencement_nt"].to_numpy())


@dataclasses.dataclass(frozen=True)
class _Place:
    constants: background.Station
    levels: np.ndarray             # (days + 1, 3)
    effects: precursor.Effects
    constant_nt: np.ndarray        # (3, 1) main field
    history: instruments.History | None


def _again(seed, spec, stations, catalog, physics, shape, artefacts):
    return World(seed, spec, stations, catalog=catalog, physics=physics, shape=shape, artefacts=artefacts)


def _seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError("World", "seed", seed, "a whole number, at least 0")
    return int(seed)


def _snr(snr):
    if not (isinstance(snr, (int, float, np.number)) and math.isfinite(snr) and snr >= 0):
        raise InputError("World", "snr", snr, "a finite number, at least 0")
    return float(snr)

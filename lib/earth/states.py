"""A sensor that jumps between two states, told apart from a storm and from spikes (layer 1)."""

import numpy as np
import pandas as pd
import xarray as xr

from lib.files import InputError

# Two states of a sensor [D]: medians this far apart, in nT and in robust standard deviations of either state;
# each with this share of the samples; and few samples between them. The Halloween storm of 2003 at
# Eskdalemuir has one state, Kodiak's sensor two, 180 000 nT apart (tests).
STATE_NT, STATE_SPREADS, STATE_SHARE, BETWEEN_SHARE = 1000.0, 10.0, 1e-4, 0.25


def state_jumps(record: xr.Dataset) -> pd.DataFrame:
    """Find components whose sensor has two states: two levels far apart with nearly nothing between them.

    Levels are found by two medians, starting from the smallest and the largest value; a storm moves a
    component along a continuum and so has no second level, and spikes are too few to be one.

    Returns
    -------
    DataFrame
        component, level_nt and other_nt (median of the commoner and the rarer state), share (of the samples
        in the rarer one), jumps (changes of state), jumping (bool: the thresholds of this module are met).

    When not to use: to correct baselines. A single jump may be a real change of the instrument's base.

    Examples
    --------
    >>> x = np.r_[np.zeros(90), np.full(10, -5000.0)] + np.arange(100) % 2
    >>> time = np.datetime64("2016-01-01", "ns") + np.arange(100) * np.timedelta64(60, "s")
    >>> table = state_jumps(xr.Dataset({c: ("time", x) for c in "HDZ"}, {"time": time}))
    >>> print(table.tail(1).to_string(index=False))
    component  level_nt  other_nt  share  jumps  jumping
            Z       0.5   -4999.5    0.1      1     True
    """
    rows = [(c, *_two_states(record[c].values)[:5]) for c in "HDZ"]
    return pd.DataFrame(rows, columns=["component", "level_nt", "other_nt", "share", "jumps", "jumping"])


def _two_states(x):
    """Median of the commoner and the rarer state, share of that, jumps, whether it is one; who is in it."""
    finite = np.isfinite(x)
    good = x[finite]
    rare = np.zeros(len(x), bool)
    if not good.size or np.ptp(good) <= STATE_NT:
        return (float(np.median(good)) if good.size else np.nan), np.nan, 0.0, 0, False, rare
    cut = (good.min() + good.max()) / 2
    for _ in range(50):
        low = good <= cut
        levels = np.median(good[low]), np.median(good[~low])
        new = sum(levels) / 2
        if new == cut:
            break
        cut = new
    low = good <= cut
    in_rare = low if low.mean() <= 0.5 else ~low
    apart = abs(levels[1] - levels[0])
    spread = max(1.4826 * np.median(np.abs(good[side] - np.median(good[side]))) for side in (low, ~low))
    between = np.abs(good - cut) < apart / 4
    share = float(in_rare.mean())
    jumping = (apart > max(STATE_NT, STATE_SPREADS * spread) and share >= STATE_SHARE
               and in_rare.sum() >= 3 and between.sum() <= BETWEEN_SHARE * in_rare.sum())
    rare[np.flatnonzero(finite)[in_rare]] = True
    return (float(np.median(good[~in_rare])), float(np.median(good[in_rare])), share,
            int(np.count_nonzero(np.diff(in_rare.astype(np.int8)))), bool(jumping), rare)


def _range(x):
    """Largest less smallest value; 0 where there is none."""
    good = x[np.isfinite(x)]
    return np.ptp(good) if good.size else 0.0


def settle_states(record: xr.Dataset, states: str = "refuse") -> tuple[xr.Dataset, int]:
    """Refuse, mask or keep the samples of a second state.

    Parameters
    ----------
    record : xarray.Dataset
    states : {"refuse", "mask", "keep"}
        ``"mask"`` makes every component NaN where one is in its rarer state.

    Returns
    -------
    record, number of samples masked

    Raises
    ------
    InputError
        "state-jumping sensor", with its levels, share and jumps.
    """
    if states not in ("refuse", "mask", "keep"):
        raise InputError("settle_states", "states", states, "refuse, mask or keep")
    if states == "keep":
        return record, 0
    wide = [c for c in "HDZ" if _range(record[c].values) > STATE_NT]      # medians take longer
    found = {c: _two_states(record[c].values) for c in wide}
    bad = {c: result for c, result in found.items() if result[4]}
    if not bad:
        return record, 0
    if states == "refuse":
        c, (level, other, share, jumps, *_) = next(iter(bad.items()))
        raise InputError(record.attrs.get("source", "record"), f"state-jumping sensor, {', '.join(bad)}",
                         f"{c} at {other:.0f} nT for {share:.2%} of the samples, {jumps} jumps",
                         f'one state near {level:.0f} nT; states="mask" drops the other, or leave it out')
    rare = np.logical_or.reduce([result[5] for result in bad.values()])
    masked = {c: ("time", np.where(rare, np.nan, record[c].values)) for c in "HDZ"}
    return record.assign(masked), int(rare.sum())

"""A sensor with two states is told from storms, spikes and slow drift."""

import numpy as np
import pytest
import xarray as xr

from lib.earth.states import settle_states, state_jumps
from lib.files import InputError


def a_record(h, d=None, z=None):
    parts = [np.asarray(x, float) for x in (h, h if d is None else d, h if z is None else z)]
    time = np.datetime64("2016-02-01", "ns") + np.arange(len(parts[0])) * np.timedelta64(60, "s")
    return xr.Dataset({c: ("time", x) for c, x in zip("HDZ", parts, strict=True)}, {"time": time},
                      {"source": "made", "station": "KOD"})


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(20_000, 170, 5000)


def test_two_states_are_measured(noise):
    """Ten bursts of 30 minutes at -136 000: level, share and number of jumps are those put in."""
    jumping = noise.copy()
    for k in range(10):
        jumping[500 * k + 100:500 * k + 130] = -136_000 + noise[:30] - 20_000
    row = state_jumps(a_record(noise, noise, jumping)).iloc[2]
    assert row["jumping"] and row["share"] == pytest.approx(300 / 5000) and row["jumps"] == 20
    assert row["level_nt"] == pytest.approx(20_000, abs=10)
    assert row["other_nt"] == pytest.approx(-136_000, abs=80)
    assert not state_jumps(a_record(noise, noise, jumping))["jumping"][:2].any()


def test_the_rarer_state_is_masked_in_all_components_or_refused(noise):
    jumping = noise.copy()
    jumping[1000:1600] -= 150_000
    record = a_record(noise, noise, jumping)
    with pytest.raises(InputError, match="state-jumping sensor, Z") as caught:
        settle_states(record)
    assert "12.00%" in str(caught.value) and "2 jumps" in str(caught.value)
    masked, count = settle_states(record, "mask")
    assert count == 600 and all(np.isnan(masked[c].values).sum() == 600 for c in "HDZ")
    assert not state_jumps(masked)["jumping"].any()
    assert settle_states(record, "keep") == (record, 0)


@pytest.mark.parametrize("shape", ["noise", "storm", "spikes", "drift", "constant", "empty"])
def test_what_is_no_second_state_passes(noise, shape):
    """A storm of -1500 nT that recovers, two spikes, a drift of 5000 nT, a constant and an empty channel."""
    t = np.arange(5000)
    x = {"noise": noise, "drift": noise + t, "constant": np.full(5000, 7.0), "empty": np.full(5000, np.nan),
         "storm": 20_000 + np.random.default_rng(1).normal(0, 8, 5000)
         - 1500 * np.where(t > 2000, np.exp(-(t - 2000) / 400), 0.0),
         "spikes": np.where(np.isin(t, (50, 3000)), 170_000.0, noise)}[shape]
    record = a_record(x)
    assert not state_jumps(record)["jumping"].any()
    assert settle_states(record) == (record, 0)


@pytest.mark.real
def test_the_halloween_storm_has_one_state_and_kodiak_two(data):
    """ESK 29-31 October 2003 passes; Kodiak, February 2016, spends 0.29 to 0.32 of its samples elsewhere."""
    pd = pytest.importorskip("pandas")
    from lib.earth.records import join_records, read_record
    files = sorted((data / "geomag/min1_ESK_2003").glob("esk200310*"))
    assert not state_jumps(join_records(map(read_record, files)))["jumping"].any()
    table = pd.read_csv(next((data / "geomag/min1_Alaska_InteleCell-Kodiak").glob("*Ferbruary2016*")))
    found = state_jumps(a_record(*(pd.to_numeric(table.iloc[:, k], errors="coerce") for k in (1, 2, 3))))
    assert found["jumping"].all() and found["share"].between(.28, .33).all()
    assert found["other_nt"][2] == pytest.approx(-136_000, abs=500)

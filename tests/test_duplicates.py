
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import duplicates, metrics
from lib.files import InputError


def table(station, hour, hours=1.0, names=None):
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.asarray(hour, float), "h")
    return pd.DataFrame({"window_id": names or [f"w{i:04d}x" for i in range(len(start))],
                         "station": list(station), "start": start,
                         "end": start + pd.to_timedelta(hours, "h")})


def noise(n, seed=0, shape=(3, 32, 32)):
    return np.random.default_rng(seed).normal(size=(n, *shape))


def test_a_hash_knows_no_gain_and_no_offset():
    """h(x) = h(a x + b) for a > 0; a sign turns every bit; a horizontal ramp gives all ones (A9)."""
    x = noise(50)
    for a, b in ((3.0, 0.0), (.1, 40.0), (1e4, -7.0)):
        assert np.array_equal(duplicates.dhash(x), duplicates.dhash(a * x + b))
    assert np.array_equal(duplicates.dhash(x) ^ duplicates.dhash(-x), np.full(50, 2**64 - 1, np.uint64))
    ramp = np.broadcast_to(np.arange(45.0), (1, 24, 45))
    assert duplicates.dhash(ramp)[0] == 2**64 - 1
    assert duplicates.dhash(ramp.swapaxes(1, 2))[0] == 0


def test_hashes_of_independent_noise_are_32_bits_apart():
    """Mean 32 +- 0.2 and standard deviation 4 +- 0.6 over 4950 pairs; none is called a copy."""
    code = duplicates.dhash(noise(100))
    i, j = np.triu_indices(100, 1)
    apart = np.bitwise_count(code[i] ^ code[j])
    assert apart.mean() == pytest.approx(32, abs=.2)
    assert apart.std() == pytest.approx(4, abs=.6)
    assert duplicates.hash_pairs(code).size == duplicates.cosine_pairs(noise(100)).size == 0


def test_near_copies_are_found_by_hash_and_by_cosine():
    """A copy with 5 % gain and 2 % noise pairs with its original and with nothing else."""
    x = noise(80)
    copies = 1.05 * x[:10] + .02 * noise(10, 1) + 3
    both = np.concatenate([x, copies])
    wanted = [[i, 80 + i] for i in range(10)]
    assert duplicates.hash_pairs(duplicates.dhash(both)).tolist() == wanted
    assert duplicates.cosine_pairs(both).tolist() == wanted


def test_a_common_spectrum_is_no_likeness_and_a_flat_image_says_nothing():
    """Windows that share a steep mean spectrum are not copies; constant images pair with nothing."""
    x = noise(60) - 4 * np.log(np.arange(1, 33))[:, None]
    assert duplicates.cosine_pairs(x).size == duplicates.hash_pairs(duplicates.dhash(x)).size == 0
    flat = np.zeros((5, 1, 16, 16))
    assert duplicates.hash_pairs(duplicates.dhash(flat)).size == duplicates.cosine_pairs(flat).size == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), st.integers(0, 40), st.integers(0, 9))
def test_hash_pairs_equal_a_double_loop(codes, limit, flips):
    codes += [codes[0] ^ ((1 << flips) - 1)]
    telling = [i for i, c in enumerate(codes) if 4 <= c.bit_count() <= 60]
    wanted = [[i, j] for i in telling for j in telling
              if i < j and (codes[i] ^ codes[j]).bit_count() <= limit]
    assert duplicates.hash_pairs(np.array(codes, np.uint64), limit).tolist() == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 20), st.integers(1, 6)),
                min_size=1, max_size=12))
def test_intervals_join_the_families_of_a_double_loop(rows):
    """Chained pairs join exactly what all overlapping pairs of one station join."""
    windows = table([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    every = [(i, j) for i, a in enumerate(rows) for j, b in enumerate(rows)
             if i < j and a[0] == b[0] and a[1] < b[1] + b[2] and b[1] < a[1] + a[2]]
    found = duplicates.interval_pairs(windows)
    family = list(range(len(rows)))
    for i, j in every:                                             # merge by hand
        family = [family[i] if f == family[j] else f for f in family]
    assert {tuple(sorted(p)) for p in found.tolist()} <= set(every)
    joined = duplicates.families(len(rows), {"interval": found})
    assert all((joined[i] == joined[j]) == (family[i] == family[j])
               for i in range(len(rows)) for j in range(len(rows)))


def test_hours_that_touch_are_not_copies():
    assert duplicates.interval_pairs(table("A" * 24, range(24))).size == 0


@pytest.mark.parametrize(("name", "base"), [
    ("SCN_20200110_14_aug3.png", "SCN_20200110_14"), ("a/b/TRD-2020-01-01T14-aug1", "TRD-2020-01-01T14"),
    ("x_copy.npy", "x"), ("w1_augmented_2_flip", "w1"), ("SCN-20200110T14", "SCN-20200110T14"),
    ("GTO_20200110_H00.PNG", "GTO_20200110_H00"), ("august", "august"),
    ("SCN-20200110T14~2", "SCN-20200110T14"), ("aug1", "aug1")])
def test_the_base_of_a_file_name(name, base):
    assert duplicates.name_base(name) == base


def test_planted_families_are_found_and_scored_once():
    """Copies by bytes, by name and by time join one family; the score of one row each is the honest one."""
    x = noise(12).astype(np.float32)
    x[7] = x[2]
    names = [f"SCN_{i}" for i in range(12)]
    names[5], names[6] = "SCN_4_aug1.png", "SCN_4_aug2.png"
    windows = table("A" * 12, [0, 10, 20, 30, 40, 50, 60, 70, 80, 80.5, 100, 110], names=names)
    pairs = duplicates.find(windows, x)
    assert {k: v.tolist() for k, v in pairs.items()} == {
        "name": [[4, 5], [5, 6]], "interval": [[8, 9]], "bytes": [[2, 7]], "hash": [[2, 7]],
        "cosine": [[2, 7]]}
    family = duplicates.families(12, pairs)
    assert family.tolist() == [0, 1, 2, 3, 4, 4, 4, 2, 5, 5, 6, 7]
    rows = duplicates.keep_one(family)
    assert rows.tolist() == [0, 1, 2, 3, 4, 8, 10, 11]
    assert duplicates.keep_one(family, np.array([5, 7, 6, 9])).tolist() == [5, 7, 9]
    y, predicted = np.zeros(12, int), np.ones(12, int)
    predicted[[4, 5, 6]] = 0                        # right on one window and its two copies only
    assert metrics.accuracy(metrics.confusion(y, predicted, 2)) == 3 / 12
    assert metrics.accuracy(metrics.confusion(y[rows], predicted[rows], 2)) == 1 / 8


def test_bad_input_is_named():
    windows, x = table("AB", [0, 5]), noise(2)
    with pytest.raises(InputError, match="rows of x"):
        duplicates.find(windows, x[:1])
    x[1, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="row 1"):
        duplicates.find(windows, x)
    with pytest.raises(InputError, match="8 x 9"):
        duplicates.dhash(noise(1, shape=(1, 4, 4)))
    with pytest.raises(InputError, match="station"):
        duplicates.find(windows.drop(columns="station"))

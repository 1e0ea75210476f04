"""Known answers of systems.md 3-4 and validity.md A16, E, then brute force, then bad input."""

import itertools
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from lib import forensics, intervals, metrics, printed
from lib.files import InputError
from lib.forensics import cli

FOLDS = printed.convnext_folds()
ERRORS = [8, 4, 4, 4, 4, 4, 4, 4, 4, 8]
ORDER = [("Medium", 252), ("Normal", 37), ("Large", 7), ("Moderate", 5)]
IMAGES = {"Normal": 24, "Medium": 4, "Large": 4, "Moderate": 4}


def hits(column):
    found = [forensics.grim(f"{v:.4f}", 4, int(n)) for v, n in zip(FOLDS[column], FOLDS.n_test, strict=True)]
    assert all(len(f) == 1 for f in found)
    return np.array([f[0] for f in found])


def printed_share(k, n, decimals):
    """Both ways to print k of n in per cent: half up and half to even."""
    exact = Fraction(100 * k, n) * 10**decimals
    return {int(exact + Fraction(1, 2)), round(exact)}


# Known answers

@pytest.mark.parametrize(("percent", "n", "numerators"), [
    ("98.68", 304, [300]), ("94.37", 284, [268]), ("97.57", 1972, [1924]), ("69.73", 1972, [1375]),
    ("97.53", 1972, []), ("69.30", 1972, []), ("69.51", 1972, [])])
def test_grim(percent, n, numerators):
    """T-A16."""
    assert forensics.grim(percent, 2, n) == numerators


def test_precision_of_the_blind_test():
    """61.5 % of at most 28 alarms is 8 of 13 or 16 of 26 (T-A16)."""
    fits = {n: forensics.grim("61.5", 1, n) for n in range(1, 29)}
    assert {n: k for n, k in fits.items() if k} == {13: [8], 26: [16]}


def test_tec():
    """All 27 printed accuracies fit 472 test images and its multiples only, of 50 to 2356 (P1)."""
    values = [*printed.TEC_MODELS.values(), *itertools.chain(*printed.TEC_REPEATS.values())]
    assert len(values) == 27
    assert forensics.grim_sizes(values, 4, range(50, 2357), whole=1) == [472, 944, 1416, 1888]
    counts = [forensics.grim(v, 4, 472, whole=1) for v in printed.TEC_MODELS.values()]
    assert counts == [[293], [292], [275], [289], [261], [317], [236]]


def test_fold_counts_and_their_divisibility():
    """Errors, hits and the three probabilities of systems.md 3.1."""
    n, mag, azi = FOLDS.n_test.to_numpy(), hits("magnitude"), hits("azimuth")
    assert (n - mag).tolist() == ERRORS
    assert azi.tolist() == [124, 124, 144, 144, 144, 144, 140, 137, 164, 104] and azi.sum() == 1369
    p = [mag.sum() / n.sum()] * 10 + [azi.sum() / n.sum()] * 10
    first, second = forensics.divisibility(mag, n, 4), forensics.divisibility(azi, n, 4)
    both = forensics.divisibility(np.r_[mag, azi], np.r_[n, n], 4, p)
    assert [first["divisible"], second["divisible"], both["divisible"]] == [10, 9, 19]
    assert first["p_at_least"] == pytest.approx(9.76e-7, rel=2e-3)
    assert second["p_at_least"] == pytest.approx(2.96e-5, rel=2e-3)
    assert both["p_at_least"] == pytest.approx(5.67e-11, rel=1e-3)
    every = forensics.divisibility(np.r_[mag, mag], np.r_[n, n], 4, p)["p_at_least"]
    assert every == pytest.approx(9.3e-13, rel=1e-2)


def test_whole_quads_of_the_azimuth_hits_are_those_of_the_rule():
    """Rounded down to fours, both networks' hits are the rule's 124,124,144,... = 1368 (golden numbers)."""
    rule = [124, 124, 144, 144, 144, 144, 140, 136, 164, 104]
    assert sum(rule) == 1368
    for column in ("azimuth", "azimuth_efficientnet"):
        assert (hits(column) // 4 * 4).tolist() == rule


def test_the_split_alone_gives_the_error_vector():
    """T-E1: groups, quiet days, images and rare-class images of each fold."""
    found = forensics.fold_composition(ORDER, images=IMAGES)
    assert found.groups.tolist() == [31] + [30] * 9
    assert found.Normal.tolist() == [3, 3, 4, 4, 4, 4, 4, 4, 4, 3]
    assert found.images.tolist() == [184, 180, 200, 200, 200, 200, 200, 200, 200, 180]
    assert (FOLDS.n_test.to_numpy() - found.images).tolist() == [0, 4, 0, 4, 16, 0, 0, 4, 0, 0]
    assert (4 * (found.Large + found.Moderate)).tolist() == ERRORS
    quads = (FOLDS.n_test.to_numpy() - 24 * found.Normal) // 4
    assert quads.tolist() == [28, 28, 26, 27, 30, 26, 26, 27, 26, 27]
    assert (found.groups - found.Normal).tolist() == [28, 27, 26, 26, 26, 26, 26, 26, 26, 27]


def test_only_orders_with_both_rare_classes_last_give_it():
    """systems.md 3.2, for all 24 orders of the four classes."""
    for order in itertools.permutations(ORDER):
        found = forensics.fold_composition(order)
        rare_last = {name for name, _ in order[2:]} == {"Large", "Moderate"}
        assert ((4 * (found.Large + found.Moderate)).tolist() == ERRORS) == rare_last


def test_spread_and_intervals_of_the_folds():
    """They are SDs with ddof 0; chi-square of images and quads, Wilson intervals by unit (systems.md 3.1)."""
    n, mag, azi = FOLDS.n_test.to_numpy(), hits("magnitude"), hits("azimuth")
    assert forensics.ddof_of(100 * mag / n, "0.96", 2) == [0] == forensics.ddof_of(100 * azi / n, "5.74", 2)
    images, quads = forensics.dispersion(azi, n), forensics.dispersion(azi / 4, n / 4)
    assert (round(images["chi2"], 1), round(images["p_over"], 4)) == (29.8, 5e-4)
    assert (round(quads["chi2"], 1), round(quads["p_over"], 2)) == (7.4, .59)
    for unit, mag_limits, azi_limits in ((1972, (96.8, 98.2), (67.4, 71.4)),
                                         (493, (95.8, 98.6), (65.2, 73.3)),
                                         (301, (95.1, 98.8), (64.0, 74.4))):
        for found, limits in ((1924, mag_limits), (1369, azi_limits)):
            span = intervals.wilson(found / 1972 * unit, unit, "unit")
            assert (round(100 * span.low, 1), round(100 * span.high, 1)) == limits
    assert round(100 * intervals.clopper_pearson(0, 7, "window").high) == 41


def test_estimated_correlation():
    """The formula gives .6943014 for nine classes; 1.1166 for four (golden numbers)."""
    for column, k, value in (("azimuth", 9, .6943014), ("magnitude", 4, 1.1166)):
        mean = (hits(column) / FOLDS.n_test).mean()
        assert metrics.estimated_mcc(mean, k) == pytest.approx(value, abs=1e-7 if k == 9 else 5e-5)


def test_confusion():
    """M6: one matrix of 28 with the ablation's accuracy, two without; 86.1 % needs 36 or 72 cases."""
    known = dict(printed.CRNN_ABSTRACT)
    assert forensics.confusion_matrices(known, 28).values.tolist() == [[28, 8, 5, 0, 15], [28, 16, 10, 0, 2]]
    with_accuracy = known | {"accuracy": "82.14%"}
    assert forensics.confusion_matrices(with_accuracy, 28).values.tolist() == [[28, 8, 5, 0, 15]]
    readme = forensics.confusion_matrices(known | {"accuracy": "86.1%"}, range(1, 101))
    assert readme.values.tolist() == [[36, 8, 5, 0, 23], [72, 16, 10, 0, 46]]


def test_crnn():
    """Recall from .631, precision .32 to .86, and 17 % at a base rate of one in twenty (M8, E2, A14)."""
    recall, precision = (intervals.clopper_pearson(8, n, "case") for n in (8, 13))
    assert (round(recall.low, 3), recall.high) == (.631, 1)
    assert (round(precision.low, 4), round(precision.high, 4)) == (.3158, .8614)
    assert round(.05 / (.05 + .95 * 5 / 20), 2) == .17


def test_one_ablation_row_fits_no_eight_positives():
    """M7: 71.43 % recall needs a multiple of 7 positives."""
    row = printed.CRNN_ABLATION["H only"]
    assert forensics.confusion_matrices(row, 28, positives=8).empty
    positives = forensics.confusion_matrices(row, 28)[["tp", "fn"]].sum(axis=1)
    assert set(positives) == {7, 14, 21}


def test_confusion_picture_agrees_with_itself():
    """M5: 99.76 % and 89.6 % follow from its counts."""
    matrix = printed.CRNN_PICTURE
    n = sum(matrix.values())
    found = forensics.confusion_matrices(printed.CRNN_PICTURE_SHARES | {"recall": "100.0%"}, n, matrix["tp"])
    assert [n, *(matrix[c] for c in ("tp", "fp", "fn", "tn"))] in found.values.tolist()


@pytest.mark.parametrize(("n", "p"), [(8, .171), (16, .0876), (28, .0358)])
def test_angular_error_against_chance(n, p):
    """M8 and E2: exact, and beside a Monte Carlo of uniform errors."""
    assert forensics.maae_null(72.32, n) == pytest.approx(p, abs=5e-4)
    draws = np.random.default_rng(1).uniform(0, 180, (100_000, n)).mean(1)
    assert forensics.maae_null(72.32, n) == pytest.approx((draws <= 72.32).mean(), abs=4e-3)


def test_constant_direction():
    """A12: 72.289 degrees belong to R = .2425; 72.32 to .242."""
    assert forensics.resultant_reaching(72.289) == pytest.approx(.2425, abs=1e-4)
    assert forensics.resultant_reaching(72.32) == pytest.approx(.242, abs=5e-4)


def test_repeats_with_and_without_mixing():
    """P3: means, standard deviations, Welch, F and Levene."""
    a, b = (np.array(printed.TEC_REPEATS[k], float) for k in ("CutMix and MixUp", "neither"))
    assert (round(a.mean(), 5), round(b.mean(), 5)) == (.63579, .63475)
    assert (round(a.std(ddof=1), 5), round(b.std(ddof=1), 5)) == (.01230, .01752)
    found = forensics.compare_repeats(a, b)
    assert round(found["welch_p"], 3) == .880 and round(found["f_p"], 2) == .31
    assert round(found["levene_p"], 2) == .66
    assert found["variance_ratio"] == pytest.approx(2.03, abs=5e-3)
    assert forensics.ddof_of(b, "0.017", 3) == [0]
    right = [forensics.grim(v, 4, 472, whole=1)[0] for v in printed.TEC_REPEATS["neither"]]
    assert sum(right) == 2996 and forensics.grim("0.6348", 4, 4720, whole=1) == []   # mean of rounded shares
    assert forensics.grim("67.1", 1, 472) == [] and forensics.grim("67.2", 1, 472) == [317]


def test_best_of_ten():
    """Expected best .662 of the ten repeats (E3); binomial inflation .034 (A4)."""
    assert forensics.best_of(.63475, .01752, 10) == pytest.approx(.662, abs=5e-4)
    found = forensics.best_of_tests(.635, 472, 10)
    assert found["inflation"] == pytest.approx(.034, abs=5e-4)
    draws = np.random.default_rng(2).binomial(472, .635, (50_000, 10)).max(1)
    assert found["expected"] == pytest.approx(draws.mean() / 472, abs=5e-4)
    assert forensics.best_of_tests(.635, 472, 10, 317)["p_at_least"] == \
        pytest.approx((draws >= 317).mean(), abs=.01)
    span = intervals.wilson(317, 472, "window")
    assert (round(span.low, 3), round(span.high, 3)) == (.628, .712)


def test_coverage_of_the_tec_series():
    """P5: each day 4.2 times; P6: 1.5 to 2.8 % of windows without an event."""
    days = (np.datetime64(printed.TEC_PERIOD[1]) - np.datetime64(printed.TEC_PERIOD[0])).astype(int)
    assert days == 8401
    found = forensics.window_coverage(printed.TEC_SAMPLES // 2, 30, days, within_days=1)
    assert round(found["per_day"], 1) == 4.2 and round(100 * found["uncovered"], 1) == 1.5
    assert round(100 * forensics.window_coverage(1000, 30, days)["uncovered"], 1) == 2.8
    starts = np.random.default_rng(3).uniform(0, days, (200, 1178))
    near = [(np.abs(s[:236, None] - s[236:]) <= 1).any(1).mean() for s in starts]
    found = forensics.window_coverage(1178, 30, days, within_days=1, train_share=942 / 1178)
    assert found["near"] == pytest.approx(np.mean(near), abs=.01)


def test_observatory():
    """Parameters of Table 2 and their total; 31 million for about 466 windows."""
    found = forensics.parameter_table(printed.OBSERVATORY_INPUT, printed.OBSERVATORY_LAYERS)
    assert found.parameters.tolist() == list(printed.OBSERVATORY_PARAMETERS)
    assert found.parameters.sum() == 30_984_834
    assert found["shape"][5] == (483_840,)
    assert round(30_984_834 / (.8 * 2 * sum(printed.OBSERVATORY_EVENTS.values())), -3) in (66_000, 67_000)


def test_observatory_accuracies():
    """K2: 85, 75, 53 of 128; hour and day are complementary; 0.5874 is no share of 128."""
    counts = {k: forensics.grim(v, 3, 128, whole=1) for k, v in printed.OBSERVATORY_ACCURACY.items()}
    assert counts == {"week": [85], "hour": [75], "day": [53]}
    assert forensics.complements(printed.OBSERVATORY_ACCURACY) == [("hour", "day")]
    assert forensics.complements(printed.OBSERVATORY_ACCURACY, 128) == [("hour", "day")]
    assert forensics.grim("0.6641", 4, 128, whole=1) == [85]
    assert forensics.grim("0.5874", 4, 128, whole=1) == []


def test_observatory_filter_and_ratios():
    """K1: Nyquist .008333 Hz; K4: 46 and 8526."""
    found = forensics.nyquist_check(printed.OBSERVATORY_CORNER_HZ, printed.OBSERVATORY_SAMPLING_S)
    assert found["nyquist_hz"] == pytest.approx(.008333, abs=1e-6) and not found["possible"]
    assert [a // b for a, b, _ in printed.OBSERVATORY_RATIOS.values()] == [46, 8526]


def test_class_counts_add_up():
    """The classes of magnitude add up to 1972; decimals add up exactly; a gap is told."""
    assert forensics.total_check(list(printed.CONVNEXT_IMAGES["magnitude"].values()), 1972)["consistent"]
    assert forensics.total_check([.1, .2], .3)["consistent"]
    assert not forensics.total_check([28, 43, 888], 1084)["consistent"]
    assert forensics.total_check([4897, 12, 0, 103], 1623)["difference"] == 3389


# Brute force

relaxed = settings(deadline=None, max_examples=60)   # shared cores
SHARE = st.integers(0, 1000).map(lambda i: i / 1000)

@pytest.mark.slow
@relaxed
@given(st.integers(1, 400), st.integers(0, 3), st.data())
def test_grim_finds_every_numerator_and_no_other(n, decimals, data):
    v = data.draw(st.integers(0, 100 * 10**decimals))
    expected = [k for k in range(n + 1) if v in printed_share(k, n, decimals)]
    text = f"{v / 10**decimals:.{decimals}f}"
    assert forensics.grim(text, decimals, n) == expected
    assert (n in forensics.grim_sizes([text], decimals, range(n, n + 1))) == bool(expected)


@relaxed
@given(st.lists(st.integers(0, 10), min_size=4, max_size=4).filter(any),
       st.sets(st.sampled_from(sorted(forensics.METRICS)), min_size=1), st.integers(0, 2))
@pytest.mark.slow
def test_confusion_search_equals_full_enumeration(cells, names, decimals):
    """For small n, whatever is printed of a matrix: the same list as trying all of them."""
    exact = {m: forensics.METRICS[m](*cells) for m in names}
    texts = {m: f"{float(Fraction(100 * a, b)):.{decimals}f}%" for m, (a, b) in exact.items() if b}
    if not texts:
        return
    n = sum(cells)
    expected = []
    for tp, fp, fn in itertools.product(range(n + 1), repeat=3):
        tn = n - tp - fp - fn
        if tn >= 0 and all(fits(forensics.METRICS[m](tp, fp, fn, tn), t) for m, t in texts.items()):
            expected.append((n, tp, fp, fn, tn))
    found = forensics.confusion_matrices(texts, n)
    assert sorted(map(tuple, found.values.tolist())) == expected
    assert (n, *cells) in expected
    positives = cells[0] + cells[2]
    some = forensics.confusion_matrices(texts, n, positives)
    assert sorted(map(tuple, some.values.tolist())) == [r for r in expected if r[1] + r[3] == positives]


def fits(ratio, text):
    low, high = forensics.read_share(text)
    return ratio[1] > 0 and low <= Fraction(*ratio) <= high


@relaxed
@given(st.lists(st.integers(-5, 20), min_size=2, max_size=12), st.integers(0, 1), st.integers(1, 3))
def test_grimmer_never_refuses_a_real_sample(values, ddof, decimals):
    """The sums of any whole numbers are among those found from their own rounded mean and spread."""
    mean, sd = np.mean(values), np.std(values, ddof=ddof)
    texts = f"{mean:.{decimals}f}", f"{sd:.{decimals}f}"
    found = forensics.grimmer(*texts, len(values), (decimals, decimals), ddof)
    assert (sum(values), sum(v * v for v in values)) in found


def test_grimmer_refuses_what_no_sample_prints():
    """Among means and spreads of three numbers from 0 to 6, refused pairs are never printed by any sample."""
    samples = itertools.combinations_with_replacement(range(7), 3)
    seen = {(f"{np.mean(s):.1f}", f"{np.std(s, ddof=1):.1f}") for s in samples}
    refused = {(f"{m / 10:.1f}", f"{s / 10:.1f}") for m in range(61) for s in range(36)
               if not forensics.grimmer(f"{m / 10:.1f}", f"{s / 10:.1f}", 3, (1, 1))}
    assert not seen & refused and len(refused) > 1500


@relaxed
@given(st.lists(st.tuples(st.integers(1, 6), SHARE), min_size=1, max_size=4), st.integers(2, 4))
def test_divisibility_equals_the_sum_over_all_outcomes(folds, k):
    sizes, p = [n for n, _ in folds], [q for _, q in folds]
    counts = [n // k * k for n in sizes]
    wanted = sum(np.prod([binom.pmf(c, n, q) for c, n, q in zip(o, sizes, p, strict=True)])
                 for o in itertools.product(*(range(n + 1) for n in sizes)) if all(c % k == 0 for c in o))
    assert forensics.divisibility(counts, sizes, k, p)["p_at_least"] == pytest.approx(wanted, abs=1e-12)


@relaxed
@given(st.integers(1, 4), st.integers(1, 5), SHARE)
def test_best_of_tests_equals_the_sum_over_all_outcomes(looks, n, p):
    law = binom.pmf(np.arange(n + 1), n, p)
    best = sum(max(o) * np.prod(law[list(o)]) for o in itertools.product(range(n + 1), repeat=looks)) / n
    assert forensics.best_of_tests(p, n, looks)["expected"] == pytest.approx(best, abs=1e-12)


def test_parameters_of_unpadded_layers():
    """By hand: 8 x 8 x 3, convolution 5 x 5 to 2, pool 3 x 3, dense 4."""
    found = forensics.parameter_table((8, 8, 3), [("conv", 2, (5, 5)), ("pool", (3, 3)), ("flatten",),
                                                  ("dense", 4)], padding="valid")
    assert found["shape"].tolist() == [(4, 4, 2), (1, 1, 2), (2,), (4,)]
    assert found.parameters.tolist() == [152, 0, 0, 12]


# Bad input

BAD = {
    "percent above 100": lambda: forensics.grim(100.01, 2, 50),
    "percent below 0": lambda: forensics.grim(-1, 0, 50),
    "n = 0": lambda: forensics.grim(50, 0, 0),
    "n no whole number": lambda: forensics.grim(50, 0, 2.5),
    "more decimals than stated": lambda: forensics.grim(98.684, 2, 304),
    "no number": lambda: forensics.grim("many", 2, 304),
    "nan": lambda: forensics.grim(float("nan"), 2, 304),
    "decimals": lambda: forensics.grim(50, -1, 304),
    "share above 1": lambda: forensics.grim(50, 0, 304, whole=1),
    "a million numerators": lambda: forensics.grim(50, 0, 10**9),
    "no size": lambda: forensics.grim_sizes([50], 0, range(5, 5)),
    "size 0": lambda: forensics.grim_sizes([50], 0, range(5)),
    "sizes too many": lambda: forensics.grim_sizes([50] * 100, 0, range(1, 10**6)),
    "decimals missing": lambda: forensics.grim_sizes([50, 60], [0], range(1, 5)),
    "share as number": lambda: forensics.read_share(0.5),
    "share of 101 %": lambda: forensics.read_share("101%"),
    "unknown metric": lambda: forensics.confusion_matrices({"mcc": "0.5"}, 28),
    "no metric": lambda: forensics.confusion_matrices({}, 28),
    "search too large": lambda: forensics.confusion_matrices({"accuracy": "50%"}, 2000),
    "search over too many n": lambda: forensics.confusion_matrices({"accuracy": "50%"}, range(1, 1000)),
    "n of a matrix": lambda: forensics.confusion_matrices({"recall": "50%"}, 0),
    "more positives than cases": lambda: forensics.confusion_matrices({"recall": "50%"}, 28, positives=29),
    "share too fine": lambda: forensics.confusion_matrices({"recall": "50.00000001%"}, 28),
    "sd below 0": lambda: forensics.grimmer("1.0", "-0.5", 5, (1, 1)),
    "n = ddof": lambda: forensics.grimmer("1.0", "0.5", 1, (1, 1)),
    "one value": lambda: forensics.ddof_of([1], "0.5", 1),
    "count above size": lambda: forensics.divisibility([5], [4], 4),
    "count no whole number": lambda: forensics.divisibility([1.5], [4], 4),
    "divisor 1": lambda: forensics.divisibility([1], [4], 1),
    "lengths differ": lambda: forensics.divisibility([1, 2], [4], 4),
    "no parts": lambda: forensics.total_check([], 5),
    "infinite part": lambda: forensics.total_check([np.inf], 5),
    "no looks": lambda: forensics.best_of(.5, .1, 0),
    "p above 1": lambda: forensics.best_of_tests(1.5, 10, 2),
    "best above n": lambda: forensics.best_of_tests(.5, 10, 2, 11),
    "constant repeats": lambda: forensics.compare_repeats([1, 1], [1, 2]),
    "all hits": lambda: forensics.dispersion([5, 5], [5, 5]),
    "error above 180": lambda: forensics.maae_null(181, 8),
    "too many errors": lambda: forensics.maae_null(90, 501),
    "blind above 90": lambda: forensics.resultant_reaching(95),
    "sampling 0": lambda: forensics.nyquist_check(.02, 0),
    "window longer than series": lambda: forensics.window_coverage(5, 30, 20),
    "class twice": lambda: forensics.fold_composition([("a", 5), ("a", 5)], 2),
    "no group": lambda: forensics.fold_composition([("a", 0)], 2),
    "images of another class": lambda: forensics.fold_composition([("a", 5)], 2, images={"b": 1}),
    "more folds than groups": lambda: forensics.fold_composition([("a", 5)], 10),
    "dense before flatten": lambda: forensics.parameter_table((3, 3, 1), [("dense", 2)]),
    "kernel too long": lambda: forensics.parameter_table((3, 3, 1), [("pool", (1, 1, 1))]),
    "nothing left": lambda: forensics.parameter_table((3, 3, 1), [("pool", (4, 1))]),
    "unknown layer": lambda: forensics.parameter_table((3, 3, 1), [("attention", 2)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_bad_input_is_one_clear_error(call):
    with pytest.raises(InputError, match="found .*accepted: "):
        call()


def test_the_refused_search_says_how_large_it_is():
    with pytest.raises(InputError, match=r"to try: found '1\d{9} or more, at n = 2000'.*at most 30000000"):
        forensics.confusion_matrices({"accuracy": "50%"}, 2000)


def test_every_docstring_says_when_it_proves_nothing():
    for name in forensics.__all__:
        if name != "METRICS":
            assert re.search("proves nothing", getattr(forensics, name).__doc__, re.IGNORECASE), name


# From the shell

TABLE = "n,percent\n" + "".join(f"{n},{v:g}\n" for n, v in zip(FOLDS.n_test, FOLDS.magnitude, strict=True))


@pytest.mark.parametrize(("line", "status", "shown"), [
    ("grim 98.68% --n 304", 0, "300"),
    ("grim 98.68% 97.53% --n 304", 1, "no whole number"),
    ("grim 198% --n 304", 2, "0% to 100%"),
    ("sizes 0.6716 0.6208 0.6186 --to 500", 0, "472"),
    ("sizes 0.6716 0.6208 --to 100", 1, "none"),
    ("sizes 0.6716 62.08% --to 100", 2, "all with %"),
    ("confusion recall=100.0% precision=61.5% --n 28", 0, "2 in all"),
    ("confusion accuracy=57.14% recall=71.43% --n 28 --positives 8", 1, "no confusion matrix fits"),
    ("confusion recall=100% --n many", 2, "20:40"),
    ("folds TABLE --decimals 4 --mean 97.53 --sd 0.96 --total 1972", 0, "9.76e-07"),
    ("folds TABLE --decimals 4 --sd 1.02", 0, "ddof 1"),
    ("folds TABLE --decimals 4 --sd 1.22", 1, "neither"),
    ("folds TABLE --decimals 4 --mean 97.66", 1, "does not print"),
    ("folds TABLE --decimals 4 --total 1973", 1, "difference -1"),
    ("folds TABLE", 0, "left out"),
    ("folds absent.csv", 2, "absent.csv"),
    ("nyquist 0.02 60", 1, "0.00833333"),
    ("nyquist 0.002 60", 0, "0.24"),
    ("parameters 3x10080x1 conv:32:3x3 --total 320", 0, "320"),
    ("parameters 3x10080x1 conv:32:3x3 --total 321", 1, "320"),
    ("parameters 3x10080x1 conv", 2, "layer 1"),
    ("best-of 10 --mean 0.63475 --sd 0.01752 --best 0.6716", 0, "0.6617"),
    ("best-of 0 --mean 0.6 --sd 0.1", 2, "1 or more"),
])
def test_commands(line, status, shown, tmp_path, capsys):
    """Exit status and what the reader sees; a complaint goes to stderr alone."""
    (tmp_path / "folds.csv").write_text(TABLE)
    assert cli.main([word.replace("TABLE", str(tmp_path / "folds.csv")) for word in line.split()]) == status
    out, err = capsys.readouterr()
    assert shown in (err if status == 2 else out)
    assert (status == 2) == bool(err)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "n,percent\n184\n", "n,hits\n5,6\n", "n,hits\n0,0\n",
                                  "n,percent\n10,many\n", "n,percent\n10,120\n"])
def test_damaged_tables_are_refused(text, tmp_path, capsys):
    path = tmp_path / "folds.csv"
    path.write_text(text)
    assert cli.main(["folds", str(path)]) == 2
    assert "folds.csv" in capsys.readouterr().err


@pytest.mark.slow
def test_it_runs_as_a_module_without_torch():
    """`python -m lib.forensics` gives its exit status and never imports torch."""
    code = ("import runpy, sys; sys.argv = ['forensics', 'nyquist', '0.02', '60']\n"
            "try: runpy.run_module('lib.forensics', run_name='__main__')\n"
            "except SystemExit as end: print(end.code, 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("1 False\n") and done.stderr == ""


def test_help_lists_every_check(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0 and "exit status" in shown
    assert all(name in shown for name in ("grim", "sizes", "confusion", "folds", "nyquist", "parameters",
                                          "best-of"))

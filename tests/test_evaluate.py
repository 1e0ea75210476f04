import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, matthews_corrcoef

from lib import certificate, config, dataset, evaluate, files, floors, nulls, report, splits
from lib.files import InputError
from lib.runs import COLUMNS, PROBABILITIES
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES, N_CLASSES

STUDY = config.load("convnext", "smoke", {
    "windows.window_s": 1800, "stft.size": (8, 8), "evaluation.folds": 4, "evaluation.bootstrap": 400,
    "evaluation.permutations": 199})


def make_windows(n_events=24, seed=0):
    """Earthquakes of two stations and two days, and as many quiet blocks of two days."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(3 * n_events):
        event = i < n_events
        for j in range(4 if event else 2):
            start = pd.Timestamp("2020-01-01 14:00") + pd.Timedelta(days=9 * i + j % 2)
            azimuth = (i * 77 + j // 2 * 30) % 360.0 if event else np.nan
            sector = AZIMUTH_CLASSES[1 + int((azimuth + 22.5) % 360 // 45)] if event else "Normal"
            rows.append({
                "window_id": f"{i:03d}-{j}", "parent_id": f"{i:03d}-{j}",
                "station": "AB"[j // 2] if event else "AB"[i % 2],
                "start": start, "end": start + pd.Timedelta(seconds=STUDY.windows.window_s),
                "event_id": f"e{i}" if event else "", "cluster_id": f"e{i}" if event else "",
                "block_id": "" if event else f"b{i}", "magnitude": 4.6 + i % 3 if event else np.nan,
                "magnitude_class": MAGNITUDE_CLASSES[1 + i % 3] if event else "Normal",
                "azimuth_deg": azimuth, "azimuth_class": sector, "kp_max": rng.uniform(0, 4), "dst_min": -9.0,
                "lookback_s": 0.0, "horizon_s": 0.0})
    return pd.DataFrame(rows)


def noise(station, start, n):
    seed = [ord(station), int(pd.Timestamp(start).value // 10**9)]
    return np.random.default_rng(seed).normal(size=(3, n)).astype(np.float32)


def predictions(data, folds, probabilities):
    """Predictions table in fold order from probabilities (N, K) of each target."""
    ids, parts = data.windows.window_id.to_numpy(object), []
    for number, (_, test) in enumerate(folds):
        for target, p in probabilities.items():
            full = np.full((len(test), len(PROBABILITIES)), np.nan)
            full[:, :p.shape[1]] = p[test]
            parts.append(pd.DataFrame({
                "study": "convnext", "protocol": "P2", "fold": number, "seed": 42, "window_id": ids[test],
                "target": target, "y_true": data.labels(target)[test], "y_pred": p[test].argmax(1)}).join(
                    pd.DataFrame(full, columns=PROBABILITIES)))
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def guesses(data, right, seed=0):
    """Probabilities that favour the truth in about a share `right` of the earthquakes and blocks."""
    rng, found = np.random.default_rng(seed), {}
    group = np.unique(splits.groups(data.windows, "event"), return_inverse=True)[1]
    for target, k in N_CLASSES.items():
        p = rng.dirichlet(np.ones(k), group.max() + 1)[group]
        known = (rng.uniform(size=group.max() + 1) < right)[group]
        p[known, data.labels(target)[known]] += 2
        found[target] = p / p.sum(1, keepdims=True)
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = dataset.build(tmp_path_factory.mktemp("evaluate") / "x.h5", make_windows(), noise, STUDY)
    with dataset.open_dataset(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def base(data):
    return evaluate.baselines(STUDY, data, "P2")


@pytest.fixture(scope="module")
def table(data, base):
    return predictions(data, base["folds"], guesses(data, 0.6))


@pytest.fixture(scope="module")
def rows(data, base, table):
    found = evaluate.score_rows(STUDY, data, table, base, world="toy")
    return {row["target"]: row for row in found}


def in_order(data, table, target):
    found = table[table.target == target].set_index("window_id").loc[data.windows.window_id]
    return found.y_true.to_numpy(), found.y_pred.to_numpy()


@pytest.mark.parametrize("target", N_CLASSES)
def test_scores_and_counts_equal_those_of_scikit_learn(data, base, table, rows, target):
    """Score, floors, comparators, accuracy and confusion by another library from the same tables."""
    y, predicted = in_order(data, table, target)
    row = rows[target]
    assert row["score"] == pytest.approx(matthews_corrcoef(y, predicted))
    assert row["accuracy"] == pytest.approx(np.mean(y == predicted))
    assert row["majority_accuracy"] == 0.5                                     # 96 quiet of 192
    assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, predicted))
    assert row["confusion"] == confusion_matrix(y, predicted, labels=range(N_CLASSES[target])).tolist()
    for kind in ("floors", "comparators"):
        expected = {name: matthews_corrcoef(y, p) for name, p in base[target][kind].items()}
        assert row[kind] == pytest.approx(expected)
    event = y > 0
    assert row["within_event_mcc"] == pytest.approx(matthews_corrcoef(y[event], predicted[event]))
    assert row["best_floor"] == max(row["floors"], key=row["floors"].get)
    assert (row["n_windows"], row["n_events"], row["n_groups"], row["folds"]) == (192, 24, 72, 4)
    assert (row["world"], row["backbone"], row["protocol"]) == ("toy", "convnext", "P2")


def test_the_certificate_is_that_of_the_folds(data, base, rows):
    expected = certificate.certificate(data.windows, base["folds"])
    assert rows["magnitude"]["certificate"] == {kind: expected[kind] for kind in certificate.LINKS}
    assert expected["event"] == 0 and rows["magnitude"]["linked_share"] == expected["fraction"]


@pytest.mark.slow
def test_interval_and_p_agree_with_a_plain_loop_over_earthquakes(data, table, rows):
    """Resample and permute whole groups one draw at a time, with other random numbers."""
    y, predicted = in_order(data, table, "magnitude")
    group = splits.groups(data.windows, "event")
    names, rng = np.unique(group), np.random.default_rng(1)
    members = {name: np.flatnonzero(group == name) for name in names}
    drawn = [np.concatenate([members[n] for n in rng.choice(names, len(names))]) for _ in range(400)]
    expected = np.quantile([matthews_corrcoef(y[i], predicted[i]) for i in drawn], [.025, .975])
    assert rows["magnitude"]["interval"] == pytest.approx(expected, abs=0.03)
    first = {name: y[members[name][0]] for name in names}
    null = []
    for _ in range(199):
        moved = dict(zip(names, rng.permutation([first[n] for n in names]), strict=True))
        null.append(matthews_corrcoef([moved[g] for g in group], predicted))
    expected = (1 + sum(v >= rows["magnitude"]["score"] for v in null)) / 200
    assert rows["magnitude"]["p"] == pytest.approx(expected, abs=0.01) and expected < 0.05


def test_a_floor_is_not_above_itself(data, base):
    """Predictions equal to the best floor lie exactly nothing above it."""
    first = evaluate.score_rows(STUDY, data, predictions(data, base["folds"], guesses(data, 0.6)), base)[0]
    copied = {t: np.eye(k)[base[t]["floors"][first["best_floor"]]] for t, k in N_CLASSES.items()}
    row = evaluate.score_rows(STUDY, data, predictions(data, base["folds"], copied), base)[0]
    assert row["above_best_floor"] == [0.0, 0.0] and row["score"] == row["floors"][first["best_floor"]]


def test_rows_are_complete_for_the_scoreboard_and_for_json(rows):
    for row in rows.values():
        assert report.check_row(row)["score"] == row["score"]
        files.canonical_json(row)                                             # no NaN, plain values


def test_the_order_of_predictions_does_not_matter(data, base, table, rows):
    again = evaluate.score_rows(STUDY, data, table.sample(frac=1, random_state=1), base, world="toy")
    assert again == list(rows.values())


def _edit(column, value):
    def change(table):
        table = table.copy()
        table.loc[5, column] = value
        return table
    return change


@pytest.mark.parametrize(("change", "word"), [
    (lambda t: t.drop(index=3), "one prediction for every window"),
    (lambda t: pd.concat([t, t.iloc[[3]]]), "one prediction for every window"),
    (lambda t: t.iloc[:0], "one prediction for every window"),
    (lambda t: t[t.target == "magnitude"], "target azimuth"),
    (_edit("window_id", "other"), "other"),
    (lambda t: t.assign(y_true=(t.y_true + (t.index == 5)) % 4), "y_true of .*as in the dataset"),
    (_edit("y_pred", 9), "0 ... 3"),
    (lambda t: t.drop(columns="y_true"), "columns.*y_true"),
])
def test_predictions_that_do_not_belong_to_the_windows_are_refused(data, base, table, change, word):
    with pytest.raises(InputError, match=word):
        evaluate.score_rows(STUDY, data, change(table), base)


def test_floors_are_taken_over_from_a_world_with_the_same_windows(data, base, monkeypatch, tmp_path):
    """They are not computed again; the comparators, which see the images, are."""
    monkeypatch.setattr(floors, "floors", None)                               # would fail
    other = dataset.build(tmp_path / "y.h5", make_windows(), lambda *a: 9 * noise(*a), STUDY)
    with dataset.open_dataset(other) as opened:
        again = evaluate.baselines(STUDY, opened, "P2", floors_of=base)
    for target in N_CLASSES:
        assert again[target]["floors"] is base[target]["floors"]
        assert again[target]["comparators"].keys() == base[target]["comparators"].keys()


def test_floors_of_other_folds_windows_or_targets_are_refused(data, base, tmp_path):
    fewer = dataclasses.replace(STUDY, evaluation=dataclasses.replace(STUDY.evaluation, folds=3))
    only = {key: value for key, value in base.items() if key != "azimuth"}
    other = dataset.build(tmp_path / "y.h5", make_windows(seed=1), noise, STUDY)
    with dataset.open_dataset(other) as opened:
        for study, given, protocol, floors_of in ((STUDY, data, "P0", base), (fewer, data, "P2", base),
                                                  (STUDY, data, "P2", only), (STUDY, opened, "P2", base)):
            with pytest.raises(InputError, match="floors_of"):
                evaluate.baselines(study, given, protocol, floors_of=floors_of)
        with pytest.raises(InputError, match="baselines of the same windows"):
            evaluate.score_rows(STUDY, opened, predictions(data, base["folds"], guesses(data, 1)), base)


def test_angular_errors_are_those_worked_out_by_hand(data, base):
    """Always east: the mean distance of the bearings from 90 degrees, beside each fold's best constant."""
    east = {"magnitude": np.eye(4)[data.labels("magnitude")], "azimuth": np.eye(9)[np.full(len(data), 3)]}
    row = evaluate.score_rows(STUDY, data, predictions(data, base["folds"], east), base)[1]
    truth = data.windows.azimuth_deg.to_numpy()
    event = np.isfinite(truth)
    away = np.minimum(np.abs(truth - 90), 360 - np.abs(truth - 90))
    assert row["maae_deg"] == pytest.approx(away[event].mean())
    assert row["axial_error_deg"] == pytest.approx(np.minimum(away, 180 - away)[event].mean())
    expected = np.full(len(data), np.nan)
    for train, test in base["folds"]:
        known = truth[train][event[train]]
        cost = [np.mean(180 - np.abs(180 - np.abs(c - known) % 360)) for c in np.arange(0, 360, 0.5)]
        best = np.arange(0, 360, 0.5)[np.argmin(cost)]
        expected[test] = 180 - np.abs(180 - np.abs(best - truth[test]) % 360)
    assert row["constant_maae_deg"] == pytest.approx(np.nanmean(expected), abs=3)
    assert "maae_deg" not in evaluate.score_rows(STUDY, data, predictions(data, base["folds"], east), base)[0]


def test_one_target_gives_one_row(data, base, table):
    study = dataclasses.replace(STUDY, targets=("magnitude",))
    assert [r["target"] for r in evaluate.score_rows(study, data, table, base)] == ["magnitude"]


@pytest.mark.slow
def test_predictions_that_know_nothing_cover_chance(data, base):
    """Over sixty draws, at most about one interval in twenty leaves 0 out, and small p are as rare."""
    missed, low_p = np.zeros(2), np.zeros(2)
    study = dataclasses.replace(STUDY, evaluation=dataclasses.replace(STUDY.evaluation, bootstrap=300,
                                                                      permutations=99))
    for seed in range(60):
        blind = predictions(data, base["folds"], guesses(data, 0, seed))
        found = evaluate.score_rows(study, data, blind, base)
        missed += [not r["interval"][0] <= 0 <= r["interval"][1] for r in found]
        low_p += [r["p"] <= 0.1 for r in found]
    assert (missed <= 9).all(), missed           # 3 expected, 9 has probability 0.001
    assert (low_p <= 14).all(), low_p            # 6 expected, 14 has probability 0.002


def test_in_a_matched_design_labels_change_places_inside_sets_only():
    """Predictions that are right for half of each set: no exchange beats them but by chance of coins."""
    n = 24
    event, number = np.arange(n) % 2 == 1, np.array([str(i // 2) for i in range(n)])
    windows = pd.DataFrame({"event_id": np.where(event, number, ""), "set_id": number,
                            "block_id": np.where(event, "", number)})
    y = event.astype(int)
    unit = splits.matched(windows)
    assert np.unique(unit).size == n // 2
    found = evaluate._null(config.load("convnext", "smoke"), windows, y, y, "magnitude")
    assert found.p == pytest.approx(1 / 100) and found.n_units == n // 2
    assert found.method == nulls.exchange_refit(lambda labels: 0.0, y, unit, 3).method

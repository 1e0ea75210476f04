"""From a predictions table to score rows that can be read on their own (layer 5).

Every row says what a score is worth: its interval and p-value with the earthquake as the unit, what
predictors that cannot know the physics score on the same folds, and how the training and test windows of
the protocol are linked.
"""

import numpy as np
import pandas as pd

from lib import config, floors, intervals, metrics, nulls, splits
from lib.certificate import LINKS, certificate
from lib.files import InputError
from lib.hdf5 import table_hash
from lib.runs import COLUMNS
from lib.studies import AZIMUTH_CLASSES, N_CLASSES, Study


def baselines(study: Study, dataset, protocol: str, floors_of: dict | None = None) -> dict:
    """Predict with every floor and comparator on the folds of a protocol.

    Parameters
    ----------
    study : Study
    dataset : lib.dataset.Dataset
    protocol : str
        A key of `splits.PROTOCOLS`.
    floors_of : dict, optional
        An earlier result for the same protocol on a dataset with the same windows table (another world),
        whose floors are the same because they never look at the images.

    Returns
    -------
    dict
        ``protocol``, ``folds``, ``certificate``, ``table`` (hash of the windows), and for each target
        ``{"floors": {name: y_pred}, "comparators": ...}``.

    Raises
    ------
    InputError
        For an unknown protocol, or `floors_of` of other folds, windows or targets.
    """
    windows = dataset.windows
    folds = splits.folds(windows, protocol, study.evaluation.folds, study.seed, on_absent="ignore")
    table = table_hash(windows)
    if floors_of and not _same_task(floors_of, study, protocol, folds, table):
        found = f"{floors_of['protocol']}, {len(floors_of['folds'])} folds"
        raise InputError("evaluate.baselines", "floors_of", found,
                         f"a result for {protocol} on the same folds, windows and targets")
    features = floors.features(dataset.x, dataset.frequency_hz, study.seed)
    found = {"protocol": protocol, "folds": folds, "certificate": certificate(windows, folds), "table": table}
    for target in study.targets:
        found[target] = {
            "floors": floors_of[target]["floors"] if floors_of else floors.floors(
                windows, folds, target, study.seed),
            "comparators": floors.comparators(features, windows, folds, target, study.seed)}
    return found


def _same_task(other, study, protocol, folds, table):
    """Whether an earlier result predicts the same windows on the same folds."""
    return (other["protocol"] == protocol and other["table"] == table and len(other["folds"]) == len(folds)
            and all(np.array_equal(a[1], b[1]) for a, b in zip(other["folds"], folds, strict=True))
            and all(target in other for target in study.targets))


def score_rows(study: Study, dataset, predictions: pd.DataFrame, base: dict, **labels) -> list[dict]:
    """Score one predictions table, one row a target, in the form that `report.scoreboard` asks for.

    The score is the exact multi-class Matthews correlation R_K over all windows. Its interval resamples
    earthquakes and quiet blocks; p permutes their labels against the fixed predictions, inside matched sets
    where there are any. Azimuth labels differ inside an earthquake: there, earthquakes and blocks of as many
    windows exchange all their labels.

    Parameters
    ----------
    study : Study
    dataset : lib.dataset.Dataset
        What the predictions were made on.
    predictions : DataFrame
        From `train.cross_validate`.
    base : dict
        From `baselines`, same dataset and protocol.
    labels : str
        Extra fields of each row, for example ``world="null"``.

    Raises
    ------
    InputError
        If the predictions or the baselines do not belong to the dataset's windows and labels.
    """
    windows = dataset.windows
    if base["table"] != table_hash(windows):
        raise InputError("evaluate.score_rows", "base", base["protocol"], "baselines of the same windows")
    labels = dict(labels, backbone=study.network.backbone, protocol=base["protocol"])
    return [_score(study, windows, _aligned(predictions, windows, target, dataset.labels(target)), target,
                   base, labels) for target in study.targets]


def _aligned(predictions, windows, target, labels):
    """Return the rows of one target in the order of the windows table, each window once, labels as there."""
    if missing := [name for name in COLUMNS if name not in predictions]:
        raise InputError("predictions", "columns", missing, ", ".join(COLUMNS))
    rows = predictions[predictions.target == target].set_index("window_id")
    wanted = pd.Index(windows.window_id)
    if not rows.index.is_unique or len(rows) != len(wanted) or not rows.index.isin(wanted).all():
        strange = [*rows.index[rows.index.duplicated()], *rows.index.difference(wanted),
                   *wanted.difference(rows.index)]
        raise InputError("predictions", f"window_id, target {target}", strange[:3],
                         "one prediction for every window of the dataset and no other")
    rows = rows.loc[wanted]
    differs = rows.y_true.to_numpy() != labels
    if differs.any():
        row = int(np.argmax(differs))
        raise InputError("predictions", f"y_true of {wanted[row]}, target {target}", rows.y_true.iloc[row],
                         f"{labels[row]}, as in the dataset")
    return rows


def _score(study, windows, rows, target, base, labels):
    """One score row: MCC with its interval, p, floors, comparators and counts."""
    k, spec = N_CLASSES[target], study.evaluation
    y, predicted = rows.y_true.to_numpy(), rows.y_pred.to_numpy()
    groups = splits.groups(windows, "event")
    drawn = config.rng(study.seed, "bootstrap", target)
    interval = intervals.bootstrap_confusion(y, predicted, groups, k, metrics.mcc, spec.bootstrap, drawn)
    null = _null(study, windows, y, predicted, target)
    matrix = metrics.confusion(y, predicted, k)
    known = {kind: {name: float(metrics.mcc(metrics.confusion(y, p, k))) for name, p in table.items()}
             for kind, table in base[target].items()}
    best = max(known["floors"], key=known["floors"].get)
    above = intervals.bootstrap_confusion(
        y, predicted, groups, k, metrics.mcc, spec.bootstrap, config.rng(study.seed, "above", target),
        y_other=base[target]["floors"][best])
    row = {
        **labels, "target": target, "metric": "MCC", "score": float(metrics.mcc(matrix)),
        "interval": [interval.low, interval.high], "p": null.p, **known,
        "best_floor": best, "above_best_floor": [above.low, above.high],
        "n_windows": len(windows), "n_events": int(windows.event_id[windows.event_id != ""].nunique()),
        "n_groups": interval.n_units, "n_effective": intervals.n_effective(predicted == y, groups),
        "certificate": {kind: base["certificate"][kind] for kind in LINKS},
        "linked_share": base["certificate"]["fraction"], "accuracy": float(metrics.accuracy(matrix)),
        "majority_accuracy": float(matrix.sum(1).max() / matrix.sum()),
        "balanced_accuracy": float(metrics.balanced_accuracy(matrix)),
        "within_event_mcc": float(metrics.mcc(metrics.within_event(y, predicted, k))),
        "confusion": matrix.tolist(), "folds": len(base["folds"]),
        "absent_classes": splits.absent_classes(windows, base["folds"]),
    }
    if target == "azimuth":
        row.update(_directions(windows, rows, base["folds"]))
    return row


def _null(study, windows, y, predicted, target):
    """Test the predictions as they are: labels change places inside matched sets, else between groups."""
    k, spec = N_CLASSES[target], study.evaluation
    groups, unit = splits.groups(windows, "event"), splits.matched(windows)
    if target == "magnitude" and not np.array_equal(unit, groups):
        return nulls.exchange_refit(lambda labels: metrics.mcc(metrics.confusion(labels, predicted, k)), y,
                                    unit, spec.permutations, study.seed)
    drawn = config.rng(study.seed, "permutation", target)
    return intervals.permutation_test(y, predicted, groups, k, metrics.mcc, spec.permutations, drawn,
                                      blocks=target == "azimuth")


def _directions(windows, rows, folds):
    """Angular error of event windows, beside the best constant direction of each training fold."""
    truth = windows.azimuth_deg.to_numpy()
    sectors = rows[[f"p_{i}" for i in range(1, len(AZIMUTH_CLASSES))]].to_numpy()
    decoded = metrics.decode_azimuth_deg(sectors)
    constant = np.full(len(windows), np.nan)
    for train, test in folds:
        known = truth[train][np.isfinite(truth[train])]
        constant[test] = metrics.best_constant_deg(known)
    event = np.isfinite(truth) & np.isfinite(decoded)
    return {"maae_deg": metrics.maae_deg(decoded[event], truth[event]),
            "axial_error_deg": metrics.axial_error_deg(decoded[event], truth[event]),
            "constant_maae_deg": metrics.maae_deg(constant[event], truth[event])}

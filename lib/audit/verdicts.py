"""What an audit says of its numbers: criterion, value, limit, passed or not, and what to do (layer 5).

Limits are decisions of this compendium where no source is given [D].
"""

from collections.abc import Mapping
from dataclasses import dataclass

SHORTCUT = 0.1     # the interval of a predictor that cannot know the physics must not lie above this MCC
SINGLE = 0.1       # share of windows at stations where only one class occurs
COMMON = ("station", "date", "hour", "month", "kp", "dst")
LINK_ADVICE = {
    "dup": "Split before augmenting, or by base record; better by event (P2).",
    "station_day": "Hold out whole station-days at least (P1); better events (P2).",
    "event": "Hold out whole earthquakes and quiet blocks (P2).",
    "cluster": "Hold out whole families: decluster, fill cluster_id, use P3 or P5.",
    "day": "Windows of one date share one external field: use time blocks (P5).",
    "overlap": "Purge: drop training windows whose lookback or horizon meets the test span (P5).",
    "station": "Hold out stations too (P4 or P7), or match classes within stations.",
}


@dataclass(frozen=True)
class Verdict:
    """One line of the verdict table; `passed` is None where the input does not allow a check."""

    kind: str             # split, duplicates, floors, probes, design or claim
    criterion: str
    value: float | None
    limit: str
    passed: bool | None
    advice: str           # what to do if not passed, or what is missing


def of_split(certificate: Mapping, station_tells: bool) -> list[Verdict]:
    """No link may be left; a shared station only where the station says nothing about the class."""
    found = []
    for kind, advice in LINK_ADVICE.items():
        share = certificate["fraction"][kind]
        harmless = kind == "station" and not station_tells
        limit = "0, or a station lookup at chance" if kind == "station" else "0"
        found.append(Verdict("split", f"test windows that share {_said(kind)} with training", share, limit,
                             share == 0 or harmless, advice))
    return found


def _said(kind):
    return {"dup": "a base record", "station_day": "a station-day", "event": "an earthquake or block",
            "cluster": "a family", "day": "a date", "overlap": "time, lookback or horizon",
            "station": "a station"}[kind]


def of_duplicates(straddling: Mapping[str, float | None]) -> list[Verdict]:
    """No family of copies may lie on both sides; likenesses need images."""
    said = {"copies": "copies by bytes, name, base record or overlapping time",
            "likenesses": "likenesses of images (hash, cosine)"}
    advice = {"copies": "Keep one row a family, or keep families on one side.",
              "likenesses": "Look at the pairs: copies under other names, or one field at two stations?"}
    return [Verdict("duplicates", f"test windows with {said[name]} in training", share, "0",
                    None if share is None else share == 0,
                    "Not checked: give x as images." if share is None else advice[name])
            for name, share in straddling.items()]


def of_floors(floors: Mapping[str, Mapping], known: Mapping[str, bool]) -> list[Verdict]:
    """No predictor that reads the table only may tell the classes: interval of its MCC not above 0.1."""
    found = []
    pairs = [name for name in floors if name.startswith("lookup_") and name[7:] not in COMMON]
    shown = [f"lookup_{name}" for name in COMMON] + ["time_adjacency", "metadata"]
    if pairs:
        shown.append(max(pairs, key=lambda name: floors[name]["interval"][0]))
    for name in shown:
        given = known.get(name.removeprefix("lookup_"), True)
        row, said = floors[name], name.replace("lookup_", "lookup of ").replace("_", " ")
        found.append(Verdict(
            "floors", f"MCC of {said}, which sees no record", row["score"] if given else None, _limit(),
            row["interval"][0] <= SHORTCUT if given else None,
            f"Match the classes in {said.replace('lookup of ', '')}, or split so that it cannot help."
            if given else f"Not checked: give {name.removeprefix('lookup_')} values."))
    return found


def _limit():
    return f"lower limit at most {SHORTCUT}"


def of_probes(probes: list[Mapping], has_x: bool, has_pipeline: bool) -> list[Verdict]:
    """No attribute may both be readable from the images and tell the class."""
    found = []
    for row in probes:
        name, tells = row["attribute"], row["tells_interval"][0] > SHORTCUT
        if row["decoded"] is None and name != "pipeline":
            continue                      # the floors say it already
        read = row["decoded"] is None or row["decoded_interval"][0] > SHORTCUT
        value = row["tells"] if row["decoded"] is None else min(row["decoded"], row["tells"])
        found.append(Verdict("probes", f"{name}: readable from x and tells the class (lesser MCC)",
                             value, _limit() + " for one of the two", not (tells and read),
                             f"Match the classes in {name}, or remove its trace from the images."))
    if not has_x:
        found.append(Verdict("probes", "shortcuts in the images", None, _limit(), None,
                             "Not checked: give x."))
    if not has_pipeline:
        found.append(Verdict("probes", "pipeline: tells the class", None, _limit(), None,
                             "Not checked: give a column pipeline (program, settings, colour map, author)."))
    return found


def of_design(sample: Mapping, single: float, after: float | None) -> list[Verdict]:
    """Classes need groups, stations need every class, and a precursor comes before its earthquake."""
    least, folds = sample["fewest_groups_of_a_class"], sample["folds"]
    return [
        Verdict("design", "earthquakes or blocks of the rarest class", least, f"at least {folds}, the folds",
                least >= folds, "Collect more, join classes, or use fewer folds."),
        Verdict("design", "windows at stations where only one class occurs", single, f"at most {SINGLE}",
                single <= SINGLE, "Take quiet and event windows from the same stations."),
        Verdict("design", "windows that reach into or follow their earthquake", after, "0",
                None if after is None else after == 0, "Not checked: give lead_days." if after is None
                else "End every window before its earthquake.")]


def of_claim(claim: Mapping | None) -> list[Verdict]:
    """Skill is what lies above chance and above every floor, earthquake by earthquake."""
    if claim is None:
        return []
    change = claim["one_per_family"]
    found = [
        Verdict("claim", f"lower limit of MCC above the best floor ({claim['best_floor']})",
                claim["above_best_floor"][0], "above 0", claim["above_best_floor"][0] > 0,
                "No skill above a predictor that sees no record: claim none."),
        Verdict("claim", "p of the MCC, labels permuted by earthquake", claim["p"], "at most 0.05",
                claim["p"] <= 0.05, "The score is within what shuffled labels give.")]
    if change is not None:
        fall = claim["score"] - change["score"]
        found.append(Verdict("claim", "MCC lost when each family of copies counts once", fall, "at most 0.05",
                             bool(fall <= 0.05), "Report the score of one row a family."))
    return found

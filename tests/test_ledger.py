"""The ledger: whoever holds the head finds every change; nobody sees outcomes without it."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lib import ledger
from lib.files import InputError

N = 6
DAYS = pd.date_range("2024-01-01", periods=N, freq="D")
WINDOWS = pd.DataFrame({"window_id": [f"SCN-{k}" for k in range(N)], "station": "SCN", "start": DAYS,
                        "end": DAYS + pd.Timedelta(days=1), "horizon_s": 7 * 86400.0})
PREDICTIONS = pd.DataFrame({"window_id": WINDOWS.window_id, "p_0": np.linspace(.1, .9, N),
                            "p_1": 1 - np.linspace(.1, .9, N), "p_2": np.nan,
                            "bearing_deg": [10., np.nan] * 3})
LABELS = WINDOWS.assign(y_true=[0, 1] * 3)[["window_id", "station", "start", "y_true"]]


def write(path, rows=slice(None), **change):
    given = {"model": "abc", "issued": WINDOWS.end[rows].to_numpy(), "further": ("bearing_deg",)} | change
    return ledger.write_forecasts(path, PREDICTIONS[rows], WINDOWS, **given)


@pytest.fixture
def made(tmp_path):
    return tmp_path / "a.jsonl", write(tmp_path / "a.jsonl")


@pytest.fixture(scope="module")
def bytes_and_head(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "a.jsonl"
    head = write(path)
    return path, path.read_bytes(), head


def test_what_was_written_is_read_back(made):
    """Exactly, to the last bit of a probability; the head is the sha256 of the last line."""
    import hashlib
    path, head = made
    table = ledger.read(path)
    assert ledger.verify(path) == ledger.verify(path, head) == head
    lines = path.read_bytes().split(b"\n")
    assert hashlib.sha256(lines[-2]).hexdigest() == head and lines[-1] == b""
    assert [json.loads(x)["previous"] for x in lines[1:-1]] == [
        hashlib.sha256(x).hexdigest() for x in lines[:-2]]
    assert (table.p_0 == PREDICTIONS.p_0).all() and "p_2" not in table
    np.testing.assert_array_equal(table.bearing_deg, PREDICTIONS.bearing_deg)
    assert (table.valid_from == WINDOWS.end).all() and table.sequence.tolist() == [1, 2, 3, 4, 5, 6]
    assert (table.valid_to == WINDOWS.end + pd.Timedelta(days=7)).all()


def test_truths_in_the_predictions_are_not_written(tmp_path):
    path = tmp_path / "a"
    ledger.write_forecasts(path, PREDICTIONS.assign(y_true=1, y_pred=0), WINDOWS, model="m",
                           issued=WINDOWS.end)
    assert b"y_true" not in path.read_bytes()
    with pytest.raises(InputError, match="further"):
        ledger.write_forecasts(path, PREDICTIONS.assign(y_true=1), WINDOWS, model="m",
                               issued=WINDOWS.end, further=("y_true",))


def test_appending_gives_the_bytes_of_writing_at_once(made, tmp_path):
    path, head = made
    parts = tmp_path / "b.jsonl"
    first = write(parts, slice(0, 2))
    assert write(parts, slice(2, 6)) == head != first
    assert parts.read_bytes() == path.read_bytes()
    with pytest.raises(InputError, match="line 6"):       # a later ledger is not the one sealed earlier
        ledger.verify(parts, first)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_byte_is_found_and_its_line_named(bytes_and_head, data):
    path, text, head = bytes_and_head
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(byte != text[place])
    path.write_bytes(text[:place] + bytes([byte]) + text[place + 1:])
    line = text[:place].count(b"\n") + 1
    with pytest.raises(InputError, match=f", line {line}[:,]"):
        ledger.verify(path, head)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_lines_dropped_repeated_swapped_inserted_or_cut_off_are_found(bytes_and_head, data):
    path, text, head = bytes_and_head
    lines = text.splitlines(keepends=True)
    i, j = sorted(data.draw(st.lists(st.integers(0, N - 1), min_size=2, max_size=2, unique=True)))
    forged = json.dumps(json.loads(lines[i]) | {"station": "XYZ"}, sort_keys=True).encode() + b"\n"
    changed, named = {
        "drop": (lines[:i] + lines[i + 1:], i + 1), "repeat": (lines[:i + 1] + lines[i:], i + 2),
        "swap": ([*lines[:i], lines[j], *lines[i + 1:j], lines[i], *lines[j + 1:]], i + 1),
        "insert": (lines[:i] + [forged] + lines[i:], i + 2),
        "blank": (lines[:i] + [b"\n"] + lines[i:], i + 1), "truncate": (lines[:j], j),
        "head": (lines[i + 1:], 1), "replace": (lines[:i] + [forged] + lines[i + 1:], i + 1),
    }[kind := data.draw(st.sampled_from(["drop", "repeat", "swap", "insert", "blank", "truncate", "head",
                                         "replace"]))]
    path.write_bytes(b"".join(changed))
    with pytest.raises(InputError, match=f", line {named}[:,]") as error:
        ledger.verify(path, head)
    assert kind != "truncate" or "removed" in str(error.value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 10_000))
def test_a_file_cut_anywhere_is_found(bytes_and_head, cut):
    path, text, head = bytes_and_head
    path.write_bytes(text[:-min(cut, len(text))])
    with pytest.raises(InputError, match="line"):
        ledger.verify(path, head)


def chain(entries):
    """Lines with all hashes made anew, as a forger would."""
    head, out = ledger.GENESIS, b""
    for number, entry in enumerate(entries, 1):
        line = json.dumps(entry | {"sequence": number, "previous": head}, sort_keys=True).encode()
        head, out = ledger._sha(line), out + line + b"\n"
    return out, head


def test_without_the_head_a_lost_tail_and_a_new_chain_go_unseen(made):
    """What the docstring admits, and that the head finds both."""
    path, head = made
    text = path.read_bytes()
    lines = text.splitlines(keepends=True)
    entries = [json.loads(x) for x in lines]
    last = json.dumps(entries[-1] | {"station": "XYZ"}, sort_keys=True).encode() + b"\n"
    for forged in (b"".join(lines[:3]), b"".join(lines[:-1]) + last, chain(entries[3:] + entries[:3])[0]):
        path.write_bytes(forged)
        assert ledger.verify(path) != head
        with pytest.raises(InputError, match="the head"):
            ledger.verify(path, head)


def test_labels_are_joined_to_a_sound_ledger(made):
    path, head = made
    shuffled = LABELS.sample(frac=1, random_state=1)
    table = ledger.open_labels(path, head, lambda: shuffled)
    assert table.y_true.tolist() == [0, 1] * 3 and (table.p_1 == PREDICTIONS.p_1).all()
    assert list(table.columns).count("station") == 1


def test_labels_are_not_looked_at_if_the_ledger_was_touched(made):
    path, head = made
    path.write_bytes(path.read_bytes().replace(b'"p', b'"q', 1))

    def labels():
        raise AssertionError("opened")

    with pytest.raises(InputError, match="line 1"):
        ledger.open_labels(path, head, labels)
    with pytest.raises(InputError, match="64 hex"):
        ledger.open_labels(path, None, labels)


@pytest.mark.parametrize(("labels", "message"), [
    (LABELS.iloc[:-1], "SCN-5.*none more, none less"),
    (pd.concat([LABELS, LABELS.iloc[:1].assign(window_id="TRD-0")]), "TRD-0"),
    (pd.concat([LABELS, LABELS.iloc[:1]]), "one row each"),
    (LABELS.assign(station="TRD"), "station of SCN-0.*SCN, as on the ledger"),
    (LABELS.assign(start=LABELS.start + pd.Timedelta(days=1)), "start of SCN-0"),
    (LABELS.drop(columns="window_id"), "window_id")])
def test_labels_of_other_windows_are_refused(made, labels, message):
    with pytest.raises(InputError, match=message):
        ledger.open_labels(*made, labels)


@pytest.mark.parametrize(("change", "message"), [
    ({"issued": "2024-01-05T00:00:00"}, "valid_from of SCN-0.*outcome could be known"),
    ({"issued": "2023-12-01T00:00:00"}, "issued of SCN-0.*data are needed")])
def test_a_forecast_out_of_time_opens_no_labels(made, change, message):
    """Even if its chain is sound."""
    path, _ = made
    entries = [json.loads(x) for x in path.read_bytes().splitlines()]
    text, head = chain([entries[0] | change, *entries[1:]])
    path.write_bytes(text)
    ledger.verify(path, head)
    with pytest.raises(InputError, match=message):
        ledger.open_labels(path, head, LABELS)


def test_several_targets_of_one_window(tmp_path):
    both = pd.concat([PREDICTIONS.assign(target="detection"), PREDICTIONS.assign(target="magnitude")])
    head = ledger.write_forecasts(tmp_path / "a", both, WINDOWS, model="m", issued=[*WINDOWS.end] * 2)
    table = ledger.open_labels(tmp_path / "a", head, LABELS)
    assert len(table) == 12 and table.groupby("window_id").y_true.nunique().eq(1).all()
    truths = pd.concat([LABELS.assign(target="detection"), LABELS.assign(target="magnitude", y_true=5)])
    table = ledger.open_labels(tmp_path / "a", head, truths)
    assert table[table.target == "magnitude"].y_true.eq(5).all() and table.y_true.eq(5).sum() == 6
    with pytest.raises(InputError, match="none less"):
        ledger.open_labels(tmp_path / "a", head, truths.iloc[:6])


@pytest.mark.parametrize(("predictions", "change", "message"), [
    (PREDICTIONS, {"model": " "}, "model"), (PREDICTIONS, {"issued": "soon"}, "issued"),
    (PREDICTIONS, {"issued": WINDOWS.start}, "issued of SCN-0.*data are needed"),
    (PREDICTIONS, {"issued": WINDOWS.end, "valid_from": WINDOWS.start}, "outcome could be known"),
    (PREDICTIONS, {"valid_from": WINDOWS.end + pd.Timedelta(days=8)}, "valid_to"),
    (PREDICTIONS.assign(p_0=.5), {}, "sum 1"), (PREDICTIONS.assign(p_0=np.nan), {}, "sum 1"),
    (PREDICTIONS.assign(p_0=1.5, p_1=-.5), {}, "sum 1"), (PREDICTIONS.assign(p_1=np.inf), {}, "sum 1"),
    (PREDICTIONS[["window_id"]], {}, "p_0"), (PREDICTIONS.rename(columns={"p_0": "p_3"}), {}, "p_0"),
    (PREDICTIONS.assign(window_id="x"), {}, "window_id"),
    (PREDICTIONS.iloc[:0], {"issued": []}, "one forecast"),
    (pd.concat([PREDICTIONS, PREDICTIONS]), {"issued": [*WINDOWS.end] * 2}, "never revised")])
def test_forecasts_that_cannot_be_are_refused_and_nothing_is_written(tmp_path, predictions, change, message):
    given = {"model": "m", "issued": WINDOWS.end} | change
    with pytest.raises(InputError, match=message):
        ledger.write_forecasts(tmp_path / "a", predictions, WINDOWS, **given)
    assert not list(tmp_path.iterdir())


def test_a_ledger_is_only_ever_extended(made):
    """No second forecast for a window, none issued before the last one, none on a damaged ledger."""
    path, head = made
    before = path.read_bytes()
    with pytest.raises(InputError, match="never revised"):
        write(path)
    old = WINDOWS.iloc[:1].assign(window_id="SCN-x")
    with pytest.raises(InputError, match="not before the last forecast"):
        ledger.write_forecasts(path, PREDICTIONS.iloc[:1].assign(window_id="SCN-x"), old, model="m",
                               issued=old.end)
    assert path.read_bytes() == before
    path.write_bytes(before.replace(b"abc", b"abd", 1))
    with pytest.raises(InputError, match="line 1"):
        ledger.write_forecasts(path, PREDICTIONS.iloc[:1].assign(window_id="SCN-x"), old, model="m",
                               issued="2024-01-07")
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.jsonl"]


def test_a_second_writer_waits_for_the_first(made):
    path, _ = made
    (lock := path.with_name("a.jsonl.lock")).touch()
    with pytest.raises(InputError, match="no other writer"):
        write(path)
    assert lock.exists()


def test_the_seal_names_the_head(made):
    path, head = made
    found = json.loads(ledger.seal(path).read_text())
    assert found == {"ledger": "a.jsonl", "head": head, "forecasts": 6,
                     "first_issued": "2024-01-02T00:00:00", "last_issued": "2024-01-07T00:00:00"}


@pytest.mark.parametrize("head", ["", "abc", "G" * 64, 5])
def test_a_head_that_is_none_is_refused(made, head):
    with pytest.raises(InputError, match="64 hex digits"):
        ledger.verify(made[0], head)


def test_files_that_are_no_ledger_are_refused(tmp_path):
    with pytest.raises(InputError, match="reading"):
        ledger.verify(tmp_path / "none")
    for text in (b"", b"\n", b"[1]\n", b"5\n", b"{}\n", b"\xff\n"):
        (tmp_path / "a").write_bytes(text)
        with pytest.raises(InputError, match="line 1"):
            ledger.verify(tmp_path / "a")

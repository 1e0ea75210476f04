import errno
import os
import pickle

import numpy as np
import pytest

from lib import files


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk_is_one_clear_error(tmp_path):
    with pytest.raises(files.InputError, match="space") as error, files.atomic_path(tmp_path / "b"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(tmp_path / "b") in str(error.value)
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(files.InputError, match="a folder that can be written"):
        files.write_json(tmp_path / "file" / "c.json", {})


def test_equal_content_has_equal_hash():
    assert files.content_hash({"b": 1, "a": [1, 2]}) == files.content_hash({"a": (1, 2), "b": 1})
    array = np.arange(6, dtype=np.float32)
    assert files.content_hash(array) == files.content_hash(array.copy())
    assert files.content_hash(array) != files.content_hash(array.reshape(2, 3))
    assert files.content_hash(array) != files.content_hash(array.astype(np.float64))


def test_json_refuses_nan(tmp_path):
    """A score that is not a number never reaches a results file."""
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "d.json", {"score": float("nan")})
    assert not os.listdir(tmp_path)


def test_input_error_crosses_process_borders():
    """Workers of a process pool send their errors home by pickle."""
    error = files.InputError("f.sec", "line 3", 99999.0, "nT")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_long_values_are_cut_in_messages():
    assert len(str(files.InputError("f", "line 1", "x" * 10_000, "less"))) < 200

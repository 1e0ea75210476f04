import subprocess

from lib import provenance


def test_commit_tells_when_the_library_differs(monkeypatch):
    answers = {"rev-parse": "abc1234\n", "status": ""}
    monkeypatch.setattr(provenance, "_git", lambda word, *rest: answers[word])
    assert provenance.commit() == "abc1234"
    answers["status"] = " M lib/train.py\n"
    assert provenance.commit() == "abc1234-dirty"


def test_commit_is_unknown_outside_git(monkeypatch):
    def fail(*words):
        raise subprocess.CalledProcessError(128, words)
    monkeypatch.setattr(provenance, "_git", fail)
    assert provenance.commit() == "unknown"


def test_hardware_names_processor_and_cores():
    assert "cores" in provenance.hardware()

"""On what machine and from which commit something was made (layer 1)."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from lib.config import ROOT


def hardware() -> str:
    """Name processor and cores, and the accelerator if torch is loaded and sees one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:                   # not Linux
        lines = ""
    model = re.search(r"^model name\s*: (.+)$", lines, re.MULTILINE)
    name = model[1].strip() if model else platform.processor() or platform.machine()
    torch = sys.modules.get("torch")  # never imported for this
    gpu = [torch.cuda.get_device_name()] if torch and torch.cuda.is_available() else []
    return ", ".join([name, f"{os.cpu_count()} cores", *gpu])


def commit() -> str:
    """Short hash of the checkout, ``-dirty`` where library or notebooks differ; ``unknown`` without git."""
    try:
        short = _git("rev-parse", "--short", "HEAD").strip()
        return short + ("-dirty" if _git("status", "--porcelain", "--", "lib", "notebooks").strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

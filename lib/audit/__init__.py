"""Audit of any study from its tables: windows, predictions, images (layer 5).

From a shell: ``python -m lib.audit windows.csv [--predictions p.csv] [--x x.npz] [--json out.json]``. Ends
with 0 if nothing is flagged, 1 if something is, 2 for input that cannot be used.
"""

from lib.audit.cli import main, text
from lib.audit.core import Audit, audit
from lib.audit.files import read_csv, read_x
from lib.audit.verdicts import Verdict

__all__ = ["Audit", "Verdict", "audit", "main", "read_csv", "read_x", "text"]

"""What printed numbers allow, from the numbers alone: no data, no network, no training (layer 4).

Every check answers one question: which counts could have been printed so? A number that no count fits was
computed otherwise, comes from another sample, or is misprinted; the check cannot tell which. A number that
fits is not thereby right. Predictions or confusion matrices settle what these checks leave open.

From a shell: ``python -m lib.forensics --help``. Explained in chapter 10. Sources: systems.md 3 and 4.
"""

from lib.forensics.confusion import METRICS, confusion_matrices
from lib.forensics.counts import complements, ddof_of, divisibility, grimmer, total_check
from lib.forensics.designs import fold_composition, nyquist_check, parameter_table, window_coverage
from lib.forensics.rounding import grim, grim_sizes, read_share
from lib.forensics.scores import (
    best_of,
    best_of_tests,
    compare_repeats,
    dispersion,
    maae_null,
    resultant_reaching,
)

__all__ = [
    "METRICS", "best_of", "best_of_tests", "compare_repeats", "complements", "confusion_matrices", "ddof_of",
    "dispersion", "divisibility", "fold_composition", "grim", "grim_sizes", "grimmer", "maae_null",
    "nyquist_check", "parameter_table", "read_share", "resultant_reaching", "total_check", "window_coverage",
]

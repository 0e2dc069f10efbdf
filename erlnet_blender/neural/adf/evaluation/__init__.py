"""How well the speech model does, in figures; docs/adf.md says what each one means.

`report` puts them together. `cases` listens to the recordings once; `events` counts closures, `calibration` chooses
thresholds and gains on the development split.
"""

from .calibration import calibrate
from .report import evaluate

__all__ = ["calibrate", "evaluate"]

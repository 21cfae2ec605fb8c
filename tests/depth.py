"""How much a run tries: `HYPOTHESIS_PROFILE=nightly` all or far more of what is otherwise drawn."""

import os
from typing import Final

NIGHTLY: Final = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

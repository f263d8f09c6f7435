"""The environment variables of the Python package; nothing else in it reads any.

B12X_DRIVER   auto | gpu | sim | PATH   which driver the command line uses (library calls follow their tensors)
"""

from __future__ import annotations

import os


def driver() -> str:
    """The value of B12X_DRIVER; "auto" when it is unset or empty."""
    return os.environ.get("B12X_DRIVER") or "auto"

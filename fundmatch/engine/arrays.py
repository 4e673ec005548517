"""NumPy when it is installed, None when it is not.

Every calculation has a plain Python form; arrays only make it faster, and the
results are the same to the byte. `FUNDMATCH_PLAIN=1` in the environment forces
the plain form, which is how that sentence is tested.
"""

from __future__ import annotations

import os
from typing import Any

np: Any
try:
    if os.environ.get("FUNDMATCH_PLAIN"):
        raise ImportError
    import numpy as np
except ImportError:
    np = None

#: an array of NumPy, or a list where NumPy is absent
Array = Any

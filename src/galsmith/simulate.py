"""``import galsmith.simulate``: another name of `galsmith.data.simulate`, and the same module."""

import sys

from galsmith.data import simulate

sys.modules[__name__] = simulate

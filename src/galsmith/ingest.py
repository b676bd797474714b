"""``import galsmith.ingest``: another name of `galsmith.data.ingest`, and the same module."""

import sys

from galsmith.data import ingest

sys.modules[__name__] = ingest

"""Bringing images into a store: ``galsmith.ingest.folder``, ``.fits``, ``.arrays``, published sets, fields, stores."""

from galsmith.data.ingest.data_sets import cosmos, skirt
from galsmith.data.ingest.fields import field
from galsmith.data.ingest.files import arrays, fits, folder, store

__all__ = ["arrays", "cosmos", "field", "fits", "folder", "skirt", "store"]

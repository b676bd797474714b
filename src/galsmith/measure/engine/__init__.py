"""The compiled measurement engine: from the pixels of one galaxy to all its quantities, without Python in between."""

from galsmith.measure.engine.compiled.freshness import drop_stale_kernels

# Changes with whatever changes a value: tables of two versions cannot be compared.
ENGINE_VERSION = "2"

drop_stale_kernels()

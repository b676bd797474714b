"""How the engine's functions are compiled: cached on disk, without the interpreter's lock, no error on 1 / 0."""

import numba

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
"""Decorator of every kernel: IEEE arithmetic in the order written."""

compiled_sum = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)
"""Decorator of plain sums, whose terms may be added in any order."""

inlined = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
"""Decorator of small functions that are called for single pixels."""

compiled_fused = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
"""Decorator of long arithmetic on whole rows: a product and a sum may be rounded once, the order is kept."""

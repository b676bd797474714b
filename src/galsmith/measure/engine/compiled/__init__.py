"""How the engine's functions are compiled: cached on disk, without the interpreter's lock, no error on 1 / 0.

Nobody takes their addresses, so wrappers for calls from C, which take as long to compile, are left out.
"""

from functools import partial

import numba

_kernel = partial(numba.njit, cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)

compiled = _kernel()
"""Decorator of every kernel: IEEE arithmetic in the order written."""

compiled_sum = _kernel(fastmath={"reassoc", "contract", "nsz"})
"""Decorator of plain sums, whose terms may be added in any order."""

inlined = _kernel(forceinline=True)
"""Decorator of small functions that are called for single pixels."""

compiled_fused = _kernel(fastmath={"contract", "nsz"})
"""Decorator of long arithmetic on whole rows: a product and a sum may be rounded once, the order is kept."""

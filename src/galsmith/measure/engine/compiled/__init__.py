"""How the engine's functions are compiled: cached on disk, without the interpreter's lock, no error on 1 / 0."""

from collections.abc import Callable
from typing import Any

from galsmith.measure.engine.compiled.parts import Kernel


def _kernel(**options: Any) -> Callable[[Callable[..., Any]], Kernel]:
    chosen = {
        "nopython": True,
        "boundscheck": None,
        "nogil": True,
        "error_model": "numpy",
        "no_cfunc_wrapper": True,
        **options,
    }
    return lambda function: Kernel(function, chosen)


compiled = _kernel()
"""Decorator of every kernel: IEEE arithmetic in the order written."""

compiled_sum = _kernel(fastmath={"reassoc", "contract", "nsz"})
"""Decorator of plain sums, whose terms may be added in any order."""

inlined = _kernel(forceinline=True)
"""Decorator of small functions that are called for single pixels."""

compiled_fused = _kernel(fastmath={"contract", "nsz"})
"""Decorator of long arithmetic on whole rows: a product and a sum may be rounded once, the order is kept."""

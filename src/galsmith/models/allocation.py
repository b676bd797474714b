"""A bound for networks that files describe: settings of absurd size are refused before their weights are allocated."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from galsmith.files.bounds import bytes_on_disk, refuse_excess

# Only these give a tensor memory of its own before there is any: what is computed from tensors is no larger than they are,
# but for repeated ones, and those are made of weights that were counted. Names of torch's ATen, the shape as their
# first argument.
FACTORIES = ("empty", "zeros", "ones", "full", "rand", "randn", "empty_strided")
MOST_BYTES_A_NUMBER = 8  # float64 and int64; no network here has complex weights
LEAST_BYTES_A_TENSOR = 10_000  # of the module and the objects around a small one


class _Bound(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is allocated, and refuses what is more than a file can be believed to need."""

    def __init__(self, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._path, self._file_bytes, self._n_bytes = path, bytes_on_disk(path), 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Count a call that makes a tensor from nothing, then make it."""
        # a loop over absurdly many small layers adds up too
        if func.overloadpacket.__name__ in FACTORIES and args and isinstance(args[0], list | tuple):
            self._n_bytes += LEAST_BYTES_A_TENSOR + math.prod(args[0]) * MOST_BYTES_A_NUMBER
            refuse_excess(self._path, self._n_bytes, self._file_bytes)
        return func(*args, **(kwargs or {}))


@contextmanager
def bounded_allocation(path: Path) -> Iterator[None]:
    """Raise `InputError` if a network, built in the block, takes more memory than its file can be believed to need.

    Parameters
    ----------
    path : Path
        The file that describes it.
    """
    with _Bound(path):
        yield

"""How much memory training takes, and whether it ran out."""

import resource
import sys

import torch

BYTES_PER_UNIT_OF_RUSAGE = 1 if sys.platform == "darwin" else 1024
SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")


def memory_mb(device: torch.device) -> float:
    """Peak memory so far in 1e6 bytes: of the device if it is a CUDA one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_UNIT_OF_RUSAGE / 1e6


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: of a GPU, or of this computer as Python or torch say it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)

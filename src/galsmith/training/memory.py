"""How much memory training takes."""

import resource
import sys

import torch

BYTES_PER_UNIT_OF_RUSAGE = 1 if sys.platform == "darwin" else 1024


def memory_mb(device: torch.device) -> float:
    """Peak memory so far in 1e6 bytes: of the device if it is a CUDA one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_UNIT_OF_RUSAGE / 1e6

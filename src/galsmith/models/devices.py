"""What the device at hand can do: whether it is there, its precision, and its memory."""

import resource
import sys

import torch

from galsmith.errors import SettingsError
from galsmith.models.protocols import Precision

BYTES_PER_UNIT_OF_RUSAGE = 1 if sys.platform == "darwin" else 1024
SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")


def usable_device(name: str) -> torch.device:
    """Return torch's device of this name.

    Raises
    ------
    SettingsError
        If there is no such device here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SettingsError(
            f"cannot be used here ({reason})", argument="device", came=name, way_out="take `device=cpu`"
        ) from error
    return device


def check_precision(precision: str, device: torch.device) -> Precision:
    """Return the precision if the device can compute in it; a CPU always can, if not always fast.

    Raises
    ------
    SettingsError
        If it is unknown, or bfloat16 on a GPU without it.
    """
    if precision == "float32":
        return "float32"
    if precision != "bfloat16":
        raise SettingsError(argument="precision", came=precision, wanted="float32 or bfloat16")
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise SettingsError(
            "this GPU does not have it",
            argument="precision",
            came=precision,
            way_out="take `precision=float32`",
        )
    return "bfloat16"


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

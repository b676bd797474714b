"""Check that the precision asked for can be used on a device."""

import torch

from galsmith.errors import SettingsError
from galsmith.models.protocols import Precision


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
        raise SettingsError(f"precision is {precision!r}; wanted 'float32' or 'bfloat16'")
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise SettingsError("precision is 'bfloat16': this GPU does not have it; take 'float32'")
    return "bfloat16"

"""The one place where the device and the precision of training and sampling are chosen.

``auto`` takes the first CUDA device if there is one, else the CPU. The precision ``auto`` is bfloat16
for a network's trunk where the device multiplies it natively (CUDA devices of compute capability 8.0 and above,
CPUs with AMX or AVX-512 bfloat16), where a step takes a third to a fifth of the time, and float32 everywhere
else. Weights, outputs, sums and losses stay float32 either way.
"""

from galsmith.errors import SettingsError


def choose_device(wanted: str) -> str:
    """Return the name that torch knows the device by.

    Raises
    ------
    SettingsError
        If a GPU is asked for and there is none.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda: torch finds no CUDA device here; use --device cpu or auto")
    return wanted


def choose_precision(wanted: str, *, device: str) -> str:
    """Return ``"float32"`` or ``"bfloat16"`` for this device."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if _multiplies_bfloat16(device) else "float32"


def _multiplies_bfloat16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16 matrices itself."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_capability()[0] >= 8
    return any(
        getattr(torch.cpu, name, lambda: False)()
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )

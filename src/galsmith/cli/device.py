"""The one place where the device and the precision of training and sampling are chosen.

``auto`` takes the first CUDA device if there is one, else the CPU. The precision ``auto`` is bfloat16
for the `diffusion` family where the device multiplies it natively (CUDA devices of compute capability 8.0
and above, CPUs with AMX or AVX-512 bfloat16), and float32 everywhere else: the small networks of
`pca_diffusion` gain nothing from it. Weights, sums and losses stay float32 either way.
"""

from collections.abc import Mapping, Sequence

from galsmith.errors import SettingsError
from galsmith.settings import apply_overrides, read_recipe

HALF_PRECISION_FAMILIES = ("diffusion",)


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


def choose_precision(wanted: str, *, device: str, family: str) -> str:
    """Return ``"float32"`` or ``"bfloat16"`` for this device and model family."""
    if wanted != "auto":
        return wanted
    native = _multiplies_bfloat16(device)
    return "bfloat16" if native and family in HALF_PRECISION_FAMILIES else "float32"


def family_of(recipe: str, settings: Sequence[str] = ()) -> str:
    """Name of the model family that a recipe, with ``--set`` entries put in, is for; empty where it states none."""
    model = apply_overrides(read_recipe(recipe), settings).get("model")
    return str(model.get("family", "")) if isinstance(model, Mapping) else ""


def _multiplies_bfloat16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16 matrices itself."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_capability()[0] >= 8
    return any(
        getattr(torch.cpu, name, lambda: False)()
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )

"""Checks that the device asked for can be used here; training and sampling share it."""

import torch

from galsmith.errors import SettingsError


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
        raise SettingsError(f"device is {name!r}: cannot be used here ({reason}); take 'cpu'") from error
    return device

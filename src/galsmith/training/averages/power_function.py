"""Averages of weights with a power-function profile or a half-life, and combinations of the former of any width (EDM2)."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class PowerFunctionEma:
    """Keeps a float32 average of a network, weighted by ``t**gamma`` over the images t seen so far.

    One update is ``average = beta * average + (1 - beta) * weights`` with
    ``beta = (1 - step / t)**(gamma + 1)`` (Karras et al. 2024, "Analyzing and improving the training
    dynamics of diffusion models", eq. 127 and appendix C), so the width of the profile stays the same share of the
    training's length, however long it is. The first update copies the weights.

    Parameters
    ----------
    network : torch.nn.Module
        What to average; it is copied, not kept.
    width : float
        Standard deviation of the profile as a share of the training's length, in (0, 0.28).
    """

    def __init__(self, network: torch.nn.Module, *, width: float) -> None:
        self.width, self.gamma = width, gamma_from_width(width)
        self.average = copy.deepcopy(network).eval().requires_grad_(requires_grad=False).float()

    @torch.no_grad()
    def update(self, network: torch.nn.Module, *, images_seen: int, step_images: int) -> None:
        """Take in the weights after a step; buffers are copied.

        Parameters
        ----------
        network : torch.nn.Module
            The network that was trained, of the structure given at the start.
        images_seen : int
            Training images shown up to and with this step.
        step_images : int
            How many of them this step showed.
        """
        beta = (1.0 - step_images / images_seen) ** (self.gamma + 1.0)
        _take_in(self.average, network, beta)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return dict(self.average.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.average.load_state_dict(dict(state))


class HalfLifeEma:
    """Keeps a float32 average of a network in which a step counts half after a number of images.

    One update is ``average = beta * average + (1 - beta) * weights`` with ``beta = 0.5**(step / half_life)``; early in
    training the half-life is no more than a share of the images seen (StyleGAN2-ADA's `ema_kimg` and `ema_rampup`).

    Parameters
    ----------
    network : torch.nn.Module
        What to average; it is copied, not kept.
    half_life : float
        In images.
    ramp_up : float
        Largest half-life as a share of the images seen.
    """

    width = None  # no power function's

    def __init__(self, network: torch.nn.Module, *, half_life: float, ramp_up: float) -> None:
        self.half_life, self.ramp_up = half_life, ramp_up
        self.average = copy.deepcopy(network).eval().requires_grad_(requires_grad=False).float()

    @torch.no_grad()
    def update(self, network: torch.nn.Module, *, images_seen: int, step_images: int) -> None:
        """Take in the weights after a step; see `PowerFunctionEma.update`."""
        half_life = min(self.half_life, self.ramp_up * images_seen)
        _take_in(self.average, network, 0.5 ** (step_images / max(half_life, 1e-8)))

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return dict(self.average.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.average.load_state_dict(dict(state))


WeightAverage = PowerFunctionEma | HalfLifeEma


def _take_in(average: torch.nn.Module, network: torch.nn.Module, beta: float) -> None:
    """Move an average towards a network's weights by 1 - beta, and copy its buffers."""
    weights = [parameter.detach().float() for parameter in network.parameters()]
    torch._foreach_lerp_(list(average.parameters()), weights, 1.0 - beta)
    for name, buffer in average.named_buffers():
        buffer.copy_(network.get_buffer(name))


def gamma_from_width(width: float) -> float:
    """Exponent of the power function whose profile has a relative standard deviation of `width`.

    The root of ``width**2 = (gamma + 1) / ((gamma + 2)**2 (gamma + 3))`` (Karras et al. 2024, eq. 123;
    as the cubic of eq. 126).

    Raises
    ------
    ValueError
        If `width` is not in (0, 0.28): gamma 0, the plain mean, has 0.289.
    """
    if not 0.0 < width < 0.28:
        raise ValueError(f"width is {width}; wanted a share of the training's length in (0, 0.28)")
    inverse_square = width**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse_square, 12.0 - inverse_square])
    return float(np.max(roots.real))


@dataclass(frozen=True)
class Profile:
    """The weight that an average of power-function profile gives to each moment of training.

    ``p(t) = (gamma + 1) t**gamma / end**(gamma + 1)`` for t from 0 to its end (Karras et al. 2024, eq. 3).

    Attributes
    ----------
    end : float
        Images seen when the average was taken.
    width : float
        Standard deviation of the profile as a share of `end`.
    """

    end: float
    width: float


def inner_products(ones: Sequence[Profile], others: Sequence[Profile]) -> NDArray[np.float64]:
    """Integrals over training of the products of two profiles, in closed form.

    With m the earlier end, ``(g + 1) (h + 1) / (g + h + 1) * m**(g + h + 1) / (end_g**(g + 1) * end_h**(h + 1))``
    (Karras et al. 2024, appendix C.3).

    Parameters
    ----------
    ones, others : sequence of Profile
        Rows and columns of the result.

    Returns
    -------
    ndarray [one, other], float64
        In 1 / image.
    """
    end_g, end_h = _column(ones, "end"), _column(others, "end").T
    g = np.array([[gamma_from_width(one.width)] for one in ones])
    h = np.array([[gamma_from_width(other.width) for other in others]])
    first: NDArray[np.float64] = np.minimum(end_g, end_h)
    shares = (first / end_g) ** (g + 1.0) * (first / end_h) ** (
        h + 1.0
    )  # powers of numbers up to 1 do not overflow
    return (g + 1.0) * (h + 1.0) / (g + h + 1.0) * shares / first


def combination(kept: Sequence[Profile], wanted: Profile) -> NDArray[np.float64]:
    """Weights of a sum of kept averages whose profile is nearest to a wanted one.

    The squared difference of the profiles, integrated over training, is least among the sums whose weights add up to
    one, so that weights of a network which do not change stay what they are (the paper does without this condition).

    Parameters
    ----------
    kept : sequence of Profile
        Of the averages there are.
    wanted : Profile
        Of the average to make.

    Returns
    -------
    ndarray [kept], float64
        Without unit; some are negative.

    Raises
    ------
    ValueError
        If nothing was kept.
    """
    if not kept:
        raise ValueError("no average was kept; wanted one or more profiles")
    n = len(kept)
    norms = np.sqrt(np.diag(inner_products(kept, kept)))
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = inner_products(kept, kept) / norms[:, np.newaxis] / norms
    system[:n, n] = system[n, :n] = 1.0 / norms * norms.mean()
    right = np.append(inner_products(kept, [wanted])[:, 0] / norms, norms.mean())
    solved = np.linalg.lstsq(system, right, rcond=1e-13)[0]
    weights: NDArray[np.float64] = solved[:n] / norms
    return weights


def profile_error(kept: Sequence[Profile], weights: NDArray[np.float64], wanted: Profile) -> float:
    """Root of the integrated squared difference between a sum of profiles and a wanted one, as a share of the wanted."""
    square = float(inner_products([wanted], [wanted])[0, 0])
    cross = inner_products(kept, [wanted])[:, 0]
    found = float(weights @ inner_products(kept, kept) @ weights - 2.0 * weights @ cross) + square
    return math.sqrt(max(found, 0.0) / square)


def _column(profiles: Sequence[Profile], name: str) -> NDArray[np.float64]:
    """One attribute of all profiles, as [profile, 1]."""
    return np.array([[getattr(profile, name)] for profile in profiles], dtype=np.float64)

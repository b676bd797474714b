"""Slopes of piecewise linear networks that can be differentiated in the weights, without walking through zeros.

Convolutions, rectifiers and maximum pools are linear in their input between their bends: the second derivative there is 0.
torch walks through the whole network with such zeros all the same where a penalty on a slope is differentiated (its double
backward of a convolution gives zeros for the input, not nothing), which costs as much as a training step. Inside of
`PiecewiseLinear` these three layers know it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_backward = torch.ops.aten
Layout = tuple[int, int]  # stride and padding of a convolution


class PiecewiseLinear(TorchFunctionMode):
    """Of what a network gives inside of it the slope may be differentiated in the weights, and nothing else may be.

    Other layers than convolutions, rectifiers and maximum pools are left to torch, such as linear ones, paddings and
    concatenations. A network that bends in another way is refused when its slope is differentiated.

    Examples
    --------
    >>> with PiecewiseLinear():  # doctest: +SKIP
    ...     scores = critic(places)
    >>> (slope,) = torch.autograd.grad(scores.sum(), places, create_graph=True)  # doctest: +SKIP
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Take the place of the three layers."""
        given = kwargs or {}
        if func is functional.conv2d:
            return _convolved(*args, **given)
        if func is functional.relu:
            return _applied(_Rectifier, args[0])
        # side by side: others are left to torch
        if func is functional.max_pool2d and not any(given.get(name) for name in ("stride", "padding")):
            return _applied(_Pool, *args[:2])
        return func(*args, **given)


def _convolved(
    values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: int = 1, padding: int = 0
) -> Any:
    """Convolve, by plain numbers as the layers of `same_padding` give them."""
    return _applied(_Convolution, values, weight, bias, (stride, padding))


def _applied(layer: Any, *given: Any) -> Any:
    """Apply a layer."""
    return layer.apply(*given)


def _refuse_second_pull(layer: Any) -> None:
    """Refuse to go through a layer again: its slope is known not to depend on what came in."""
    if hasattr(layer, "is_pulled"):
        raise RuntimeError(
            "the slope of a network that is not piecewise linear was differentiated; take it outside of PiecewiseLinear"
        )
    layer.is_pulled = True


class _Convolution(torch.autograd.Function):
    """Convolution, whose gradient goes to its input alone."""

    @staticmethod
    def forward(ctx: Any, values: Any, weight: Any, bias: Any, layout: Layout) -> Any:
        ctx.save_for_backward(values, weight)
        ctx.layout = layout
        return functional.conv2d(values, weight, bias, *layout)

    @staticmethod
    def backward(ctx: Any, pull: Any) -> Any:
        _refuse_second_pull(ctx)
        values, weight = ctx.saved_tensors
        return _applied(_PulledConvolution, pull, values.detach(), weight, ctx.layout), None, None, None


class _PulledConvolution(torch.autograd.Function):
    """Gradient of a convolution's input: linear in what is pulled back and in the weight, and free of the input."""

    @staticmethod
    def forward(ctx: Any, pull: Any, values: Any, weight: Any, layout: Layout) -> Any:
        ctx.save_for_backward(pull, weight)
        ctx.layout = layout
        return _gradients(pull, values, weight, layout, [True, False, False])[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, change: Any) -> Any:
        pull, weight = ctx.saved_tensors
        onward = functional.conv2d(change, weight, None, *ctx.layout)
        return onward, None, _gradients(pull, change, weight, ctx.layout, [False, True, False])[1], None


def _gradients(pull: Any, values: Any, weight: Any, layout: Layout, wanted: list[bool]) -> Any:
    """Those of a convolution's input, weight and bias that are wanted."""
    stride, padding = ([side, side] for side in layout)
    unused: Any = {"dilation": [1, 1], "transposed": False, "output_padding": [0, 0], "groups": 1}
    return _backward.convolution_backward(
        pull, values, weight, None, stride, padding, **unused, output_mask=wanted
    )


class _Rectifier(torch.autograd.Function):
    """What is above 0."""

    @staticmethod
    def forward(ctx: Any, values: Any) -> Any:
        above = values.clamp_min(0)
        ctx.save_for_backward(above)
        return above

    @staticmethod
    def backward(ctx: Any, pull: Any) -> Any:
        _refuse_second_pull(ctx)
        return _applied(_PulledRectifier, pull, ctx.saved_tensors[0].detach())


class _PulledRectifier(torch.autograd.Function):
    """What is pulled back where the rectifier was open; it changes what comes through in the same way."""

    @staticmethod
    def forward(ctx: Any, pull: Any, above: Any) -> Any:
        ctx.save_for_backward(above)
        return _backward.threshold_backward(pull, above, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, change: Any) -> Any:
        return _backward.threshold_backward(change, ctx.saved_tensors[0], 0), None


class _Pool(torch.autograd.Function):
    """The largest of each square of pixels."""

    @staticmethod
    def forward(ctx: Any, values: Any, side: int) -> Any:
        largest, places = _backward.max_pool2d_with_indices(values, [side, side])
        ctx.save_for_backward(values, places)
        ctx.side = side
        return largest

    @staticmethod
    def backward(ctx: Any, pull: Any) -> Any:
        _refuse_second_pull(ctx)
        values, places = ctx.saved_tensors
        return _applied(_PulledPool, pull, values.detach(), places, ctx.side), None


class _PulledPool(torch.autograd.Function):
    """What is pulled back to where the largest pixels were; it changes them by what is in these places."""

    @staticmethod
    def forward(ctx: Any, pull: Any, values: Any, places: Any, side: int) -> Any:
        ctx.save_for_backward(places)
        unused: Any = {"stride": [], "padding": [0, 0], "dilation": [1, 1], "ceil_mode": False}
        return _backward.max_pool2d_with_indices_backward(
            pull, values, [side, side], **unused, indices=places
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, change: Any) -> Any:
        (places,) = ctx.saved_tensors
        # channels last, as the trunk has them in memory
        chosen = places.permute(0, 2, 3, 1)
        flat = change.permute(0, 2, 3, 1).flatten(1, 2).gather(1, chosen.flatten(1, 2))
        return flat.view(chosen.shape).permute(0, 3, 1, 2), None, None, None

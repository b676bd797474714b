"""Batch normalization whose running averages are weights: an averaged network is normalized by averaged statistics."""

import torch
from torch.nn import functional

EPSILON = 1e-5  # added to the variance, as torch has it
SMALLEST_SHARE_OF_NEWEST = 0.05


class BatchNormalization(torch.nn.Module):
    """Subtracts a channel's mean and divides by its deviation, then scales and shifts (Ioffe & Szegedy 2015).

    In training both are those of the batch; else running averages. The averages are parameters without
    gradient, not buffers: whoever averages a network's weights averages them with it, so that an averaged network
    is normalized by the statistics that its averaged weights had. They are taken in by `keep_statistics` only.

    Parameters
    ----------
    n_channels : int
        Of [galaxy, channel, y, x].

    Attributes
    ----------
    mean, variance : Parameter [channel], float32
        Running averages: of all batches at first, then with a share of 5 % for the newest.
    n_batches : Tensor [], float32
        Batches taken in.
    """

    n_batches: torch.Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(n_channels))
        self.bias = torch.nn.Parameter(torch.zeros(n_channels))
        self.mean = torch.nn.Parameter(torch.zeros(n_channels), requires_grad=False)
        self.variance = torch.nn.Parameter(torch.ones(n_channels), requires_grad=False)
        self.register_buffer("n_batches", torch.zeros([]))
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, channel, y, x] to the same; one value a channel has no deviation and is taken as untrained."""
        if not self.training or values.numel() == values.shape[1]:
            return functional.batch_norm(
                values, self.mean, self.variance, self.gain, self.bias, training=False, eps=EPSILON
            )
        mean, variance = torch.zeros_like(self.mean), torch.ones_like(self.variance)
        normalized = functional.batch_norm(
            values, mean, variance, self.gain, self.bias, training=True, momentum=1.0, eps=EPSILON
        )
        self._seen = (mean, variance)
        return normalized

    @torch.no_grad()
    def keep_seen(self) -> None:
        """Take the statistics of the last batch into the running averages."""
        if self._seen is None:
            return
        # a plain mean at first
        share = torch.clamp(1.0 / (self.n_batches + 1.0), min=SMALLEST_SHARE_OF_NEWEST)
        self.mean.lerp_(self._seen[0], share)
        self.variance.lerp_(self._seen[1], share)
        self.n_batches += 1.0
        self._seen = None


def keep_statistics(*networks: torch.nn.Module) -> None:
    """Take the statistics of the last batch into all running averages of some networks, after a good step."""
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, BatchNormalization):
                layer.keep_seen()

"""Folding batch normalizations into the convolutions before them: the same function in fewer passes over memory."""

from collections.abc import Sequence

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_normalizations(network: nn.Module, pairs: Sequence[tuple[str, str]]) -> nn.Module:
    """Fold in place and give the network back, in evaluation mode and without gradients.

    Parameters
    ----------
    network : nn.Module
        With its weights loaded; its state dict has other names afterward.
    pairs : sequence of (str, str)
        Attributes of a convolution and of the normalization that follows it, in any of the modules.
    """
    network.eval().requires_grad_(requires_grad=False)
    for module in network.modules():
        for convolution, normalization in pairs:
            found = getattr(module, convolution, None), getattr(module, normalization, None)
            if isinstance(found[0], nn.Conv2d) and isinstance(found[1], nn.BatchNorm2d):
                setattr(module, convolution, fuse_conv_bn_eval(found[0], found[1]))
                setattr(module, normalization, nn.Identity())
    return network

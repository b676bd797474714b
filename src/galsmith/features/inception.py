"""The Inception network of the standard FID in plain torch, up to its pooled features.

Szegedy et al. (2016) as TensorFlow's graph of 2015-12-05 has it, which every published FID uses. It differs
from other Inceptions in three places: averages leave the padding out, the last block pools by the maximum, and
1008 classes. Names of the layers are those of the public port's state dict (566 entries).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

N_FEATURES = 2048
SIZE_PIX = 299
BATCH_NORM_EPSILON = 1e-3
FOLDED_PAIRS = (("conv", "bn"),)
Extent = int | tuple[int, int]


class NormedConv(nn.Module):
    """Convolution, batch normalization, ReLU."""

    def __init__(
        self, n_in: int, n_out: int, kernel: Extent, *, stride: int = 1, padding: Extent = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(n_out, eps=BATCH_NORM_EPSILON)

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the three."""
        return functional.relu(self.bn(self.conv(inputs)), inplace=True)


class FiveByFiveBlock(nn.Module):
    """Branches of 1x1, 5x5, twice 3x3, and an average: Mixed_5b to 5d."""

    def __init__(self, n_in: int, n_pooled: int) -> None:
        super().__init__()
        self.branch1x1 = NormedConv(n_in, 64, 1)
        self.branch5x5_1 = NormedConv(n_in, 48, 1)
        self.branch5x5_2 = NormedConv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = NormedConv(n_in, 64, 1)
        self.branch3x3dbl_2 = NormedConv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = NormedConv(96, 96, 3, padding=1)
        self.branch_pool = NormedConv(n_in, n_pooled, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Join the branches."""
        five = self.branch5x5_2(self.branch5x5_1(inputs))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(inputs)))
        pooled = self.branch_pool(_average(inputs))
        return torch.cat([self.branch1x1(inputs), five, double, pooled], 1)


class FirstReduction(nn.Module):
    """Half the resolution: Mixed_6a."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.branch3x3 = NormedConv(n_in, 384, 3, stride=2)
        self.branch3x3dbl_1 = NormedConv(n_in, 64, 1)
        self.branch3x3dbl_2 = NormedConv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = NormedConv(96, 96, 3, stride=2)

    def forward(self, inputs: Tensor) -> Tensor:
        """Join the branches."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(inputs)))
        return torch.cat([self.branch3x3(inputs), double, functional.max_pool2d(inputs, 3, 2)], 1)


class SevenBySevenBlock(nn.Module):
    """Convolutions of 7x7 as rows and columns: Mixed_6b to 6e."""

    def __init__(self, n_in: int, n_inner: int) -> None:
        super().__init__()
        self.branch1x1 = NormedConv(n_in, 192, 1)
        self.branch7x7_1 = NormedConv(n_in, n_inner, 1)
        self.branch7x7_2 = _row(n_inner, n_inner)
        self.branch7x7_3 = _column(n_inner, 192)
        self.branch7x7dbl_1 = NormedConv(n_in, n_inner, 1)
        self.branch7x7dbl_2 = _column(n_inner, n_inner)
        self.branch7x7dbl_3 = _row(n_inner, n_inner)
        self.branch7x7dbl_4 = _column(n_inner, n_inner)
        self.branch7x7dbl_5 = _row(n_inner, 192)
        self.branch_pool = NormedConv(n_in, 192, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Join the branches."""
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(inputs)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(inputs)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pooled = self.branch_pool(_average(inputs))
        return torch.cat([self.branch1x1(inputs), single, double, pooled], 1)


class SecondReduction(nn.Module):
    """Half the resolution again: Mixed_7a."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.branch3x3_1 = NormedConv(n_in, 192, 1)
        self.branch3x3_2 = NormedConv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = NormedConv(n_in, 192, 1)
        self.branch7x7x3_2 = _row(192, 192)
        self.branch7x7x3_3 = _column(192, 192)
        self.branch7x7x3_4 = NormedConv(192, 192, 3, stride=2)

    def forward(self, inputs: Tensor) -> Tensor:
        """Join the branches."""
        three = self.branch3x3_2(self.branch3x3_1(inputs))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(inputs))))
        return torch.cat([three, seven, functional.max_pool2d(inputs, 3, 2)], 1)


class WideBlock(nn.Module):
    """Branches that end in a row beside a column: Mixed_7b and 7c; only the last pools by the maximum."""

    def __init__(self, n_in: int, *, pools_by_maximum: bool) -> None:
        super().__init__()
        self.pools_by_maximum = pools_by_maximum
        self.branch1x1 = NormedConv(n_in, 320, 1)
        self.branch3x3_1 = NormedConv(n_in, 384, 1)
        self.branch3x3_2a = NormedConv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = NormedConv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = NormedConv(n_in, 448, 1)
        self.branch3x3dbl_2 = NormedConv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = NormedConv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = NormedConv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = NormedConv(n_in, 192, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Join the branches."""
        single = self.branch3x3_1(inputs)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(inputs))
        pooled = functional.max_pool2d(inputs, 3, 1, 1) if self.pools_by_maximum else _average(inputs)
        branches = [
            self.branch1x1(inputs),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, 1)


class Inception(nn.Module):
    """Pictures to the 2048 features of the layer pool3.

    Its classifier ``fc`` stands here so that a state dict is read whole.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = NormedConv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = NormedConv(32, 32, 3)
        self.Conv2d_2b_3x3 = NormedConv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = NormedConv(64, 80, 1)
        self.Conv2d_4a_3x3 = NormedConv(80, 192, 3)
        self.Mixed_5b = FiveByFiveBlock(192, 32)
        self.Mixed_5c = FiveByFiveBlock(256, 64)
        self.Mixed_5d = FiveByFiveBlock(288, 64)
        self.Mixed_6a = FirstReduction(288)
        self.Mixed_6b = SevenBySevenBlock(768, 128)
        self.Mixed_6c = SevenBySevenBlock(768, 160)
        self.Mixed_6d = SevenBySevenBlock(768, 160)
        self.Mixed_6e = SevenBySevenBlock(768, 192)
        self.Mixed_7a = SecondReduction(768)
        self.Mixed_7b = WideBlock(1280, pools_by_maximum=False)
        self.Mixed_7c = WideBlock(2048, pools_by_maximum=True)
        self.fc = nn.Linear(N_FEATURES, 1008)

    def forward(self, pictures: Tensor) -> Tensor:
        """Average the last block over the picture.

        Parameters
        ----------
        pictures : Tensor [galaxy, 3, 299, 299], float32
            (x - 128) / 128 of numbers from 0 to 255.

        Returns
        -------
        Tensor [galaxy, 2048], float32
        """
        values = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(pictures)))
        values = functional.max_pool2d(values, 3, 2)
        values = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(values))
        values = functional.max_pool2d(values, 3, 2)
        for block in self._mixed():
            values = block(values)
        return values.mean((2, 3))

    def _mixed(self) -> list[nn.Module]:
        """Give the blocks of branches, in order."""
        names = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
        return [getattr(self, f"Mixed_{name}") for name in names]


def _row(n_in: int, n_out: int) -> NormedConv:
    """Convolution of 1x7 that keeps the size."""
    return NormedConv(n_in, n_out, (1, 7), padding=(0, 3))


def _column(n_in: int, n_out: int) -> NormedConv:
    """Convolution of 7x1 that keeps the size."""
    return NormedConv(n_in, n_out, (7, 1), padding=(3, 0))


def _average(inputs: Tensor) -> Tensor:
    """Average of 3x3 that leaves the padding out, as TensorFlow's does."""
    return functional.avg_pool2d(inputs, 3, 1, 1, count_include_pad=False)

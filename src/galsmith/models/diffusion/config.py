"""Settings of the family `diffusion`."""

from typing import Annotated, Literal

from pydantic import Field

from galsmith.settings import Settings

LARGEST_BARE_SIZE_PIX = 64


class DiffusionConfig(Settings):
    """Diffusion on pixels by a magnitude-preserving U-Net, given scalars that a small network draws.

    Attributes
    ----------
    channels : tuple of int
        Widths of the levels, the finest first; each level halves the side. Levels narrower than what a Haar stem gives
        are as wide as that.
    blocks_per_level : int
        Residual blocks on the way down; one more on the way up.
    patch_pix : int
        The network sees blocks of this side as channels: 2 is about three times faster than 1. Not used with a Haar
        stem.
    stem : {"auto", "none", "haar"}
        ``haar``: the network sees the sub-bands of a Haar transform, each brought to one deviation, as channels of 64 px
        (of half the side up to 128 px). ``auto``: from 128 px on.
    preconditioning : {"scalar", "spectral"}
        ``scalar``: one deviation for all pixels. ``spectral``: every spatial frequency has the training set's own, and
        the network learns what the Wiener filter leaves.
    whitening_power : float
        With ``spectral``, 0 brings all frequencies to one deviation before noise is added, 1 leaves them as they are;
        between them the noise falls towards fine scales as the galaxies do, only less.
    parametrization : {"edm", "flow"}
        What the network gives: EDM's residual, or the velocity of flow matching.
    embedding_width : int
        Of noise level and scalars.
    dropout : float
        Share of activations left out in training; 0.1 helps below 20,000 images.
    augmentation : float
        Chance of each way to move, turn, scale and shear a training image, of which the network is told so that what
        it draws stays as the set is; for small sets (the authors took 0.12 to 0.15), 0 does without.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    learning_rate : float
        Of Adam; reached after `warmup_images`, zero at the end after falling over the last `decay_share` of the budget.
    scalar_width, scalar_depth, scalar_learning_rate : int, int, float
        Of the network that draws the scalars.
    scalar_drop : float
        Share of training images whose scalars are hidden from the network, for guidance.
    noise_level_mean, noise_level_std : float or "fitted"
        Of ln(noise level) in training of the images; ``fitted`` takes them from the amplitudes of their spatial
        frequencies.
        With ``flow`` the place t on the line is logit-normal with the same deviation.
    sampler : {"heun", "multistep"}
        Solver: Heun's method, or one of two steps, which asks the network once a step instead of twice.
    sampler_steps : int
        Steps a drawn galaxy.
    lowest_noise_level, highest_noise_level : float
        Where sampling ends and starts, in units of the least and of the largest deviation of a spatial frequency.
    """

    family: Literal["diffusion"] = "diffusion"
    channels: tuple[int, ...] = Field(default=(32, 64, 96), min_length=1)
    blocks_per_level: int = Field(default=1, ge=1)
    patch_pix: Literal[1, 2, 4] = 2
    stem: Literal["auto", "none", "haar"] = "auto"
    preconditioning: Literal["scalar", "spectral"] = "scalar"
    whitening_power: float = Field(default=0.5, ge=0, le=1)
    parametrization: Literal["edm", "flow"] = "edm"
    embedding_width: int = Field(default=128, ge=8)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    augmentation: float = Field(default=0.0, ge=0, le=1)
    symmetric: bool = True
    learning_rate: float = Field(default=1e-2, gt=0)
    warmup_images: int = Field(default=10_000, ge=0)
    decay_share: float = Field(default=0.6, gt=0, le=1)
    scalar_width: int = Field(default=128, ge=8)
    scalar_depth: int = Field(default=2, ge=1)
    scalar_learning_rate: float = Field(default=1e-3, gt=0)
    scalar_drop: float = Field(default=0.1, ge=0, le=1)
    noise_level_mean: float | Literal["fitted"] = "fitted"
    noise_level_std: Annotated[float, Field(gt=0)] | Literal["fitted"] = "fitted"
    sampler: Literal["heun", "multistep"] = "heun"
    sampler_steps: int = Field(default=18, ge=1)
    lowest_noise_level: float = Field(default=0.1, gt=0)
    highest_noise_level: float = Field(default=20.0, gt=0)

    def haar_levels(self, size_pix: int) -> int:
        """Levels of the Haar stem for images of this side; 0 without one."""
        halvings = (size_pix // LARGEST_BARE_SIZE_PIX).bit_length() - 1
        if self.stem == "haar":
            return max(1, halvings)
        return max(0, halvings) if self.stem == "auto" else 0

    def trunk_size_pix(self, size_pix: int) -> int:
        """Side of what the network's first level sees."""
        levels = self.haar_levels(size_pix)
        return size_pix // 2**levels if levels else size_pix // self.patch_pix

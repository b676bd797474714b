"""Settings of the family `pca_diffusion`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from galsmith.settings import Settings


class PcaDiffusionConfig(Settings):
    """Diffusion on the principal components of the stretched images.

    Attributes
    ----------
    n_components : int
        Coefficients an image; 96 hold a smooth galaxy at 32 px, 256 at 64 px. Fewer are kept where the data have
        fewer directions.
    images_for_fit : int
        Training images that the components and the laws of the scalars are fitted on, at most; evenly spread over
        the set.
    largest_shift_pix : int
        Galaxies are moved to the middle by whole pixels, up to this far along each axis, and drawn galaxies moved
        back: few components then hold sharp centers wherever they lie. 0 leaves them where they are.
    brightness_weight : float
        How much more the bright middle of galaxies counts than the pixels about it when components are chosen: pixels
        weigh as exp(brightness_weight * mean network pixel there). 0 counts all alike.
    texture_rings : int
        Rings of spatial frequency in which the strength of what the components leave over is learned, and drawn as
        noise; 0 leaves it out, which is right where the components hold all.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    whitening_power : float
        0 scales every coefficient to unit deviation, 1 leaves them as they are.
    width, depth : int
        Of the network.
    learning_rate, weight_decay : float
        Of Adam; the rate is reached after `warmup_images` and falls to zero over the last `decay_share` of the budget.
    noise_level_mean, noise_level_std : float or "fitted"
        Of ln(noise level) in training; ``fitted`` takes them from the coefficients' deviations.
    sampler_steps : int
        Steps a drawn galaxy: Heun's, or jumps of a model that is tuned to few.
    tuned_steps : tuple of int
        Step counts that a snapshot is tuned to (`init_from`): the network learns to jump to where the snapshot's
        own solver comes, from noise alone. Empty trains a denoiser on images.
    teacher_steps : int
        Heun steps of that solver, at least as many as any count of `tuned_steps`.
    lowest_noise_level, highest_noise_level : float
        Where sampling ends and starts, in units of the least and of the largest deviation of all that is drawn. Both
        ends take the values' own variance into account, so that no extremes are needed.
    """

    family: Literal["pca_diffusion"] = "pca_diffusion"
    n_components: int = Field(default=256, ge=1)
    images_for_fit: int = Field(default=8192, ge=2)
    largest_shift_pix: int = Field(default=0, ge=0)
    brightness_weight: float = Field(default=0.0, ge=0)
    texture_rings: int = Field(default=0, ge=0)
    symmetric: bool = True
    whitening_power: float = Field(default=0.5, ge=0, le=1)
    width: int = Field(default=512, ge=8)
    depth: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    warmup_images: int = Field(default=100_000, ge=0)
    decay_share: float = Field(default=0.7, gt=0, le=1)
    noise_level_mean: float | Literal["fitted"] = "fitted"
    noise_level_std: Annotated[float, Field(gt=0)] | Literal["fitted"] = "fitted"
    sampler_steps: int = Field(default=18, ge=1)
    tuned_steps: tuple[Annotated[int, Field(ge=1)], ...] = ()
    teacher_steps: int = Field(default=16, ge=2)
    lowest_noise_level: float = Field(default=0.1, gt=0)
    highest_noise_level: float = Field(default=20.0, gt=0)

    @model_validator(mode="after")
    def _agree_on_steps(self) -> Self:
        """Refuse step counts that are no parts of the teacher's, and a default that was not learned."""
        _refuse_untaught_steps(self.tuned_steps, teacher_steps=self.teacher_steps, default=self.sampler_steps)
        return self


def _refuse_untaught_steps(tuned_steps: tuple[int, ...], *, teacher_steps: int, default: int) -> None:
    """Refuse settings of a model tuned to few steps that do not fit together; none of an ordinary one."""
    if not tuned_steps:
        return
    if max(tuned_steps) > teacher_steps:
        raise ValueError(
            f"tuned_steps has {max(tuned_steps)}, more than teacher_steps={teacher_steps}; wanted fewer, or set "
            f"teacher_steps={max(tuned_steps)}"
        )
    if default not in tuned_steps:
        raise ValueError(
            f"sampler_steps={default} is none of tuned_steps {list(tuned_steps)}; set sampler_steps={max(tuned_steps)}"
        )

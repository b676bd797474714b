"""Components of images, with galaxies moved to the middle and texture apart where that is wanted, and their fit."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from galsmith.errors import InputError
from galsmith.models.layers.marginals import thinned
from galsmith.models.pca_diffusion.canvases import Centering
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.pca_diffusion.symmetric_basis import SymmetricBasis, fit_symmetric_basis
from galsmith.models.pca_diffusion.texture import Texture
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingBatches

IMAGES_FOR_TEXTURE = 2048
BYTES_OF_CANVASES = 1_500_000_000  # 3,850 images of 256 px in one band, with room for shifts of 28 px


@dataclass(frozen=True)
class Components:
    """What stands between images and coefficients.

    Attributes
    ----------
    basis : SymmetricBasis
        Of the images, or of their canvases where galaxies are centered.
    centering : Centering or None
        Moves galaxies to the middle.
    texture : Texture or None
        Stands for what the basis leaves over.
    """

    basis: SymmetricBasis
    centering: Centering | None
    texture: Texture | None

    def coefficients(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Map [galaxy, band, y, x] to coefficients [galaxy, coefficient] and shifts [galaxy, (y, x)], int64."""
        if self.centering is None:
            return self.basis.encode(pixels), None
        shifts = self.centering.shifts(pixels)
        return self.basis.encode(self.centering.laid_out(pixels, shifts)), shifts

    def composed(self, coefficients: torch.Tensor, shifts: torch.Tensor | None) -> torch.Tensor:
        """Compose images [galaxy, band, y, x] of coefficients; the texture is not in them."""
        images = self.basis.decode(coefficients)
        return images if self.centering is None or shifts is None else self.centering.cut_back(images, shifts)


def empty_components(
    config: PcaDiffusionConfig, description: DataDescription, counts: list[int]
) -> Components:
    """Components of the right sizes, to be filled by ``load_state_dict``."""
    n_bands, size = len(description.bands), description.size_pix
    centering, texture = _parts(config, description)
    canvas = size if centering is None else centering.canvas_pix
    is_weighted = config.brightness_weight > 0
    basis = SymmetricBasis(n_bands=n_bands, size_pix=canvas, counts=counts, is_weighted=is_weighted)
    return Components(basis, centering, texture)


def fit_components(
    config: PcaDiffusionConfig, description: DataDescription, batches: TrainingBatches
) -> Components:
    """Fit components, centering and texture on training images.

    Raises
    ------
    InputError
        If there is no training image, all are equal, or pixels are not finite.
    """
    centering, texture = _parts(config, description)

    canvas_pix = description.size_pix if centering is None else centering.canvas_pix
    canvas_bytes = 4 * len(description.bands) * canvas_pix**2
    some = thinned(
        batches,
        n_images=min(description.n_train, config.images_for_fit),
        at_most=max(1, BYTES_OF_CANVASES // canvas_bytes),
    )

    all_shifts: list[torch.Tensor] = []

    def canvases() -> Iterator[NetworkBatch]:
        for batch in some():
            if centering is None:
                yield batch
                continue
            shifts = centering.shifts(batch.pixels)
            all_shifts.append(shifts)
            yield NetworkBatch(centering.laid_out(batch.pixels, shifts), batch.scalars)

    basis = fit_symmetric_basis(
        canvases,
        n_bands=len(description.bands),
        size_pix=canvas_pix,
        n_components=config.n_components,
        brightness_weight=config.brightness_weight,
    )
    if basis.n_coefficients == 0:  # no direction has variance above rounding
        raise InputError("all training images are equal in network space; pca_diffusion has nothing to learn")
    components = Components(basis, centering, texture)
    if centering is not None:
        centering.fit(torch.cat(all_shifts))  # of the pass that the basis was fitted in
    if texture is not None:
        n_images = min(description.n_train, config.images_for_fit)
        fewer = thinned(batches, n_images=n_images, at_most=IMAGES_FOR_TEXTURE)
        texture.fit(lambda: _left_over(components, fewer))  # on what the fitted components leave over
    return components


def _left_over(components: Components, batches: TrainingBatches) -> Iterator[NetworkBatch]:
    """Composed images as pixels, and what they leave over as scalars."""
    for batch in batches():
        composed = components.composed(*components.coefficients(batch.pixels))
        yield NetworkBatch(composed, batch.pixels - composed)


def _parts(
    config: PcaDiffusionConfig, description: DataDescription
) -> tuple[Centering | None, Texture | None]:
    """Make what the config asks for."""
    size, rings = description.size_pix, config.texture_rings
    centering = Centering(size_pix=size, largest_shift_pix=config.largest_shift_pix)
    texture = Texture(n_bands=len(description.bands), size_pix=size, n_rings=rings) if rings > 0 else None
    return (centering if config.largest_shift_pix > 0 else None), texture

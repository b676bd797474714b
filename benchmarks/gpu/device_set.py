"""The training set of the paper on a device: rendered there, brought to network space there, kept there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from astropy.table import QTable
from sersic_on_device import galaxy_shapes, render_on_device

from galsmith.data.sersic import SersicSettings, draw_parameters
from galsmith.data.transforms import PixelTransform, TransformSettings, fit_pixel_transform
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.protocols import DataDescription, NetworkBatch
from galsmith.settings import read_recipe, typed_settings
from galsmith.training.batches import image_order

TRAINING_SEED, REFERENCE_SEED = 1, 2
NETWORK_SIGMA = 0.5
IMAGES_AT_ONCE = 128
IMAGES_FOR_FIT = 2048
FLUX_UNIT = "electron / s"


@dataclass(frozen=True)
class DeviceSet:
    """Training images in network space.

    Attributes
    ----------
    batch : NetworkBatch
        All of them, on the device.
    transform : PixelTransform
        Network space <-> flux.
    description : DataDescription
        What networks must know.
    settings : SersicSettings
        What was rendered.
    """

    batch: NetworkBatch
    transform: PixelTransform
    description: DataDescription
    settings: SersicSettings

    def __len__(self) -> int:
        return len(self.batch.pixels)

    def chunks(self) -> Iterator[NetworkBatch]:
        """Go once over the set in order, on the CPU, as families fit on it."""
        for start in range(0, len(self), IMAGES_AT_ONCE):
            rows = slice(start, start + IMAGES_AT_ONCE)
            yield NetworkBatch(self.batch.pixels[rows].cpu(), self.batch.scalars[rows].cpu())


class DeviceBatches:
    """The batch of any step, out of the compacted set.

    Parameters
    ----------
    device_set : DeviceSet
        The images.
    compacted : callable
        `Trainer.compacted`; a family that trains on pixels shares the set's memory.
    batch_size : int
        Images a step.
    seed : int
        Fixes the order.
    """

    def __init__(
        self,
        device_set: DeviceSet,
        compacted: Callable[[NetworkBatch], NetworkBatch],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self._batch_size, self._seed = batch_size, seed
        self._set = compacted_set(device_set.batch, compacted)

    def at(self, images_seen: int) -> NetworkBatch:
        """Give the images that come after `images_seen` others."""
        chosen = image_order(
            len(self._set.pixels), seed=self._seed, images_seen=images_seen, count=self._batch_size
        )
        rows = torch.from_numpy(chosen).to(self._set.pixels.device)
        return NetworkBatch(self._set.pixels[rows], self._set.scalars[rows])

    def close(self) -> None:
        """Let go of nothing: the memory goes with the object."""


def paper_settings(size_pix: int) -> SersicSettings:
    """Give the paper's priors, and its field on another number of pixels where asked."""
    recipe = read_recipe("sersic")
    field_arcsec = recipe["size_pix"] * recipe["pixel_scale_arcsec"]
    changed = {**recipe, "size_pix": size_pix, "pixel_scale_arcsec": field_arcsec / size_pix}
    return typed_settings(SersicSettings, changed, source="recipe 'sersic'")


def rendered_set(n: int, *, size_pix: int, device: torch.device) -> DeviceSet:
    """Render the training set and bring it to network space.

    Parameters
    ----------
    n : int
        How many images; the paper has 50,000.
    size_pix : int
        Side; the paper has 256.
    device : torch.device
        Gets n x side x side float32 values: 13 GB for the paper's.
    """
    settings = paper_settings(size_pix)
    catalog = draw_parameters(settings, n=n, seed=TRAINING_SEED)
    transform = _fitted_transform(settings, catalog, device)
    pixels = torch.empty((n, 1, size_pix, size_pix), device=device)
    scalars = torch.empty((n, 1), device=device)
    shapes = galaxy_shapes(catalog, settings)
    for start in range(0, n, IMAGES_AT_ONCE):
        rows = slice(start, min(start + IMAGES_AT_ONCE, n))
        images = render_on_device(shapes[rows], size_pix=size_pix, device=device)
        pixels[rows], scalars[rows] = forward_on_device(transform, images[:, None])
    description = DataDescription((settings.band,), size_pix, transform.scalar_names, n)
    return DeviceSet(NetworkBatch(pixels, scalars), transform, description, settings)


def rendered_images(catalog: QTable, settings: SersicSettings, device: torch.device) -> ImageSet:
    """Render a catalog as a set of images in flux units, in memory of the CPU."""
    shapes = galaxy_shapes(catalog, settings)
    parts = [
        render_on_device(shapes[start : start + IMAGES_AT_ONCE], size_pix=settings.size_pix, device=device)
        for start in range(0, len(shapes), IMAGES_AT_ONCE)
    ]
    return image_set_from_arrays(
        [image[None].cpu().numpy() for part in parts for image in part],
        ImageHeader((settings.band,), FLUX_UNIT, settings.pixel_scale_arcsec),
    )


def forward_on_device(transform: PixelTransform, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Do `PixelTransform.forward` on a device: asinh of one band's surface brightness, and its log flux.

    Parameters
    ----------
    transform : PixelTransform
        Of the kind ``"asinh"`` with the flux factored out, one band, one size.
    images : Tensor [galaxy, band, y, x], float32
        In flux units.

    Returns
    -------
    tuple of Tensor
        Pixels [galaxy, band, y, x] and scalars [galaxy, 1], float32.
    """
    flux = images.sum(dim=(-2, -1), keepdim=True, dtype=torch.float64)
    surface = images / flux * (images.shape[-2] * images.shape[-1])
    stretched = torch.asinh(surface / transform.softening[0])
    pixels = (stretched - transform.mean[0]) / transform.scale[0] * NETWORK_SIGMA
    scalars = transform.flux.forward(flux[:, :, 0, 0].log().cpu().numpy())
    return pixels.float(), torch.from_numpy(np.asarray(scalars, dtype=np.float32)).to(images.device)


def _fitted_transform(settings: SersicSettings, catalog: QTable, device: torch.device) -> PixelTransform:
    """Fit the transform on some of the images."""
    some = catalog[:IMAGES_FOR_FIT]
    wanted = TransformSettings(kind="asinh", factor_flux=True)
    return fit_pixel_transform(rendered_images(some, settings, device), wanted)


def compacted_set(batch: NetworkBatch, compacted: Callable[[NetworkBatch], NetworkBatch]) -> NetworkBatch:
    """Compact all images; pixels that a family takes as they are stay where they are, without a copy."""
    pixels, scalars = [], []
    for start in range(0, len(batch.pixels), IMAGES_AT_ONCE):
        rows = slice(start, start + IMAGES_AT_ONCE)
        small = compacted(NetworkBatch(batch.pixels[rows], batch.scalars[rows]))
        if small.pixels.data_ptr() != batch.pixels[rows].data_ptr():
            pixels.append(small.pixels)
        scalars.append(small.scalars)
    return NetworkBatch(torch.cat(pixels) if pixels else batch.pixels, torch.cat(scalars))

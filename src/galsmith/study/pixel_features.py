"""Images as points: brought to one small size, stretched, and projected on the directions in which a set differs."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem

from galsmith.images import ImageSet
from galsmith.images.resample import resize_in_unit

Floats = NDArray[np.float64]
BLOCK = 256  # images in memory at once


def stretched(images: ImageSet, size_pix: int) -> NDArray[np.float32]:
    """Bring images to one small size and order of one, [galaxy, band y x] float32.

    The arcsinh of a pixel in units of the image's own root mean square, so that faint and bright images count alike;
    pictures, which are stretched already, as they are.

    Parameters
    ----------
    images : ImageSet
        Of any sizes.
    size_pix : int
        Side of the small ones.
    """
    unit, rows = images.header.flux_unit, []
    for start in range(0, len(images), BLOCK):
        for image in images.pixels.read(np.arange(start, min(start + BLOCK, len(images)))):
            small = resize_in_unit(image, size_pix, unit)
            if unit == "display":
                rows.append(small.ravel() / np.float32(255))
            else:
                scale = float(np.sqrt(np.mean(np.square(small, dtype=np.float64))))
                rows.append(np.arcsinh(small.ravel() / np.float32(scale if scale > 0 else 1.0)))
    return np.array(rows, dtype=np.float32).reshape(len(images), -1)


@dataclass(frozen=True)
class PixelFeatures:
    """A map from pixels to the features of a radial kernel (Nystroem's approximation; Williams & Seeger 2001).

    Attributes
    ----------
    size_pix : int
        To which images are brought.
    components : sklearn.decomposition.PCA
        Fitted.
    scale : ndarray [component], float64
        By which components are divided.
    kernel : sklearn.kernel_approximation.Nystroem
        Fitted.
    """

    size_pix: int
    components: PCA
    scale: Floats
    kernel: Nystroem

    @classmethod
    def fitted(cls, images: ImageSet, *, size_pix: int, n_components: int, n_centers: int, seed: int) -> Self:
        """Fit on a training set."""
        flat = stretched(images, size_pix)
        components = PCA(min(n_components, *flat.shape), svd_solver="covariance_eigh").fit(flat)
        # Half way to whitening: the faint components of galaxies are noise, the bright ones all of one kind.
        scale = np.maximum(components.explained_variance_, np.finfo(np.float32).eps) ** 0.25
        points = components.transform(flat) / scale
        width = float(np.mean(np.var(points, axis=0)) * points.shape[1])
        kernel = Nystroem(
            gamma=1 / (2 * width), n_components=min(n_centers, len(points)), random_state=seed % 2**32
        ).fit(points)
        return cls(size_pix, components, scale, kernel)

    def of(self, images: ImageSet) -> Floats:
        """Features of images, [galaxy, feature] float64."""
        points = self.components.transform(stretched(images, self.size_pix)) / self.scale
        return np.asarray(self.kernel.transform(points), dtype=np.float64)

"""What is said of one measured quantity: the record that columns, axes and documents are made from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.images import ImageHeader


@dataclass(frozen=True)
class MeasuredStamp:
    """One galaxy in one band with all that the engine found: what a property's own computation is given.

    Attributes
    ----------
    image : ndarray [y, x], float64
        Flux per pixel, the sky's level taken off where the settings say so; NaN where a pixel is not finite.
    segmentation_map : ndarray [y, x], bool
        True where the galaxy is.
    mask : ndarray [y, x], bool
        True where a pixel is not to be used: not finite, masked by the caller, or of another source.
    center_pix : tuple of float
        x and y of the point of least asymmetry in this image; the first pixel's center is 0.
    values : mapping of property name to float
        All that was measured in this band before, in pixels of this image; NaN for what could not be.
    band : str
        Name of the band.
    header : ImageHeader
        Bands, flux unit, pixel scale, zero points and PSF of the images.
    """

    image: NDArray[np.float64]
    segmentation_map: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    center_pix: tuple[float, float]
    values: Mapping[str, float]
    band: str
    header: ImageHeader


@dataclass(frozen=True)
class Property:
    """One quantity that is measured on every galaxy.

    Attributes
    ----------
    name : str
        Its column, with the unit as suffix where it has one.
    symbol : str
        What a figure's axis says, in matplotlib's mathematical text.
    unit : str
        An astropy unit, ``"dex"``, ``"flux"`` for the flux unit of the image set, or nothing.
    group : str
        ``morphology``, ``size``, ``position``, ``photometry``, ``sersic``, ``double_sersic``, ``sky``,
        ``color``, ``power_wavelength``, ``power_rings``, ``grid``, ``winding``, ``registration`` or ``field``.
    definition : str
        One sentence with its source.
    is_circular : bool
        Whether it is an angle that repeats; see `period`.
    headline : bool
        Whether it counts in the headline distance: of galaxies Holzschuh et al. 2022, section 4.1; of fields all.
    is_compared : bool
        Whether sets are compared by it; not so an uncertainty, which tells of the noise and not of the galaxy.
    period : float or None
        The period of a circular quantity, in its unit.
    compute : callable or None
        Gives the value from a `MeasuredStamp`, after the kernels or statmorph have measured it; NaN where it cannot,
        which the flag ``no_<name>`` tells. It is not called for galaxies of which nothing was measured. A function
        of a module, where worker processes are to find it. None where the kernels measure it.
    statmorph : str or None
        What statmorph calls it; without, the engine ``"statmorph"`` gives NaN and the flag ``no_<name>``.
    """

    name: str
    symbol: str
    unit: str
    group: str
    definition: str
    is_circular: bool = False
    headline: bool = False
    is_compared: bool = True
    period: float | None = None
    compute: Callable[[MeasuredStamp], float] | None = None
    statmorph: str | None = None

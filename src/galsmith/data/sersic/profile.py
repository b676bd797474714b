"""The Sérsic law: its constant b_n and its normalization to a total flux."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv, gammaln

ConstantKind = Literal["exact", "series"]


def b_n(sersic_index: ArrayLike, *, kind: ConstantKind = "exact") -> NDArray[np.float64]:
    """Give the constant that puts half of the light inside the effective radius.

    Parameters
    ----------
    sersic_index : array_like [galaxy], float64
        n, above 0.
    kind : {"exact", "series"}
        ``exact`` solves gamma(2n, b) = Gamma(2n) / 2; ``series`` is the expansion of Ciotti & Bertin (1999,
        eq. 18) that the galaxies paper uses, off by 2e-3 at n = 0.5, 7e-5 at n = 1 and 1e-7 at n = 4.

    Returns
    -------
    ndarray [galaxy], float64
        Without unit.
    """
    n = np.asarray(sersic_index, dtype=np.float64)
    if kind == "series":
        return np.asarray(
            2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2) + 131 / (1148175 * n**3), dtype=np.float64
        )
    return np.asarray(gammaincinv(2 * n, 0.5), dtype=np.float64)


def central_brightness(
    flux: ArrayLike, sersic_index: ArrayLike, r_eff_pix: ArrayLike, b: ArrayLike
) -> NDArray[np.float64]:
    """Surface brightness at the center of a galaxy of a given total flux, integrated to infinity.

    I0 = F / (2 pi n Gamma(2n) b^(-2n) r_eff^2) (Graham & Driver 2005, eq. 2; Holzschuh et al. 2022, sec. 3.1);
    the ellipse has the area of the circle of radius r_eff, so the axis ratio does not enter.

    Parameters
    ----------
    flux : array_like [galaxy], float64
        Total flux, in any flux unit.
    sersic_index, r_eff_pix, b : array_like [galaxy], float64
        n; effective radius in pixels; the constant of `b_n`.

    Returns
    -------
    ndarray [galaxy], float64
        Flux unit per square pixel.
    """
    n = np.asarray(sersic_index, dtype=np.float64)
    log_area = (
        np.log(2 * np.pi * n)
        + gammaln(2 * n)
        - 2 * n * np.log(b)
        + 2 * np.log(np.asarray(r_eff_pix, dtype=np.float64))
    )
    return np.asarray(np.asarray(flux, dtype=np.float64) * np.exp(-log_area), dtype=np.float64)

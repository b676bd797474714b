"""Sérsic laws integrated over pixels by brute force: squares halved towards the center, 6 x 6 points in each.

An oracle for the fit, with which it shares no code. Against GalSim's Fourier drawing, behind a Gaussian of 3 px, n from 1
to 6.2, it differs by less than 5e-6 of the brightest pixel.
"""

import numpy as np
from scipy.special import erf, gamma, gammaincinv

SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
LEVELS = 16
POINTS, MARGIN = 6, 8
PARAMETERS = ("x", "y", "amplitude", "r_eff", "index", "ellipticity", "orientation")


def brightness(x, y, law):
    """The law (Sérsic 1963) at points; `law` as `PARAMETERS` orders it."""
    along, across = _turned(x, y, law)
    _, _, amplitude, r_eff, n, ellipticity, _ = law
    radius = np.hypot(along, across / (1 - ellipticity)) / r_eff
    return amplitude * np.exp(-gammaincinv(2 * n, 0.5) * (radius ** (1 / n) - 1))


def total_flux(law):
    """Flux out to infinity (Graham & Driver 2005, eq. 4)."""
    _, _, amplitude, r_eff, n, ellipticity, _ = law
    b = gammaincinv(2 * n, 0.5)
    return 2 * np.pi * n * r_eff**2 * (1 - ellipticity) * amplitude * np.exp(b) * b ** (-2 * n) * gamma(2 * n)


def integrated(shape, law):
    """Flux of every pixel, [y, x]."""
    x, y, share, pixel = _points(shape, law, margin=0)
    return np.bincount(pixel, share * brightness(x, y, law), shape[0] * shape[1]).reshape(shape)


def behind_gaussian(shape, law, fwhm):
    """The same behind an optical Gaussian, light from beyond the edges included: every point spread exactly."""
    x, y, share, _ = _points(shape, law, margin=MARGIN)
    light = share * brightness(x, y, law)
    image = np.zeros(shape)
    tile = np.floor(x / MARGIN).astype(int) * 10_000 + np.floor(y / MARGIN).astype(int)
    reach = MARGIN + 1
    for one in np.unique(tile):
        inside = np.flatnonzero(tile == one)
        left, low = (
            int(np.floor(x[inside[0]] / MARGIN)) * MARGIN,
            int(np.floor(y[inside[0]] / MARGIN)) * MARGIN,
        )
        columns = np.arange(max(0, left - reach), min(shape[1], left + MARGIN + reach))
        rows = np.arange(max(0, low - reach), min(shape[0], low + MARGIN + reach))
        over_rows = gaussian_over_pixel(rows[:, None] - y[inside], fwhm) * light[inside]
        image[np.ix_(rows, columns)] += over_rows @ gaussian_over_pixel(x[inside][:, None] - columns, fwhm)
    return image


def gaussian_over_pixel(distance, fwhm):
    """Integral of a Gaussian over pixels at some distance from its center, along one axis."""
    scaled = fwhm * SIGMA_PER_FWHM * np.sqrt(2)
    return (erf((distance + 0.5) / scaled) - erf((distance - 0.5) / scaled)) / 2


def effective_gaussian(fwhm, reach=6):
    """Image of a star behind an optical Gaussian, [y, x]."""
    along = gaussian_over_pixel(np.arange(-reach, reach + 1), fwhm)
    return np.outer(along, along)


def mean_within_r_eff(image, law):
    """Mean pixel within the effective ellipse: signal of the S/N a pixel of the truth table."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    along, across = _turned(x, y, law)
    return image[np.hypot(along, across / (1 - law[5])) < law[3]].mean()


def _turned(x, y, law):
    cosine, sine = np.cos(law[6]), np.sin(law[6])
    return (x - law[0]) * cosine + (y - law[1]) * sine, (y - law[1]) * cosine - (x - law[0]) * sine


def _points(shape, law, *, margin):
    """Points, what each counts, and its pixel."""
    y, x = np.mgrid[-margin : shape[0] + margin, -margin : shape[1] + margin].astype(float)
    x, y = x.ravel(), y.ravel()
    side, pixel = np.ones(x.size), np.arange(x.size)
    parts = []
    for _ in range(LEVELS):
        along, across = _turned(x, y, law)
        # distance in the direction in which the law is steepest
        distance = np.hypot(along * (1 - law[5]), across)
        is_near, is_far = distance < 2.2 * side, distance > 12
        squares = np.array([x, y, side, pixel])
        parts.append(_grid(squares[:, is_far], 2))
        parts.append(_grid(squares[:, ~is_near & ~is_far], POINTS))
        x, y, side, pixel = x[is_near], y[is_near], side[is_near] / 2, pixel[is_near]
        x, y = (
            np.concatenate([x + sx * side / 2 for sx in (-1, 1, -1, 1)]),
            np.concatenate([y + sy * side / 2 for sy in (-1, -1, 1, 1)]),
        )
        side, pixel = np.tile(side, 4), np.tile(pixel, 4)
    parts.append(_grid(np.array([x, y, side, pixel]), POINTS))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _grid(squares, count):
    """Points in squares, given by x, y, side and pixel."""
    nodes, shares = np.polynomial.legendre.leggauss(count)
    x, y, side = squares[:3, :, None]
    return (
        (x + side * np.tile(nodes, count) / 2).ravel(),
        (y + side * np.repeat(nodes, count) / 2).ravel(),
        (side**2 * np.outer(shares, shares).ravel() / 4).ravel(),
        np.repeat(squares[3].astype(int), count**2),
    )

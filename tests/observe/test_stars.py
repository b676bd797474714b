"""Point spread functions measured from fields of simulated stars: width, wings, shape, and what is refused by name."""

import numpy as np
import pytest
from astropy.io import fits

from galsmith.errors import InputError
from galsmith.observe import Observation
from galsmith.observe.psf import MoffatPsf, width_at_half_maximum
from galsmith.observe.stars import StarFieldPsf, measure_psf, stacked

pytest.importorskip("photutils")
FWHM, BETA, SIDE = 3.2, 3.0, 330
SUB = (np.arange(7) + 0.5) / 7 - 0.5


def moffat(shape, x, y, *, fwhm=FWHM, axis_ratio=1.0, angle=0.0):
    """A Moffat law integrated over pixels, of flux 1."""
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    rows = (np.arange(shape[0])[:, None] + SUB).ravel() - y
    columns = (np.arange(shape[1])[:, None] + SUB).ravel() - x
    v, u = np.meshgrid(rows, columns, indexing="ij")
    major, minor = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    square = major**2 * axis_ratio + minor**2 / axis_ratio
    values = (BETA - 1) / (np.pi * alpha**2) * (1 + square / alpha**2) ** -BETA
    return values.reshape(shape[0], 7, shape[1], 7).mean(axis=(1, 3))


def add_star(image, x, y, flux, **law):
    """Add a star to an image, out to 30 px."""
    x0, y0 = round(x), round(y)
    rows, columns = slice(max(0, y0 - 30), y0 + 31), slice(max(0, x0 - 30), x0 + 31)
    part = image[rows, columns]
    part += flux * moffat(part.shape, x - columns.start, y - rows.start, **law)


def add_galaxy(image, x, y, flux, r_pix):
    v, u = np.indices(image.shape)
    light = np.exp(-np.hypot(u - x, v - y) / r_pix)
    image += flux * light / light.sum()


def field(*, side=SIDE, n_side=6, flux=(3e4, 2e5), galaxies=8, seed=0, spread=3.0, **law):
    """A field of stars on a loose grid, with galaxies between them, noise and sky."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side), 100.0)
    step = side / n_side
    places = [((i + 0.5) * step, (j + 0.5) * step) for i in range(n_side) for j in range(n_side)]
    for x, y in places:
        dx, dy = rng.uniform(-spread, spread, 2)
        add_star(image, x + dx, y + dy, np.exp(rng.uniform(*np.log(flux))), **law)
    for place in range(galaxies):
        x, y = places[place % len(places)]
        if x + step / 2 < side - 25:
            add_galaxy(image, x + step / 2, y, 3e4, rng.uniform(3.5, 6))
    return image + rng.normal(0, 5.0, image.shape)


def true_kernel(reach, **law):
    kernel = moffat((2 * reach + 1, 2 * reach + 1), reach, reach, **law)
    return kernel / kernel.sum()


def test_width_and_wings_of_a_moffat_law_come_out_right():
    found = measure_psf(field())
    true = true_kernel(len(found.kernel) // 2)
    assert found.fwhm_pix == pytest.approx(width_at_half_maximum(true), rel=0.01)
    assert len(found.x_pix) > 20
    # light in rings from the core to the wings
    y, x = np.indices(true.shape) - len(true) // 2
    radius = np.hypot(x, y)
    for low, high, tolerance in ((0, 1.6, 0.01), (1.6, 3.2, 0.01), (3.2, 6.4, 0.03), (6.4, 10, 0.15)):
        ring = (radius >= low) & (radius < high)
        assert found.kernel[ring].sum() == pytest.approx(true[ring].sum(), rel=tolerance)
    # as a law it agrees with the one that was put in
    law = MoffatPsf(fwhm_pix=FWHM, beta=BETA, radius_pix=len(true) // 2).kernels(("r",), None)[0]
    assert np.abs(found.kernel - law).max() < 0.01 * law.max()


def test_an_elliptical_one_keeps_its_shape_and_its_angle():
    law = {"axis_ratio": 0.75, "angle": 0.6}
    found = measure_psf(field(seed=3, **law)).kernel
    true = true_kernel(len(found) // 2, **law)
    assert np.abs(found - true).max() < 0.015 * true.max()
    assert np.abs(found - true_kernel(len(found) // 2)).max() > 0.05 * true.max()


def test_stars_between_pixels_are_brought_together_and_not_smeared():
    rng = np.random.default_rng(1)
    offsets = rng.uniform(-0.5, 0.5, (24, 2))
    cutouts = [moffat((41, 41), 20 + dx, 20 + dy) for dx, dy in offsets]
    true = true_kernel(20)
    found = stacked(cutouts)
    assert width_at_half_maximum(found) == pytest.approx(width_at_half_maximum(true), rel=0.003)
    assert found.max() == pytest.approx(true.max(), rel=0.003)
    # as they are they would be lower in the middle
    assert np.mean(cutouts, axis=0).max() < 0.97 * true.max()


def test_a_saturated_star_and_one_with_a_neighbor_are_left_out():
    image = field(galaxies=0)
    clipped = np.minimum(image, np.sort(image.ravel())[-40])
    found = measure_psf(clipped)
    assert found.left_out.get("saturated", 0) >= 2
    assert found.fwhm_pix == pytest.approx(measure_psf(image).fwhm_pix, rel=0.01)
    step = SIDE / 6
    add_star(image, step / 2 + 9, step / 2, 3e4)
    assert measure_psf(image).left_out["crowded"] >= 1


def test_what_has_no_usable_stars_is_refused_by_name():
    few = np.random.default_rng(0).normal(100, 5, (SIDE, SIDE))
    for place in (80, 170, 250):
        add_star(few, place, place, 1e5)
    with pytest.raises(InputError, match=r"few\.fits: has 3 sources, of which none can be told to be stars"):
        measure_psf(few, name="few.fits")
    image = field(galaxies=0, flux=(1e5, 1.01e5))
    with pytest.raises(InputError, match=r"0 stars that can be stacked; wanted 5 or more.* saturated"):
        measure_psf(np.minimum(image, 100 + 0.5 * (image.max() - 100)))
    crowded = field(side=160, n_side=13, galaxies=0, spread=1.0)
    with pytest.raises(InputError, match=r"wanted 5 or more; .*crowded \(another source within"):
        measure_psf(crowded)
    with pytest.raises(InputError, match="no noise and no sky"):
        measure_psf(np.zeros((100, 100)))
    narrow = field(fwhm=1.2, galaxies=0)
    with pytest.raises(InputError, match=r"its stars are 1\.\d+ px wide; wanted 1\.8 px or more"):
        measure_psf(narrow)


def test_an_observation_takes_the_stars_of_a_field(tmp_path):
    path = str(tmp_path / "field.fits")
    fits.PrimaryHDU(field().astype(np.float32)).writeto(path)
    law = StarFieldPsf(path=path)
    assert law.kernels(("g", "r"), None).shape[0] == 2
    assert law.widths_pix(("g",), None) == pytest.approx(width_at_half_maximum(true_kernel(12)), rel=0.01)
    observation = Observation.model_validate({"psf": {"kind": "stars", "path": path}})
    again = tmp_path / "again.fits"
    again.write_bytes((tmp_path / "field.fits").read_bytes())
    assert observation == Observation.model_validate({"psf": {"kind": "stars", "path": str(again)}})
    other = tmp_path / "other.fits"
    fits.PrimaryHDU(field(seed=5).astype(np.float32)).writeto(other)
    assert observation != Observation.model_validate({"psf": {"kind": "stars", "path": str(other)}})

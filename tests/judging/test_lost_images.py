"""Sets of which a tenth or half is black, NaN or lost in measuring are told apart in every path; equal losses are not."""

import numpy as np
import pytest
from astropy.io import fits

from galsmith.data.ingest import arrays
from galsmith.data.options import SetOptions
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.measure import MeasureSettings, measured
from galsmith.seeds import random_stream

COUNT = 120
FAST = MeasureSettings(sersic="none", quantities=("morphology",))
QUICK = {"replicates": 20, "splits": 20, "permutations": 100, "beyond": False, "measure_settings": FAST}
HEADER = ImageHeader(("r",), "nJy", 0.2)


def stamps(case):
    """Round galaxies with noise, [galaxy, y, x] float32."""
    rng = random_stream(case, "test.lost_images")
    y, x = np.mgrid[:32, :32] - 15.5
    radius, ratio = rng.uniform(2.5, 4.5, (COUNT, 1, 1)), rng.uniform(0.5, 1, (COUNT, 1, 1))
    light = 100 * np.exp(-np.hypot(x, y / ratio) / radius)
    return (light + rng.normal(0, 1, light.shape)).astype(np.float32)


def spoiled(case, share, how):
    """A set of which a share is black, NaN, or so faint that nothing can be measured."""
    images = stamps(case)
    count = round(share * COUNT)
    if how == "faint":
        y, x = np.mgrid[:32, :32]
        images[:count] = np.where((x + y) % 2, 1.0, -1.0)  # no five pixels that touch are above the threshold
    else:
        images[:count] = {"black": 0.0, "nan": np.nan}[how]
    return images


def given(images, path, place):
    """The same images as a folder of files, as an array file, as a store or as a table."""
    if path == "table":
        return measured(image_set_from_arrays(images, HEADER), settings=FAST)
    if path == "folder":
        place.mkdir()
        header = fits.Header({"FILTER": "r", "BUNIT": "nJy", "PIXSCALE": 0.2})
        for number, image in enumerate(images):
            fits.PrimaryHDU(image, header).writeto(place / f"g{number:03d}.fits")
        return place
    np.save(place.with_suffix(".npy"), images)
    how = {"bands": ("r",), "flux_unit": "nJy", "pixel_scale_arcsec": 0.2}
    return arrays(place.with_suffix(".npy"), place, options=SetOptions(on_bad="skip"), **how)


def told_by_losses(reference, generated):
    verdict = judge(reference, {"ours": generated}, **QUICK).judgment().verdict
    losses = next(item for item in verdict.families if item.name == "losses")
    return losses.n_told > 0, verdict.status, losses.strongest


@pytest.fixture(scope="module")
def reference():
    return measured(image_set_from_arrays(stamps(1), HEADER), settings=FAST)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("path", ["folder", "store", "table"])
@pytest.mark.parametrize("how", ["black", "nan", "faint"])
def test_lost_images_are_told_in_every_path(reference, tmp_path, path, how, share):
    is_told, status, strongest = told_by_losses(
        reference, given(spoiled(2, share, how), path, tmp_path / "ours")
    )
    assert is_told
    assert status == "told_apart"
    assert strongest.effect == pytest.approx(share, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "paths", [("store", "store"), ("table", "table"), ("store", "table"), ("table", "folder")]
)
@pytest.mark.parametrize("how", ["black", "nan", "faint"])
def test_sets_that_lose_the_same_are_not_told(tmp_path, paths, how):
    sides = [
        given(spoiled(case, 0.1, how), path, tmp_path / name)
        for case, path, name in zip((1, 2), paths, ("real", "ours"), strict=True)
    ]
    assert not told_by_losses(*sides)[0]


def test_a_tenth_of_black_images_in_an_array_of_memory_is_told(reference):
    is_told, status, strongest = told_by_losses(reference, spoiled(2, 0.1, "black"))
    assert (is_told, status) == (True, "told_apart")
    assert strongest.label == "galaxies of which nothing was measured (no source)"
    assert not told_by_losses(reference, stamps(2))[0]

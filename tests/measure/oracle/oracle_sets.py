"""The galaxies on which statmorph's answers are frozen: made from seeds, or read from the folder of real galaxies."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from galsmith.data.sersic import SersicSettings, SersicSource
from galsmith.images import crop_center
from galsmith.measure.segmentation import border_level
from galsmith.seeds import random_stream
from galsmith.settings import read_recipe, typed_settings

NOISE_PURPOSE = "tests.oracle.noise"
SERSIC_GAIN = 2520.0  # seconds of exposure: the flux unit is electron / s
HST_GAIN = 2028.0
HST_SIZE_PIX = 256
HST_NOISE_SIGMA = 0.004  # electron / s and pixel, about that of COSMOS
HST_SEED = 2021
EFIGI_STEP = 11  # every eleventh of 3,571 pictures, in the order of their names
EFIGI_COUNT = 300
HEX_DIGITS = 16


@dataclass(frozen=True)
class OracleGalaxy:
    """What statmorph was given.

    Attributes
    ----------
    name : str
        Which galaxy.
    image : ndarray [y, x], float64
        Flux per pixel.
    gain : float or None
        Electrons per flux unit, where there is no sigma map.
    labels : ndarray [y, x], int32, or None
        The segmentation map, where one comes with the galaxy.
    label : int
        Of the galaxy in it.
    mask : ndarray [y, x], bool, or None
        Pixels to ignore.
    sigma_map, psf : ndarray [y, x], float64, or None
        One sigma per pixel; the point spread function.
    """

    name: str
    image: NDArray[np.float64]
    gain: float | None = 1.0
    labels: NDArray[np.int32] | None = None
    label: int = 1
    mask: NDArray[np.bool_] | None = None
    sigma_map: NDArray[np.float64] | None = None
    psf: NDArray[np.float64] | None = None


def _sersic_galaxies(seed: int, n: int) -> Iterator[OracleGalaxy]:
    """Galaxies with the priors of the galaxies paper, without noise."""
    settings = typed_settings(SersicSettings, read_recipe("sersic"), source="recipe sersic")
    source = SersicSource(settings, n=n, seed=seed)
    for k in range(n):
        image = source.read(np.array([k]))[0][0]
        yield OracleGalaxy(f"{seed}-{k:03d}", np.asarray(image, dtype=np.float64), gain=SERSIC_GAIN)


def noise_free_sersic(data: Path | None) -> Iterator[OracleGalaxy]:
    """200 images of 256 px, seed 2022."""
    del data
    yield from _sersic_galaxies(2022, 200)


def noisy_sersic(data: Path | None) -> Iterator[OracleGalaxy]:
    """200 others, seed 2023, with white noise of 0.001 to 0.006 electron / s and pixel, rounded to float32."""
    del data
    for k, galaxy in enumerate(_sersic_galaxies(2023, 200)):
        rng = random_stream(2023, NOISE_PURPOSE, k)
        sigma = math.exp(rng.uniform(math.log(0.001), math.log(0.006)))
        noisy = galaxy.image + rng.normal(0.0, sigma, galaxy.image.shape)
        yield replace(galaxy, image=_rounded(noisy))


def cosmos(data: Path | None) -> Iterator[OracleGalaxy]:
    """100 stamps of 22 to 190 px of the COSMOS survey."""
    folder = _needed(data) / "hst_cosmos_f814w_realgal" / "btk"
    with fits.open(folder / "real_galaxy_images_extension.fits") as hdus:
        for k, hdu in enumerate(hdus):
            yield OracleGalaxy(f"{k:03d}", np.asarray(hdu.data, dtype=np.float64), gain=HST_GAIN)


def hst(data: Path | None) -> Iterator[OracleGalaxy]:
    """150 galaxies, bulge and disk added, the middle 256 px, with white noise, rounded to float32."""
    folder = _needed(data) / "hst_f814w_201"
    for k, disk in enumerate(sorted((folder / "disk_f8").glob("*.fits.gz"))):
        bulge = folder / "bulge_f8" / disk.name.replace("disk", "bulge")
        whole = np.asarray(fits.getdata(bulge), dtype=np.float64) + fits.getdata(disk)
        image = crop_center(whole[np.newaxis], HST_SIZE_PIX)[0]
        noise = random_stream(HST_SEED, NOISE_PURPOSE, k).normal(0.0, HST_NOISE_SIGMA, image.shape)
        yield OracleGalaxy(disk.name.split(".")[0], _rounded(image + noise), gain=HST_GAIN)


def profit(data: Path | None) -> Iterator[OracleGalaxy]:
    """10 galaxies in KiDS r and in SDSS r, each with PSF, sigma map, mask and segmentation map."""
    folder = _needed(data) / "profit_kids_sdss_r_20"
    for survey in ("KiDS", "SDSS"):
        for file in sorted((folder / survey).glob("*fitim.fits")):
            stem = file.name.removesuffix("fitim.fits")
            read = {
                kind: fits.getdata(folder / survey / f"{stem}{kind}.fits")
                for kind in ("fitim", "mskim", "psfim", "segim", "sigma")
            }
            labels = np.asarray(read["segim"], dtype=np.int32)
            yield OracleGalaxy(
                f"{survey}-{stem}",
                np.asarray(read["fitim"], dtype=np.float64),
                gain=None,
                labels=labels,
                label=int(labels[labels.shape[0] // 2, labels.shape[1] // 2]),
                mask=np.asarray(read["mskim"] > 0),
                sigma_map=np.asarray(read["sigma"], dtype=np.float64),
                psf=np.asarray(read["psfim"], dtype=np.float64),
            )


def reference(data: Path | None) -> Iterator[OracleGalaxy]:
    """The galaxy of statmorph's own tests, in float64."""
    with fits.open(_needed(data) / "statmorph_reference" / "slice.fits") as hdus:
        yield OracleGalaxy(
            "slice",
            np.asarray(hdus[0].data, dtype=np.float64),
            labels=np.asarray(hdus[1].data, dtype=np.int32),
            mask=np.asarray(hdus[2].data, dtype=bool),
        )


def efigi(data: Path | None) -> Iterator[OracleGalaxy]:
    """300 gray EFIGI pictures: the mean of red, green and blue less the median of the border."""
    pictures = sorted((_needed(data) / "efigi_gri88" / "images").glob("*.jpg"))
    for file in pictures[::EFIGI_STEP][:EFIGI_COUNT]:
        with Image.open(file) as picture:
            gray = np.asarray(picture.convert("RGB"), dtype=np.float64).mean(axis=2)
        yield OracleGalaxy(file.stem, gray - border_level(gray))


ORACLE_SETS: dict[str, Callable[[Path | None], Iterator[OracleGalaxy]]] = {
    "noise_free_sersic": noise_free_sersic,
    "noisy_sersic": noisy_sersic,
    "cosmos": cosmos,
    "hst": hst,
    "profit": profit,
    "reference": reference,
    "efigi": efigi,
}
ORACLE_SIZES = {
    "noise_free_sersic": 200,
    "noisy_sersic": 200,
    "cosmos": 100,
    "hst": 150,
    "profit": 20,
    "reference": 1,
    "efigi": 300,
}
NEEDS_NO_DATA = ("noise_free_sersic", "noisy_sersic")


def fingerprint(array: NDArray[Any]) -> str:
    """First digits of the SHA-256 of an array's bytes, [y, x] order, little-endian."""
    native = np.ascontiguousarray(array)
    native = native.astype(native.dtype.newbyteorder("<"), copy=False)
    return hashlib.sha256(native.tobytes()).hexdigest()[:HEX_DIGITS]


def expected_reference_values(data: Path) -> dict[str, float]:
    """Read the 72 numbers that statmorph's own tests expect of its reference galaxy."""
    values: dict[str, float] = json.loads(
        (data / "statmorph_reference" / "expected_values_slice.json").read_text()
    )
    return values


def _rounded(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to float32, as image sets are; hides how a machine rounds its logarithms."""
    return image.astype(np.float32).astype(np.float64)


def _needed(data: Path | None) -> Path:
    """Refuse to go on without the folder of real galaxies."""
    if data is None:
        raise FileNotFoundError(
            "this set needs the folder of real galaxies; name one with GALSMITH_TEST_DATA"
        )
    return data

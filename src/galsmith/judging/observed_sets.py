"""Bringing the sets of a comparison under one point spread function, size of a pixel and depth before they are measured."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.data.options import SetOptions
from galsmith.data.readers.source import Source
from galsmith.data.readers.to_store import write_source
from galsmith.data.store import Companions, companions_of, is_store
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, ImageSet
from galsmith.judging.image_stores import Place, Workplace, images_at
from galsmith.measure.corrections import width_of
from galsmith.observe.airy import AiryPsf
from galsmith.observe.noise import GaussianNoise
from galsmith.observe.observation import Observation
from galsmith.observe.psf import AnalyticPsf, GaussianPsf, MoffatPsf
from galsmith.observe.source import ObservedSource
from galsmith.seeds import derive_seed, random_stream

Floats = NDArray[np.float64]
logger = logging.getLogger("galsmith")
LOOKED_AT = 64
PROBE_PIX = 256
SIGMA_PER_MAD = 1.4826  # of Gaussian noise
# Second differences in both directions: of white noise of sigma 1 they have 6 (Immerkaer 1996, CVGIP 64, 300, eq. 2).
LAPLACIAN = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]) / 6.0
# A set is at what is asked for to so much: sigmas of noise are estimated, widths are stated with few digits.
TOLERANCE = 0.02
# Noise of a set beside that of a law that is not Gaussian: together they are half a percent more.
LARGEST_BESIDE = 0.1
SMALLEST_WIDTH_PIX = 1e-3


@dataclass(frozen=True)
class Correction:
    """What was done to one set in one respect, a number a band.

    Attributes
    ----------
    what : str
        ``"pixel"``, ``"psf"`` or ``"noise"``.
    unit : str
        Of the numbers.
    before, added, after : ndarray [band], float64
        As the set was (NaN where that is not known), what was added, and what was asked for.
    remark : str
        What of it is not exact.
    """

    what: str
    unit: str
    before: Floats
    added: Floats
    after: Floats
    remark: str = ""

    def __str__(self) -> str:
        """Write it as a line of a table."""
        numbers = f"{_text(self.before)} -> {_text(self.after)} {self.unit} (added {_text(self.added)})"
        return f"{self.what}: {numbers}{f'; {self.remark}' if self.remark else ''}"


@dataclass(frozen=True)
class Brought:
    """How one set comes under an observation.

    Attributes
    ----------
    observation : Observation
        What is done to its images: as much less than was asked for as they have already.
    corrections : tuple of Correction
        What that is.
    own_sigma : ndarray [band], float64
        Noise that the images keep, in observed pixels.
    kernels : ndarray [band, k, k], float64, or None
        The point spread function that they have then.
    has_own_psf : bool
        Whether part of it is their own.
    """

    observation: Observation
    corrections: tuple[Correction, ...]
    own_sigma: Floats
    kernels: Floats | None
    has_own_psf: bool


def observed_places(
    places: Mapping[str, Place], observation: Observation, work: Workplace
) -> tuple[dict[str, Path], dict[str, list[str]]]:
    """Bring sets under an observation, each with noise of its own, as stores in the workplace.

    Parameters
    ----------
    places : mapping of name to path
        Stores.
    observation : Observation
        What they shall look like.
    work : Workplace
        Where the observed stores go, and the seed.

    Returns
    -------
    places : dict of name to Path
        The observed stores.
    corrections : dict of name to list of str
        What each correction did, in words; it is told, too.

    Raises
    ------
    SettingsError
        If a set is a table, or has wider point spread functions, larger pixels or more noise than is asked for.
    """
    plans = {
        name: brought_under(_images_of(place, name, work), observation, name=name)
        for name, place in places.items()
    }
    found = {}
    for name, plan in plans.items():
        for correction in plan.corrections:
            logger.warning("%s: brought under the observation, %s", name, correction)
        source = _BroughtSource(
            _images_of(places[name], name, work),
            plan,
            seed=derive_seed(work.seed, f"compare.observe.{name}"),
        )
        found[name] = work.folder / f"{name}.observed"
        work.made(found[name], partial(_written, source, found[name], work))
    return found, {name: list(map(str, plan.corrections)) for name, plan in plans.items()}


def _written(source: Source, store: Path, work: Workplace, overwrite: bool) -> ImageSet:  # noqa: FBT001
    """Write the store of an observed set."""
    return write_source(
        source,
        store,
        verb="compare",
        seed=0,
        options=SetOptions(),
        overwrite=overwrite,
        progress=work.progress,
    )


def brought_under(images: ImageSet, observation: Observation, *, name: str) -> Brought:
    """Say what has to be done to a set so that it looks as an observation of a clean one.

    Widths are taken off in quadrature, which is exact for Gaussians; so is noise, the images' own taken as independent
    from pixel to pixel and as large as their inverse variances say, or as neighboring pixels at the border differ.

    Parameters
    ----------
    images : ImageSet
        At least one.
    observation : Observation
        What is asked for.
    name : str
        The set, for messages.

    Raises
    ------
    SettingsError
        If the set cannot be brought there; with figures.
    """
    header = images.header
    factor = observation.factor(header)
    if factor < 1 - TOLERANCE:
        scale = header.pixel_scale_arcsec
        came, wanted = (1.0, factor) if scale is None else (scale, scale * factor)
        raise _unreachable(
            name, "pixels", came, wanted, "arcsec" if scale is not None else "of their own sides"
        )
    pixel = np.full(len(header.bands), header.pixel_scale_arcsec or np.nan)
    pixels = Correction("pixel", "arcsec", pixel, pixel * (factor - 1), pixel * factor)
    spread, psf_correction = _psf_left(images, observation, factor, name=name)
    with_psf = observation.model_copy(update={"psf": spread})
    own = own_sigma(images, with_psf)
    noise, noise_correction = _noise_left(header, observation, own, name=name)
    found = [pixels if factor > 1 + TOLERANCE else None, psf_correction, noise_correction]
    return Brought(
        Observation.model_validate({**_laws(with_psf), "noise": noise}),
        tuple(one for one in found if one is not None),
        own,
        _kernels(observation, header, factor),
        psf_correction is not None and bool(np.nan_to_num(psf_correction.before).any()),
    )


def own_sigma(images: ImageSet, observation: Observation) -> Floats:
    """Estimate the noise that images have themselves after their light was spread and resampled, [band] float64.

    Parameters
    ----------
    images : ImageSet
        With inverse variances beside them, or borders that show their noise.
    observation : Observation
        Its noise is left out.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, LOOKED_AT).round().astype(np.int64))
    beside = companions_of(images, rows)
    if beside is not None and len(beside.ivars):
        known = [[_sigma_of(band) for band in ivar] for ivar in beside.ivars]
    else:
        known = [[_border_sigma(band) for band in image] for image in images.pixels.read(rows)]
    before = np.nanmedian(np.array(known, dtype=np.float64), axis=0)
    probe = random_stream(0, "compare.observe.probe").standard_normal(
        (len(images.header.bands), PROBE_PIX, PROBE_PIX)
    )
    clean = Observation.model_validate({**_laws(observation), "noise": None, "sky": None})
    seen = clean.scene(probe.astype(np.float32), images.header).mean
    edge = seen.shape[-1] // 8
    return np.asarray(before * seen[:, edge:-edge, edge:-edge].std(axis=(-2, -1)))


def _images_of(place: Place, name: str, work: Workplace) -> ImageSet:
    """Open the images of a set; a table was measured before."""
    if isinstance(place, QTable) or not is_store(place):
        raise SettingsError(
            f"{name} is a table, whose images were measured as they are",
            argument="observe",
            way_out="give its images",
        )
    return images_at(place, work.limit)


def _psf_left(
    images: ImageSet, observation: Observation, factor: float, *, name: str
) -> tuple[Any, Correction | None]:
    """Give the law that spreads light as much less as it is spread already, and what that is."""
    law, header = observation.psf, images.header
    if law is None:
        return None, None
    is_after = observation.convolve == "after" or factor == 1
    scale = header.pixel_scale_arcsec
    pixel = scale if scale is None or not is_after else scale * factor
    asked = np.broadcast_to(law.widths_pix(header.bands, pixel), len(header.bands))
    known = _own_widths(images)
    own = np.nan_to_num(known) / (factor if is_after else 1.0)
    if (own > asked * (1 + TOLERANCE)).any():
        worst = int(np.argmax(own / asked))
        raise _unreachable(
            name, "the point spread function", own[worst], asked[worst], f"px in {header.bands[worst]} (FWHM)"
        )
    left = np.sqrt(np.maximum(asked**2 - own**2, 0.0))
    remarks = [] if np.isfinite(known).all() else ["where its own is not known it is taken as none"]
    if not own.any():
        return law, Correction("psf", "px (FWHM)", known, left, asked, *remarks)
    if isinstance(law, AiryPsf):
        # between two diffraction patterns lies no third one
        law = GaussianPsf(fwhm_pix=1.0)
        remarks.append("what is left is taken as a Gaussian, without rings")
    elif isinstance(law, MoffatPsf):
        remarks.append("widths in quadrature, which is exact for Gaussians alone")
    elif not isinstance(law, GaussianPsf):
        raise SettingsError(
            f"{name} has a point spread function of {own.max():.3g} px (FWHM), and what is left to an image of one is not "
            "known",
            argument="observe",
            way_out="state a Gaussian, a Moffat law or an Airy pattern",
        )
    return _narrowed(law, header, left), Correction(
        "psf", "px (FWHM)", known, left, asked, "; ".join(remarks)
    )


def _narrowed(law: AnalyticPsf, header: ImageHeader, widths_pix: Floats) -> Any:
    """Make the same law of other widths."""
    if (widths_pix < SMALLEST_WIDTH_PIX).all():
        return None
    widths = {
        band: max(float(width), SMALLEST_WIDTH_PIX)
        for band, width in zip(header.bands, widths_pix, strict=True)
    }
    kept = law.model_dump(exclude_none=True, include={"kind", "beta", "values", "radius_pix"})
    return type(law).model_validate({**kept, "fwhm_pix": widths})


def _own_widths(images: ImageSet) -> Floats:
    """Widths (FWHM) of the point spread functions of images in their pixels, [band] float64; NaN where not known."""
    header = images.header
    bands, stated = header.bands, header.psf.get("psf_fwhm_pix")
    if isinstance(stated, int | float):
        return np.full(len(bands), float(stated))
    by_band = header.psf.get("psf_fwhm_pix_by_band")
    if isinstance(by_band, Mapping):
        return np.array([float(by_band.get(band, np.nan)) for band in bands])
    rows = np.unique(np.linspace(0, len(images) - 1, LOOKED_AT).round().astype(np.int64))
    beside = companions_of(images, rows)
    if beside is None or not len(beside.psfs):
        return np.full(len(bands), np.nan)
    # the pixel is in them, or in the images that they spread
    widths = [
        [width_of(psf.astype(np.float64), kind="optical") for psf in np.atleast_3d(one.T).T]
        for one in beside.psfs
    ]
    ratio = 1.0
    if beside.psf_pixel_scale_arcsec is not None and header.pixel_scale_arcsec is not None:
        ratio = beside.psf_pixel_scale_arcsec / header.pixel_scale_arcsec
    return np.broadcast_to(np.median(np.array(widths), axis=0) * ratio, len(bands)).astype(np.float64)


def _noise_left(
    header: ImageHeader, observation: Observation, own: Floats, *, name: str
) -> tuple[Any, Correction | None]:
    """Give the law of as much less noise as there is already, and what that is."""
    law, unit = observation.noise, f"{header.flux_unit} (sigma of the sky)"
    if law is None:
        return None, None
    seen = observation.observed_header(header)
    levels = np.zeros(len(header.bands)) if observation.sky is None else observation.sky.levels(seen)
    blank = np.zeros((len(header.bands), 1, 1))
    variance = law.added(blank, levels, random_stream(0, "compare.observe.blank"), seen).variance
    asked = np.sqrt(np.asarray(variance, dtype=np.float64)[:, 0, 0])
    if (own > asked * (1 + TOLERANCE)).any():
        worst = int(np.argmax(own / asked))
        raise _unreachable(
            name,
            "the noise",
            own[worst],
            asked[worst],
            f"{header.flux_unit} a pixel in {header.bands[worst]}",
        )
    if isinstance(law, GaussianNoise):
        left = np.sqrt(np.maximum(asked**2 - own**2, 0.0))
        remark = "its own is correlated where light was spread" if (own > TOLERANCE * asked).any() else ""
        is_there = bool((left < TOLERANCE * asked).all())
        sigmas = {
            band: max(float(one), TOLERANCE * wanted)
            for band, one, wanted in zip(header.bands, left, asked.tolist(), strict=True)
        }
        return (None if is_there else GaussianNoise(sigma=sigmas)), Correction(
            "noise", unit, own, left, asked, remark
        )
    if (own > LARGEST_BESIDE * asked).any():
        worst = int(np.argmax(own / asked))
        raise SettingsError(
            f"{name} has noise of {own[worst]:.3g} {header.flux_unit} a pixel in {header.bands[worst]} where "
            f"{asked[worst]:.3g} are asked for, and what is left to noise that is counted or correlated is not known",
            argument="observe",
            way_out="state Gaussian noise, or deeper images",
        )
    more = float(np.max(np.hypot(own, asked) / asked - 1))
    remark = f"its own comes on top, {100 * more:.1g} % more" if (own > TOLERANCE * asked).any() else ""
    return law, Correction("noise", unit, own, asked, asked, remark)


def _kernels(observation: Observation, header: ImageHeader, factor: float) -> Floats | None:
    """Give the point spread functions that are asked for, in observed pixels."""
    if observation.psf is None:
        return None
    scale = None if header.pixel_scale_arcsec is None else header.pixel_scale_arcsec * factor
    enlarged = 1.0 if observation.convolve == "after" else factor
    return observation.psf.kernels(header.bands, scale, enlarged=enlarged)


class _BroughtSource(ObservedSource):
    """Images that are brought under an observation, with the noise and the point spread function that they have then."""

    def __init__(self, images: ImageSet, plan: Brought, *, seed: int) -> None:
        super().__init__(images, plan.observation, seed=seed)
        self._plan = plan

    def companions(self, rows: NDArray[np.int64]) -> Companions:
        """Give what lies beside images that were read just now, in the order of `rows`."""
        found, plan = super().companions(rows), self._plan
        own = plan.own_sigma[:, np.newaxis, np.newaxis] ** 2
        ivars = [
            np.where(ivar > 0, 1 / (1 / np.maximum(ivar, 1e-38) + own), 0).astype(np.float32)
            for ivar in found.ivars
        ]
        if plan.kernels is None:
            return replace(found, ivars=ivars)
        kernel = plan.kernels.astype(np.float32)
        return replace(
            found,
            ivars=ivars,
            psfs=[kernel] * len(rows),
            psf_kind="effective" if plan.has_own_psf else "optical",
        )


def _laws(observation: Observation) -> dict[str, Any]:
    """Give the settings of an observation as they are, laws as objects."""
    return {name: getattr(observation, name) for name in type(observation).model_fields}


def _sigma_of(ivar: NDArray[np.float32]) -> float:
    """Give the usual standard deviation of pixels of which one is known."""
    known = ivar[ivar > 0]
    return float(1 / np.sqrt(np.median(known))) if known.size else float("nan")


def _border_sigma(stamp: NDArray[np.float32]) -> float:
    """Estimate the noise of an image from how neighboring pixels of its border differ."""
    depth = max(3, min(stamp.shape) // 8)
    differences = ndimage.convolve(stamp.astype(np.float64), LAPLACIAN)
    inner = np.zeros(stamp.shape, dtype=bool)
    inner[depth:-depth, depth:-depth] = True
    inner[0], inner[-1], inner[:, 0], inner[:, -1] = True, True, True, True
    return float(SIGMA_PER_MAD * np.median(np.abs(differences[~inner])))


def _unreachable(name: str, what: str, came: float, wanted: float, unit: str) -> SettingsError:
    """Say that a set has more of something than is asked for."""
    return SettingsError(
        f"{name} has {what} of {came:.4g} {unit}, and {wanted:.4g} are asked for: nothing takes it off",
        argument="observe",
        way_out="ask for an observation that is at least as wide, coarse and noisy as every set",
    )


def _text(values: Floats) -> str:
    """Write numbers of bands, one where all are alike."""
    alike = np.ptp(values) == 0 or np.isnan(values).all()
    shown = values[:1] if alike else values
    return "/".join("unknown" if np.isnan(value) else f"{value:.4g}" for value in shown)

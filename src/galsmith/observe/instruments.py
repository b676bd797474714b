"""Instruments by name, as observations whose numbers are public, and how deep they are said to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.images import ImageHeader
from galsmith.observe.noise import ExposureNoise, Sky
from galsmith.observe.observation import Observation
from galsmith.observe.psf import GaussianPsf, MoffatPsf

# The wings of seeing by Kolmogorov turbulence (Trujillo et al. 2001, MNRAS 328, 977).
_KOLMOGOROV_BETA = 4.765
# AB magnitude of a nanojansky.
_ZERO_POINT_NJY = 31.4


@dataclass(frozen=True)
class Depth:
    """How deep images of an instrument are said to be.

    Attributes
    ----------
    magnitudes : mapping of band to float
        AB magnitude of the faintest source.
    n_sigma : float
        Signal over noise of it.
    aperture_arcsec : float or None
        Diameter in which it is measured; None for a star with its own point spread as weight.
    source : str
        Where that is said.
    """

    magnitudes: Mapping[str, float]
    n_sigma: float
    aperture_arcsec: float | None
    source: str


def _ground(fwhm_arcsec: dict[str, float], **settings: Any) -> Observation:
    """Observe through the atmosphere."""
    return _exposed(MoffatPsf(fwhm_arcsec=fwhm_arcsec, beta=_KOLMOGOROV_BETA), **settings)


def _exposed(
    psf: GaussianPsf | MoffatPsf, *, pixel_scale_arcsec: float, sky: Any, **exposure: Any
) -> Observation:
    """Observe with pixels of an instrument, its sky and its exposures."""
    return Observation(
        psf=psf,
        pixel_scale_arcsec=pixel_scale_arcsec,
        sky=Sky(mag_arcsec2=sky),
        noise=ExposureNoise(**exposure),
    )


# LSST: Ivezic et al. 2019 (ApJ 873, 111): sky, seeing (Table 2, at an airmass of 1.2) and visits of 30 s in ten years
# (Table 1); zero points at an airmass of 1.2 as galcheat 1.1.3 has them from the filters of speclite; two exposures a
# visit, read noise 8.8 e- and dark current 0.2 e-/s of SMTN-002.
_LSST_VISITS = {"u": 56, "g": 80, "r": 184, "i": 184, "z": 160, "y": 160}
_LSST = _ground(
    {"u": 0.90, "g": 0.86, "r": 0.81, "i": 0.79, "z": 0.77, "y": 0.76},
    pixel_scale_arcsec=0.2,
    sky={"u": 22.99, "g": 22.26, "r": 21.20, "i": 20.48, "z": 19.60, "y": 18.61},
    zero_point_mag={"u": 26.40, "g": 28.26, "r": 28.10, "i": 27.78, "z": 27.39, "y": 26.56},
    exposure_s={band: 30.0 * visits for band, visits in _LSST_VISITS.items()},
    n_exposures={band: 2.0 * visits for band, visits in _LSST_VISITS.items()},
    read_noise_electron=8.8,
    dark_electron_s=0.2,
)
# HSC, layer Wide: seeing and exposures of Aihara et al. 2022 (PASJ 74, 247, Table 1); sky of Suprime-Cam's page of exposure
# times; zero points at an airmass of 1.2 as galcheat 1.1.3 has them from the filters of speclite; 4 to 6 exposures and a
# read noise of 4.5 e- (Miyazaki et al. 2018, PASJ 70, S1).
_HSC = _ground(
    {"g": 0.79, "r": 0.75, "i": 0.61, "z": 0.68, "y": 0.68},
    pixel_scale_arcsec=0.168,
    sky={"g": 21.4, "r": 20.6, "i": 19.7, "z": 18.3, "y": 17.9},
    zero_point_mag={"g": 28.90, "r": 28.86, "i": 28.61, "z": 27.68, "y": 27.33},
    exposure_s={"g": 600.0, "r": 600.0, "i": 1200.0, "z": 1200.0, "y": 1200.0},
    n_exposures={"g": 4.0, "r": 4.0, "i": 6.0, "z": 6.0, "y": 6.0},
    read_noise_electron=4.5,
)
# HST/ACS F814W, as COSMOS: 4 exposures of 507 s and a width of 0.095 arcsec (Koekemoer et al. 2007, ApJS 172, 196), the
# zero point of GalSim's COSMOS catalog; pixels as the detector has them, 0.05 arcsec; sky as galcheat 1.1.3 has it; read
# noise and dark current of the ACS Instrument Handbook for 2004.
_ACS = _exposed(
    GaussianPsf(fwhm_arcsec=0.095),
    pixel_scale_arcsec=0.05,
    sky=22.0,
    zero_point_mag=25.94,
    exposure_s=2028.0,
    n_exposures=4.0,
    read_noise_electron=5.0,
    dark_electron_s=0.003,
)
# Euclid VIS: a width of 0.16 arcsec (Euclid Collaboration: McCracken et al. 2025, arXiv:2503.15303); zero point and sky
# as galcheat 1.1.3 has them; four nominal exposures of 566 s (Euclid Collaboration: Mellier et al. 2025, A&A 697, A1);
# read noise as required, 4.5 e- (Cropper et al. 2016, arXiv:1608.08603).
_EUCLID = _exposed(
    GaussianPsf(fwhm_arcsec=0.16),
    pixel_scale_arcsec=0.1,
    sky=22.32,
    zero_point_mag=25.91,
    exposure_s=2264.0,
    n_exposures=4.0,
    read_noise_electron=4.5,
)
# Roman, a high-latitude survey of five exposures of 174 s (Spergel et al. 2015, arXiv:1503.03757): widths, read noise and
# sky at the least zodiacal light of the WFI's technical page at GSFC; zero points of its filters in GalSim's module
# `roman`, times the collecting area of 37,570 cm^2 that it has; dark current of the same.
_ROMAN = _exposed(
    GaussianPsf(fwhm_arcsec={"F106": 0.087, "F129": 0.105, "F158": 0.127, "F184": 0.151}),
    pixel_scale_arcsec=0.11,
    sky={"F106": 22.99, "F129": 22.99, "F158": 23.10, "F184": 23.22},
    zero_point_mag={"F106": 26.46, "F129": 26.48, "F158": 26.51, "F184": 26.06},
    exposure_s=870.0,
    n_exposures=5.0,
    read_noise_electron=15.5,
    dark_electron_s=0.015,
)
INSTRUMENTS: Mapping[str, Observation] = {
    "lsst": _LSST,
    "hsc-wide": _HSC,
    "hst-acs-f814w": _ACS,
    "euclid-vis": _EUCLID,
    "roman": _ROMAN,
}
DEPTHS: Mapping[str, Depth] = {
    "lsst": Depth(
        {"u": 26.1, "g": 27.4, "r": 27.5, "i": 26.8, "z": 26.1, "y": 24.9},
        5,
        None,
        "Ivezic et al. 2019, Table 1",
    ),
    "hsc-wide": Depth(
        {"g": 26.5, "r": 26.5, "i": 26.2, "z": 25.2, "y": 24.4}, 5, None, "Aihara et al. 2022, Table 1"
    ),
    "hst-acs-f814w": Depth({"F814W": 27.2}, 5, 0.24, "Koekemoer et al. 2007"),
    "euclid-vis": Depth({"VIS": 25.6}, 10, 1.3, "McCracken et al. 2025"),
    "roman": Depth({"F106": 26.7, "F129": 26.9, "F158": 26.7, "F184": 26.2}, 5, None, "Spergel et al. 2015"),
}


def limiting_magnitudes(
    observation: Observation,
    bands: Sequence[str],
    *,
    n_sigma: float = 5.0,
    aperture_arcsec: float | None = None,
) -> NDArray[np.float64]:
    """Say how faint a source can be that stands out of the noise of an instrument's blank sky.

    Parameters
    ----------
    observation : Observation
        With a scale in arcseconds, and noise that zero points tell.
    bands : sequence of str
        Bands of the images.
    n_sigma : float
        Signal over noise.
    aperture_arcsec : float, optional
        Diameter in which the source is measured; with its own point spread as weight when left out.

    Returns
    -------
    ndarray [band], float64
        AB magnitudes.
    """
    scale = observation.pixel_scale_arcsec
    header = ImageHeader(tuple(bands), "nJy", scale, zero_points_mag=dict.fromkeys(bands, _ZERO_POINT_NJY))
    blank = np.zeros((len(bands), 129, 129), dtype=np.float32)
    observed = observation.observe(blank, np.random.default_rng(0), header)
    sigma = 1 / np.sqrt(observed.ivar[:, 64, 64].astype(np.float64))
    if aperture_arcsec is None or scale is None:
        # the variance of a star's flux by weights psf / sum(psf^2)
        n_pixels = 1 / (observed.psf.astype(np.float64) ** 2).sum(axis=(-2, -1))
    else:
        n_pixels = np.full(len(bands), np.pi * (aperture_arcsec / 2 / scale) ** 2)
    return _ZERO_POINT_NJY - 2.5 * np.log10(n_sigma * sigma * np.sqrt(n_pixels))

"""Instruments by name, as observations whose numbers are public, and how deep they are said to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.images import ImageHeader
from galsmith.observe.airy import AiryPsf
from galsmith.observe.noise import ExposureNoise, Sky
from galsmith.observe.observation import Observation
from galsmith.observe.psf import MoffatPsf

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
    psf: AiryPsf | MoffatPsf, *, pixel_scale_arcsec: float, sky: Any, **exposure: Any
) -> Observation:
    """Observe with pixels of an instrument, its sky and its exposures."""
    return Observation(
        psf=psf,
        pixel_scale_arcsec=pixel_scale_arcsec,
        sky=Sky(mag_arcsec2=sky),
        noise=ExposureNoise(**exposure),
    )


# LSST, ten years at an airmass of 1.2. From SMTN-002 (throughputs v1.9): zero points, those at the zenith less 0.2 kAtm;
# dark sky at the zenith; read noise and dark current, which are upper limits; one exposure a visit in u and two in others.
# From Ivezic et al. (2019, ApJ 873, 111) as surveycodex quotes it: visits of 30 s (Table 1); seeing of Table 2, times
# 1.2^0.6.
_LSST_VISITS = {"u": 56, "g": 80, "r": 184, "i": 184, "z": 160, "y": 160}
_LSST_SKY = {"u": 23.05, "g": 22.25, "r": 21.20, "i": 20.46, "z": 19.61, "y": 18.60}
# What the atmosphere takes at an airmass of 1. Zero points hold it, and the sky's light, which comes from within the
# atmosphere, does not lose it (SMTN-002, "Sky Counts"): the sky is brighter by it than it is beside stars.
_LSST_EXTINCTION = {"u": 0.47, "g": 0.21, "r": 0.13, "i": 0.10, "z": 0.07, "y": 0.17}
_LSST = _ground(
    {"u": 0.90, "g": 0.86, "r": 0.81, "i": 0.79, "z": 0.77, "y": 0.76},
    pixel_scale_arcsec=0.2,
    sky={band: round(sky - 1.2 * _LSST_EXTINCTION[band], 3) for band, sky in _LSST_SKY.items()},
    zero_point_mag={"u": 26.43, "g": 28.47, "r": 28.33, "i": 28.15, "z": 27.77, "y": 26.79},
    exposure_s={band: 30.0 * visits for band, visits in _LSST_VISITS.items()},
    n_exposures={band: (1.0 if band == "u" else 2.0) * visits for band, visits in _LSST_VISITS.items()},
    read_noise_electron=8.8,
    dark_electron_s=0.2,
)
# HSC, layer Wide: seeing and exposures of Aihara et al. (2022, PASJ 74, 247, Table 1) as surveycodex quotes it; 4 exposures
# in g by the release's page "survey"; sky of Suprime-Cam's page of exposure times, 3 days from new moon; read noise of
# Subaru's page of HSC's parameters; zero points at an airmass of 1.2 as surveycodex has them from the filters of speclite.
# Not checked: 4 exposures in r and 6 in i, z and y.
_HSC = _ground(
    {"g": 0.79, "r": 0.75, "i": 0.61, "z": 0.68, "y": 0.68},
    pixel_scale_arcsec=0.168,
    sky={"g": 21.4, "r": 20.6, "i": 19.7, "z": 18.3, "y": 17.9},
    zero_point_mag={"g": 28.90, "r": 28.86, "i": 28.61, "z": 27.68, "y": 27.34},
    exposure_s={"g": 600.0, "r": 600.0, "i": 1200.0, "z": 1200.0, "y": 1200.0},
    n_exposures={"g": 4.0, "r": 4.0, "i": 6.0, "z": 6.0, "y": 6.0},
    read_noise_electron=4.5,
)
# HST/ACS F814W, as COSMOS: 2028 s (Koekemoer et al. 2007, ApJS 172, 196); aperture, obscuration (GREAT3, arXiv:1203.0002),
# wavelength and sky as surveycodex has them, zero point of GalSim's COSMOS catalog; pixels as the detector has them. The
# blur makes stars 0.095 arcsec wide with the pixel in them, as in that paper: a kernel of charge diffusion, which is 0.031
# arcsec at 4000 A and less at 8000 A (ACS Instrument Handbook, sec. 5.6.1). Dark current between 6.8 e-/h in 2002 and 11.1
# (ACS Data Handbook, sec. 4.3). Not checked: 4 exposures, a read noise of 5.0 e- (the handbook says 5.6 for amplifier A).
_ACS = _exposed(
    AiryPsf(diameter_m=2.4, wavelength_um=0.807, obscuration=0.33, blur_sigma_arcsec=0.026),
    pixel_scale_arcsec=0.05,
    sky=22.0,
    zero_point_mag=25.94,
    exposure_s=2028.0,
    n_exposures=4.0,
    read_noise_electron=5.0,
    dark_electron_s=0.0025,
)
# Euclid VIS: four exposures of 566 s and two of 95 s, read noise below 4.4 e-, aperture, whose obscuration leaves a
# collecting area of 9926 cm^2 (GalSim-Euclid-Like; euclid-ec.org/public/mission/vis); zero point, sky and wavelength as
# surveycodex has them. The blur makes stars 0.16 arcsec wide with the pixel in them, as Euclid Collaboration: McCracken et
# al. (2025, arXiv:2503.15303) measure. Not found: the dark current, which is left out.
_EUCLID = _exposed(
    AiryPsf(diameter_m=1.2, wavelength_um=0.751, obscuration=0.35, blur_sigma_arcsec=0.036),
    pixel_scale_arcsec=0.1,
    sky=22.32,
    zero_point_mag=25.91,
    exposure_s=4 * 566.0 + 2 * 95.0,
    n_exposures=6.0,
    read_noise_electron=4.4,
)
# Roman, the reference design of the high-latitude imaging survey: 5.5 exposures of 140 s (Troxel et al. 2023,
# arXiv:2209.06829, as StreamObs quotes it, with the depths below). As GalSim's module `roman` has them: aperture,
# obscuration, wavelengths, read noise, dark current with thermal background (0.04 e-/s in F158, 0.17 in F184), jitter
# (0.014 arcsec) with charge diffusion (0.1 px; in quadrature 0.018 arcsec). As surveycodex takes them from
# roman-technical-information: zero points (effective areas of 2024) and sky at the least zodiacal light. The survey as it
# was adopted since has 6 exposures of 107 s, and F184 only in its deep tier.
_ROMAN = _exposed(
    AiryPsf(
        diameter_m=2.36,
        wavelength_um={"F106": 1.057, "F129": 1.290, "F158": 1.575, "F184": 1.839},
        obscuration=0.32,
        blur_sigma_arcsec=0.018,
    ),
    pixel_scale_arcsec=0.11,
    sky={"F106": 22.92, "F129": 22.96, "F158": 23.06, "F184": 23.19},
    zero_point_mag={"F106": 26.32, "F129": 26.32, "F158": 26.32, "F184": 25.85},
    exposure_s=5.5 * 140.0,
    n_exposures=5.5,
    read_noise_electron=8.5,
    dark_electron_s={"F106": 0.015, "F129": 0.015, "F158": 0.055, "F184": 0.185},
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
    "roman": Depth({"F106": 26.9, "F129": 26.9, "F158": 26.9, "F184": 26.2}, 5, None, "Troxel et al. 2023"),
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

"""`TrainedDenoiser`: a network that was fitted, as it is saved and used; it knows what it is for and scales its sigmas."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from galsmith.denoise.denoisers import denoiser_named
from galsmith.denoise.looks import SIDE_MULTIPLE
from galsmith.denoise.method import Denoised
from galsmith.denoise.network import NetworkModule, ObservedBatch, Restored, batch_of, typical_variance
from galsmith.denoise.page import check_denoiser_page
from galsmith.errors import InputError
from galsmith.files import settle, write_json, written_atomically
from galsmith.files.seal import KEY, refuse_changed
from galsmith.models.allocation import bounded_allocation
from galsmith.models.snapshot import hash_of_tensors, save_sealed
from galsmith.observe.observed import Observed
from galsmith.settings import typed_settings

FORMAT_NAME, FORMAT_VERSION = "galsmith denoiser", 1
WEIGHTS_FILE, PAGE_FILE = "denoiser.safetensors", "denoiser.json"
TILE_PIX = 512
# how far a PSF's width or the noise may lie outside of what was trained: measured ones are uncertain by as much
TOLERANCE = 0.05
FWHM_PER_SIGMA = 2.354820045  # 2 sqrt(2 ln 2)
WAY_OUT = "fit a denoiser for it, or take `force` to apply this one all the same"
SHARE_WITHIN_SIGMA = 0.6827  # of a normal law, whose stated sigma is to be
EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # of |estimate| / stated sigma; the last range is open
FEWEST_PIXELS = 500


class Stated(NamedTuple):
    """What a network said of some pixels, and what was true: estimate, sigma, truth, each of one shape."""

    estimate: NDArray[np.float32]
    sigma: NDArray[np.float32]
    truth: NDArray[np.float32]


@dataclass(frozen=True)
class Temperature:
    """Factors of stated sigmas by the pixel's signal to noise as stated.

    Attributes
    ----------
    factors : tuple of float
        One a range of `EDGES`; factors between the middles of ranges are interpolated.
    """

    factors: tuple[float, ...] = (1.0,) * len(EDGES)

    def calibrated(self, estimate: NDArray[np.float32], sigma: NDArray[np.float32]) -> NDArray[np.float32]:
        """Multiply stated sigmas, of any shape."""
        signal = np.abs(estimate) / np.maximum(sigma, np.finfo(np.float32).tiny)
        # the square root spreads the low ranges, where most pixels are
        factor = np.interp(np.sqrt(signal), np.sqrt(_middles()), self.factors)
        return np.asarray(sigma * factor, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"edges": list(EDGES), "factors": list(self.factors)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Temperature":
        """Read what `to_dict` wrote."""
        return cls(tuple(float(one) for one in value["factors"]))


def fitted_temperature(stated: Iterable[Stated]) -> Temperature:
    """Fit factors to held-out images: the share of a normal law within one sigma, range by range.

    Parameters
    ----------
    stated : iterable of Stated
        One an image.

    Returns
    -------
    Temperature
        A range with fewer than 500 pixels has the factor of the one below it.
    """
    signals, pulls = [], []
    for one in stated:
        signals.append((np.abs(one.estimate) / one.sigma).ravel())
        pulls.append((np.abs(one.estimate - one.truth) / one.sigma).ravel())
    signal, pull = np.concatenate(signals), np.concatenate(pulls)
    place = np.digitize(signal, EDGES) - 1
    factors: list[float] = []
    for number in range(len(EDGES)):
        inside = pull[place == number]
        known = factors[-1] if factors else 1.0
        factors.append(
            float(np.quantile(inside, SHARE_WITHIN_SIGMA)) if len(inside) >= FEWEST_PIXELS else known
        )
    return Temperature(tuple(factors))


def _middles() -> NDArray[np.float64]:
    """Signal to noise that stands for each range: its middle, and one and a half times the last edge."""
    edges = np.array([*EDGES, 2 * EDGES[-1]])
    return np.asarray((edges[:-1] + edges[1:]) / 2)


@dataclass(frozen=True)
class Coverage:
    """Which observations a denoiser is for.

    Attributes
    ----------
    psf_width_pix : tuple of float
        Least and largest width of the PSF, as `psf_width_pix` gives it.
    noise_sigma : tuple of float, or None
        Least and largest standard deviation of the noise, in `flux_unit`; None where any will do.
    flux_unit : str
        Of the images.
    law_hash : str
        Of operator, noise law and what varied of them.
    """

    psf_width_pix: tuple[float, float]
    noise_sigma: tuple[float, float] | None
    flux_unit: str
    law_hash: str

    def refuse_others(self, observed: Observed) -> None:
        """Refuse an observation with another PSF or noise.

        Raises
        ------
        InputError
            It says what came, what was trained, and the way out.
        """
        for kernel in observed.psf:
            width = psf_width_pix(kernel)
            if not _is_within(width, self.psf_width_pix):
                raise InputError(
                    f"the PSF is {width:.2f} px wide; this denoiser was trained for {_said(self.psf_width_pix)} px; "
                    f"{WAY_OUT}"
                )
        if self.noise_sigma is None:
            return
        for sigma in np.sqrt(typical_variance(observed.ivar)):
            if not _is_within(float(sigma), self.noise_sigma):
                raise InputError(
                    f"the noise is {sigma:.4g} {self.flux_unit} per pixel; this denoiser was trained for "
                    f"{_said(self.noise_sigma)}; {WAY_OUT}"
                )


def psf_width_pix(kernel: NDArray[np.floating]) -> float:
    """Width of a PSF as the FWHM of the Gaussian that averages noise as much: from the sum of squares, wings or not.

    Parameters
    ----------
    kernel : ndarray [k, k]
        Of any normalization.
    """
    values = np.asarray(kernel, dtype=np.float64) / kernel.sum()
    # a Gaussian has sum of squares 1 / (4 pi sigma^2)
    return float(FWHM_PER_SIGMA * np.sqrt(1.0 / (4 * np.pi * (values**2).sum())))


def coverage_of(
    observations: Iterable[Observed],
    *,
    noise_factor: tuple[float, float] | None,
    psf_fwhm_pix: tuple[float, float] | None,
    flux_unit: str,
    law_hash: str,
) -> Coverage:
    """Say what a training covers.

    Parameters
    ----------
    observations : iterable of Observed
        Looks with the noise of the recipe's observation.
    noise_factor : tuple of float, or None
        Between which that noise was multiplied; None for networks that any noise will do.
    psf_fwhm_pix : tuple of float, or None
        Between which widths of the PSF were drawn; None where nothing was.
    flux_unit, law_hash : str
        As `Coverage` has them.
    """
    widths, sigmas = list(psf_fwhm_pix or ()), []
    for one in observations:
        widths += [psf_width_pix(kernel) for kernel in one.psf]
        sigmas += [float(value) for value in np.sqrt(typical_variance(one.ivar))]
    noise = None if noise_factor is None else (min(sigmas) * noise_factor[0], max(sigmas) * noise_factor[1])
    return Coverage((min(widths), max(widths)), noise, flux_unit, law_hash)


@dataclass(frozen=True)
class TrainedDenoiser:
    """A fitted network; a `Denoiser`.

    Attributes
    ----------
    name : str
        Key of `galsmith.denoise.DENOISERS`.
    network : DenoisingNetwork
        In evaluation mode, on the device asked for.
    bands : tuple of str
        Of the images that it was fitted on.
    coverage : Coverage
        What it is for.
    temperature : Temperature
        Of its uncertainties.
    card : dict
        Plain JSON: settings, training, provenance.
    force : bool
        Whether other PSFs and noise are denoised too, as the studies of shifts want it.
    tile_pix : int
        Larger images are treated in parts of this side, with margins, so that no seam shows; even.
    """

    name: str
    network: NetworkModule
    bands: tuple[str, ...]
    coverage: Coverage
    temperature: Temperature = field(default_factory=Temperature)
    card: dict[str, Any] = field(default_factory=dict)
    force: bool = False
    tile_pix: int = TILE_PIX

    def forced(self) -> "TrainedDenoiser":
        """Give the same denoiser, which refuses no PSF and no noise."""
        return replace(self, force=True)

    def denoise(self, observed: Observed) -> Denoised:
        """Estimate the scene of one observation, of any size.

        Masked pixels get an estimate from around them and an infinite sigma.

        Raises
        ------
        InputError
            If it has another number of bands, or PSF or noise are others than those of training and `force` is not set.
        """
        if len(observed.image) != len(self.bands):
            raise InputError(
                f"the image has {len(observed.image)} bands; this denoiser was trained on {len(self.bands)} "
                f"({', '.join(self.bands)}); fit one for these bands"
            )
        if not self.force:
            self.coverage.refuse_others(observed)
        height, width = observed.image.shape[-2:]
        restored = self._restored(batch_of([observed], side_multiple=SIDE_MULTIPLE))
        image = np.ascontiguousarray(restored.image[0, :, :height, :width].cpu().numpy())
        if restored.sigma is None:
            return Denoised(image)
        sigma = restored.sigma[0, :, :height, :width].cpu().numpy()
        sigma = self.temperature.calibrated(image, sigma)
        return Denoised(image, np.where(observed.ivar > 0, sigma, np.float32(np.inf)))

    @torch.no_grad()
    def _restored(self, batch: ObservedBatch) -> Restored:
        """Denoise a batch in parts, each with the margin that the network sees."""
        height, width = batch.image.shape[-2:]
        device = next(self.network.parameters()).device
        if max(height, width) <= self.tile_pix:
            restored: Restored = self.network.restored(batch.to(device))
            return restored
        image, sigma = torch.empty_like(batch.image), torch.empty_like(batch.image)
        has_sigma = False
        for rows, seen_rows, kept_rows in _parts(height, self.tile_pix, self.network.margin_pix):
            for columns, seen_columns, kept_columns in _parts(width, self.tile_pix, self.network.margin_pix):
                part = self.network.restored(batch.part(seen_rows, seen_columns).to(device))
                image[..., rows, columns] = part.image[..., kept_rows, kept_columns].cpu()
                if part.sigma is not None:
                    has_sigma = True
                    sigma[..., rows, columns] = part.sigma[..., kept_rows, kept_columns].cpu()
        return Restored(image, sigma if has_sigma else None)


def _parts(side: int, tile_pix: int, margin_pix: int) -> Iterator[tuple[slice, slice, slice]]:
    """Give along an axis the parts, what each must see, and where it lies in that; all at even places."""
    margin = margin_pix + margin_pix % SIDE_MULTIPLE
    for start in range(0, side, tile_pix):
        stop = min(start + tile_pix, side)
        seen = slice(max(0, start - margin), min(side, stop + margin))
        yield slice(start, stop), seen, slice(start - seen.start, stop - seen.start)


def write_denoiser(folder: Path, denoiser: TrainedDenoiser) -> None:
    """Write a denoiser into a folder: weights with all that is known of them in one file, and the same page as JSON."""
    network = denoiser.network
    tensors = {
        name: value.detach().to("cpu").contiguous().clone() for name, value in network.state_dict().items()
    }
    page = {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "denoiser": denoiser.name,
        "settings": network.settings.model_dump(mode="json"),
        "bands": list(denoiser.bands),
        "coverage": vars(denoiser.coverage),
        "temperature": denoiser.temperature.to_dict(),
        "card": denoiser.card,
        "tensors_sha256": hash_of_tensors(tensors),
    }
    # page and weights in one file: never of two times
    with written_atomically(folder / WEIGHTS_FILE) as temporary:
        save_sealed(tensors, temporary, page)
    write_json(folder / PAGE_FILE, page)


def load_denoiser(place: str | Path, *, device: str = "cpu", force: bool = False) -> TrainedDenoiser:
    """Read a denoiser.

    Parameters
    ----------
    place : str or Path
        The folder that `galsmith.denoise.fit` wrote.
    device : str
        As torch knows it.
    force : bool
        Whether observations with other PSFs and noise than those of training are denoised too.

    Raises
    ------
    InputError
        If there is none, it is damaged (the weights' hash is checked), or of another format version.
    """
    page, tensors = _read(Path(place), with_tensors=True)
    path = Path(place) / WEIGHTS_FILE
    if hash_of_tensors(tensors) != page["tensors_sha256"]:
        raise InputError(
            f"{path}: damaged, its weights do not match their hash; fit it again or copy it again"
        )
    method = denoiser_named(page["denoiser"])
    values = {key: tuple(one) if isinstance(one, list) else one for key, one in page["settings"].items()}
    try:
        settings = typed_settings(method.settings, values, source=str(path))
        with bounded_allocation(path):
            network = method.build(settings, len(page["bands"]))
        network.load_state_dict(tensors)
        said: dict[str, Any] = page["coverage"]
        noise = said["noise_sigma"]
        temperature = Temperature.from_dict(page["temperature"])
        coverage = Coverage(
            psf_width_pix=tuple(said["psf_width_pix"]),
            noise_sigma=None if noise is None else tuple(noise),
            flux_unit=said["flux_unit"],
            law_hash=said["law_hash"],
        )
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: cannot be used by this galsmith ({reason}); use the galsmith that made it, or fit it again"
        ) from error
    network.to(device).eval()
    return TrainedDenoiser(
        page["denoiser"], network, tuple(page["bands"]), coverage, temperature, page["card"], force=force
    )


def read_denoiser_page(place: str | Path) -> dict[str, Any]:
    """Read what a denoiser says of itself without its weights.

    Raises
    ------
    InputError
        If there is none, or it is damaged or of another format version.
    """
    return _read(Path(place), with_tensors=False)[0]


def _read(folder: Path, *, with_tensors: bool) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the page in the header of the weights, and the weights when wanted."""
    settle(folder)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        is_what = f"no {WEIGHTS_FILE} in it" if folder.is_dir() else "there is no such folder"
        raise InputError(f"{folder}: not a denoiser ({is_what}); make one with galsmith denoise fit")
    way_out = "fit the denoiser again or copy it again"
    try:
        with safe_open(path, framework="pt") as stream:
            page: dict[str, Any] = json.loads((stream.metadata() or {}).get("galsmith", "{}"))
            tensors = {name: stream.get_tensor(name) for name in stream.keys()} if with_tensors else {}  # noqa: SIM118 - not a dict
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {way_out}") from error
    if not isinstance(page, dict) or page.get("format") != FORMAT_NAME:
        raise InputError(f"{path}: not a denoiser; make one with galsmith denoise fit")
    if page.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: has denoiser format version {page.get('format_version')}, this galsmith reads version "
            f"{FORMAT_VERSION}; use the galsmith that made it, or fit it again"
        )
    refuse_changed(path, way_out=way_out)
    page.pop(KEY, None)
    check_denoiser_page(page, path)
    return page, tensors


def _is_within(value: float, reach: tuple[float, float]) -> bool:
    """Whether a value lies between two, a little outside too."""
    return reach[0] * (1 - TOLERANCE) <= value <= reach[1] * (1 + TOLERANCE)


def _said(reach: tuple[float, float]) -> str:
    """Name a reach."""
    low, high = reach
    return f"{low:.4g}" if high <= low * (1 + TOLERANCE) else f"{low:.4g} to {high:.4g}"

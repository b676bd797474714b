"""The verb `denoise apply`: a denoiser and images in, images without PSF and noise out, with their uncertainty."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.galaxies import FileRequest, Galaxies, open_galaxies
from galsmith.data.galaxies.galaxy import Galaxy
from galsmith.data.readers.field.sky import measure_sky
from galsmith.data.readers.fits_header import gain_columns
from galsmith.data.store import Companions, StoreHeader, StoreWriter, open_store
from galsmith.data.store.companions import CORRELATION_COLUMN, companions_of
from galsmith.denoise.denoisers import DENOISERS, check_denoiser, denoiser_named
from galsmith.denoise.method import Denoised, Denoiser
from galsmith.denoise.model import WEIGHTS_FILE, load_denoiser
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Kind, Partial, said_in_json, write_json, written_atomically
from galsmith.images import ImageHeader, ImageSet
from galsmith.observe.correlation import correlation_beside_sources
from galsmith.observe.masks import filled
from galsmith.observe.observed import Observed
from galsmith.observe.psf import GaussianPsf, ImagePsf, PsfLaw
from galsmith.observe.stars import STARS_PREFIX, StarFieldPsf
from galsmith.provenance import Parent, Provenance, hash_json

logger = logging.getLogger("galsmith")
Pixels = NDArray[np.float32]
IMAGES_PER_CHUNK = 64
MARK_FILE, FORMAT_NAME = "denoised.json", "galsmith denoised images"
STAGE = "denoising"
DENOISED = Kind(
    "folder of denoised images",
    said_in_json(FORMAT_NAME, lambda page: str(page["fingerprint"])),
    MARK_FILE,
    (MARK_FILE, "*.fits"),
)
LARGEST_SHARE_BELOW_ZERO = 0.05  # of a PSF's flux: pipelines leave 1 or 2 % in rings of resampling
NO_PSF = "give `psf`, a FITS image of it, or `stars:FIELD.fits` to measure it from a field of stars"


def apply(
    model: str | Path | Denoiser,
    images: str | Path | ImageSet | FileRequest,
    output: str | Path,
    *,
    psf: str | Path | None = None,
    force: bool = False,
    device: str = "cpu",
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Path:
    """Denoise every image of a store into a store, or of FITS files into FITS files; an interrupted run goes on.

    A store keeps its catalog; the inverse variances beside its pixels become those of the result, PSFs are left out, for
    they are taken off. A FITS file keeps the primary header of its image; its second HDU, ``IVAR``, has the inverse
    variance. Nothing of it is written where the denoiser states no uncertainty.

    Parameters
    ----------
    model : str, Path or Denoiser
        The folder of a trained denoiser; a classical one by its name in `DENOISERS`; or any object that denoises.
    images : str, Path, ImageSet or FileRequest
        A store, or image files with the maps beside them.
    output : str or Path
        The store, or the folder of FITS files.
    psf : str or Path, optional
        FITS image of the PSF of all images (one plane, or one a band), in place of those that a store keeps; or
        ``stars:FIELD.fits``, a field whose stars it is measured from.
    force : bool
        Whether a trained denoiser takes PSFs and noise that it was not trained for.
    device : str
        Of a trained denoiser, as torch knows it.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Returns
    -------
    Path
        The output.

    Raises
    ------
    InputError
        If an image has no PSF that is known, or the denoiser is for others.
    OutputExistsError
        If the output is there already.
    """
    denoiser, parent = _denoiser(model, force=force, device=device)
    given = None if psf is None else str(psf)
    if isinstance(images, FileRequest):
        stated = images.psf if given is None else given
        of_stars = stated if is_of_stars(stated) else None
        request = replace(images, psf=None if of_stars else stated)
        return _files(
            denoiser, parent, request, Path(output), stars=of_stars, overwrite=overwrite, progress=progress
        )
    opened = images if isinstance(images, ImageSet) else open_store(images)
    return _store(denoiser, parent, opened, Path(output), psf=given, overwrite=overwrite, progress=progress)


def _denoiser(model: str | Path | Denoiser, *, force: bool, device: str) -> tuple[Denoiser, Parent]:
    """Load a trained denoiser, or build one that needs no training."""
    if not isinstance(model, str | Path):
        return model, Parent("denoiser", hash_json(repr(type(model))), type(model).__name__)
    if (Path(model) / WEIGHTS_FILE).is_file() or str(model) not in DENOISERS:
        if not Path(model).is_dir():
            check_denoiser(str(model))
        trained = load_denoiser(model, device=device, force=force)
        made = Provenance.from_dict(trained.card["provenance"])
        return trained, Parent("denoiser", made.fingerprint(), str(model))
    method = denoiser_named(str(model))
    if method.needs_training:
        raise SettingsError(
            "has to be trained first",
            argument="model",
            came=model,
            way_out="fit it (galsmith denoise fit) and give its folder",
        )
    settings = method.settings()
    built: Denoiser = method.build(settings)
    return built, Parent("denoiser", hash_json([str(model), settings.model_dump(mode="json")]), str(model))


def is_of_stars(psf: str | None) -> bool:
    """Whether a point spread function is named by a field of stars."""
    return psf is not None and psf.startswith(STARS_PREFIX)


def _law_of(psf: str) -> PsfLaw:
    """Give the law of a point spread function that is named by a field of stars or a FITS image of it."""
    if not is_of_stars(psf):
        return ImagePsf(path=psf)
    field = psf.removeprefix(STARS_PREFIX)
    if not field:
        raise SettingsError("names no field", argument="psf", came=psf, wanted="such as stars:field.fits")
    return StarFieldPsf(path=field)


def observed_of(
    galaxy: Galaxy, header: ImageHeader, *, name: str, noise_correlation: Pixels | None = None
) -> Observed:
    """Bring a galaxy of files or of a store, with its maps, to an observation.

    Noise that no map states is measured from the sky of each band, and so is how much of it neighbors share where nobody
    states that, if there is enough sky. Pixels that are masked, not finite, or of an infinite
    or unknown sigma do not count, and are filled in from around them.

    Parameters
    ----------
    galaxy : Galaxy
        With a PSF; its own normalization does not matter.
    header : ImageHeader
        Of the images.
    name : str
        Of the galaxy, for messages.
    noise_correlation : ndarray [y, x], float32, optional
        Of two pixels by their distance, odd sides, 1 in the middle.

    Raises
    ------
    InputError
        If it has no PSF, or one that is larger than the image; or no pixel of a band can be used.
    """
    image = np.asarray(galaxy.image, dtype=np.float32)
    bad = ~np.isfinite(image)
    if galaxy.mask is not None:
        bad |= np.broadcast_to(galaxy.mask, image.shape)
    if galaxy.sigma_map is None:
        ivar = np.stack(
            [
                np.full(band.shape, _measured_ivar(band, where, name))
                for band, where in zip(image, bad, strict=True)
            ]
        )
    else:
        sigma = np.broadcast_to(np.asarray(galaxy.sigma_map, dtype=np.float64), image.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            ivar = np.where(np.isfinite(sigma) & (sigma > 0), sigma**-2.0, 0.0)
    bad |= ivar <= 0
    if bad.all(axis=(1, 2)).any():
        raise InputError(
            f"{name}: no pixel of a band can be used: all are masked, not finite or without noise"
        )
    ivar = np.where(bad, 0, ivar)
    if noise_correlation is None:
        noise_correlation = _measured_correlation(image, ivar)
    return Observed(
        image=filled(np.where(bad, 0, image), bad).astype(np.float32) if bad.any() else image,
        ivar=ivar.astype(np.float32),
        psf=_kernels(galaxy.psf, header, image.shape, name),
        mask=bad if bad.any() else None,
        noise_correlation=noise_correlation,
    )


def _measured_correlation(image: Pixels, ivar: NDArray[np.float64]) -> Pixels | None:
    """Measure how much noise neighbors share, in the mean over bands; None where nothing is told, or in small images."""
    found = []
    for band, weight in zip(image, ivar, strict=True):
        good = weight > 0
        level = float(np.median(band[good])) if good.any() else 0.0
        pull = np.where(good, (band - level) * np.sqrt(weight), 0.0)
        found.append(correlation_beside_sources(pull.astype(np.float64), good))
    stated = [one for one in found if one is not None]
    if not stated:
        return None
    alone = np.zeros_like(stated[0])
    alone[len(alone) // 2, len(alone) // 2] = 1.0
    return np.mean([alone if one is None else one for one in found], axis=0).astype(np.float32)


def _kernels(psf: Any, header: ImageHeader, shape: Sequence[int], name: str) -> Pixels:
    """Bring a PSF to [band, k, k] of odd side and sum 1, its middle in the middle pixel."""
    if psf is None:
        width = header.psf.get("psf_fwhm_pix")
        if not isinstance(width, int | float) or width <= 0:
            raise InputError(f"{name}: its PSF is not known; {NO_PSF}")
        law: Any = GaussianPsf(fwhm_pix=float(width))
    else:
        law = ImagePsf.model_validate({"image": np.asarray(psf, dtype=np.float64)})
    kernels = np.asarray(law.kernels(header.bands, None), dtype=np.float32)
    # kernels sum to 1
    below = float(-np.minimum(kernels, 0).sum(axis=(1, 2)).min())
    if below > LARGEST_SHARE_BELOW_ZERO:
        logger.warning(
            "%s: its PSF is below 0 by %.0f %% of its flux, which no star is; rings around bright sources may follow",
            name,
            100 * below,
        )
    if psf is not None and max(np.shape(psf)[-2:]) > 2 * min(shape[-2:]) + 1:
        height, width_pix = np.shape(psf)[-2:]
        raise InputError(
            f"{name}: its PSF has {height}x{width_pix} px, more than twice the image ({shape[-2]}x{shape[-1]}); "
            "cut the PSF to its core"
        )
    return kernels


def _measured_ivar(band: NDArray[np.float32], bad: NDArray[np.bool_], name: str) -> float:
    """Measure the noise of the sky of one band."""
    pixels = np.where(bad, np.nan, band).astype(np.float64)
    sky = measure_sky(lambda y, x: pixels[y, x], _shape(band), box_pix=max(band.shape), tell=lambda *_: None)
    sigma = float(np.max(sky.sigmas)) if sky.has_data else 0.0
    if sigma <= 0:
        raise InputError(f"{name}: its noise cannot be measured; give `sigma` or `ivar`")
    return sigma**-2


def _shape(band: NDArray[np.float32]) -> tuple[int, int]:
    """Height and width."""
    return band.shape[0], band.shape[1]


def _ivar_of(denoised: Denoised) -> Pixels | None:
    """Inverse variance of a result, 0 where nothing is known; None where a method states no uncertainty."""
    if denoised.sigma is None:
        return None
    with np.errstate(divide="ignore"):
        ivar = np.asarray(denoised.sigma, dtype=np.float64) ** -2.0
    return np.where(np.isfinite(ivar), ivar, 0).astype(np.float32)


@dataclass(frozen=True)
class _StoredGalaxies:
    """Images of a set with what lies beside them, and the PSF that was given in place of theirs."""

    images: ImageSet
    psf: NDArray[np.float64] | None

    def read(self, rows: NDArray[np.int64]) -> Iterator[tuple[Galaxy, Pixels | None]]:
        """Read some galaxies, and how much noise their neighbors share."""
        beside = companions_of(self.images, rows) or Companions()
        names: Any = None
        if CORRELATION_COLUMN in self.images.catalog.colnames:
            names = np.asarray(self.images.catalog[CORRELATION_COLUMN], dtype=str)[rows]
        for position, image in enumerate(self.images.pixels.read(rows)):
            own: Any = beside.psfs[position] if len(beside.psfs) else None
            sigma = None
            if len(beside.ivars):
                with np.errstate(divide="ignore"):
                    sigma = np.asarray(beside.ivars[position], dtype=np.float64) ** -0.5
            galaxy = Galaxy(
                image,
                mask=beside.masks[position] if len(beside.masks) else None,
                sigma_map=sigma,
                psf=own if self.psf is None else self.psf,
            )
            yield galaxy, None if names is None else beside.noise_correlations.get(names[position])


def _store(
    denoiser: Denoiser,
    parent: Parent,
    images: ImageSet,
    output: Path,
    *,
    psf: str | None,
    overwrite: bool,
    progress: ProgressCallback,
) -> Path:
    """Denoise a store into a store."""
    header = replace(images.header, psf={})
    made = Provenance("denoise apply", {"psf": psf}, 0, (images.as_parent("observed images"), parent))
    given = None if psf is None else _law_of(psf).kernels(header.bands, header.pixel_scale_arcsec)
    galaxies = _StoredGalaxies(images, given)
    catalog = images.catalog.copy(copy_data=False)
    # what is left of the noise is no longer that of counted electrons
    catalog.remove_columns(gain_columns(catalog.colnames, header.bands))
    chunks = [
        np.arange(start, min(start + IMAGES_PER_CHUNK, len(images)))
        for start in range(0, len(images), IMAGES_PER_CHUNK)
    ]
    inputs = [images.path or None, parent.path or None, psf and psf.removeprefix(STARS_PREFIX)]
    with StoreWriter(
        output, StoreHeader(header, made), n_chunks=len(chunks), overwrite=overwrite, inputs=inputs
    ) as writer:
        for number, rows in enumerate(chunks):
            if not writer.is_done(number):
                names = [str(images.catalog["object_id"][row]) for row in rows]
                results = []
                for name, (galaxy, alike) in zip(names, galaxies.read(rows), strict=True):
                    results.append(_denoised(denoiser, galaxy, images.header, name, noise_correlation=alike))
                    progress(ProgressEvent(STAGE, int(rows[0]) + len(results), len(images), "images"))
                writer.write_chunk(
                    number,
                    [one.image for one in results],
                    catalog[rows],
                    companions=_companions(images, rows, results),
                )
        if not writer.is_complete:
            writer.finish()
    return output


def _companions(images: ImageSet, rows: NDArray[np.int64], results: Sequence[Denoised]) -> Companions | None:
    """Give what lies beside results: their inverse variances, and of the images what is still true."""
    beside = companions_of(images, rows) or Companions()
    ivars = [ivar for one in results if (ivar := _ivar_of(one)) is not None]
    kept = replace(beside, psfs=(), psf_pixel_scale_arcsec=None, ivars=ivars, noise_correlations={})
    return kept if kept.names else None


def _denoised(
    denoiser: Denoiser,
    galaxy: Galaxy,
    header: ImageHeader,
    name: str,
    *,
    noise_correlation: Pixels | None = None,
) -> Denoised:
    """Denoise one galaxy; a denoiser that refuses it names it."""
    if galaxy.reason:
        raise InputError(f"{name}: {galaxy.message or galaxy.reason}")
    observed = observed_of(galaxy, header, name=name, noise_correlation=noise_correlation)
    try:
        return denoiser.denoise(observed)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _files(
    denoiser: Denoiser,
    parent: Parent,
    request: FileRequest,
    output: Path,
    *,
    stars: str | None,
    overwrite: bool,
    progress: ProgressCallback,
) -> Path:
    """Denoise image files into FITS files, one a galaxy; the PSF is measured from a field of stars where one is named."""
    galaxies = open_galaxies(request, progress=progress)
    names = _file_names(galaxies.catalog)
    law = None if stars is None else _law_of(stars)
    settings = {**galaxies.origin.settings, **({} if law is None else {"psf": law.to_dict()})}
    made = Provenance("denoise apply", settings, 0, (*galaxies.origin.parents, parent))
    fingerprint = made.fingerprint()
    with Partial(
        output,
        DENOISED,
        fingerprint,
        inputs=[*request.inputs, parent.path or None, stars and stars.removeprefix(STARS_PREFIX)],
        overwrite=overwrite,
    ) as partial:
        if partial.is_complete:
            return output
        for row, name in enumerate(names):
            file = partial.content / name
            if not file.exists():
                galaxy = galaxies.read([row])[0]
                if law is not None:
                    scale = galaxies.header.pixel_scale_arcsec
                    galaxy = replace(galaxy, psf=law.kernels(galaxies.header.bands, scale))
                result = _denoised(denoiser, galaxy, galaxies.header, name)
                _write_fits(file, result, _own_header(galaxies, row), galaxies.header, parent)
            progress(ProgressEvent(STAGE, row + 1, len(names), "images"))
        page = {
            "format": FORMAT_NAME,
            "fingerprint": fingerprint,
            "n_images": len(names),
            "provenance": made.to_dict(),
        }
        write_json(partial.content / MARK_FILE, page)
        partial.finish()
    return output


def _file_names(catalog: QTable) -> list[str]:
    """Name a FITS file for each galaxy, by its identifier; `InputError` if two share one."""
    names = [f"{str(one).replace('/', '_')}.fits" for one in catalog["object_id"]]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{twice}: two images have this name; denoise them into folders of their own")
    return names


def _own_header(galaxies: Galaxies, row: int) -> fits.Header:
    """Header of the file that a galaxy is in, where that is FITS and the galaxy is all of it."""
    if "file" not in galaxies.catalog.colnames:
        return fits.Header()
    place = str(galaxies.catalog["file"][row])
    name, _, rest = place.partition("[")
    if not Path(name).is_file():
        return fits.Header()
    hdu = rest.rstrip("]").split(",")[0]
    try:
        found: fits.Header = fits.getheader(name, int(hdu) if hdu.isdigit() else (hdu or 0))
    except (OSError, KeyError, IndexError):
        return fits.Header()
    return found


def _write_fits(
    file: Path, denoised: Denoised, header: fits.Header, images: ImageHeader, parent: Parent
) -> None:
    """Write one result with the header of its image, and its inverse variance."""
    is_one = len(images.bands) == 1
    cards = header.copy(strip=True)
    for name in ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM"):
        cards.remove(name, ignore_missing=True)
    cards["GSVERS"] = (metadata.version("galsmith"), "galsmith version")
    cards["GSDENO"] = parent.content_hash
    cards.add_history("PSF and noise taken off by galsmith denoise apply.")
    cards.add_history("GSDENO is the content hash of the denoiser.")
    image = denoised.image[0] if is_one else denoised.image
    hdus: list[Any] = [fits.PrimaryHDU(np.asarray(image, dtype=np.float32), header=cards)]
    ivar = _ivar_of(denoised)
    if ivar is not None:
        hdus.append(fits.ImageHDU(ivar[0] if is_one else ivar, name="IVAR"))
    with written_atomically(file) as temporary, temporary.open("wb") as stream:
        fits.HDUList(hdus).writeto(stream)

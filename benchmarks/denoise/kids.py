"""What `galsmith denoise apply` makes of real galaxies of KiDS with their own PSFs, sigma maps and masks.

    python benchmarks/denoise/kids.py denoiser FOLDER -o kids

FOLDER has ``*fitim.fits``, ``*sigma.fits``, ``*psfim.fits``, ``*mskim.fits`` and ``*segim.fits`` of each galaxy. There is
no truth, so it is asked what data can answer:

- flux: sum of the result over that of the data, less 1, in the galaxy's segment grown by two widths of the PSF (light
  that leaves it with the PSF comes back into it), and over the frame;
- chi^2 a pixel of the data less the result with its PSF put back, over all good pixels, in the galaxy's segment, and in
  the sky (no segment), beside that of the sky itself, about its median: what a result without any noise would have there;
- made-up sources: peaks of the result that the data would show at 5 sigma (prominence), where the data themselves have
  no peak of half of that.

It writes ``kids.json``, prints the table, and draws the pictures.
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage

mpl.use("agg")
from matplotlib import pyplot as plt

from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.denoise.accuracy.pixels import reconvolved_residual
from galsmith.denoise.accuracy.sources import (
    DETECTION_SIGMA,
    TRUE_PEAK_SHARE,
    match_radius_pix,
    peak_prominences,
    significance_map,
)
from galsmith.denoise.application import apply, observed_of
from galsmith.denoise.bands import Band, Grid, band_of

Plane = NDArray[np.float64]


def request_of(folder: Path) -> FileRequest:
    """Name the images with their maps."""
    named = {"images": (str(folder / "*fitim.fits"),), "flux_unit": "maggy"}
    maps = {"sigma": "sigma", "psf": "psfim", "mask": "mskim"}
    return FileRequest(**named, **{name: str(folder / f"*{stem}.fits") for name, stem in maps.items()})


def data_significance(band: Band) -> Plane:
    """Signal to noise of a point source at each pixel of the data, as `significance_map` has it of a scene."""
    grid = Grid(band)
    ivar = grid.embedded(np.where(band.good, 1.0 / band.variance, 0.0))
    squared = np.conj(grid.transformed(grid.centered(band.psf**2)))
    noise = np.sqrt(np.maximum(grid.back(grid.transformed(ivar) * squared), 1e-12 * ivar.max()))
    return grid.cut(grid.correlated(ivar * grid.embedded(band.image)) / noise)


def made_up(band: Band, result: Plane) -> int:
    """Count peaks of the result that the data do not have."""
    found = np.argwhere(peak_prominences(significance_map(band, result)) >= DETECTION_SIGMA)
    seen = np.argwhere(peak_prominences(data_significance(band)) >= TRUE_PEAK_SHARE * DETECTION_SIGMA)
    if not len(found) or not len(seen):
        return len(found)
    distance = np.hypot(*(found[:, None] - seen[None]).transpose(2, 0, 1))
    return int((distance.min(axis=1) > match_radius_pix(band.psf)).sum())


def answers(band: Band, result: Plane, segments: NDArray[np.int64]) -> dict[str, float]:
    """Answer the questions of one galaxy: that of the middle pixel's segment."""
    label = segments[tuple(side // 2 for side in segments.shape)]
    width = round(2 * match_radius_pix(band.psf))
    whole = ndimage.binary_dilation(segments == label, iterations=width) & band.good
    residual = reconvolved_residual(band, result)
    sky = (segments == 0) & band.good
    sky &= ~ndimage.binary_dilation(segments > 0, iterations=width)
    pull = band.image / np.sqrt(band.variance)
    return {
        "flux": float(result[whole].sum() / band.image[whole].sum() - 1),
        "flux_frame": float(result[band.good].sum() / band.image[band.good].sum() - 1),
        "chi2": residual.chi2,
        "chi2_galaxy": float((residual.pixels[whole] ** 2).mean()),
        "chi2_sky": float((residual.pixels[sky] ** 2).mean()),
        "chi2_sky_alone": float(((pull[sky] - np.median(pull[sky])) ** 2).mean()),
        "signal_to_noise": float(np.sqrt((pull[whole] ** 2).sum())),
        "made_up": made_up(band, result),
        "neighbors_share": 0.0 if band.noise_correlation is None else float(band.noise_correlation[2, 3]),
    }


def draw(shown: list[tuple[str, Band, Plane]], output: Path) -> None:
    """Draw data, result and residual of each galaxy, on one scale a galaxy."""
    figure, axes = plt.subplots(len(shown), 3, figsize=(7.5, 2.1 * len(shown)), squeeze=False)
    for row, (name, band, result) in zip(axes, shown, strict=True):
        residual = reconvolved_residual(band, result).pixels
        unit = band.sigma
        for axis, image, title in (
            (row[0], np.arcsinh(band.image / unit), f"{name}: data"),
            (row[1], np.arcsinh(result / unit), "PSF and noise taken off"),
            (row[2], residual, "data - result with PSF, in sigma"),
        ):
            is_residual = axis is row[2]
            most = 5.0 if is_residual else float(np.arcsinh(result.max() / unit))
            axis.imshow(
                np.rot90(image) if image.shape[0] > 1.2 * image.shape[1] else image,
                origin="lower",
                cmap="RdBu_r" if is_residual else "magma",
                vmin=-most if is_residual else -1.0,
                vmax=most,
            )
            axis.set_title(title, fontsize=7)
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(output, dpi=110)


def main() -> None:
    """Denoise, answer, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("denoiser", help="a folder of galsmith denoise fit, or a classical one by name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=4, help="galaxies in the picture")
    given = parser.parse_args()
    request = request_of(given.folder)
    apply(given.denoiser, request, given.output / "denoised", overwrite=True)
    galaxies = open_galaxies(request)
    found, shown = {}, []
    for row, name in enumerate(str(one) for one in galaxies.catalog["object_id"]):
        stem = name.removesuffix("fitim")
        band = band_of(observed_of(galaxies.read([row])[0], galaxies.header, name=name), 0)
        result = fits.getdata(given.output / "denoised" / f"{name}.fits").astype(np.float64)
        segments = fits.getdata(given.folder / f"{stem}segim.fits").astype(np.int64)
        found[stem] = answers(band, result, segments)
        shown.append((stem, band, result))
    print("| galaxy | " + " | ".join(next(iter(found.values()))) + " |")
    for name, one in found.items():
        print(f"| {name} | " + " | ".join(f"{value:.4g}" for value in one.values()) + " |")
    (given.output / "kids.json").write_text(json.dumps(found, indent=1))
    draw(shown[: given.drawn], given.output / "kids.png")


if __name__ == "__main__":
    main()

"""Networks that others published, beside the classical methods, on the same observations.

    git clone https://github.com/Akanota/galaxies-metrics-denoising
    python benchmarks/denoise/beside_published.py akanota galaxies-metrics-denoising clean -o paper

    git clone https://github.com/Lukeli0425/Galaxy-Deconv
    python benchmarks/denoise/beside_published.py galaxy-deconv Galaxy-Deconv clean -o lsst --signal-to-noise 20 100 200

Both are under the MIT license (2022, B. Holzschuh; 2022, T. Li); nothing of them is kept here. The first are the two
networks of Holzschuh et al. (2022), trained without (alpha 0) and with generated galaxies alone (alpha 1), for four
bands, a Gaussian PSF of 2 px and noise of 4: their arrays are read into our `PaperResnet`. The second are ShapeNet
and Tikhonet (Li & Alexander 2023), for one band, 48 pixels of 0.2 arcsec, seeing of LSST, noise of 19 ADU; they run
by their own code, which divides by the mean of the image and cuts negatives off. Galaxies are scaled to the signal to
noise that they define: root of the sum of truth^2 over the noise of a pixel.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np
import torch
from benchmark_classical import denoiser_of, observation_of, observe, run_one, say_table
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.data.store import open_store
from galsmith.denoise.method import Denoised, Denoiser
from galsmith.denoise.paper_resnet import PaperResnet, PaperResnetSettings
from galsmith.images import ImageHeader, ImageSet
from galsmith.observe import Observation, Observed
from galsmith.observe.noise import GaussianNoise
from galsmith.observe.psf import MoffatPsf
from galsmith.seeds import random_stream

# of their notebook denoising_models.ipynb
AKANOTA = {"alpha 0": "uqmoszis", "alpha 1": "3q7b0j7s"}
DECONV = {
    "shapenet": ("Laplacian", "ShapeNet_Laplacian_50epochs.pth"),
    "tikhonet": ("Identity", "Tikhonet_Identity_50epochs.pth"),
}
# AB magnitudes of one electron per second of the SDSS camera, whose unit their images have: photometric zero points less
# 2.5 log10 of the gains, to 0.1 mag. The two channels in the middle of the networks know the colors that follow.
SDSS_ELECTRON_MAG = {"g": 25.9, "r": 25.7, "i": 25.4, "z": 23.7}
SIDE_PIX, PIXEL_ARCSEC = 48, 0.2
# generate_data.py: sky of 20.48 mag per square arcsec, 30 s, gain 2.3, read noise 8.8 electrons
NOISE_ADU = 19.05
# the peak of its distribution of atmospheric FWHM, 0.55 arcsec, with optics and pixel
SEEING_ARCSEC = 0.7
BESIDE = ("observed", "wiener", "tikhonov", "starlet_fista", "richardson_lucy")


class Network:
    """A network of images in physical units."""

    def __init__(self, call: Callable[[Observed], NDArray[np.float32]]) -> None:
        self._call = call

    def denoise(self, observed: Observed) -> Denoised:
        """Call it."""
        with torch.no_grad():
            return Denoised(self._call(observed))


def paper_network(path: Path) -> Denoiser:
    """Read the arrays of Keras into our network of the same form."""
    network = PaperResnet(PaperResnetSettings(), n_bands=4)
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)]
    with h5py.File(path, "r") as file:
        arrays = dict(_keras_arrays(file))
    # layers are numbered as they were made, in the whole session: convolutions and transposed ones apart
    names = sorted({name for name, _ in arrays}, key=lambda name: ("transpose" in name, _number(name)))
    for layer, name in zip(layers, names, strict=True):
        # Keras has [y, x, in, out] and, transposed, [y, x, out, in]; torch [out, in, y, x] and [in, out, y, x]
        layer.weight.data = torch.tensor(arrays[name, "kernel"]).permute(3, 2, 0, 1).contiguous()
        layer.bias.data = torch.tensor(arrays[name, "bias"])
    network.eval()
    return Network(lambda observed: network(torch.from_numpy(observed.image)[None])[0].numpy())


def _keras_arrays(file: h5py.File) -> Iterable[tuple[tuple[str, str], NDArray[np.float32]]]:
    """Give every array of a file by the name of its layer and its own."""
    found: list[tuple[tuple[str, str], NDArray[np.float32]]] = []

    def visit(path: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            *_, layer, array = path.split("/")
            found.append(((layer, array.partition(":")[0]), item[()]))

    file.visititems(visit)
    return found


def _number(name: str) -> int:
    """Number of a layer of Keras: that at the end of its name, or 0."""
    end = name.rpartition("_")[2]
    return int(end) if end.isdigit() else 0


def galaxy_deconv(checkout: Path, kind: str) -> Denoiser:
    """Build ShapeNet or Tikhonet by their own code."""
    sys.path.insert(0, str(checkout))
    from models.Tikhonet import Tikhonet

    penalty, file = DECONV[kind]
    network = Tikhonet(filter=penalty)
    network.load_state_dict(
        torch.load(checkout / "saved_models" / file, map_location="cpu", weights_only=True)
    )
    network.eval()

    def call(observed: Observed) -> NDArray[np.float32]:
        image = torch.from_numpy(observed.image)[:, None]
        kernel = torch.from_numpy(centered(observed.psf))[:, None]
        # utils_data.py: alpha is the mean of the observation
        alpha = image.mean(dim=(1, 2, 3)).view(-1, 1, 1, 1)
        return network(image, kernel, alpha)[:, 0].numpy()

    return Network(call)


def centered(psf: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay kernels [band, k, k] onto frames of `SIDE_PIX` as their code has them: the middle at 24, a sum of 1/16.

    generate_data.py draws the PSF in pixels of a quarter and then averages 4 x 4 of them, and the networks learned so:
    with a sum of 1 ShapeNet's flux is 1.6 mag too bright.
    """
    reach = min(psf.shape[-1] // 2, SIDE_PIX // 2 - 1)
    middle, half = psf.shape[-1] // 2, SIDE_PIX // 2
    placed = np.zeros((len(psf), SIDE_PIX, SIDE_PIX), dtype=np.float32)
    inside = slice(middle - reach, middle + reach + 1)
    placed[:, half - reach : half + reach + 1, half - reach : half + reach + 1] = psf[:, inside, inside]
    return placed / placed.sum(axis=(1, 2), keepdims=True) / 16


def lsst_like(images: ImageSet, rows: range, signal_to_noise: float) -> list[Observed]:
    """Observe one band of galaxies in frames of 48 pixels, each scaled to a signal to noise."""
    header = ImageHeader(("r",), "adu", pixel_scale_arcsec=PIXEL_ARCSEC)
    observation = Observation(
        psf=MoffatPsf(fwhm_arcsec=SEEING_ARCSEC, beta=3.0), noise=GaussianNoise(sigma=NOISE_ADU)
    )
    observed = []
    for row in rows:
        plane = np.asarray(images.pixels[row], dtype=np.float64)[len(images.header.bands) // 2]
        # galaxies are to fit into the frame with sky beside them
        plane = framed(ndimage.zoom(plane, min(1.0, SIDE_PIX / max(plane.shape)), order=1))
        plane *= signal_to_noise * NOISE_ADU / np.sqrt((plane**2).sum())
        chance = random_stream(15, "benchmark.lsst", row)
        observed.append(observation.observe(plane[None].astype(np.float32), chance, header))
    return observed


def framed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put an image into the middle of a frame of 48 pixels."""
    before = [(SIDE_PIX - side) // 2 for side in plane.shape]
    after = [SIDE_PIX - side - less for side, less in zip(plane.shape, before, strict=True)]
    return np.pad(plane, tuple(zip(before, after, strict=True)))


def sdss_factors(header: ImageHeader) -> NDArray[np.float64]:
    """Give the factor [band] from the unit of a set to electrons per second of the SDSS camera."""
    return np.array(
        [10 ** (0.4 * (SDSS_ELECTRON_MAG[band] - header.zero_points_mag[band])) for band in header.bands]
    )


def compare(observed: list[Observed], denoisers: dict[str, Denoiser], output: Path) -> None:
    """Run what is missing and print the table."""
    output.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, denoiser in denoisers.items():
        files[name] = output / f"{name.replace(' ', '-')}.json"
        if not files[name].exists():
            run_one(denoiser, observed, files[name], fits_sersic=False)
    say_table(files, output)


def main() -> None:
    """Run one of the two."""
    options = parsed()
    images = open_store(options.store)
    count = min(options.galaxies, len(images))
    rows = range(len(images) - count, len(images))
    classical = {name: denoiser_of(name, []) for name in BESIDE}
    if options.published == "akanota":
        networks = {
            name: paper_network(options.checkout / "notebooks" / "weights" / f"{file}.h5")
            for name, file in AKANOTA.items()
        }
        observed = observe(images, rows, observation_of(options.shift, None), sdss_factors(images.header))
        compare(observed, classical | networks, options.output)
        return
    networks = {kind: galaxy_deconv(options.checkout, kind) for kind in DECONV}
    for signal_to_noise in options.signal_to_noise:
        print(f"\nS/N {signal_to_noise:g}")
        observed = lsst_like(images, rows, signal_to_noise)
        compare(observed, classical | networks, options.output / f"{signal_to_noise:g}")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", choices=("akanota", "galaxy-deconv"))
    parser.add_argument("checkout", type=Path, help="their repository")
    parser.add_argument("store", type=Path, help="clean images")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of results")
    parser.add_argument("--galaxies", type=int, default=40)
    parser.add_argument("--shift", default="none", help="of the galaxies paper, for its own networks")
    parser.add_argument("--signal-to-noise", type=float, nargs="+", default=(20.0, 100.0, 200.0))
    return parser.parse_args()


if __name__ == "__main__":
    main()

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from galsmith import ingest
from galsmith.data.store import StoreHeader
from galsmith.errors import OutputExistsError
from galsmith.images import ImageHeader
from galsmith.images.header import UNKNOWN_UNIT, unnamed_bands
from galsmith.models.pca_diffusion.networks import PcaGenerator
from galsmith.provenance import Parent, Provenance
from galsmith.sampling import sample
from galsmith.sampling.fits_cutouts import fits_header
from galsmith.sampling.source import DrawnGalaxies, GalaxySource
from galsmith.seeds import derive_seed


def test_cutouts_are_the_galaxies_of_the_store(any_run: Path, tmp_path: Path) -> None:
    stored = sample(any_run, tmp_path / "store", n=20, seed=6)
    cutouts = sample(any_run, tmp_path / "fits", n=20, seed=6, kind="fits")
    np.testing.assert_array_equal(cutouts.stacked(), stored.stacked())
    assert list(cutouts.catalog["seed"]) == list(stored.catalog["seed"])
    assert len(list((tmp_path / "fits").glob("galaxy-*.fits"))) == 20


def test_a_header_tells_unit_scale_band_and_origin(pca_run: Path, tmp_path: Path) -> None:
    cutouts = sample(pca_run, tmp_path / "fits", n=3, seed=6, kind="fits")
    with fits.open(tmp_path / "fits" / "galaxy-00000002.fits") as file:
        header, shape = file[0].header, file[0].data.shape
        file.verify("exception")
    assert shape == (16, 16)
    assert (header["BUNIT"], header["FILTER"], header["MAGZP"]) == ("nJy", "F814W", 31.4)
    assert (header["PIXSCALE"], header["PSFFWHM"]) == (0.06, 2.5)
    assert (header["GSSEED"], header["GSSET"]) == (derive_seed(6, "sample", 2), 6)
    assert header["GSSNAP"] == cutouts.provenance.parents[0].content_hash
    assert "not an observation" in str(header["HISTORY"])
    scales = proj_plane_pixel_scales(WCS(header)) * units.deg
    np.testing.assert_allclose(scales.to_value("arcsec"), 0.06, rtol=1e-9)


def test_planes_of_several_bands_are_named(varied_run: Path, tmp_path: Path) -> None:
    cutouts = sample(varied_run, tmp_path / "fits", n=12, kind="fits")
    header = fits.getheader(tmp_path / "fits" / "galaxy-00000000.fits")
    assert (header["NAXIS"], header["NAXIS3"], header["BAND1"], header["BAND2"]) == (3, 2, "g", "r")
    assert header["CRPIX1"] == header["NAXIS1"] // 2 + 1
    assert len(np.unique(cutouts.shapes[:, 0])) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert WCS(header).celestial.naxis == 2


def cards_of(images: ImageHeader) -> fits.Header:
    """Header of the first drawn galaxy of a training set with this header."""
    made = Provenance(verb="sample", settings={}, seed=0, parents=(Parent("snapshot", "0" * 64, "run"),))
    return fits_header(StoreHeader(images, made), index=0, row=QTable({"seed": [7]})[0], size_pix=16)


@pytest.mark.parametrize("bands", [("g",), ("g", "r")])
def test_a_header_invents_neither_unit_nor_filter(bands: tuple[str, ...]) -> None:
    invented = {"BUNIT", "FILTER", "BAND1", "CTYPE3"}
    cards = cards_of(
        ImageHeader(unnamed_bands(len(bands)), UNKNOWN_UNIT, 0.2, zero_points_mag={"band0": 25.0})
    )
    assert not invented & set(cards)
    assert cards["PIXSCALE"] == 0.2
    assert cards["MAGZP" if len(bands) == 1 else "MAGZP1"] == 25.0
    stated = cards_of(ImageHeader(bands, "nJy", 0.2))
    assert invented & set(stated) == ({"BUNIT", "FILTER"} if len(bands) == 1 else invented - {"FILTER"})


def test_ingest_reads_the_cutouts_back(pca_run: Path, tmp_path: Path) -> None:
    drawn = sample(pca_run, tmp_path / "fits", n=10, kind="fits")
    read = ingest.fits(tmp_path / "fits", tmp_path / "store")
    np.testing.assert_array_equal(read.stacked(), drawn.stacked())
    assert (read.header.bands, read.header.flux_unit) == (drawn.header.bands, drawn.header.flux_unit)
    assert read.header.pixel_scale_arcsec == pytest.approx(0.06, rel=1e-9)


class Killed(BaseException):
    """Stands for a process that ends at once."""


def test_a_killed_sampling_draws_only_the_batches_it_lacks(
    pca_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PcaGenerator, "galaxies_per_call", 16)
    whole = sample(pca_run, tmp_path / "whole", n=40, kind="fits")
    drawn: list[int] = []
    real_batch = GalaxySource.batch

    def batch(self: GalaxySource, number: int, count: int, *, start: int) -> DrawnGalaxies:
        if number == 2 and not drawn.count(-1):
            raise Killed
        drawn.append(number)
        return real_batch(self, number, count, start=start)

    monkeypatch.setattr(GalaxySource, "batch", batch)
    with pytest.raises(Killed):
        sample(pca_run, tmp_path / "killed", n=40, kind="fits")
    drawn[:] = [-1]
    resumed = sample(pca_run, tmp_path / "killed", n=40, kind="fits")
    assert drawn == [-1, 2]
    assert resumed.content_hash == whole.content_hash
    for name in ("galaxy-00000000.fits", "galaxy-00000039.fits"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_existing_folders_are_refused(pca_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample(pca_run, tmp_path / "fits", n=2, kind="fits")
    with pytest.raises(OutputExistsError, match=r"already exists; choose another `output`"):
        sample(pca_run, tmp_path / "fits", n=3, kind="fits")
    assert len(sample(pca_run, tmp_path / "fits", n=2, kind="fits")) == 2  # is there already
    assert len(sample(pca_run, tmp_path / "fits", n=3, kind="fits", overwrite=True)) == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"mine`: already exists"):
        sample(pca_run, tmp_path / "mine", n=2, kind="fits")


def test_unfinished_cutouts_of_another_seed_are_refused(
    pca_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: GalaxySource, number: int, count: int, *, start: int) -> DrawnGalaxies:
        raise Killed

    monkeypatch.setattr(GalaxySource, "batch", die)
    with pytest.raises(Killed):
        sample(pca_run, tmp_path / "fits", n=2, kind="fits")
    monkeypatch.undo()
    with pytest.raises(
        OutputExistsError, match=r"a partial folder of FITS cutouts made by other settings or data"
    ):
        sample(pca_run, tmp_path / "fits", n=2, seed=1, kind="fits")

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galsmith.data.store import StoreWriter, open_store
from galsmith.data.transforms import NetworkArrays, PixelTransform
from galsmith.errors import GalsmithError, OutputExistsError, SettingsError
from galsmith.execution import ProgressEvent
from galsmith.judging.lineage import training_store
from galsmith.models.snapshot import read_snapshot_page
from galsmith.sampling import sample
from galsmith.sampling.source import DrawnGalaxies, GalaxySource
from galsmith.seeds import derive_seed


def test_a_store_of_drawn_galaxies_says_what_they_are(pca_run: Path, tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    drawn = sample(pca_run, tmp_path / "drawn", n=30, seed=4, progress=events.append)
    stored = open_store(tmp_path / "drawn")
    assert len(drawn) == len(stored) == 30
    assert (stored.header.flux_unit, stored.header.bands, stored.header.pixel_scale_arcsec) == (
        "nJy",
        ("F814W",),
        0.06,
    )
    assert stored.header.zero_points_mag == {"F814W": 31.4}
    assert stored.header.psf == {"psf_fwhm_pix": 2.5}
    assert set(stored.catalog["split"]) == {"generated"}
    assert stored.catalog["seed"].dtype == np.int64
    assert list(stored.catalog["seed"]) == [derive_seed(4, "sample", index) for index in range(30)]
    assert stored.provenance.verb == "sample"
    assert stored.provenance.seed == 4
    assert [parent.role for parent in stored.provenance.parents] == ["snapshot"]
    assert (events[-1].done, events[-1].total, events[-1].unit) == (30, 30, "galaxies")


def test_what_is_drawn_shows_what_was_trained_on(field_run: Path, pca_run: Path, tmp_path: Path) -> None:
    assert read_snapshot_page(field_run / "snapshot")["card"]["shows"] == "field"
    assert sample(field_run, tmp_path / "drawn", n=3).header.shows == "field"
    assert "shows" not in read_snapshot_page(pca_run / "snapshot")["card"]


def test_the_set_that_a_model_was_trained_on_is_found_from_what_it_drew(
    stored_run: tuple[Path, Path], tmp_path: Path
) -> None:
    data, run = stored_run
    sample(run, tmp_path / "drawn", n=5)
    assert training_store(tmp_path / "drawn") == data


def test_drawn_galaxies_are_like_the_training_set_in_flux(pca_run: Path, tmp_path: Path) -> None:
    fluxes = sample(pca_run, tmp_path / "drawn", n=200).stacked().sum(axis=(1, 2, 3))
    assert np.all(fluxes > 0)
    assert 0.5 < np.median(np.log10(fluxes)) < 2.5  # trained on 10**U(1, 2), for a moment


def test_galaxy_k_is_the_same_in_sets_of_any_size(any_run: Path, tmp_path: Path) -> None:
    small = sample(any_run, tmp_path / "small", n=7, seed=2).stacked()
    large = sample(any_run, tmp_path / "large", n=300, seed=2).stacked()
    np.testing.assert_array_equal(small, large[:7])
    other = sample(any_run, tmp_path / "other", n=7, seed=3).stacked()
    assert not np.array_equal(small, other)


@pytest.mark.parametrize("where", [None, "flux_F814W=15..60"])
def test_a_set_is_drawn_in_pieces_of_any_place_and_size(
    any_run: Path, where: str | None, tmp_path: Path
) -> None:
    whole = sample(any_run, tmp_path / "whole", n=300, seed=2, where=where)
    for first, n in ((0, 7), (7, 120), (127, 3), (130, 170)):
        piece = sample(any_run, tmp_path / f"from-{first}", n=n, first=first, seed=2, where=where)
        np.testing.assert_array_equal(piece.stacked(), whole.stacked()[first : first + n])
        for name in whole.catalog.colnames:
            assert list(piece.catalog[name]) == list(whole.catalog[name][first : first + n]), name
    assert not np.array_equal(piece.stacked()[:100], whole.stacked()[:100])


def test_a_first_number_that_means_nothing_is_refused(pca_run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`first=-1`: wanted 0 or more"):
        sample(pca_run, tmp_path / "drawn", n=3, first=-1)
    with pytest.raises(SettingsError, match="`first=5`: the rows of `catalog` say which"):
        sample(pca_run, tmp_path / "drawn", first=5, catalog=tmp_path / "rows.csv")
    sample(pca_run, tmp_path / "drawn", n=3, first=5)
    with pytest.raises(OutputExistsError, match="drawn"):
        sample(pca_run, tmp_path / "drawn", n=3, first=6)


@pytest.mark.parametrize("where", [None, "flux_F814W=15..60"])
def test_galaxies_beyond_the_last_are_neither_drawn_nor_inverted_and_the_rest_keep_their_bits(
    any_run: Path, where: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inverted: list[int] = []
    real_inverse = PixelTransform.inverse

    def inverse(self: PixelTransform, arrays: NetworkArrays) -> list[Any]:
        inverted.append(len(arrays.pixels))
        return real_inverse(self, arrays)

    monkeypatch.setattr(PixelTransform, "inverse", inverse)
    drawn = {n: sample(any_run, tmp_path / str(n), n=n, seed=2, where=where).stacked() for n in (1, 3, 300)}
    assert inverted[:2] == [1, 3]
    assert sum(inverted) == 1 + 3 + 300
    np.testing.assert_array_equal(drawn[1], drawn[300][:1])
    np.testing.assert_array_equal(drawn[3], drawn[300][:3])
    assert len(np.unique(drawn[300].sum(axis=(1, 2, 3)))) == 300


def test_native_sizes_are_drawn_too(varied_run: Path, tmp_path: Path) -> None:
    drawn = sample(varied_run, tmp_path / "drawn", n=60)
    sizes = drawn.shapes[:, 0]
    assert len(np.unique(sizes)) > 1
    np.testing.assert_array_equal(drawn.shapes[:, 1], sizes)
    np.testing.assert_array_equal(drawn.catalog["native_size_pix"], sizes)
    assert drawn[0].shape[0] == 2


class Killed(BaseException):
    """Stands for a process that ends at once."""


def test_a_killed_sampling_goes_on_to_the_same_store(
    pca_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sample(pca_run, tmp_path / "whole", n=600, seed=8)
    real_write, written = StoreWriter.write_chunk, []

    def write_and_die(self: StoreWriter, chunk: int, *rest: Any, **beside: Any) -> None:
        if chunk == 2:
            raise Killed
        real_write(self, chunk, *rest, **beside)
        written.append(chunk)

    monkeypatch.setattr(StoreWriter, "write_chunk", write_and_die)
    with pytest.raises(Killed):
        sample(pca_run, tmp_path / "killed", n=600, seed=8)
    monkeypatch.undo()
    assert written == [0, 1]
    drawn: list[int] = []
    real_batch = GalaxySource.batch
    monkeypatch.setattr(
        GalaxySource,
        "batch",
        lambda self, number, count, *, start: (
            drawn.append(number),
            real_batch(self, number, count, start=start),
        )[1],
    )
    resumed = sample(pca_run, tmp_path / "killed", n=600, seed=8)
    assert drawn == [2]  # 256 galaxies a batch
    assert resumed.content_hash == whole.content_hash


def test_existing_outputs_are_refused(pca_run: Path, tmp_path: Path) -> None:
    sample(pca_run, tmp_path / "drawn", n=3)
    with pytest.raises(OutputExistsError, match=r"already exists; choose another `output`"):
        sample(pca_run, tmp_path / "drawn", n=4)
    assert len(sample(pca_run, tmp_path / "drawn", n=3)) == 3  # is there already
    assert len(sample(pca_run, tmp_path / "drawn", n=4, overwrite=True)) == 4


def test_galaxies_that_are_not_finite_are_an_error_and_the_store_stays_partial(
    pca_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_batch = GalaxySource.batch

    def batch(self: GalaxySource, number: int, count: int, *, start: int) -> DrawnGalaxies:
        images = real_batch(self, number, 6).images
        spoiled = [*images[:2], images[2] * np.nan, *images[3:5], images[5] * np.nan]
        return DrawnGalaxies(spoiled[start:count], {})

    monkeypatch.setattr(GalaxySource, "batch", batch)
    with pytest.raises(
        GalsmithError, match=rf"1 of 5 drawn galaxies .*seeds {derive_seed(0, 'sample', 2)}\)"
    ):
        sample(pca_run, tmp_path / "drawn", n=5)
    assert not (tmp_path / "drawn" / "dataset.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, r"`n=0`: wanted 1 or more"),
        ({"n": 5, "kind": "fit"}, r"`kind=fit`: wanted store or fits \(did you mean 'fits'\?\)"),
        ({"n": 5, "device": "quantum"}, r"`device=quantum`"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], message: str, pca_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        sample(pca_run, tmp_path / "drawn", **arguments)
    assert not (tmp_path / "drawn").exists()


def test_the_parents_hash_tells_snapshots_apart(pca_run: Path, varied_run: Path, tmp_path: Path) -> None:
    hashes = [
        sample(run, tmp_path / f"drawn{position}", n=2).provenance.parents[0].content_hash
        for position, run in enumerate((pca_run, varied_run, pca_run / "snapshot"))
    ]
    assert hashes[0] == hashes[2] != hashes[1]
    assert (
        read_snapshot_page(pca_run / "snapshot")["tensors_sha256"] not in hashes
    )  # the transform counts too

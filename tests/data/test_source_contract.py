"""What every source promises, run on each of them."""

import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from galsmith.data.components import ComponentGalaxies, ComponentSettings
from galsmith.data.export import export
from galsmith.data.fields import FieldSettings, SimulatedFields, SkyMosaics
from galsmith.data.options import SetOptions
from galsmith.data.readers.arrays import ArraySource
from galsmith.data.readers.cosmology_fields import CosmologyFields
from galsmith.data.readers.cosmos_stamps import cosmos_stamps, find_stamps
from galsmith.data.readers.fits_cutouts import FitsSource
from galsmith.data.readers.hats.source import HatsSource
from galsmith.data.readers.pictures import PictureSource
from galsmith.data.readers.real_galaxies.source import RealGalaxySource
from galsmith.data.readers.registry import ArrayOptions, FitsOptions, SkirtOptions
from galsmith.data.readers.skirt.source import SkirtSource
from galsmith.data.readers.source import SourceThatDescribes, UnusableImage
from galsmith.data.readers.store import StoreSource
from galsmith.data.readers.to_store import plan_store, write_source
from galsmith.data.sersic import SersicSource
from galsmith.data.store import write_store
from galsmith.data.writers.registry import HatsWriting
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.provenance import hash_json
from galsmith.settings import apply_overrides, read_recipe, typed_settings

KINDS = (
    "sersic",
    "pictures",
    "fits",
    "hdf5",
    "npy",
    "npz",
    "stamps in a tar",
    "skirt",
    "real galaxies",
    "store",
    "fields",
    "components",
    "hats",
    "mosaics",
    "cosmology fields",
)


def open_stamps_in_a_tar(folder, draw):
    for seed in range(5):
        fits.PrimaryHDU(draw(32, 32, seed=seed)).writeto(folder / f"{seed}_processed.fits.gz")
    with tarfile.open(folder / "stamps.tar", "w") as tar:
        tar.add(folder, arcname="stamps", filter=lambda info: None if info.name.endswith(".tar") else info)
    return cosmos_stamps(folder / "stamps.tar", find_stamps(folder / "stamps.tar"))


def open_skirt(folder, draw):
    for seed in range(5):
        fits.PrimaryHDU(draw(4, 64, 64, seed=seed)).writeto(folder / f"broadband_{seed}.fits")
    return SkirtSource(folder, options=SkirtOptions(bands=("g", "i"), larger_than_pix=0))


def open_real_galaxies(folder, draw):
    for name in ("images", "psfs"):
        units = [fits.ImageHDU(draw(32, 32, seed=seed)) for seed in range(5)]
        fits.HDUList([fits.PrimaryHDU(), *units]).writeto(folder / f"{name}.fits")
    numbers = np.arange(5)
    columns = {"IDENT": numbers, "GAL_FILENAME": ["images.fits"] * 5, "PSF_FILENAME": ["psfs.fits"] * 5}
    columns |= {"GAL_HDU": numbers + 1, "PSF_HDU": numbers + 1}
    columns |= {"PIXEL_SCALE": np.full(5, 0.03), "NOISE_VARIANCE": np.ones(5)}
    Table(columns).write(folder / "catalog.fits")
    return RealGalaxySource(folder / "catalog.fits")


def open_stored(folder, draw):
    images = [draw(2, 32, 32, seed=seed) for seed in range(5)]
    write_store(folder / "store", image_set_from_arrays(images, ImageHeader(("g", "r"), "nJy")))
    return StoreSource(folder / "store")


def open_fields(folder, draw):
    del folder, draw
    recipe = apply_overrides(read_recipe("fields-250"), ["side_pix=32"])
    return SimulatedFields(typed_settings(FieldSettings, recipe, source="fields-250"), n=5, seed=3)


def open_components(folder, draw):
    del folder, draw
    overrides = ["frame.low_pix=32", "frame.high_pix=32"]
    recipe = apply_overrides(read_recipe("components"), overrides)
    settings = typed_settings(ComponentSettings, recipe, source="components")
    return ComponentGalaxies(settings, n=5, seed=3)


def open_hats(folder, draw):
    images = [draw(2, 32, 32, seed=seed) for seed in range(5)]
    images = image_set_from_arrays(images, ImageHeader(("g", "r"), "nJy"))
    export("hats", images, folder / "hats", writing=HatsWriting(sky="scatter"))
    return HatsSource(folder / "hats")


def draw_pictures(folder):
    for seed in range(5):
        pixels = np.random.default_rng(seed).integers(0, 255, (32, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def open_mosaics(folder, draw):
    del draw
    return SkyMosaics(draw_pictures(folder), n=5, side_pix=40, seed=2)


def open_cosmology_fields(folder, draw):
    del draw
    (folder / "query").mkdir()
    draw_pictures(folder / "query")
    return CosmologyFields(folder)


OPENERS = {
    "mosaics": open_mosaics,
    "cosmology fields": open_cosmology_fields,
    "hats": open_hats,
    "components": open_components,
    "fields": open_fields,
    "stamps in a tar": open_stamps_in_a_tar,
    "skirt": open_skirt,
    "real galaxies": open_real_galaxies,
    "store": open_stored,
}


@pytest.fixture(params=KINDS)
def make_source(request, write_picture, write_cutout, random_stamp, sersic_settings):
    if request.param in OPENERS:
        folder = request.getfixturevalue("tmp_path") / "layout"
        folder.mkdir()
        made = OPENERS[request.param](folder, random_stamp)
        return lambda: made
    if request.param == "sersic":
        return lambda: SersicSource(sersic_settings(), n=5, seed=3)
    if request.param == "pictures":
        rng = np.random.default_rng(0)
        for name in "abcde":
            folder = write_picture(f"{name}.png", rng.integers(0, 255, (32, 32, 3), dtype=np.uint8))
        return lambda: PictureSource(folder)
    if request.param in ("hdf5", "npy", "npz"):
        write_array = request.getfixturevalue("write_array")
        path = write_array(f"set.{request.param}", random_stamp(5, 32, 32, 2))
        return lambda: ArraySource(path, ArrayOptions(flux_unit="nJy"))
    for seed, name in enumerate("abcde"):
        folder = write_cutout(f"{name}.fits", random_stamp(32, 32, seed=seed), MAG=20.0 + seed)
    return lambda: FitsSource(folder, FitsOptions(pixel_scale_arcsec=0.1, flux_unit="nJy"))


def test_the_catalog_the_shapes_and_the_pixels_agree(make_source):
    source = make_source()
    assert len(source.catalog) == len(source.listing.shapes) == len(source.listing.names) == 5
    assert len(set(source.catalog["object_id"])) == 5
    for row, image in enumerate(source.read(np.arange(5))):
        assert not isinstance(image, UnusableImage)
        assert image.dtype == np.float32
        assert image.dtype.isnative
        assert image.shape == (len(source.header.bands), *source.listing.shapes[row])
        assert source.listing.names[row]


def test_reading_in_another_order_gives_the_same_images(make_source):
    source = make_source()
    forward = list(source.read(np.arange(5)))
    for row in (4, 0, 2):
        np.testing.assert_array_equal(next(iter(source.read(np.array([row])))), forward[row])


def test_a_source_that_travels_gives_the_same_images(make_source):
    source = make_source()
    before = list(source.read(np.arange(5)))
    travelled = pickle.loads(pickle.dumps(source))
    assert hash_json(travelled.header.to_dict()) == hash_json(source.header.to_dict())
    assert list(travelled.catalog["object_id"]) == list(source.catalog["object_id"])
    for one, other in zip(before, travelled.read(np.arange(5)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_describing_gives_the_rows_asked_for(make_source):
    source = make_source()
    if isinstance(source, SourceThatDescribes):
        fluxes = np.ones((2, len(source.header.bands)))
        described = source.describe(np.array([3, 1]), fluxes)
        assert list(described["object_id"]) == list(source.catalog["object_id"][[3, 1]])
        assert set(described.colnames) > set(source.catalog.colnames)


def test_settings_and_notes_are_plain_values(make_source):
    source = make_source()
    assert hash_json(dict(source.origin.settings)) == hash_json(dict(make_source().origin.settings))
    assert hash_json(dict(source.origin.notes))
    assert hash_json(source.header.to_dict()) == hash_json(make_source().header.to_dict())


def test_the_same_source_gives_the_same_store(make_source, tmp_path):
    stores = [
        write_source(make_source(), tmp_path / name, verb="test", seed=1, options=SetOptions())
        for name in ("a", "b")
    ]
    assert stores[0].content_hash == stores[1].content_hash
    assert stores[0].provenance.fingerprint() == stores[1].provenance.fingerprint()


def test_an_interrupted_run_goes_on_and_equals_an_undisturbed_one(make_source, tmp_path, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.IMAGES_PER_CHUNK", 2)

    def stop(event):
        if event.done >= 3:
            raise KeyboardInterrupt

    options = SetOptions(crop_pix=24, resize_pix=12)
    with pytest.raises(KeyboardInterrupt):
        write_source(make_source(), tmp_path / "a", verb="test", seed=1, options=options, progress=stop)
    assert (tmp_path / "a.partial" / "chunk-00000.json").exists()
    resumed = write_source(make_source(), tmp_path / "a", verb="test", seed=1, options=options)
    whole = write_source(make_source(), tmp_path / "b", verb="test", seed=1, options=options)
    assert resumed.content_hash == whole.content_hash
    assert {image.shape[1:] for image in resumed.pixels.read(np.arange(5))} == {(12, 12)}


def test_an_image_of_other_bands_than_the_header_names_stops_or_is_left_out(make_source, tmp_path):
    source, bands = make_source(), make_source().header.bands
    source.header = replace(source.header, bands=("other", *bands))
    with pytest.raises(
        InputError, match=rf"has shape \({len(bands)}, \d+, \d+\).* with {len(bands) + 1} bands \(other"
    ):
        write_source(source, tmp_path / "a", verb="test", seed=1, options=SetOptions(crop_pix=8))
    with pytest.raises(InputError, match=r"no image is left to store \(5 of another shape\)"):
        write_source(source, tmp_path / "a", verb="test", seed=1, options=SetOptions(on_bad="skip"))


def test_splits_have_exact_counts_and_follow_the_seed(make_source, tmp_path):
    options = SetOptions(split=(0.6, 0.2, 0.2))
    splits = [
        list(
            write_source(
                make_source(), tmp_path / str(seed), verb="test", seed=seed, options=options
            ).catalog["split"]
        )
        for seed in range(4)
    ]
    assert all(sorted(names) == ["test", "train", "train", "train", "validation"] for names in splits)
    assert len({tuple(names) for names in splits}) > 1


def test_an_unknown_column_in_where_names_the_near_miss(make_source):
    with pytest.raises(
        SettingsError, match=r"`where=object_ib`: no such column \(did you mean 'object_id'\?\)"
    ):
        plan_store(make_source(), SetOptions(where="object_ib=a"))


def test_native_size_can_be_a_condition(make_source, tmp_path):
    options = SetOptions(where="native_size_pix=30..40")
    assert len(write_source(make_source(), tmp_path / "a", verb="test", seed=1, options=options)) == 5

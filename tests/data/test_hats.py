"""HATS catalogs: what is written is read back to the bit, what others wrote is read, and what is wrong is named."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import QTable

from galsmith.cli import main
from galsmith.data.export import export
from galsmith.data.hats.layout import read_properties
from galsmith.data.ingest import ingest
from galsmith.data.options import SetOptions
from galsmith.data.readers.options import HatsOptions
from galsmith.data.store import Companions, StoreHeader, StoreWriter, companions_of, write_store
from galsmith.data.writers.registry import HatsWriting
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream

N = 24
HEADER = ImageHeader(
    ("g", "r"),
    "nJy",
    pixel_scale_arcsec=0.168,
    zero_points_mag={"g": 31.4, "r": 31.4},
    psf={"psf_fwhm_pix": 3.5},
)


def sky(rng, n):
    """Places on the sky; degrees."""
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


@pytest.fixture
def stored(tmp_path):
    """A store of images of two sizes in two bands, with noise and masks."""
    rng = random_stream(1, "tests.hats")
    shapes = [(2, 20, 20) if row % 3 else (2, 17, 24) for row in range(N)]
    images = [rng.normal(0, 1, shape).astype(np.float32) for shape in shapes]
    ra, dec = sky(rng, N)
    rows = QTable({"object_id": [f"galaxy {row}" for row in range(N)], "ra": ra, "dec": dec})
    rows["mag"] = rng.uniform(18, 24, N).astype(np.float32)
    rows["kind"] = ["spiral" if row % 2 else "" for row in range(N)]
    rows["is_good"] = rng.uniform(0, 1, N) > 0.5
    rows["number"] = np.arange(N) + 2**60
    beside = Companions(
        ivars=[
            rng.uniform(0, 9, shape).astype(np.float32) * (rng.uniform(0, 1, shape) > 0.1) for shape in shapes
        ],
        masks=[rng.uniform(0, 1, shape) > 0.9 for shape in shapes],
    )
    with StoreWriter(tmp_path / "store", StoreHeader(HEADER, Provenance("test")), n_chunks=2) as writer:
        for chunk in range(2):
            some = range(chunk * N // 2, (chunk + 1) * N // 2)
            rows_of_chunk = rows[list(some)]
            rows_of_chunk["native_size_pix"] = np.array(
                [min(shapes[row][1:]) for row in some], dtype=np.int32
            )
            writer.write_chunk(
                chunk, [images[row] for row in some], rows_of_chunk, companions=beside.of(some)
            )

        def split(catalog):
            catalog["split"] = np.where(np.arange(N) % 4, "train", "test").astype("U10")
            return catalog

        return writer.finish(split)


def test_what_the_layout_has_no_place_for_is_named(tmp_path, caplog):
    rng = random_stream(2, "tests.hats")
    ra, dec = sky(rng, 3)
    rows = QTable({"ra": ra, "dec": dec, "noise_correlation": ["a", "", "a"]})
    beside = Companions(
        psfs=list(rng.random((3, 5, 5)).astype(np.float32)),
        sources=list(rng.random((3, 2, 6))),
        noise_correlations={"a": rng.random((3, 3)).astype(np.float32)},
    )
    with StoreWriter(tmp_path / "store", StoreHeader(HEADER, Provenance("test")), n_chunks=1) as writer:
        writer.write_chunk(0, list(rng.random((3, 2, 16, 16)).astype(np.float32)), rows, companions=beside)
        images = writer.finish()
    export("hats", images, tmp_path / "hats")
    for words in ("PSFs", "true sources", "correlations of noise"):
        assert f"has {words}" in caplog.text
    again = ingest("hats", tmp_path / "hats", tmp_path / "again")
    assert "noise_correlation" not in again.catalog.colnames


def order_of(one, other):
    """Rows of `one` that have the identifiers of `other`, in its order."""
    rows = {str(name): row for row, name in enumerate(one.catalog["object_id"])}
    return [rows[str(name)] for name in other.catalog["object_id"]]


@pytest.mark.parametrize("most", [None, 1, 5])
def test_what_is_exported_is_read_back_to_the_bit(stored, tmp_path, most):
    made = export("hats", tmp_path / "store", tmp_path / "hats", writing=HatsWriting(rows_per_file=most))
    back = ingest("hats", tmp_path / "hats", tmp_path / "back")
    assert made.n_images == len(back) == N
    assert back.header == stored.header
    rows = order_of(stored, back)
    before, after = companions_of(stored, rows), companions_of(back)
    for position, row in enumerate(rows):
        np.testing.assert_array_equal(back[position], stored[row], strict=True)
        np.testing.assert_array_equal(after.ivars[position], before.ivars[position], strict=True)
        np.testing.assert_array_equal(after.masks[position], before.masks[position], strict=True)
    for name in stored.catalog.colnames:
        one, other = (np.asarray(catalog[name]).dtype for catalog in (back.catalog, stored.catalog))
        assert one == other or (one.kind, other.kind) == ("U", "U")
        assert list(back.catalog[name]) == list(stored.catalog[name][rows])


def test_the_files_lie_as_hats_has_them(stored, tmp_path):
    made = export("hats", stored, tmp_path / "hats", writing=HatsWriting(rows_per_file=4, name="mine"))
    folder = tmp_path / "hats"
    said = read_properties(folder / "hats.properties")
    assert (folder / "properties").read_bytes() == (folder / "hats.properties").read_bytes()
    assert said["obs_collection"] == "mine"
    assert (said["hats_nrows"], said["hats_col_healpix"]) == (str(N), "_healpix_29")
    whole = pq.read_metadata(folder / "dataset" / "_metadata")
    assert whole.num_rows == N
    schema = pq.read_schema(folder / "dataset" / "_common_metadata")
    assert schema.names[:3] == ["_healpix_29", "ra", "dec"]
    kind = schema.field("image").type
    names = [kind.field(number).name for number in range(kind.num_fields)]
    assert names == ["band", "flux", "mask", "ivar", "psf_fwhm", "scale"]
    assert str(kind.field("flux").type).count("list<") == 3
    lines = (folder / "partition_info.csv").read_text().split()
    assert lines[0] == "Norder,Npix"
    assert len(lines) == made.n_files + 1
    for line in lines[1:]:
        order, pixel = map(int, line.split(","))
        rows = pq.read_table(folder / f"dataset/Norder={order}/Dir=0/Npix={pixel}.parquet", partitioning=None)
        index = rows["_healpix_29"].to_numpy()
        assert 0 < len(rows) <= 4
        assert (np.diff(index) >= 0).all()
        assert set(index >> (2 * (29 - order))) == {pixel}


def test_masks_are_true_where_pixels_are_usable_and_widths_are_arcsec(stored, tmp_path):
    export("hats", stored, tmp_path / "hats", writing=HatsWriting(rows_per_file=N))
    file = next((tmp_path / "hats").rglob("Npix=*.parquet"))
    image = pq.read_table(file, partitioning=None)["image"][0].as_py()
    name = pq.read_table(file, partitioning=None)["object_id"][0].as_py()
    row = list(stored.catalog["object_id"]).index(name)
    np.testing.assert_array_equal(image["mask"], ~companions_of(stored, [row]).masks[0])
    assert image["band"] == ["g", "r"]
    assert image["psf_fwhm"] == pytest.approx([3.5 * 0.168] * 2, rel=1e-6)
    assert image["scale"] == pytest.approx([0.168] * 2, rel=1e-6)


def test_an_interrupted_export_goes_on_and_equals_an_undisturbed_one(stored, tmp_path):
    def stop(event):
        if event.done >= N // 2:
            raise KeyboardInterrupt

    writing = HatsWriting(rows_per_file=3, name="one")
    with pytest.raises(KeyboardInterrupt):
        export("hats", stored, tmp_path / "a", writing=writing, progress=stop)
    finished = (tmp_path / "a.partial" / "content").rglob("Npix=*")
    there = {path.parts[-3:]: path.stat().st_mtime_ns for path in finished}
    assert there
    assert not (tmp_path / "a").exists()
    export("hats", stored, tmp_path / "a", writing=writing)
    export("hats", stored, tmp_path / "b", writing=writing)
    files = sorted(path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert [(tmp_path / "a" / path).read_bytes() for path in files] == [
        (tmp_path / "b" / path).read_bytes() for path in files
    ]
    after = {path.parts[-3:]: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("Npix=*")}
    assert {key: after[key] for key in there} == there


def test_an_export_that_is_there_is_known_again_and_left_or_replaced(stored, tmp_path):
    export("hats", stored, tmp_path / "a")
    export("hats", stored, tmp_path / "a")
    with pytest.raises(OutputExistsError, match="already exists"):
        export("hats", stored, tmp_path / "a", where="split=test")
    made = export("hats", stored, tmp_path / "a", where="split=test", overwrite=True)
    assert made.n_images == N // 4
    assert len(ingest("hats", tmp_path / "a", tmp_path / "s")) == N // 4
    (tmp_path / "a" / "mine.txt").write_text("notes")
    with pytest.raises(OutputExistsError, match=r"mine\.txt was not made with it"):
        export("hats", stored, tmp_path / "a", overwrite=True)


def test_images_without_a_place_are_refused_or_spread(tmp_path):
    rng = random_stream(2, "tests.hats.drawn")
    images = image_set_from_arrays(rng.normal(0, 1, (40, 1, 8, 8)), ImageHeader(("i",), "nJy"))
    with pytest.raises(SettingsError, match="no column of right ascension"):
        export("hats", images, tmp_path / "a")
    export("hats", images, tmp_path / "a", writing=HatsWriting(sky="scatter"))
    back = ingest("hats", tmp_path / "a", tmp_path / "b")
    assert len(back) == 40
    # an even spread: the mean direction is near zero
    ra, dec = np.radians(back.catalog["ra"]), np.radians(back.catalog["dec"])
    toward = np.stack([np.cos(ra) * np.cos(dec), np.sin(ra) * np.cos(dec), np.sin(dec)])
    assert np.abs(toward.mean(axis=1)).max() < 0.05
    catalog = images.catalog.copy()
    catalog["ra"], catalog["dec"] = np.zeros(40), np.where(np.arange(40) == 7, 95.0, 10.0)
    off = image_set_from_arrays(images.pixels.read(range(40)), images.header, catalog=catalog)
    with pytest.raises(InputError, match=r"00000007 has ra=0, dec=95 \(1 such\)"):
        export("hats", off, tmp_path / "c")


# -- what others wrote: as the published converters lay it out ------------------------------------------------------------


def published(n=6, *, bands=("HSC-G", "HSC-R"), side=12, **changes):
    """Columns of a partition as a converter of the MultimodalUniverse makes them; `changes` replace lists of images."""
    rng = random_stream(3, "tests.hats.published")
    flux = rng.normal(0, 1, (n, len(bands), side, side)).astype(np.float32)
    lists = {
        "band": [list(bands)] * n,
        "flux": flux.tolist(),
        "ivar": np.abs(flux + 2).tolist(),
        "mask": (flux < 1).tolist(),
        "psf_fwhm": [[0.7] * len(bands)] * n,
        "scale": [[0.168] * len(bands)] * n,
    } | changes
    cube = pa.list_(pa.list_(pa.list_(pa.float32())))
    kinds = {
        "band": pa.list_(pa.string()),
        "flux": cube,
        "ivar": cube,
        "mask": pa.list_(pa.list_(pa.list_(pa.bool_()))),
        "psf_fwhm": pa.list_(pa.float32()),
        "scale": pa.list_(pa.float32()),
    }
    kept = [name for name, values in lists.items() if values is not None]
    struct = pa.StructArray.from_arrays(
        [pa.array(lists[name], type=kinds[name]) for name in kept], names=kept
    )
    return {
        "_healpix_29": pa.array(np.arange(n) + (44 << 56)),
        "image": struct,
        "a_g": pa.array(rng.uniform(0, 1, n).astype(np.float32)),
        "catalog": pa.array([{"X": [1.0, 2.0]}] * n),
        "split": pa.array(["anything"] * n),
        "object_id": pa.array([str(row + 100) for row in range(n)]),
        "ra": pa.array(np.full(n, 100.0)),
        "dec": pa.array(np.full(n, 20.0)),
    }, flux


def write_catalog(folder, columns, *, name="Norder=1/Dir=0/Npix=11.parquet", schema_metadata=None, **how):
    """Write one partition with its pages."""
    file = folder / "dataset" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    pq.write_table(
        table if schema_metadata is None else table.replace_schema_metadata(schema_metadata), file, **how
    )
    (folder / "hats.properties").write_text(
        f"#HATS catalog\nobs_collection=x\ndataproduct_type=object\nhats_nrows={len(table)}\nhats_col_ra=ra\n"
        "hats_col_dec=dec\nhats_creation_date=2025-10-06T14\\:36UTC\n"
    )
    (folder / "partition_info.csv").write_text("Norder,Npix\n1,11\n")
    return folder


@pytest.mark.parametrize("group", [2, 100])
@pytest.mark.parametrize("is_large", [False, True])
def test_a_published_catalog_is_read(tmp_path, group, is_large):
    columns, flux = published()
    if is_large:
        kind = columns["image"].type
        large = pa.large_list(pa.list_(pa.list_(pa.float32())))
        fields = [pa.field(one.name, large if one.name == "flux" else one.type) for one in kind]
        columns["image"] = columns["image"].cast(pa.struct(fields))
    folder = write_catalog(tmp_path / "hats", columns, row_group_size=group)
    store = ingest(
        "hats", folder, tmp_path / "s", reading=HatsOptions(flux_unit="nJy", zero_points_mag=[31.4])
    )
    np.testing.assert_array_equal(store.stacked(), flux)
    beside = companions_of(store)
    np.testing.assert_array_equal(np.stack(beside.ivars), np.abs(flux + 2))
    np.testing.assert_array_equal(np.stack(beside.masks), ~(flux < 1))
    assert store.header.bands == ("HSC-G", "HSC-R")
    assert store.header.pixel_scale_arcsec == 0.168
    assert store.header.psf["psf_fwhm_pix"] == pytest.approx(0.7 / 0.168)
    assert list(store.catalog["object_id"]) == ["100", "101", "102", "103", "104", "105"]
    assert set(store.catalog["label_split"]) == {"anything"}
    assert "catalog" not in store.catalog.colnames
    assert np.asarray(store.catalog["psf_fwhm_arcsec_HSC-G"]) == pytest.approx(0.7)


def test_a_collection_opens_its_main_catalog_and_leads_nowhere_else(tmp_path):
    write_catalog(tmp_path / "all" / "main", published()[0])
    page = tmp_path / "all" / "collection.properties"
    page.write_text("obs_collection=all\nhats_primary_table_url=main\n")
    assert len(ingest("hats", tmp_path / "all", tmp_path / "s")) == 6
    page.write_text("obs_collection=all\nhats_primary_table_url=../elsewhere\n")
    with pytest.raises(InputError, match="wanted the name of a folder in"):
        ingest("hats", tmp_path / "all", tmp_path / "t")


def test_bands_are_chosen_by_name_and_masks_by_what_true_means(tmp_path):
    columns, flux = published()
    folder = write_catalog(tmp_path / "hats", columns)
    options = HatsOptions(bands=("HSC-R",), mask_true="bad")
    store = ingest("hats", folder, tmp_path / "s", reading=options)
    np.testing.assert_array_equal(store.stacked(), flux[:, 1:])
    np.testing.assert_array_equal(np.stack(companions_of(store).masks), flux[:, 1:] < 1)
    with pytest.raises(SettingsError, match=r"no image of .* has the band 'HSC-I' \(did you mean"):
        ingest("hats", folder, tmp_path / "t", reading=HatsOptions(bands=("HSC-I",)))


def test_bands_in_another_order_are_put_in_order_and_others_are_refused(tmp_path):
    columns, flux = published(band=[["HSC-G", "HSC-R"]] * 3 + [["HSC-R", "HSC-G"]] * 3)
    store = ingest("hats", write_catalog(tmp_path / "a", columns), tmp_path / "s")
    np.testing.assert_array_equal(store.stacked()[:3], flux[:3])
    np.testing.assert_array_equal(store.stacked()[3:], flux[3:, ::-1])
    columns, _ = published(band=[["HSC-G", "HSC-R"]] * 3 + [["HSC-G", "HSC-I"]] * 3)
    folder = write_catalog(tmp_path / "b", columns)
    with pytest.raises(
        InputError, match=r"row 3 \(object_id 103\) has the bands HSC-G,HSC-I, row 0 .* HSC-G,HSC-R; choose"
    ):
        ingest("hats", folder, tmp_path / "t")
    assert len(ingest("hats", folder, tmp_path / "t", reading=HatsOptions(bands=("HSC-G",)))) == 6
    chosen = HatsOptions(bands=("HSC-G", "HSC-I"))
    with pytest.raises(InputError, match="has the bands HSC-G,HSC-R, wanted HSC-G,HSC-I"):
        ingest("hats", folder, tmp_path / "u", reading=chosen)
    left = ingest("hats", folder, tmp_path / "u", reading=chosen, options=SetOptions(on_bad="skip"))
    assert len(left) == 3


def planes(value, side=12):
    """Two planes of one value."""
    return [[[value] * side] * side] * 2


def with_third(one, third):
    """Six images, the third of them another."""
    return [one, one, third, one, one, one]


def flux_with_third(third):
    """The published flux, the third image another."""
    flux = published()[1].tolist()
    return [*flux[:2], third, *flux[3:]]


FAULTS = {
    "a plane too few": ({"flux": flux_with_third(planes(1.0)[:1])}, "102: image.flux has shape"),
    "ragged rows": (
        {"flux": flux_with_third([planes(1.0)[0], [[1.0]] * 11 + [[1.0, 2.0]]])},
        r"102: image.flux is no \[band, y, x\]",
    ),
    "no image": ({"flux": flux_with_third(None)}, r"102: image.flux is no \[band, y, x\]"),
    "a smaller mask": (
        {"mask": with_third(planes(True), planes(True, 9))},
        r"102: image.(mask|flux) has shape \(2, .*\), wanted",
    ),
    "a smaller ivar": (
        {"ivar": with_third(planes(1.0), planes(1.0, 9)), "mask": None},
        r"102: image.ivar has shape \(2, 9, 9\), wanted \(2, 12, 12\)",
    ),
    "negative ivar": (
        {"ivar": with_third(planes(1.0), planes(-1.0))},
        "102: image.ivar holds -1; wanted inverse variances",
    ),
    "infinite ivar": ({"ivar": with_third(planes(1.0), planes(np.inf))}, "102: image.ivar holds inf"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_images_and_maps_that_do_not_fit_are_named_and_can_be_left_out(tmp_path, fault):
    change, message = FAULTS[fault]
    folder = write_catalog(tmp_path / "hats", published(**change)[0])
    with pytest.raises(InputError, match=message):
        ingest("hats", folder, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    left = ingest("hats", folder, tmp_path / "s", options=SetOptions(on_bad="skip"))
    assert list(left.catalog["object_id"]) == ["100", "101", "103", "104", "105"]


def other_image(**lists):
    """A column of images with other lists."""
    return pa.array([lists] * 6)


SCHEMAS = {
    "no image": ({"image": None}, "has no column image"),
    "no id": ({"object_id": None, "objid": pa.array(range(6))}, "has no column object_id"),
    "an image of numbers": (
        {"image": pa.array([1.0] * 6)},
        "its column image is of the type double; wanted a struct",
    ),
    "flux of one axis": (
        {"image": other_image(band=["g"], flux=[1.0, 2.0])},
        r"its list image.flux is of the type list<.*wanted one of \[band, y, x\]",
    ),
    "no flux": ({"image": other_image(band=["g"], array=[[[1.0]]])}, "has no list flux"),
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_columns_that_are_missing_or_of_another_shape_are_named(tmp_path, schema):
    change, message = SCHEMAS[schema]
    columns = {name: values for name, values in (published()[0] | change).items() if values is not None}
    folder = write_catalog(tmp_path / "hats", columns)
    with pytest.raises(InputError, match=message):
        ingest("hats", folder, tmp_path / "s")


def test_identifiers_that_are_there_twice_are_named(tmp_path):
    columns, _ = published()
    columns["object_id"] = pa.array([7, 8, 7, 9, 7, 8])
    folder = write_catalog(tmp_path / "hats", columns)
    with pytest.raises(
        InputError, match=r"2 object_id are there more than once: '7' \(3 rows\), '8' \(2 rows\)"
    ):
        ingest("hats", folder, tmp_path / "s")


def test_partitions_that_are_missing_not_named_or_cut_off_are_named(stored, tmp_path):
    export("hats", stored, tmp_path / "hats", writing=HatsWriting(rows_per_file=5))
    files = sorted((tmp_path / "hats").rglob("Npix=*"))
    moved = files[0].rename(tmp_path / "elsewhere")
    with pytest.raises(
        InputError, match=rf"{files[0].name}: there is no such partition.*1 of {len(files)} are missing"
    ):
        ingest("hats", tmp_path / "hats", tmp_path / "s")
    (tmp_path / "hats" / "partition_info.csv").unlink()
    with pytest.raises(InputError, match=rf"rows, and its page says hats_nrows={N}"):
        ingest("hats", tmp_path / "hats", tmp_path / "s")
    shutil.copy(moved, files[0])
    assert len(ingest("hats", tmp_path / "hats", tmp_path / "s")) == N
    files[0].write_bytes(files[0].read_bytes()[:-100])
    with pytest.raises(InputError, match="is not a Parquet file that can be read"):
        ingest("hats", tmp_path / "hats", tmp_path / "t")


def test_damaged_pixels_are_told_row_by_row(stored, tmp_path):
    export("hats", stored, tmp_path / "hats", writing=HatsWriting(rows_per_file=N))
    file = max((tmp_path / "hats").rglob("Npix=*"), key=lambda path: path.stat().st_size)
    said = pq.read_metadata(file).row_group(0)
    flux = next(
        said.column(number)
        for number in range(said.num_columns)
        if ".flux." in said.column(number).path_in_schema
    )
    content = bytearray(file.read_bytes())
    content[flux.data_page_offset : flux.data_page_offset + 64] = bytes(64)
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"{file.name}: rows \d+ to \d+ of the catalog cannot be read"):
        ingest("hats", tmp_path / "hats", tmp_path / "s")


def test_what_is_no_catalog_is_said(tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    for name, words in (("folder", "is no HATS catalog"), ("nowhere", "there is no such folder")):
        assert main(["ingest", "hats", str(tmp_path / name), "-o", str(tmp_path / "s")]) == 1
        assert words in capsys.readouterr().err


def test_own_metadata_of_another_version_is_refused(tmp_path):
    folder = write_catalog(
        tmp_path / "hats", published()[0], schema_metadata={"galsmith": json.dumps({"version": 99})}
    )
    with pytest.raises(InputError, match="version 99; this galsmith reads 1"):
        ingest("hats", folder, tmp_path / "s")


def test_both_commands_say_what_they_made(stored, tmp_path, capsys):
    assert (
        main(["export", "hats", str(tmp_path / "store"), "-o", str(tmp_path / "h"), "--where", "split=test"])
        == 0
    )
    assert f"export hats: {N // 4} images, " in capsys.readouterr().out
    assert (
        main(["ingest", "hats", str(tmp_path / "h"), "-o", str(tmp_path / "s"), "--where", "mag=0..99"]) == 0
    )
    assert main(["export", "hats", str(tmp_path / "store"), "-o", str(tmp_path / "i"), "--ra", "mgg"]) == 2
    assert "no such column (did you mean 'mag'?)" in capsys.readouterr().err


def test_a_set_without_noise_has_lists_of_flux_alone(tmp_path):
    rng = random_stream(4, "tests.hats.plain")
    images = image_set_from_arrays(rng.normal(0, 1, (5, 1, 8, 9)), ImageHeader(("i",), "nJy"))
    store = write_store(tmp_path / "s", images)
    export("hats", store, tmp_path / "h", writing=HatsWriting(sky="scatter"))
    kind = pq.read_schema(tmp_path / "h/dataset/_common_metadata").field("image").type
    assert [one.name for one in kind] == ["band", "flux", "psf_fwhm", "scale"]
    assert companions_of(ingest("hats", tmp_path / "h", tmp_path / "t")) is None

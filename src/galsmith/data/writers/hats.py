"""A store as a HATS catalog: images as nested lists, in Parquet files by place on the sky."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import MaskedColumn, QTable
from numpy.typing import NDArray

from galsmith.data.galaxies.positions import ROLES
from galsmith.data.hats.healpix import INDEX_ORDER, nested_pixels, scattered
from galsmith.data.hats.layout import (
    BAND,
    DATASET,
    DEC,
    FLUX,
    HEIGHT,
    IMAGE,
    INDEX,
    IVAR,
    MASK,
    METADATA_KEY,
    METADATA_VERSION,
    NAME,
    PARTITIONS,
    PROPERTIES,
    PSF_FWHM,
    RA,
    SCALE,
    WIDTH,
    Pixel,
    partitions_text,
    properties_text,
    read_properties,
)
from galsmith.data.hats.nested import cubes_to_lists, list_of
from galsmith.data.hats.partitions import partitions, share_of_sky
from galsmith.data.identifiers import refuse_repeated
from galsmith.data.store import Companions, companions_of, names_beside
from galsmith.data.store.companions import CORRELATION_COLUMN
from galsmith.data.writers.registry import Exported, HatsWriting
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Kind, Partial, written_atomically
from galsmith.images import ImageHeader, ImageSet
from galsmith.provenance import hash_json
from galsmith.settings import near_miss

Values = NDArray[Any]
Doubles = NDArray[np.float64]
FINGERPRINT = "galsmith_fingerprint"
HATS = Kind(
    "HATS catalog",
    lambda page: read_properties(page).get(FINGERPRINT),
    PROPERTIES[0],
    (
        *PROPERTIES,
        PARTITIONS,
        f"{DATASET}/_metadata",
        f"{DATASET}/_common_metadata",
        f"{DATASET}/Norder=*/Npix=*.parquet",
    ),
)
MOST_ROWS = 8_192  # of a partition, as published sets of images have them
BYTES_TOGETHER, BYTES_PER_GROUP = 2**27, 2**24
PIXEL_BYTES = 4
FWHM_COLUMN, SCALE_COLUMN = "psf_fwhm_arcsec", "pixel_scale_arcsec"
NOT_TAKEN = {
    "psfs": "PSFs (their widths are)",
    "sources": "true sources of fields",
    CORRELATION_COLUMN: "correlations of noise",
}
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Job:
    """All that the files of one catalog have in common.

    Attributes
    ----------
    images : ImageSet
        What is written.
    columns : mapping of str to ndarray [image]
        Of the catalog, in the order of the files' columns.
    schema : pyarrow Schema
        Of every file.
    by_band : mapping of str to ndarray [image, band], float32
        Width of the PSF and scale of a pixel, in arcsec.
    index : ndarray [image], int64
        Places on the sky.
    """

    images: ImageSet
    columns: Mapping[str, Any]
    schema: pa.Schema
    by_band: Mapping[str, NDArray[np.float32]]
    index: NDArray[np.int64]


def write_hats(
    images: ImageSet,
    output: Path,
    options: HatsWriting,
    *,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Exported:
    """Write images as a HATS catalog; an interrupted call goes on with the partitions that are missing.

    Parameters
    ----------
    images : ImageSet
        A store, or some images.
    output : Path
        The folder.
    options : HatsWriting
        Name, places on the sky, rows of a partition.
    overwrite : bool
        Replace what galsmith made there.
    progress : callable
        Told how many images are written.

    Raises
    ------
    InputError
        If two images have one identifier, or one has no place on the sky.
    SettingsError
        If a column is not there.
    OutputExistsError
        If the output is there already.
    """
    refuse_repeated(np.asarray(images.catalog[NAME], dtype=str), place=images.path or "the images")
    job = _job(images, options)
    order = np.argsort(job.index, kind="stable")
    parts = partitions(job.index[order], options.rows_per_file or _rows_of_file(job))
    fingerprint = hash_json(
        ["hats", METADATA_VERSION, images.content_hash, asdict(options), job.schema.metadata[METADATA_KEY]]
    )
    layout = {"n_files": len(parts)}
    with Partial(
        output, HATS, fingerprint, layout=layout, inputs=[images.path or None], overwrite=overwrite
    ) as partial:
        if not partial.is_complete:
            done = 0
            for pixel, rows in parts:
                file = partial.content / DATASET / pixel.path()
                if not file.exists():
                    _write_partition(job, file, order[rows], progress=progress, done=done)
                done += rows.stop - rows.start
            _write_pages(
                job, partial.content, [pixel for pixel, _ in parts], options.name or output.name, fingerprint
            )
            partial.finish()
    return Exported(output, len(images), len(parts), fingerprint)


def _job(images: ImageSet, options: HatsWriting) -> _Job:
    """Gather what all files need, and refuse what cannot be written."""
    ra_deg, dec_deg, used = _places(images, options)
    columns: dict[str, Any] = {INDEX: nested_pixels(ra_deg, dec_deg), RA: ra_deg, DEC: dec_deg}
    units = {name: getattr(images.catalog[name], "unit", None) for name in used if name in (RA, DEC)}
    for name in images.catalog.colnames:
        if name not in (INDEX, HEIGHT, WIDTH, CORRELATION_COLUMN, *(one for one in used if one in (RA, DEC))):
            free = f"label_{name}" if name in (RA, DEC, IMAGE) else name
            columns[free] = images.catalog[name]
            units[free] = getattr(images.catalog[name], "unit", None)
    shapes = images.shapes
    columns[HEIGHT], columns[WIDTH] = shapes[:, 0].astype(np.int32), shapes[:, 1].astype(np.int32)
    beside = names_beside(images)
    for kind, words in NOT_TAKEN.items():
        if kind in beside or kind in images.catalog.colnames:
            logger.warning(
                "%s: has %s, for which the layout has no place; they are not written", images.path, words
            )
    lists = [(FLUX, pa.float32()), (MASK, pa.bool_()), (IVAR, pa.float32())]
    has = {FLUX: True, MASK: "masks" in beside, IVAR: "ivars" in beside}
    struct = pa.struct(
        [
            (BAND, pa.list_(pa.string())),
            *((name, list_of(kind)) for name, kind in lists if has[name]),
            *((name, pa.list_(pa.float32())) for name in (PSF_FWHM, SCALE)),
        ]
    )
    fields = [
        pa.field(name, _arrow_values(column[:1]).type, metadata=_said(units.get(name)))
        for name, column in columns.items()
    ]
    schema = pa.schema([*fields, pa.field(IMAGE, struct)], metadata={METADATA_KEY: _metadata_text(images)})
    header, n = images.header, len(images)
    by_band = {
        PSF_FWHM: _widths(header, images.catalog, n),
        SCALE: np.repeat(_scales(header, images.catalog, n)[:, np.newaxis], len(header.bands), axis=1).astype(
            np.float32
        ),
    }
    return _Job(images, columns, schema, by_band, columns[INDEX])


def _places(images: ImageSet, options: HatsWriting) -> tuple[Doubles, Doubles, tuple[str, ...]]:
    """Right ascensions and declinations of all images in degrees, and the columns that they are from."""
    if options.sky == "scatter":
        return *scattered(len(images)), ()
    catalog = images.catalog
    names = tuple(_column_of(catalog, role, given) for role, given in ((RA, options.ra), (DEC, options.dec)))
    ra_deg, dec_deg = (_degrees(catalog, name) for name in names)
    is_place = np.isfinite(ra_deg) & np.isfinite(dec_deg) & (np.abs(dec_deg) <= 90)
    if not is_place.all():
        row, n_bad = int(np.argmin(is_place)), int((~is_place).sum())
        raise InputError(
            f"{images.path or 'the images'}: {catalog[NAME][row]} has {names[0]}={ra_deg[row]:g}, "
            f"{names[1]}={dec_deg[row]:g} ({n_bad:,} such); wanted degrees, declinations of -90 to 90; leave them out with "
            "`where`"
        )
    return ra_deg, dec_deg, names


def _column_of(catalog: QTable, role: str, given: str | None) -> str:
    """Find the column of right ascension or declination."""
    if given is not None:
        if given not in catalog.colnames:
            raise SettingsError(
                f"no such column{near_miss(given, catalog.colnames)}; the catalog has {', '.join(catalog.colnames)}",
                argument=role,
                came=given,
            )
        return given
    by_case = {name.lower(): name for name in reversed(catalog.colnames)}
    found = next((by_case[name] for name in ROLES[role] if name in by_case), None)
    if found is None:
        raise SettingsError(
            f"the catalog has no column of {ROLES[role][-1].replace('_', ' ')}, by which HATS keeps images; it has "
            f"{', '.join(catalog.colnames)}; name one with `{role}`, or spread images without a place evenly with "
            "`sky=scatter`"
        )
    return found


def _degrees(catalog: QTable, name: str) -> Doubles:
    """Give a column of angles in degrees, [image] float64."""
    column = catalog[name]
    try:
        unit = getattr(column, "unit", None)
        return np.asarray(column if unit is None else column.to_value("deg"), dtype=np.float64)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"the column {name} holds no angles ({error}); name another with `ra` and `dec`"
        ) from error


def _rows_of_file(job: _Job) -> int:
    """Most rows of a partition, so that its pixels fit into memory."""
    return max(1, min(MOST_ROWS, BYTES_TOGETHER // _bytes_of_image(job)))


def _bytes_of_image(job: _Job) -> int:
    """Bytes of the largest image with its maps."""
    kinds = job.schema.field(IMAGE).type
    beside = PIXEL_BYTES * (kinds.get_field_index(IVAR) >= 0) + (kinds.get_field_index(MASK) >= 0)
    return max(
        1, int(job.images.shapes.prod(axis=1).max()) * len(job.images.header.bands) * (PIXEL_BYTES + beside)
    )


def _write_partition(
    job: _Job, file: Path, rows: NDArray[np.int64], *, progress: ProgressCallback, done: int
) -> None:
    """Write one file, its images read together as far as memory allows and written in groups that are read at once."""
    together, per_group = (max(1, size // _bytes_of_image(job)) for size in (BYTES_TOGETHER, BYTES_PER_GROUP))
    plain = [f"{IMAGE}.{name}.list.element.list.element.list.element" for name in (FLUX, IVAR)]
    with (
        written_atomically(file) as temporary,
        pq.ParquetWriter(
            temporary,
            job.schema,
            compression={name: "zstd" for name in _leaves(job.schema) if name not in plain},
            use_dictionary=[f"{IMAGE}.{BAND}.list.element"],
            write_statistics=[name for name in _leaves(job.schema) if not name.startswith(f"{IMAGE}.")],
        ) as writer,
    ):
        for start in range(0, len(rows), together):
            chosen = rows[start : start + together]
            pixels, beside = job.images.pixels.read(chosen), companions_of(job.images, chosen)
            for first in range(0, len(chosen), per_group):
                group = slice(first, first + per_group)
                writer.write_table(
                    _table(job, chosen[group], pixels[group], beside, group), row_group_size=per_group
                )
                progress(
                    ProgressEvent(
                        "exporting",
                        done + start + min(first + per_group, len(chosen)),
                        len(job.index),
                        "images",
                    )
                )


def _leaves(schema: pa.Schema) -> list[str]:
    """Paths of all columns of values, as Parquet names them."""
    found: list[str] = []

    def visit(kind: pa.DataType, path: str) -> None:
        if pa.types.is_struct(kind):
            for number in range(kind.num_fields):
                visit(kind.field(number).type, f"{path}.{kind.field(number).name}")
        elif pa.types.is_list(kind):
            visit(kind.value_type, f"{path}.list.element")
        else:
            found.append(path)

    for name in schema.names:
        visit(schema.field(name).type, name)
    return found


def _table(
    job: _Job, rows: NDArray[np.int64], pixels: Sequence[Values], beside: Companions | None, group: slice
) -> pa.Table:
    """Make the rows of one group."""
    bands = list(job.images.header.bands)
    lists: dict[str, Sequence[Values]] = {FLUX: pixels}
    if beside is not None and len(beside.masks):
        lists[MASK] = [
            ~np.asarray(mask, dtype=bool) for mask in beside.masks[group]
        ]  # true is usable, as published
    if beside is not None and len(beside.ivars):
        lists[IVAR] = beside.ivars[group]
    struct = job.schema.field(IMAGE).type
    arrays = []
    for number in range(struct.num_fields):
        name = struct.field(number).name
        if name == BAND:
            arrays.append(pa.array([bands] * len(rows), type=pa.list_(pa.string())))
        elif name in lists:
            kind = pa.bool_() if name == MASK else pa.float32()
            arrays.append(cubes_to_lists(lists[name], kind))
        else:
            arrays.append(pa.array(list(job.by_band[name][rows]), type=pa.list_(pa.float32())))
    columns = [_arrow_values(column[rows]) for column in job.columns.values()]
    images = pa.StructArray.from_arrays(arrays, fields=list(struct))
    return pa.Table.from_arrays([*columns, images], schema=job.schema)


def _arrow_values(column: Any) -> pa.Array:
    """Turn a column of a catalog to Arrow's values; missing ones are null."""
    missing = np.asarray(column.mask) if isinstance(column, MaskedColumn) else None
    values = np.asarray(getattr(column, "value", column.data.data if missing is not None else column))
    values = values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind in "USO":
        return pa.array([str(value) for value in values.tolist()], type=pa.string(), mask=missing)
    if values.ndim > 1:
        return pa.array(list(values.reshape(len(values), -1)))
    return pa.array(values, mask=missing)


def _said(unit: object) -> dict[str, str] | None:
    """Metadata of a column."""
    return None if unit is None else {"unit": str(unit)}


def _widths(header: ImageHeader, catalog: QTable, n: int) -> NDArray[np.float32]:
    """Width of the PSF of each image and band in arcsec, [image, band] float32; NaN where it is unknown."""
    found = np.full((n, len(header.bands)), np.nan, dtype=np.float32)
    said = header.psf.get("psf_fwhm_pix")
    if isinstance(said, int | float):
        found[:] = (said * _scales(header, catalog, n))[:, np.newaxis]
    for number, band in enumerate(header.bands):
        for name in (FWHM_COLUMN, f"{FWHM_COLUMN}_{band}"):
            if name in catalog.colnames:
                found[:, number] = np.asarray(
                    getattr(catalog[name], "value", catalog[name]), dtype=np.float32
                )
    return found


def _scales(header: ImageHeader, catalog: QTable, n: int) -> Doubles:
    """Angle of a pixel of each image in arcsec, [image] float64; NaN where it is unknown."""
    if header.pixel_scale_arcsec is None and SCALE_COLUMN in catalog.colnames:
        return np.asarray(getattr(catalog[SCALE_COLUMN], "value", catalog[SCALE_COLUMN]), dtype=np.float64)
    return np.full(n, np.nan if header.pixel_scale_arcsec is None else header.pixel_scale_arcsec)


def _metadata_text(images: ImageSet) -> str:
    """Write what the layout has no place for."""
    given = images.catalog.meta.get("given") or {}
    return json.dumps(
        {
            "version": METADATA_VERSION,
            "header": images.header.to_dict(),
            "lost_before": dict(given.get("unusable", {})),
            "content_hash": images.content_hash,
        },
        sort_keys=True,
    )


def _write_pages(job: _Job, folder: Path, pixels: Sequence[Pixel], name: str, fingerprint: str) -> None:
    """Write what stands beside the partitions; the page that says what the folder is comes last."""
    footers = []
    for pixel in pixels:
        footer = pq.read_metadata(folder / DATASET / pixel.path())
        footer.set_file_path(str(pixel.path()))
        footers.append(footer)
    for file, collected in (("_metadata", footers), ("_common_metadata", None)):
        with written_atomically(folder / DATASET / file) as temporary:
            pq.write_metadata(job.schema, temporary, metadata_collector=collected)
    with written_atomically(folder / PARTITIONS) as temporary:
        temporary.write_text(partitions_text(pixels), encoding="utf-8")
    n_bytes = sum((folder / DATASET / pixel.path()).stat().st_size for pixel in pixels)
    said = {
        "obs_collection": name,
        "dataproduct_type": "object",
        "hats_nrows": len(job.index),
        "hats_col_ra": RA,
        "hats_col_dec": DEC,
        "hats_col_healpix": INDEX,
        "hats_col_healpix_order": INDEX_ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_builder": f"galsmith v{metadata.version('galsmith')}",
        "hats_estsize": n_bytes // 1024,
        "hats_version": "v1.0",
        "hats_order": max(pixel.order for pixel in pixels),
        "moc_sky_fraction": f"{share_of_sky(list(pixels)):.5g}",
        FINGERPRINT: fingerprint,
    }
    for page in reversed(PROPERTIES):
        with written_atomically(folder / page) as temporary:
            temporary.write_text(properties_text("HATS catalog", said), encoding="utf-8")

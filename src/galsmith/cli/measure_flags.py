"""Flags of `galsmith measure`: how it measures, what belongs to image files, and the picture of one galaxy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from galsmith.cli.premises import (
    FIGURE_ENDINGS,
    MEASURE_SETTINGS,
    check_counts,
    check_ending,
    check_overrides,
    check_positive,
    check_there,
)
from galsmith.data.readers.options import (
    IVAR_HELP,
    MASK_BITS_HELP,
    MASK_HELP,
    PSF_HELP,
    SIGMA_HELP,
    parse_bands,
    parse_hdu,
    parse_zero_points,
)
from galsmith.errors import SettingsError

if TYPE_CHECKING:
    from galsmith.data.galaxies import FileRequest
    from galsmith.measure import MeasureSettings

# as the settings of a measurement have it
FEWEST_REPETITIONS = 8
SHORT: Literal["short"] = "short"
METHOD = Group(
    "How to measure",
    help="Example: galsmith measure galaxies -o galaxies.parquet --segmentation survey --sky annulus",
    sort_key=10,
)
FILES = Group(
    "Image files with maps",
    help=(
        "A MAP is a file, FILE[HDU], [HDU] of the image's own file, a folder of files with the images' stems, or a glob in "
        "quotes. One image with --segmap: all its labels are measured. "
        "Example: galsmith measure 'g/*_sci.fits' --segmap 'g/*_seg.fits' --psf psf.fits -o table.fits"
    ),
    sort_key=20,
)
ARRAYS = Group(
    "Images in one array: HDF5, NPY, NPZ",
    help="Example: galsmith measure set.h5:/images -o table.parquet --bands g,r,i --band r",
    sort_key=15,
)
CATALOG = Group(
    "Positions in one big image",
    help="Example: galsmith measure field.fits --catalog sources.csv --cutout 128 -o table.parquet",
    sort_key=30,
)
FIGURE = Group(
    "Figure of one galaxy",
    help="Example: galsmith measure galaxies --index 12 --figure galaxy.png",
    sort_key=40,
)


@Parameter(name="*", group=METHOD)
@dataclass(frozen=True)
class MethodFlags:
    """How galaxies are found and measured; what is left out keeps the default of the settings."""

    segmentation: Annotated[
        Literal["paper", "survey"] | None,
        Parameter(
            help="Take the largest source (paper, the default) or the central one (survey, with --catalog)."
        ),
    ] = None
    sky: Annotated[
        Literal["box", "annulus"] | None,
        Parameter(
            help="Sky from the first empty box, as statmorph, or from all background (default of survey)."
        ),
    ] = None
    sersic: Annotated[
        Literal["integrated", "parity", "none"] | None,
        Parameter(help="Sérsic fit of laws integrated over pixels (default), as statmorph fits, or none."),
    ] = None
    double_sersic: Annotated[
        bool, Parameter(help="Fit two Sérsic laws of one center too.", show_default=False)
    ] = False
    band: Annotated[str | None, Parameter(help="Band to measure, or all: a row each.")] = None
    colors: Annotated[
        str | None,
        Parameter(help="Colors of several bands, such as g-i,g-r, or none; the usual ones when left out."),
    ] = None
    gain: Annotated[float | None, Parameter(help="Electrons per flux unit; the header's when left out.")] = (
        None
    )
    uncertainties: Annotated[
        int | None,
        Parameter(
            help="Measure each galaxy so often again with other noise, for sigmas (20 to 32; else none)."
        ),
    ] = None
    corrections: Annotated[
        bool,
        Parameter(help="Correct A, C, Gini, M20 for noise and resolution (needs --psf).", show_default=False),
    ] = False
    engine: Annotated[
        Literal["galsmith", "statmorph"], Parameter(help="What measures; statmorph is the oracle, slow.")
    ] = "galsmith"

    def check(self, overrides: list[str]) -> None:
        """Refuse settings and numbers that no measurement can have, before the settings are loaded that would."""
        chosen = check_overrides(overrides, MEASURE_SETTINGS)
        for key in self._values():
            if key in chosen:
                option = key.replace("_", "-")
                raise SettingsError(f"--set {key}={chosen[key]}: --{option} says it too; give one of them")
        check_positive({"gain": self.gain})
        if (
            self.uncertainties is not None
            and self.uncertainties != 0
            and self.uncertainties < FEWEST_REPETITIONS
        ):
            wanted = f"{FEWEST_REPETITIONS} or more repetitions, or 0 for none"
            raise SettingsError(argument="uncertainties", came=self.uncertainties, wanted=wanted)
        if self.colors is not None:
            parse_colors(self.colors)

    @property
    def oracle(self) -> str | None:
        """The engine where it is not galsmith's own."""
        return None if self.engine == "galsmith" else self.engine

    def to_settings(self, overrides: list[str]) -> "MeasureSettings":
        """Join the named options and --set to settings.

        Parameters
        ----------
        overrides : list of str
            What --set gave; an option that is named twice is refused.
        """
        from galsmith.measure import MeasureSettings
        from galsmith.settings import apply_overrides, typed_settings

        self.check(overrides)
        values = self._values()
        if self.engine == "statmorph" and self.sersic == "integrated":
            raise SettingsError(
                "engine 'statmorph' fits in its own way; take 'parity', or leave it out",
                argument="sersic",
                came=self.sersic,
            )
        chosen = apply_overrides({}, overrides)
        for key, value in values.items():
            typed_settings(MeasureSettings, {key: value}, source=f"--{key.replace('_', '-')}")
        return typed_settings(MeasureSettings, {**chosen, **values}, source="--set")

    def _values(self) -> dict[str, Any]:
        """Give the settings that flags of their own name."""
        named: dict[str, Any] = {"segmentation": self.segmentation, "sky": self.sky, "sersic": self.sersic}
        named |= {"band": self.band, "gain": self.gain, "double_sersic": self.double_sersic or None}
        named["uncertainties"] = self.uncertainties
        named["corrections"] = self.corrections or None
        named["colors"] = None if self.colors is None else parse_colors(self.colors)
        return {key: value for key, value in named.items() if value is not None}


@Parameter(name="*")
@dataclass(frozen=True)
class FileFlags:
    """What belongs to image files of other people."""

    hdu: Annotated[
        str | None,
        Parameter(
            group=FILES,
            help="HDU of the images: number, name, or SCI,2; the first with an image when left out.",
        ),
    ] = None
    bands: Annotated[
        str | None, Parameter(group=FILES, help="Names of the planes of a cube, such as g,r,i.")
    ] = None
    plane: Annotated[int | None, Parameter(group=FILES, help="The only plane of a cube to take, from 0.")] = (
        None
    )
    band_axis: Annotated[
        Literal["first", "last"] | None,
        Parameter(group=ARRAYS, help="Where an image's band axis is; the shorter one when left out."),
    ] = None
    flux_unit: Annotated[
        str | None,
        Parameter(group=FILES, help="Unit of a pixel's value; display for pictures, whose sky is not 0."),
    ] = None
    zero_points: Annotated[
        str | None,
        Parameter(group=FILES, help="AB magnitude of 1 unit, as 25.0, 25.0,25.1 or g=25.0,r=25.1."),
    ] = None
    segmap: Annotated[
        str | None, Parameter(group=FILES, help="MAP of labels: 0 is sky, every source has a number.")
    ] = None
    labels: Annotated[
        str | None,
        Parameter(
            name="--label", group=FILES, help="Labels to measure, such as 3 or 3,7,12; else all of one image."
        ),
    ] = None
    mask: Annotated[
        str | None,
        Parameter(group=FILES, help=MASK_HELP),
    ] = None
    mask_bits: Annotated[
        str | None,
        Parameter(
            group=FILES,
            help=MASK_BITS_HELP,
        ),
    ] = None
    sigma: Annotated[
        str | None,
        Parameter(
            group=FILES,
            help=SIGMA_HELP,
        ),
    ] = None
    ivar: Annotated[str | None, Parameter(group=FILES, help=IVAR_HELP)] = None
    psf: Annotated[str | None, Parameter(group=FILES, help=PSF_HELP)] = None
    catalog: Annotated[
        Path | None, Parameter(group=CATALOG, help="CSV, ECSV, FITS or Parquet with x,y (from 0) or ra,dec.")
    ] = None
    columns: Annotated[
        str | None,
        Parameter(
            group=CATALOG,
            help="Columns of the catalog, such as x=XPOS,y=YPOS,id=NUM,size=N; 'short' is of the table: a dozen or two.",
        ),
    ] = None
    cutout: Annotated[
        int | None, Parameter(group=CATALOG, help="Side of the cutouts in pixels (128 when left out).")
    ] = None

    @property
    def table_columns(self) -> Literal["all", "short"]:
        """Which columns the table gets."""
        return SHORT if SHORT in self._words else "all"

    @property
    def _words(self) -> list[str]:
        """Give what --columns says, part by part."""
        return [] if self.columns is None else [part.strip() for part in self.columns.split(",")]

    @property
    def _roles(self) -> list[str]:
        """Give the parts of --columns that are of the catalog."""
        return [part for part in self._words if part != SHORT]

    def check(self, images: list[str]) -> None:
        """Refuse what cannot be read, before anything is loaded that reads files."""
        for value, parse in (
            (self.hdu, parse_hdu),
            (self.bands, parse_bands),
            (self.zero_points, parse_zero_points),
            (self.labels, parse_labels),
        ):
            if value is not None:
                parse(value)
        check_counts({"cutout_pix": self.cutout})
        for place in (*images, self.catalog):
            if place is not None:
                check_there(place)

    def to_request(self, images: list[str]) -> "FileRequest":
        """Return the library's record of the same."""
        from galsmith.data.galaxies import FileRequest

        return FileRequest(
            images=tuple(images),
            hdu=None if self.hdu is None else parse_hdu(self.hdu),
            bands=None if self.bands is None else parse_bands(self.bands),
            band_axis=self.band_axis,
            flux_unit=self.flux_unit,
            plane=self.plane,
            zero_points_mag=None if self.zero_points is None else parse_zero_points(self.zero_points),
            segmap=self.segmap,
            mask=self.mask,
            mask_bits=None if self.mask_bits is None else parse_bands(self.mask_bits),
            sigma=self.sigma,
            ivar=self.ivar,
            psf=self.psf,
            labels=None if self.labels is None else parse_labels(self.labels),
            catalog=self.catalog,
            columns=",".join(self._roles) or None,
            cutout_pix=self.cutout,
        )

    def refuse_for_store(self, store: str) -> None:
        """Refuse flags that have no meaning for a store."""
        for name, value in vars(self).items():
            if value is not None and not (name == "columns" and not self._roles):
                ignored = {"mask": "mask", "sigma": "noise", "ivar": "noise", "psf": "psf"}.get(name)
                instead = f"; what lies in the store beside its images is left out with --set 'ignore=[\"{ignored}\"]'"
                raise SettingsError(
                    f"belongs to image files, and {store} is a store; leave it out{instead if ignored else ''}",
                    argument=name,
                    came=value,
                )


@Parameter(name="*", group=FIGURE)
@dataclass(frozen=True)
class FigureFlags:
    """Which galaxy is drawn, and where the picture goes."""

    figure: Annotated[
        Path | None, Parameter(help="Picture of one galaxy, .png, .pdf or .svg; the table needs -o as well.")
    ] = None
    index: Annotated[int | None, Parameter(help="Which galaxy, from 0; the first when left out.")] = None
    object_id: Annotated[str | None, Parameter(name="--id", help="Which galaxy, by its object_id.")] = None

    def check(self, output: Path | None, *, of_table: Mapping[str, Any]) -> None:
        """Refuse what has no meaning together, and a command that would write nothing.

        Parameters
        ----------
        output : Path or None
            The table.
        of_table : mapping of str to object
            Arguments that a table alone has an effect of; None where they were left out.
        """
        if self.figure is None and output is None:
            raise SettingsError(
                "nothing to write: name the table with -o TABLE.parquet, or a picture with --figure GALAXY.png"
            )
        check_ending(self.figure, FIGURE_ENDINGS, argument="figure")
        if self.figure is None and (self.index is not None or self.object_id is not None):
            raise SettingsError(
                "--index and --id choose the galaxy of a figure; give --figure PATH.png as well"
            )
        for name, value in of_table.items():
            if output is None and value is not None:
                raise SettingsError(
                    "belongs to the table; name it with -o TABLE.parquet as well", argument=name, came=value
                )
        if self.index is not None and self.object_id is not None:
            raise SettingsError(f"--index {self.index} --id {self.object_id}: give one of them")


def parse_colors(text: str) -> tuple[str, ...]:
    """Read colors written as ``g-i,g-r``; ``none`` for no colors."""
    names = tuple(part.strip() for part in text.split(","))
    if names == ("none",):
        return ()
    if not all(names):
        raise SettingsError(f"--colors {text}: wanted pairs of bands, such as g-i,g-r, or none")
    return names


def parse_labels(text: str) -> tuple[int, ...]:
    """Read labels written as ``3,7,12``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SettingsError(f"--label {text}: wanted whole numbers, such as 3 or 3,7,12") from error

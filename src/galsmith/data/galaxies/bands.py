"""Which planes of images are measured and what they are called."""

from collections.abc import Sequence
from dataclasses import dataclass

from galsmith.data.galaxies.fits_image import ImageHead
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader
from galsmith.images.bands import bands_of_pairs, parse_pair
from galsmith.settings import near_miss

ALL_BANDS = "all"


@dataclass(frozen=True)
class ChosenPlanes:
    """Planes of every image, the names of their bands, and which of these is measured: one, or ``"all"``."""

    planes: tuple[int, ...]
    bands: tuple[str, ...]
    band: str


def choose_planes(
    heads: Sequence[ImageHead],
    *,
    band: str | None,
    bands: Sequence[str] | None,
    colors: Sequence[str] | None = (),
) -> ChosenPlanes:
    """Decide which planes are read.

    Parameters
    ----------
    heads : sequence of ImageHead
        Of all images.
    band : str or None
        One band's name, or ``"all"``; needed for cubes.
    bands : sequence of str or None
        Names of the planes; else those of the headers, else ``band0`` and so on.
    colors : sequence of str or None
        Pairs of bands that are read beside the measured one, such as ``"g-i"``; None reads all bands that have
        names.

    Raises
    ------
    InputError
        If images differ in number or names of bands, or are cubes and no band is chosen.
    SettingsError
        If the names do not fit.
    """
    names = _common_names(heads, bands)
    if band == ALL_BANDS or (len(names) == 1 and band is None):
        return ChosenPlanes(tuple(range(len(names))), names, names[0] if len(names) == 1 else ALL_BANDS)
    if band is None:
        place = heads[0].place
        raise InputError(
            f"{place}: a cube of {len(names)} planes ({', '.join(names)}); choose one with --band {names[0]}, or take "
            "all with --band all; name the planes with --bands"
        )
    if band not in names:
        raise SettingsError(
            f"--band {band}: {heads[0].place} has no such band{near_miss(band, names)}; it has {', '.join(names)}"
        )
    has_names = bands is not None or heads[0].bands is not None
    chosen = bands_to_read(names, band, colors if colors is not None or has_names else ())
    return ChosenPlanes(tuple(names.index(name) for name in chosen), chosen, band)


def bands_to_read(names: Sequence[str], band: str, colors: Sequence[str] | None) -> tuple[str, ...]:
    """Find the measured band and those of colors, in the images' order; all where no colors are named.

    Raises
    ------
    SettingsError
        If a color is no pair of the images' bands.
    """
    if colors is None:
        return tuple(names)
    wanted = {band, *bands_of_pairs([parse_pair(text, names) for text in colors])}
    return tuple(name for name in names if name in wanted)


def common_header(heads: Sequence[ImageHead], chosen: ChosenPlanes) -> ImageHeader:
    """Say what is true of all images, in the planes that are read.

    Raises
    ------
    InputError
        If their units differ.
    """
    return ImageHeader(
        chosen.bands,
        _common_flux_unit(heads),
        _common_pixel_scale(heads),
        zero_points_mag=_common_zero_points(heads, chosen),
    )


def _common_zero_points(heads: Sequence[ImageHead], chosen: ChosenPlanes) -> dict[str, float]:
    """Give the AB magnitude of one flux unit by band that all images state in MAGZP; empty where one differs."""
    stated = {head.zero_points_mag for head in heads}
    values = next(iter(stated)) if len(stated) == 1 else None
    return (
        {}
        if values is None
        else {name: values[plane] for plane, name in zip(chosen.planes, chosen.bands, strict=True)}
    )


def _common_flux_unit(heads: Sequence[ImageHead]) -> str:
    """Give the unit that all images state in BUNIT; ``"unknown"`` where none does.

    Raises
    ------
    InputError
        If they differ: fluxes of one column have one unit.
    """
    for head in heads:
        if head.flux_unit != heads[0].flux_unit:
            raise InputError(
                f"{head.place}: BUNIT is {head.flux_unit}, in {heads[0].place.path.name} it is {heads[0].flux_unit}; "
                "measure images of different units apart"
            )
    unit = heads[0].flux_unit
    return "unknown" if unit is None else unit


def _common_pixel_scale(heads: Sequence[ImageHead], *, tolerance: float = 1e-3) -> float | None:
    """Give the pixel scale that all images state, in arcsec; None where one differs or is not stated."""
    scales = [head.pixel_scale_arcsec for head in heads]
    first = scales[0]
    if first is None:
        return None
    agree = all(scale is not None and abs(scale - first) <= tolerance * first for scale in scales)
    return first if agree else None


def _common_names(heads: Sequence[ImageHead], given: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the bands that all images have."""
    first = heads[0]
    for head in heads:
        if head.n_planes != first.n_planes:
            raise InputError(
                f"{head.place}: has {head.n_planes} planes, {first.place.path.name} has {first.n_planes}; "
                "measure images of different bands apart"
            )
        if given is None and head.bands != first.bands:
            raise InputError(
                f"{head.place}: FILTER is {_named(head)}, in {first.place.path.name} it is {_named(first)}; measure them "
                "apart, or name the bands with --bands"
            )
    if given is not None:
        if len(given) != first.n_planes:
            raise SettingsError(
                f"--bands {','.join(given)}: names {len(given)} bands, {first.place} has {first.n_planes}"
            )
        return tuple(given)
    return first.bands if first.bands is not None else tuple(f"band{k}" for k in range(first.n_planes))


def _named(head: ImageHead) -> str:
    """Name the filters of one image."""
    return ",".join(head.bands) if head.bands is not None else "not stated"

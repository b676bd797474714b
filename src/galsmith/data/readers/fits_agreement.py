"""What many FITS images have in common: bands, unit, scale and zero points; which differ is told all at once."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from galsmith.data.readers.fits import FitsHead
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader
from galsmith.images.units import is_same_unit

# The surveys of most narrow bands have twelve.
MOST_UNNAMED_BANDS = 12
SCALE_TOLERANCE = 1e-3
NAMED_AT_MOST = 3
logger = logging.getLogger(__name__)


def common_header(
    heads: Sequence[FitsHead],
    *,
    bands: Sequence[str] | None = None,
    flux_unit: str | None = None,
    otherwise: ImageHeader | None = None,
) -> ImageHeader:
    """Give what is true of all images; bands without a name are called ``band0`` and so on.

    Zero points and pixel scales that differ, or that not all state, are left out.

    Parameters
    ----------
    heads : sequence of FitsHead
        Of all images.
    bands : sequence of str or None
        Names of the planes, before those of the headers.
    flux_unit : str or None
        Unit of a pixel's value, before that of the headers.
    otherwise : ImageHeader, optional
        What to take where nobody states it.

    Raises
    ------
    InputError
        If images differ in number or names of bands, or in their unit: fluxes of one column have one unit.
    SettingsError
        If there are more or fewer names than planes.
    """
    default = ImageHeader(("band0",), "unknown") if otherwise is None else otherwise
    faults = [
        *_differing(heads, lambda head: head.n_planes, "the number of bands"),
        *([] if bands is not None else _differing(heads, lambda head: head.bands, "FILTER", way_out="bands")),
        *([] if flux_unit is not None else _differing_units(heads)),
    ]
    if faults:
        ways = "".join(
            f", or give `{name}`" for name in dict.fromkeys(fault.way_out for fault in faults) if name
        )
        raise InputError(f"{'; '.join(fault.text for fault in faults)}; take such images apart{ways}")
    names = _common_names(heads, bands, default.bands)
    units = [head.flux_unit for head in heads if head.flux_unit is not None]
    scales = [head.pixel_scale_arcsec for head in heads]
    first = scales[0] if scales else None
    agree = first is not None and all(
        scale is not None and math.isclose(scale, first, rel_tol=SCALE_TOLERANCE) for scale in scales
    )
    stated = {head.zero_points_mag for head in heads}
    zero_points = next(iter(stated)) if len(stated) == 1 else None
    return ImageHeader(
        names,
        flux_unit if flux_unit is not None else units[0] if units else default.flux_unit,
        first if agree else default.pixel_scale_arcsec,
        zero_points_mag={
            **{band: value for band, value in default.zero_points_mag.items() if band in names},
            **({} if zero_points is None else dict(zip(names, zero_points, strict=True))),
        },
    )


def scale_or_given(head: FitsHead, given_arcsec: float | None) -> float | None:
    """Pixel scale in arcsec: as given, else as the header states it.

    Raises
    ------
    SettingsError
        If they contradict one another by more than a hundredth.
    """
    stated = head.pixel_scale_arcsec
    if given_arcsec is None or stated is None:
        return stated if given_arcsec is None else given_arcsec
    if not math.isclose(given_arcsec, stated, rel_tol=10 * SCALE_TOLERANCE):
        raise SettingsError(
            f"the header of {head.place.path} says {stated:.6g} arcsec; leave the option out, or mend the header",
            argument="pixel_scale_arcsec",
            came=f"{given_arcsec:g}",
        )
    return given_arcsec


def _common_names(
    heads: Sequence[FitsHead], given: Sequence[str] | None, default: tuple[str, ...]
) -> tuple[str, ...]:
    """Names of the bands that all images have."""
    if not heads:
        return default if given is None else tuple(given)
    n_planes = heads[0].n_planes
    if given is not None:
        if len(given) != n_planes:
            raise SettingsError(
                f"names {len(given)} bands, {heads[0].place.path} has {n_planes}",
                argument="bands",
                came=given,
            )
        return tuple(given)
    stated = [head.bands for head in heads if head.bands is not None]
    if stated:
        silent = [head for head in heads if head.bands is None]
        if silent:
            logger.warning(
                "%s%s: no FILTER is stated; taken as %s, as the others state",
                silent[0].place.path,
                f" and {len(silent) - 1} more" if len(silent) > 1 else "",
                ",".join(stated[0]),
            )
        return stated[0]
    if len(default) == n_planes:
        return default
    if n_planes > MOST_UNNAMED_BANDS:
        raise InputError(
            f"{heads[0].place}: a cube of {n_planes} planes that its header does not name; are they bands? Name them with "
            "`bands`, take one with `plane` (from 0), or another image of the file with `hdu`"
        )
    return tuple(f"band{number}" for number in range(n_planes))


class _Fault(NamedTuple):
    """Images that differ from the others, in words, and the argument that helps."""

    text: str
    way_out: str


def _differing(
    heads: Sequence[FitsHead], fact: Callable[[FitsHead], Any], word: str, *, way_out: str = ""
) -> list[_Fault]:
    """Name images that state something else than the first that states it."""
    first = next((head for head in heads if fact(head) is not None), None)
    if first is None:
        return []
    odd = [head for head in heads if fact(head) not in (None, fact(first))]
    return _told(odd, first, fact, word=word, way_out=way_out)


def _differing_units(heads: Sequence[FitsHead]) -> list[_Fault]:
    """Name images in another unit than the first, or in none where others have one."""
    if not heads:
        return []
    first = heads[0]
    odd = [head for head in heads if not _is_same(head.flux_unit, first.flux_unit)]
    return _told(odd, first, lambda head: head.flux_unit, word="BUNIT", way_out="flux_unit")


def _is_same(one: str | None, other: str | None) -> bool:
    """Whether two units are the same, or none is stated."""
    return one == other or (one is not None and other is not None and is_same_unit(one, other))


def _told(
    odd: Sequence[FitsHead], first: FitsHead, fact: Callable[[FitsHead], Any], *, word: str, way_out: str
) -> list[_Fault]:
    """Say in one piece which images differ in one thing."""
    if not odd:
        return []

    def shown(head: FitsHead) -> str:
        value = fact(head)
        return "not stated" if value is None else ",".join(value) if isinstance(value, tuple) else str(value)

    named = ", ".join(
        f"{head.place.path if place == 0 else head.place.path.name}: {word} is {shown(head)}"
        for place, head in enumerate(odd[:NAMED_AT_MOST])
    )
    more = f" and {len(odd) - NAMED_AT_MOST} more" if len(odd) > NAMED_AT_MOST else ""
    return [_Fault(f"{named}{more}, in {first.place.path.name} it is {shown(first)}", way_out)]

"""Masks and noise that lie in the images' own files, or beside them by name: found by the survey's layout, and said."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from galsmith.data.readers.array_files import arrays_in, words_of_array
from galsmith.data.readers.fits import READ_ERRORS, FitsHead, FitsPlace, opened_fits, read_head
from galsmith.data.readers.listing import ArrayPlace, TarMember
from galsmith.data.readers.maps import MapPlace
from galsmith.data.readers.surveys import (
    BAND_OF_NAME,
    LIKE_MASKS,
    SURVEYS,
    WORDS_OF_NOISE,
    NoiseKind,
    Survey,
    counted_bits,
    is_named_as_map,
    meaning_of_noise,
    meaning_of_weights,
)
from galsmith.errors import InputError

logger = logging.getLogger(__name__)
# In names of arrays, of images and of what lies beside them alike.
WORDS_OF_ARRAYS = ("image", "images", "img", "flux", "array")
OF_ARRAYS = "the array's name"


class Unit(NamedTuple):
    """An HDU that holds an image."""

    number: int
    name: str
    version: int
    size: tuple[int, ...]


@dataclass(frozen=True)
class FileMaps:
    """Maps of all images that nobody named.

    Attributes
    ----------
    places : mapping of argument to tuple of MapPlace
        One an image, of ``"mask"`` and of ``"sigma"``, where they are there.
    kind : {"sigma", "variance", "ivar"}
        What those of noise hold.
    survey : Survey or None
        Whose layout it is.
    described : mapping
        The same as plain JSON values.
    """

    places: Mapping[str, tuple[MapPlace, ...]] = field(default_factory=dict)
    kind: NoiseKind = "sigma"
    survey: Survey | None = None
    described: Mapping[str, Any] = field(default_factory=dict)


class _Found(NamedTuple):
    """What one image has; words name it."""

    survey: Survey
    mask: FitsPlace | None
    noise: FitsPlace | None
    kind: NoiseKind
    words: tuple[str, str]
    untold: str

    @property
    def layout(self) -> tuple[str, str, tuple[str, str]]:
        """Give what all images have to have in common."""
        return self.survey.name, self.kind, self.words


def maps_of_files(heads: Sequence[FitsHead], *, wants_mask: bool, wants_noise: bool) -> FileMaps:
    """Find masks and noise by the layouts of `SURVEYS`, where every image has them, and say what is taken.

    Parameters
    ----------
    heads : sequence of FitsHead
        Of the images.
    wants_mask, wants_noise : bool
        What nobody named or refused.
    """
    if not heads or not (wants_mask or wants_noise):
        return FileMaps()
    found: list[_Found] = []
    for head in heads:
        one = _of_image(head)
        if one is None and not found:
            return FileMaps()
        if one is None or (found and one.layout != found[0].layout):
            logger.warning(
                "%s: has no masks or noise as %s has them, so none are taken; name those to take with `mask` and `sigma`",
                head.place.path,
                heads[0].place.path.name,
            )
            return FileMaps()
        found.append(one)
    return _common(heads, found, wants_mask=wants_mask, wants_noise=wants_noise)


def _common(
    heads: Sequence[FitsHead], found: Sequence[_Found], *, wants_mask: bool, wants_noise: bool
) -> FileMaps:
    """Put what the images have together."""
    first = found[0]
    places: dict[str, tuple[MapPlace, ...]] = {}
    for option, wanted, each in (
        ("mask", wants_mask, [one.mask for one in found]),
        ("sigma", wants_noise, [one.noise for one in found]),
    ):
        if wanted and each[0] is not None:
            places[option] = tuple(MapPlace(place) for place in each if place is not None)
    if first.untold:
        logger.warning("%s: %s", heads[0].place.file.parent, first.untold)
    described: dict[str, Any] = {"survey": first.survey.name} if places else {}
    words = dict(zip(("mask", "sigma"), first.words, strict=True))
    described |= {option: words[option] for option in places}
    if "sigma" in places:
        described["noise"] = first.kind
    return FileMaps(places, first.kind, first.survey, described)


def tell(maps: FileMaps, bits: Sequence[str]) -> None:
    """Say in one line what is taken, and how it is not."""
    if not maps.places:
        return
    parts = []
    if "mask" in maps.places:
        which = f"bits {', '.join(bits)}" if bits else "all that is not 0"
        parts.append(f"the mask {maps.described['mask']} ({which})")
    if "sigma" in maps.places:
        words = {"sigma": "standard deviations", "variance": "variances", "ivar": "inverse variances"}
        parts.append(f"{words[maps.kind]} {maps.described['sigma']}")
    ways = " and ".join(f"`{option}=none`" for option in maps.places)
    logger.warning(
        "%s taken from the files (%s); leave out with %s",
        " and ".join(parts),
        maps.described["survey"],
        ways,
    )


def _of_image(head: FitsHead) -> _Found | None:
    """Find what one image has beside it."""
    try:
        units = _units_of(head)
    except READ_ERRORS:
        return None  # what is damaged behind the image is not needed for it
    own = next((unit for unit in units if unit.number == head.place.hdu), None)
    if own is None:
        return None
    if is_named_as_map(own.name):
        logger.warning(
            "%s: %s is measured as an image; by its name it is a mask or noise", head.place.path, own.name
        )
        return None
    beside = {
        unit.name: unit
        for unit in reversed(units)
        if unit.number != own.number and unit.name and unit.version == own.version
    }
    image = "" if own.name == "PRIMARY" else own.name
    for survey in SURVEYS:
        found = _of_survey(head, survey, image, beside)
        if found is not None:
            return found
    untold: list[str] = []
    _mask_in(head, SURVEYS[-1], beside, untold)
    return _Found(SURVEYS[-1], None, None, "sigma", ("", ""), "; ".join(untold)) if untold else None


def _of_survey(head: FitsHead, survey: Survey, image: str, beside: Mapping[str, Unit]) -> _Found | None:
    """Find what an image has in the layout of one survey; None where it is another's."""
    noise_file = _file_beside(head, survey.file_beside(head.place.file.name, survey.noise_file))
    mask_file = _file_beside(head, survey.file_beside(head.place.file.name, survey.mask_file))
    if noise_file is None and mask_file is None and not survey.has(image, beside, head.keywords):
        return None
    untold: list[str] = []
    noise, noise_word = noise_file, _words_of(survey.noise_file)
    kind: NoiseKind = "ivar"
    if noise is None:
        noise, kind, noise_word = _noise_in(head, survey, beside, untold)
    mask, mask_word = mask_file, _words_of(survey.mask_file)
    if mask is None:
        mask, mask_word = _mask_in(head, survey, beside, untold), survey.mask
    words = (mask_word if mask else "", noise_word if noise else "")
    return _Found(survey, mask, noise, kind, words, "; ".join(untold))


def _noise_in(
    head: FitsHead, survey: Survey, beside: Mapping[str, Unit], untold: list[str]
) -> tuple[FitsPlace | None, NoiseKind, str]:
    """Find the HDU of noise in an image's own file, what it holds, and its name."""
    name = next((name for name in survey.noise if name in beside), "")
    place = _fitting(head, beside[name], untold) if name else None
    if place is None:
        return None, "sigma", ""
    meaning = meaning_of_noise(survey.noise[name], head.keywords, read_head(place, is_map=True).keywords)
    if meaning is None or meaning == "time":
        untold.append(_untold_noise(name, is_time=meaning == "time"))
        return None, "sigma", ""
    return place, meaning, name


def _mask_in(
    head: FitsHead, survey: Survey, beside: Mapping[str, Unit], untold: list[str]
) -> FitsPlace | None:
    """Find the mask in an image's own file."""
    if survey.mask not in beside:
        like = [name for name in LIKE_MASKS if name in beside]
        if like:
            untold.append(f"{like[0]} is not taken, as nobody says what masks; give `mask=[{like[0]}]`")
        return None
    mask = _fitting(head, beside[survey.mask], untold)
    if mask is not None and not _is_told(mask, survey):
        untold.append(
            f"the bits of {survey.mask} have no names, so it is not taken; give `mask=[{survey.mask}]`"
        )
        return None
    return mask


def _is_told(mask: FitsPlace, survey: Survey) -> bool:
    """Whether the bits of a survey's mask that count are known, or all that is not 0 does."""
    if survey.bits or not survey.counted:
        return True
    return counted_bits(read_head(mask, is_map=True).keywords, survey, None, name=str(mask))[0] is not None


def _fitting(head: FitsHead, unit: Unit, untold: list[str]) -> FitsPlace | None:
    """Take an HDU that has the pixels of the image, in one plane or in all; where one was chosen, that one."""
    planes = unit.size[0] if len(unit.size) > 2 else 1
    chosen = head.place.plane if planes > 1 else None
    has_planes = planes == 1 or (chosen is None and planes == head.n_planes) or chosen in range(planes)
    if unit.size[-2:] == head.size and len(unit.size) <= 3 and has_planes:
        return FitsPlace(head.place.path, unit.number, chosen)
    untold.append(f"{unit.name} has other pixels than the image, so it is not taken")
    return None


def _untold_noise(name: str, *, is_time: bool) -> str:
    """Say why an HDU of weights is not taken."""
    what = (
        "holds exposure times, which are no inverse variances"
        if is_time
        else "holds weights of which the header does not tell whether they are inverse variances"
    )
    return f"{name} {what}, so it is not taken; give `sigma`, or `ivar=[{name}]` where they are"


def _words_of(ending: str) -> str:
    """Write how files beside the images are named."""
    return f"*{ending.replace(BAND_OF_NAME, '*')}*" if ending else ""


def _file_beside(head: FitsHead, name: str | None) -> FitsPlace | None:
    """Give a file that lies beside the image's own."""
    if name is None or isinstance(head.place.path, TarMember):
        return None
    path = head.place.file.with_name(name)
    return FitsPlace(path) if path.is_file() and path != head.place.file else None


def _units_of(head: FitsHead) -> list[Unit]:
    """List the HDUs of an image's file that hold numbers in two or three axes."""
    with opened_fits(head.place.path) as units:
        return [
            Unit(number, str(unit.name), int(unit.ver), tuple(unit.shape))
            for number, unit in enumerate(units)
            if unit.is_image and len(unit.shape) > 1 and 0 not in unit.shape
        ]


NO_MAPS = FileMaps()


def maps_of_array(place: ArrayPlace, n_images: int, *, band_axis: str | None) -> FileMaps:
    """Find an array of noise beside an array of images, in its group and of its shape, and say what is taken.

    Its name holds a word of `WORDS_OF_NOISE` beside those of the images' own name: ``image_ivar`` beside ``image_array``.

    Parameters
    ----------
    place : ArrayPlace
        The images, with the name of the array.
    n_images : int
        How many there are.
    band_axis : {"first", "last"} or None
        Where an image has its bands.
    """
    heads = arrays_in(place.path)
    images = next((head for head in heads if head.name.strip("/") == (place.dataset or "").strip("/")), None)
    if images is None or band_axis == "last":
        return NO_MAPS
    own = {*words_of_array(images.name), *WORDS_OF_ARRAYS}
    found = []
    for head in heads:
        words = words_of_array(head.name)
        kinds = [WORDS_OF_NOISE[word] for word in words if word in WORDS_OF_NOISE]
        rest = {word for word in words if word not in WORDS_OF_NOISE}
        is_beside = head.name.rpartition("/")[0] == images.name.rpartition("/")[0]
        if (
            is_beside
            and head.shape == images.shape
            and len(kinds) == 1
            and rest <= own
            and head is not images
        ):
            found.append((head.name, kinds[0]))
    if len(found) != 1:
        return NO_MAPS
    name, kind = found[0]
    places = tuple(MapPlace(ArrayPlace(place.path, name), row) for row in range(n_images))
    maps = FileMaps({"sigma": places}, kind, None, {"survey": OF_ARRAYS, "sigma": name, "noise": kind})
    tell(maps, ())
    return maps


def refuse_times(place: MapPlace, image: FitsHead, weights: Any, *, option: str) -> None:
    """Refuse exposure times that are given as inverse variances, where headers say that they are.

    Raises
    ------
    InputError
        It names the HDU.
    """
    if isinstance(place.place, ArrayPlace) or not isinstance(weights, FitsHead):
        return
    if meaning_of_weights(image.keywords, weights.keywords) == "time":
        raise InputError(
            "holds exposure times, by its header, and no inverse variances; leave it out, so that the sky weighs, or "
            "give a map of `sigma`",
            argument=option,
            came=str(place),
        )

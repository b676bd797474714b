"""How files of surveys lay masks and noise beside an image, one row a survey; and what bits and weights mean."""

import logging
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from galsmith.data.readers.fits_header import Header, number_of, unit_text_of
from galsmith.data.readers.listing import File
from galsmith.errors import SettingsError
from galsmith.images.units import unit_of
from galsmith.settings import near_miss

logger = logging.getLogger(__name__)
NoiseKind = Literal["sigma", "variance", "ivar"]
Meaning = Literal["sigma", "variance", "ivar", "weight", "uncertainty"]
NO_BITS: Mapping[str, int] = MappingProxyType({})
ALL_BITS = ("all",)
BAND_OF_NAME = r"\1"  # in the name of a file beside an image
PLANE_OF_MASK = "MP_"  # of the pipelines of LSST and HSC: MP_SAT = 1 is the second bit
# Bits of DES, the BADPIX of its pipeline.
DES_BITS = {
    "BPM": 1, "SATURATE": 2, "INTERP": 4, "BADAMP": 8, "CRAY": 16, "STAR": 32, "TRAIL": 64, "EDGEBLEED": 128,
    "SSXTALK": 256, "EDGE": 512, "STREAK": 1024, "SUSPECT": 2048, "FIXED": 4096, "NEAREDGE": 8192, "TAPEBUMP": 16384,
}  # fmt: skip
# Data quality of ACS (STScI, "ACS data quality flags"); the names are ours, as the flags are known by number alone.
HST_BITS = {
    "LOST": 1, "FILLED": 2, "BAD": 4, "MASKED": 8, "HOT": 16, "UNSTABLE": 32, "WARM": 64, "BIAS": 128,
    "SATURATED": 256, "BADFLAT": 512, "TRAP": 1024, "ATODSAT": 2048, "CR": 4096, "CRSPLIT": 8192, "USER": 16384,
}  # fmt: skip
# The first of the data quality of JWST, as its pipeline names them.
JWST_BITS = {
    "DO_NOT_USE": 1, "SATURATED": 2, "JUMP_DET": 4, "DROPOUT": 8, "OUTLIER": 16, "PERSISTENCE": 32, "AD_FLOOR": 64,
    "NON_SCIENCE": 512, "DEAD": 1024, "HOT": 2048, "WARM": 4096, "LOW_QE": 8192,
}  # fmt: skip
# MASKBITS of the Legacy Surveys, data release 10.
LEGACY_BITS = {
    "NPRIMARY": 1, "BRIGHT": 2, "SATUR_G": 4, "SATUR_R": 8, "SATUR_Z": 16, "ALLMASK_G": 32, "ALLMASK_R": 64,
    "ALLMASK_Z": 128, "WISEM1": 256, "WISEM2": 512, "BAILOUT": 1024, "MEDIUM": 2048, "GALAXY": 4096, "CLUSTER": 8192,
    "SATUR_I": 16384, "ALLMASK_I": 32768,
}  # fmt: skip
OF_DAMAGE = ("BAD", "SAT", "NO_DATA", "CR", "EDGE", "UNMASKEDNAN")
# In names of files; DRZ and DRC are drizzled images of HST.
WORDS_OF_NOISE: Mapping[str, NoiseKind] = {
    **dict.fromkeys(("ivar", "invvar"), "ivar"),
    **dict.fromkeys(("sigma", "rms", "err", "error", "stddev"), "sigma"),
    **dict.fromkeys(("var", "variance"), "variance"),
}
WORDS_OF_MAPS = frozenset(
    (
        *WORDS_OF_NOISE,
        "wht",
        "weight",
        "weights",
        "wgt",
        "mask",
        "msk",
        "maskbits",
        "dq",
        "seg",
        "segm",
        "segmap",
    )
)
WORDS_OF_IMAGES = ("image", "img", "sci", "drz", "drc")
WORD_OF_NAME = re.compile(r"([-_.])([a-z]+)(?=[-_.])")
# Weights of drizzled images: exposure i counts D00iWTSC, its time D00iDEXP, or that squared over the fourth power of the
# ratio of pixel scales where weights are inverse variances (drizzlepac, `buildIVMmask`); this much more or less.
WEIGHT_TOLERANCE, RATIO_OF_SCALES = 1e-3, (0.01, 100.0)


@dataclass(frozen=True)
class Survey:
    """How one kind of file is laid out.

    Attributes
    ----------
    name : str
        Of the survey, telescope or program, as it is said.
    image : str
        EXTNAME of the image; empty where it may have any.
    noise : mapping of EXTNAME to meaning
        The first that is there: standard deviations, variances, inverse variances; weights, of which the header tells what
        they are; or an uncertainty whose UTYPE says which.
    mask : str
        EXTNAME of the mask; empty where there is none.
    bits : mapping of name to int
        Values of the mask's bits; empty where its header has them, or where all that is not 0 counts.
    counted : tuple of str
        Bits that mask a pixel where nobody says which; of a mask without bits all that is not 0.
    stated : mapping of keyword to str
        What the header has to say.
    image_file, noise_file, mask_file : str
        Where they are files beside the image's: a regular expression of its name, and what takes the place of its match.
    """

    name: str
    image: str
    noise: Mapping[str, Meaning]
    mask: str = ""
    bits: Mapping[str, int] = field(default_factory=dict)
    counted: tuple[str, ...] = ()
    stated: Mapping[str, str] = field(default_factory=dict)
    image_file: str = ""
    noise_file: str = ""
    mask_file: str = ""

    def has(self, image: str, beside: Collection[str], header: Header) -> bool:
        """Whether a file with these HDUs beside its image is one of this survey."""
        words = all(str(header.get(key, "")).strip().upper() == word for key, word in self.stated.items())
        # a mask without bits is known by the noise beside it alone: many files have a MASK, of either sense
        telling = {*self.noise, self.mask} if self.bits or self.counted else {*self.noise}
        return self.image in ("", image) and words and not telling.isdisjoint(beside)

    def file_beside(self, name: str, ending: str) -> str | None:
        """Name a file beside an image's own; None where the image's is not named as in this survey."""
        if not (self.image_file and ending):
            return None
        found, count = re.subn(self.image_file, ending, name)
        return found if count else None


HSC = Survey("HSC and LSST", "IMAGE", {"VARIANCE": "variance"}, "MASK", counted=OF_DAMAGE)
SURVEYS = (
    HSC,
    Survey(
        "DES",
        "SCI",
        {"WGT": "ivar"},
        "MSK",
        DES_BITS,
        ("BPM", "SATURATE", "BADAMP", "CRAY", "TRAIL", "EDGEBLEED", "EDGE", "STREAK"),
    ),
    Survey("JWST", "SCI", {"ERR": "sigma"}, "DQ", JWST_BITS, ("DO_NOT_USE",), {"TELESCOP": "JWST"}),
    Survey(
        "HST",
        "SCI",
        {"ERR": "sigma", "WHT": "weight"},
        "DQ",
        HST_BITS,
        ("LOST", "FILLED", "BAD", "MASKED", "HOT", "SATURATED", "BADFLAT", "ATODSAT", "CR", "CRSPLIT"),
        {"TELESCOP": "HST"},
    ),
    Survey(
        "Legacy Surveys",
        "",
        {"INVVAR": "ivar"},
        "MASKBITS",
        LEGACY_BITS,
        tuple(f"{word}_{band}" for word in ("SATUR", "ALLMASK") for band in "GRIZ"),
        image_file=r"-image-(\w+)\.",
        noise_file=rf"-invvar-{BAND_OF_NAME}.",
        mask_file="-maskbits.",
    ),
    Survey("astropy CCDData", "", {"UNCERT": "uncertainty"}, "MASK"),
    Survey(
        "the HDU's name",
        "",
        {word.upper(): kind for word, kind in WORDS_OF_NOISE.items()},
    ),
)
UNCERTAINTIES: Mapping[str, NoiseKind] = {
    "STDDEVUNCERTAINTY": "sigma",
    "VARIANCEUNCERTAINTY": "variance",
    "INVERSEVARIANCE": "ivar",
}
# And what else lies beside images of drizzled data.
NAMES_OF_MAPS = frozenset(
    (*(name for survey in SURVEYS for name in (*survey.noise, survey.mask)), "WHT", "CON", "CTX", "WMAP")
) - {""}
# HDUs that are probably masks, whose sense nobody knows.
LIKE_MASKS = ("MASK", "DQ", "MSK", "FLAGS", "FLAG", "BADPIX", "BPM")


def without_maps(files: Mapping[str, File]) -> dict[str, File]:
    """Leave out files of a folder that are masks or noise of others in it, as their names say, and say so.

    ``a_wht.fits`` is one beside ``a_sci.fits`` or ``a.fits``, and what `SURVEYS` name beside an image.

    Parameters
    ----------
    files : mapping of stem to file
        All of a folder.
    """
    names = {file.name.lower() for file in files.values()}
    beside = {
        found.lower()
        for survey in SURVEYS
        for file in files.values()
        for ending in (survey.noise_file, survey.mask_file)
        if (found := survey.file_beside(file.name, ending)) is not None
    }
    left = [
        file for file in files.values() if file.name.lower() in beside or _is_map(file.name.lower(), names)
    ]
    if left:
        logger.warning(
            "%s%s: maps of other images there, as their names say, and no galaxies; left out (name files, or a glob, "
            "for others)",
            left[0],
            f" and {len(left) - 1} more" if len(left) > 1 else "",
        )
    return {stem: file for stem, file in files.items() if file not in left}


def _is_map(name: str, names: Collection[str]) -> bool:
    """Whether a file's name is that of an image but for a word that says that it is a map."""
    for found in WORD_OF_NAME.finditer(name):
        if found[2] in WORDS_OF_MAPS:
            before, after = name[: found.start()], name[found.end() :]
            if before + after in names or any(
                f"{before}{found[1]}{word}{after}" in names for word in WORDS_OF_IMAGES
            ):
                return True
    return False


def is_named_as_map(name: str) -> bool:
    """Whether the EXTNAME of an HDU is that of a mask or of noise in some layout, and not of an image."""
    return name in NAMES_OF_MAPS


def meaning_of_noise(meaning: Meaning, image: Header, noise: Header) -> NoiseKind | Literal["time"] | None:
    """Say what an HDU of noise holds; None where the headers do not tell, ``"time"`` of exposure times.

    Parameters
    ----------
    meaning : str
        As a `Survey` has it.
    image, noise : mapping
        Headers of the image and of the HDU.
    """
    if meaning == "uncertainty":
        return UNCERTAINTIES.get(str(noise.get("UTYPE", "")).strip().upper())
    return meaning_of_weights(image, noise) if meaning == "weight" else meaning


def meaning_of_weights(image: Header, weights: Header) -> Literal["ivar", "time"] | None:
    """Say what weights of a drizzled image are: by their own BUNIT, or by how drizzling weighed each exposure."""
    stated = unit_text_of(weights)
    of_weights = None if stated is None or stated == unit_text_of(image) else unit_of(stated)
    if of_weights is not None:
        of_image = unit_of(unit_text_of(image) or "")
        if of_weights.is_equivalent("s"):
            return "time"
        return "ivar" if of_image is not None and of_weights == of_image**-2 else None
    pairs = []
    for key in (key for key in image if re.fullmatch(r"D\d{3}WTSC", key)):
        pairs.append((number_of(image, key), number_of(image, f"{key[:4]}DEXP")))
    if not pairs or not all(0 < value < math.inf for pair in pairs for value in pair):
        return None
    if all(math.isclose(weight, time, rel_tol=WEIGHT_TOLERANCE) for weight, time in pairs):
        return "time"
    least, most = RATIO_OF_SCALES
    is_squared = all(least < weight / time**2 < most for weight, time in pairs)
    return "ivar" if is_squared and str(image.get("D001OUUN", "")).strip().lower() == "cps" else None


def bits_of_header(header: Header) -> dict[str, int]:
    """Values of the bits that the header of a mask names."""
    return {
        key.removeprefix(PLANE_OF_MASK): 1 << value
        for key, value in header.items()
        if key.startswith(PLANE_OF_MASK) and isinstance(value, int) and 0 <= value < 64
    }


def counted_bits(
    header: Header, survey: Survey | None, wanted: Sequence[str] | None, *, name: str
) -> tuple[int | None, tuple[str, ...]]:
    """Say which bits of a mask count: their sum, None for all that is not 0; and their names.

    Parameters
    ----------
    header : mapping
        Of the mask; it may name the bits.
    survey : Survey or None
        Whose mask it is, where that is known.
    wanted : sequence of str or None
        Names or values of bits, or ``all``.
    name : str
        The mask, for messages.

    Raises
    ------
    SettingsError
        If a name is unknown.
    """
    own = bits_of_header(header)
    known = own or ({} if survey is None else dict(survey.bits))
    if wanted is None:
        usual = survey.counted if survey is not None and survey.counted else HSC.counted if own else ()
        wanted = tuple(bit for bit in usual if bit in known)
        if not known:
            return None, ()
    if tuple(wanted) == ALL_BITS:
        return None, ()
    total, names = 0, []
    for word in wanted:
        bit = word.strip().upper().removeprefix(PLANE_OF_MASK)
        if not (bit.isdecimal() or bit in known):
            has = (
                f"it has {', '.join(known)}"
                if known
                else "its bits have no names; wanted values such as 4096"
            )
            raise SettingsError(
                f"{name} has no such bit{near_miss(bit, list(known))}; {has}, or all",
                argument="mask_bits",
                came=word,
            )
        total |= int(bit) if bit.isdecimal() else known[bit]
        names.append(bit)
    return total, tuple(names)

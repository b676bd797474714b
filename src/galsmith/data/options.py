"""`SetOptions`: what every way of making a store has in common: crop, resize, leave out, split."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from galsmith.errors import SettingsError
from galsmith.images.header import Shown
from galsmith.settings import parse_where


@dataclass(frozen=True)
class SetOptions:
    """Which images of a source go into a store, and in what shape.

    Attributes
    ----------
    crop_pix : int or None
        Cut the central square of this side out of every image.
    resize_pix : int or None
        Then resample to this side: flux units keep their summed flux and the pixel scale follows;
        display units keep their surface brightness.
    minimum_size_pix : int or None
        Leave out images whose shorter side, as it came, is smaller.
    split : tuple of float
        Fractions of train, validation and test.
    where : str or None
        Conditions on the catalog, labels included, such as ``"T=-5..0"``; see `galsmith.settings.parse_where`.
    shows : {"galaxy", "field"} or None
        What every image is a picture of; as the source says when None.
    on_bad : {"error", "skip"}
        What to do with an image that cannot be used (truncated, not finite, constant): stop, or leave it out
        and count it.

    Raises
    ------
    SettingsError
        If a value is out of range.
    """

    crop_pix: int | None = None
    resize_pix: int | None = None
    minimum_size_pix: int | None = None
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    where: str | None = None
    shows: Shown | None = None
    on_bad: Literal["error", "skip"] = "error"

    def __post_init__(self) -> None:
        """Check every value once."""
        for name in ("crop_pix", "resize_pix", "minimum_size_pix"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(argument=name, came=value, wanted="at least 1 pixel")
        if len(self.split) != 3 or min(self.split) < 0 or abs(sum(self.split) - 1) > 1e-6:
            text = "/".join(f"{value:g}" for value in self.split)
            raise SettingsError(
                "wanted three fractions of train, validation and test that sum to 1, such as 0.8/0.1/0.1",
                argument="split",
                came=text,
            )
        if self.shows not in (None, *get_args(Shown)):
            raise SettingsError(argument="shows", came=self.shows, wanted="galaxy or field")
        if self.on_bad not in ("error", "skip"):
            raise SettingsError(argument="on_bad", came=self.on_bad, wanted="error or skip")
        if self.where is not None:
            parse_where(self.where)

    def to_dict(self) -> dict[str, Any]:
        """Return what decides the content, as plain JSON values for provenance.

        `on_bad` is not among it: a run that a bad image stopped can be finished with ``on_bad="skip"``, and
        the catalog's metadata say what was skipped.
        """
        return {
            "crop_pix": self.crop_pix,
            "resize_pix": self.resize_pix,
            "minimum_size_pix": self.minimum_size_pix,
            "split": list(self.split),
            "where": self.where,
            **({} if self.shows is None else {"shows": self.shows}),
        }

"""Images of anybody's files, brought into a store beside the report card, so that all of it can be judged."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from galsmith.errors import InputError

if TYPE_CHECKING:
    from galsmith.data.readers import Source
    from galsmith.execution import ProgressCallback

VERB = "compare"
ALL_TRAIN = (1.0, 0.0, 0.0)


@dataclass(frozen=True)
class Bringing:
    """Where stores of other people's images go.

    Attributes
    ----------
    folder : Path
        Beside the card.
    overwrite : bool
        Replace stores of other images that are there.
    progress : callable
        Told how far it is.
    """

    folder: Path
    overwrite: bool
    progress: "ProgressCallback"

    def to_store(self, place: Path, name: str) -> Path:
        """Give a table or a store as it is; make a store of a folder or an array of images.

        Images that cannot be used are left out, with a warning that counts them.

        Raises
        ------
        InputError
            If the images cannot be read without being told more.
        """
        from galsmith.data.options import SetOptions
        from galsmith.data.readers import is_image_place, open_source, write_source
        from galsmith.data.store import is_store

        if is_store(place) or not is_image_place(place):
            return place
        store = self.folder / f"{name}.store"
        try:
            source = open_source(place, progress=self.progress)
            if not self.overwrite and _is_brought(store, source):
                return store
            write_source(
                source,
                store,
                verb=VERB,
                seed=0,
                options=SetOptions(split=ALL_TRAIN, on_bad="skip"),
                overwrite=self.overwrite,
                progress=self.progress,
            )
        except InputError as error:
            raise InputError(f"{error}{_way_out(place)}") from error
        return store


def _is_brought(store: Path, source: "Source") -> bool:
    """Whether an earlier run brought the same files in the same way."""
    from galsmith.data.store import is_store, open_store

    if not is_store(store):
        return False
    made = open_store(store).provenance
    same_files = [parent.content_hash for parent in made.parents] == [
        item.content_hash for item in source.parents
    ]
    return same_files and {**made.settings, "options": None} == {**source.settings, "options": None}


def _way_out(place: Path) -> str:
    """Name the command that can be told more, where there is anything to tell it about."""
    from galsmith.data.readers.array_files import array_place

    array = array_place(place)
    there = place if array is None else array.path
    return " (galsmith ingest has options for it, and its store can be compared)" if there.exists() else ""

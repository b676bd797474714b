"""`Scorer`: a fitted method as it is saved and used: refuses other sizes, clips, and knows its held-out errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import PositiveInt

from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import (
    Kind,
    read_json,
    said_in_json,
    settle,
    sha256_of_file,
    write_json,
    written_atomically,
)
from galsmith.files.pages import Page, checked_page
from galsmith.files.seal import BLANK, KEY, refuse_changed, seal
from galsmith.images import ImageSet
from galsmith.provenance import Provenance
from galsmith.score.fields import HIGHEST_SCORE, LOWEST_SCORE, side_of
from galsmith.score.method import Floats, Method, ScoreModel, hash_of
from galsmith.score.methods import method_named
from galsmith.settings import Settings, typed_settings

FORMAT_NAME, FORMAT_VERSION = "galsmith scorer", 1
PAGE_FILE, ARRAYS_FILE, HELD_OUT_FILE = "scorer.json", "arrays.safetensors", "held_out.csv"
SCORER = Kind(
    "scorer",
    said_in_json(FORMAT_NAME, lambda page: Provenance.from_dict(page["provenance"]).fingerprint()),
    PAGE_FILE,
    (PAGE_FILE, ARRAYS_FILE, HELD_OUT_FILE),
)
OUT_OF_RANGE = ("clip", "zero", "keep")


def in_range(scores: Floats, choice: str) -> Floats:
    """Treat predictions outside of [0, 8].

    Parameters
    ----------
    scores : ndarray [field], float64
        As predicted.
    choice : {"clip", "zero", "keep"}
        To the nearer end; to 0, as the paper's authors did; or not at all.
    """
    if choice == "clip":
        return np.clip(scores, LOWEST_SCORE, HIGHEST_SCORE)
    if choice == "zero":
        return np.where((scores < LOWEST_SCORE) | (scores > HIGHEST_SCORE), 0.0, scores)
    return scores


@dataclass(frozen=True)
class Scorer:
    """A method that has learned.

    Attributes
    ----------
    method : Method
        Which one.
    settings : Settings
        Of the method.
    model : ScoreModel
        What it learned.
    side_pix : int
        Of the images that it was fitted on, and can be asked about.
    out_of_range : str
        What becomes of predictions outside of [0, 8]; see `in_range`.
    held_out : DataFrame
        What models of the same method, fitted without some fields, predicted for those: columns ``Id``, ``Actual``,
        ``Predicted``, ``split``, ``is_real`` (1, 0; empty where unknown), ``kind`` (what it shows; empty where unknown);
        no rows where nothing was held out.
    explained : sequence of dict
        What `Method.explain` says of each split's held-out fields, with their ``split``.
    provenance : Provenance
        Settings, seed, the store by its hash, the base.
    """

    method: Method
    settings: Settings
    model: ScoreModel
    side_pix: int
    out_of_range: str
    held_out: pd.DataFrame
    provenance: Provenance
    explained: Sequence[Mapping[str, Any]] = ()

    def predict(self, images: ImageSet, *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Predict the score of every image.

        Parameters
        ----------
        images : ImageSet
            In one band, of the side that it was fitted on, 0 to 255.
        progress : callable
            Told how far it is.

        Returns
        -------
        ndarray [field], float64

        Raises
        ------
        InputError
            If the images are of another size, or are not one band.
        """
        side = side_of(images)
        if side != self.side_pix:
            raise InputError(
                f"{images.path if images.path else 'images'}: has fields of {side} px, the {self.method.name} scorer was "
                f"fitted on {self.side_pix} px; crop or resize them (galsmith ingest store), or fit a scorer on {side} px"
            )
        seen = self.method.look(images.pixels, progress=progress)
        return in_range(self.model.predict(seen, progress=progress), self.out_of_range)


class ScorerPage(Page):
    """The page of a scorer."""

    format: str
    format_version: int
    method: str
    settings: dict[str, Any]
    side_pix: PositiveInt
    out_of_range: str
    model: dict[str, Any]
    explained: tuple[dict[str, Any], ...]
    arrays_sha256: str
    held_out_sha256: str
    provenance: Provenance


def write_scorer(folder: Path, scorer: Scorer) -> None:
    """Write a scorer into a folder: JSON, arrays without pickle, and a CSV table of held-out predictions."""
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(value) for name, value in scorer.model.to_arrays().items()}
    with written_atomically(folder / ARRAYS_FILE) as temporary:
        save_file(arrays, temporary, metadata={KEY: BLANK})
        seal(temporary)
    with written_atomically(folder / HELD_OUT_FILE) as temporary:
        scorer.held_out.to_csv(temporary, index=False)
    page = {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "method": scorer.method.name,
        "settings": scorer.settings.model_dump(mode="json"),
        "side_pix": scorer.side_pix,
        "out_of_range": scorer.out_of_range,
        "model": scorer.model.to_page(),
        "explained": [dict(one) for one in scorer.explained],
        "arrays_sha256": hash_of(arrays),
        "held_out_sha256": sha256_of_file(folder / HELD_OUT_FILE),
        "provenance": scorer.provenance.to_dict(),
    }
    write_json(folder / PAGE_FILE, page)


def load_scorer(place: str | Path) -> Scorer:
    """Read a scorer.

    Raises
    ------
    InputError
        If there is none, it is damaged, or of another format version.
    """
    folder = Path(place)
    page = read_scorer_page(folder)
    method = method_named(page["method"])
    arrays = _read_arrays(folder / ARRAYS_FILE)
    if hash_of(arrays) != page["arrays_sha256"]:
        raise InputError(
            f"{folder / ARRAYS_FILE}: damaged, its numbers do not match their hash; fit the scorer again or copy it again"
        )
    try:
        model = method.restore(page["model"], arrays)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise InputError(
            f"{folder}: cannot be used by this galsmith ({error}); fit the scorer again"
        ) from error
    return Scorer(
        method=method,
        settings=typed_settings(method.settings, page["settings"], source=str(folder)),
        model=model,
        side_pix=page["side_pix"],
        out_of_range=page["out_of_range"],
        held_out=read_held_out(folder, page),
        provenance=Provenance.from_dict(page["provenance"]),
        explained=page["explained"],
    )


def read_scorer_page(place: str | Path) -> dict[str, Any]:
    """Read what a scorer says of itself, without its arrays.

    Raises
    ------
    InputError
        If there is none, or it is of another format version.
    """
    folder = Path(place)
    settle(folder)
    if not (folder / PAGE_FILE).is_file():
        is_what = f"no {PAGE_FILE} in it" if folder.is_dir() else "there is no such folder"
        raise InputError(f"{folder}: not a scorer ({is_what}); make one with galsmith score fit")
    page = read_json(folder / PAGE_FILE)
    if page.get("format") != FORMAT_NAME:
        raise InputError(f"{folder / PAGE_FILE}: not a scorer; make one with galsmith score fit")
    if page.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{folder}: has scorer format version {page.get('format_version')}, this galsmith reads version "
            f"{FORMAT_VERSION}; use the galsmith that made it, or fit it again"
        )
    checked_page(ScorerPage, page, folder / PAGE_FILE, way_out="fit the scorer again or copy it again")
    return page


def read_held_out(place: str | Path, page: Mapping[str, Any]) -> pd.DataFrame:
    """Read the held-out predictions of a scorer; see `Scorer.held_out`.

    Parameters
    ----------
    place : path
        The scorer.
    page : mapping
        What it says of itself.

    Raises
    ------
    InputError
        If they are missing, or not those that were written.
    """
    file = Path(place) / HELD_OUT_FILE
    way_out = "fit the scorer again or copy it again"
    if not file.is_file():
        raise InputError(f"{file}: there is no such file; {way_out}")
    if sha256_of_file(file) != page.get("held_out_sha256"):
        raise InputError(f"{file}: damaged, it does not match its hash; {way_out}")
    return pd.read_csv(file, dtype={"Id": str, "kind": str})


def _read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Read arrays by name."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        refuse_changed(file, way_out="fit the scorer again or copy it again")
        found: dict[str, NDArray[Any]] = load_file(file)
    except InputError:
        raise
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{file}: cannot be read ({error}); fit the scorer again or copy it again"
        ) from error
    return found

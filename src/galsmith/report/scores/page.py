"""Writing the page of scores from a stored card and the store that it names."""

import base64
import io
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from numpy.typing import NDArray
from PIL import Image

from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Kind, read_json
from galsmith.images import ImageSet
from galsmith.provenance import Provenance
from galsmith.report.labels import distance_number, number
from galsmith.report.page import page_environment
from galsmith.report.panels.galaxies import rows_of_ids
from galsmith.report.scores import drawings

GENERATOR = "galsmith score report"
PAGE_FILE, CARD_FILE = "index.html", "scores.json"
HEAD_BYTES = 2000  # of a page, in which its first tags lie
GENERATOR_TAG = re.compile(rf'<meta name="generator" content="{GENERATOR} (\w+)">')
ZOOM, ZOOMED_SHARE = 4, 0.25
SCORES_SHOWN = 7.0  # the highest of the real scores is 6.25
Bytes = NDArray[np.uint8]


def _made_from(page: Path) -> str | None:
    """Read the fingerprint of the card that a page shows, from its tag for that."""
    with page.open("rb") as stream:
        found = GENERATOR_TAG.search(stream.read(HEAD_BYTES).decode("utf-8", errors="replace"))
    return None if found is None else found.group(1)


SCORE_REPORT = Kind("report of scores", _made_from, PAGE_FILE, (PAGE_FILE, CARD_FILE, "scorers/*"))


def write_score_page(folder: Path, *, progress: ProgressCallback = ignore_progress) -> Path:
    """Write ``index.html`` into a folder that holds a card of scores.

    Parameters
    ----------
    folder : Path
        With ``scores.json``; the store that it names is looked for, and what needs it is left out where it is gone.
    progress : callable
        Told what is drawn.

    Returns
    -------
    Path
        Of the page: one file that requests nothing from any network.
    """
    card = read_json(folder / CARD_FILE)
    progress(ProgressEvent("drawing", 0, 2, "pieces"))
    fields = _pictures(card)
    plots = {
        "scores": drawings.score_histogram(card["score_counts"], SCORES_SHOWN),
        "above_mean": drawings.scatter(card["above_mean"], ("score", "share of pixels above the mean")),
        "predicted": drawings.scatter(
            card["predicted"], ("actual score", "predicted score"), is_diagonal=True
        ),
        "deciles": drawings.errors_by_decile(card["methods"], card["deciles"]),
    }
    if card["judged"] is not None:
        plots["laws"] = drawings.law_histograms(card["judged"], SCORES_SHOWN)
    if fields:
        plots["pixels"] = drawings.pixel_histogram(fields[0]["shares"])
    progress(ProgressEvent("drawing", 1, 2, "pieces"))
    html = (
        _environment()
        .get_template("scores.html.j2")
        .render(
            card=card,
            plots=plots,
            fields=fields,
            average=next((one for one in card["methods"] if one["name"] == "average"), None),
            frame={
                name.lower(): getattr(drawings, name)
                for name in ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")
            },
            generator=f"{GENERATOR} {_fingerprint(card)}",
            is_simulated=card["made_by"].startswith("simulate"),
            version=metadata.version("galsmith"),
        )
    )
    (folder / PAGE_FILE).write_text(html, encoding="utf-8")
    return folder / PAGE_FILE


def words_of_kind(kind: str) -> str:
    """Say what an image of a kind is, such as ``corrupted_ghost`` or ``not_noise``."""
    first, _, rest = kind.partition("_")
    words = rest.replace("_", " ")
    return {"corrupted": f"corrupted by {words}", "not": f"no field: {words}"}.get(
        first, kind.replace("_", " ")
    )


def _fingerprint(card: Mapping[str, Any]) -> str:
    """Fingerprint of what a card was made from."""
    return Provenance.from_dict(card["provenance"]).fingerprint()


def _pictures(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Draw the examples of a card at full size, with a zoom; none where the store is gone."""
    try:
        images = open_store(card["store"]["path"])
    except InputError:
        return []
    return [_picture(images, example) for example in card["examples"]]


def _picture(images: ImageSet, example: Mapping[str, Any]) -> dict[str, Any]:
    """Draw one field: as it is, its pixels above the mean, and what lies about its brightest pixel larger."""
    rows = rows_of_ids(images, [example["object_id"]])
    image = images[int(rows[0])][0]
    levels = np.clip(np.rint(image[::-1]), 0, 255).astype(np.uint8)
    side = max(1, round(len(levels) * ZOOMED_SHARE))
    brightest = np.unravel_index(int(levels.argmax()), levels.shape)
    top, left = (int(np.clip(place - side // 2, 0, len(levels) - side)) for place in brightest)
    zoomed = levels[top : top + side, left : left + side].repeat(ZOOM, 0).repeat(ZOOM, 1)
    above = (255 * (levels > levels.mean())).astype(np.uint8)
    return {
        **example,
        "whole": _data_url(levels),
        "above": _data_url(above),
        "zoomed": _data_url(zoomed),
        "side": len(levels),
        "zoom_words": f"{side}x{side} px about the brightest one, {ZOOM} times as large",
        "mean": float(image.mean(dtype=np.float64)),
        "shares": np.bincount(levels.ravel(), minlength=256) / levels.size,
    }


def _data_url(pixels: Bytes) -> str:
    """Encode a picture inside of a URL, without loss."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _environment() -> Environment:
    """Prepare the templates; everything that is filled in is escaped."""
    environment = page_environment()
    environment.globals.update(number=number, distance_number=distance_number, words_of_kind=words_of_kind)
    return environment

"""Writing the page of a study of denoising from a stored card and pictures, and its figures as files."""

import math
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Kind, read_json
from galsmith.provenance import Provenance
from galsmith.report.denoising.drawings import ALL, errors_by_mixing, residual_power
from galsmith.report.figures.painting import FIGURE, STYLE, Panel, save, sheet
from galsmith.report.labels import number
from galsmith.report.page import page_environment
from galsmith.report.panels.galaxies import Stretch, common_stretch, picture_data_url, picture_of
from galsmith.report.scores import drawings as scores_drawings

GENERATOR = "galsmith denoise report"
PAGE_FILE, CARD_FILE, PICTURES_FILE = "index.html", "denoising.json", "pictures.npz"
HEAD_BYTES = 2000  # of a page, in which its first tags lie
GENERATOR_TAG = re.compile(rf'<meta name="generator" content="{GENERATOR} (\w+)">')
LEAST_SIDE_PIX = 96  # small galaxies are shown in larger pixels
Floats = NDArray[np.float64]
Said = Mapping[str, Any]

HEADS: tuple[tuple[str, str], ...] = (
    ("mse_mean", "MSE, mean"),
    ("mse_geometric", "MSE, geometric"),
    ("flux_bias_mag", "flux bias [mag]"),
    ("r_half_bias", "R50 error"),
    ("sersic_index_bias", "n error"),
    ("ellipticity_error", "|Δe|"),
    ("m1", "m1"),
    ("m2", "m2"),
    ("c1", "c1"),
    ("c2", "c2"),
    ("chi2", "χ²"),
    ("whiteness", "whiteness"),
    ("hallucinated", "hallucinated"),
    ("coverage_50", "in 50 %"),
    ("coverage_68", "in 68 %"),
    ("coverage_95", "in 95 %"),
    ("psnr_db", "PSNR [dB]"),
    ("ssim", "SSIM"),
)


def _made_from(page: Path) -> str | None:
    """Read the fingerprint of the card that a page shows, from its tag for that."""
    with page.open("rb") as stream:
        found = GENERATOR_TAG.search(stream.read(HEAD_BYTES).decode("utf-8", errors="replace"))
    return None if found is None else found.group(1)


DENOISING_REPORT = Kind(
    "report of denoising",
    _made_from,
    PAGE_FILE,
    (PAGE_FILE, CARD_FILE, PICTURES_FILE),
    {"figures/*.png": FIGURE, "figures/*.pdf": FIGURE},
)


def write_denoising_page(folder: Path, *, progress: ProgressCallback = ignore_progress) -> Path:
    """Write ``index.html`` and ``figures/`` into a folder that holds a card and pictures of a study.

    Parameters
    ----------
    folder : Path
        With ``denoising.json`` and ``pictures.npz``.
    progress : callable
        Told what is drawn.

    Returns
    -------
    Path
        Of the page: one file that requests nothing from any network.
    """
    card = read_json(folder / CARD_FILE)
    with np.load(folder / PICTURES_FILE) as stored:
        arrays = {name: stored[name].astype(np.float64) for name in stored.files}
    progress(ProgressEvent("drawing", 0, 3, "pieces"))
    groups = {
        shift: [one for one in card["answers"]["groups"] if one["shift"] == shift] for shift in card["shifts"]
    }
    shown = [one for one in card["shifts"] if groups[one]]
    by_mixing = {shift: errors_by_mixing(groups[shift], shift) for shift in shown}
    powers = {shift: residual_power(groups[shift], shift) for shift in shown}
    rows = _picture_rows(card, arrays)
    frame = {
        name.lower(): getattr(scores_drawings, name)
        for name in ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")
    }
    environment = _environment()
    html = environment.get_template("denoising.html.j2").render(
        card=card,
        answers=card["answers"],
        groups=groups,
        shifts=shown,
        by_mixing={name: one for name, one in by_mixing.items() if one is not None},
        powers={name: one for name, one in powers.items() if one is not None},
        rows=[
            (shift, [(name, picture_data_url(pixels)) for name, pixels in pictures])
            for shift, pictures in rows
        ],
        heads=[head for head in HEADS if _is_known(card, head[0])],
        all=ALL,
        frame=frame,
        generator=f"{GENERATOR} {Provenance.from_dict(card['provenance']).fingerprint()}",
        title=headline(card["answers"]),
        version=metadata.version("galsmith"),
    )
    (folder / PAGE_FILE).write_text(html, encoding="utf-8")
    progress(ProgressEvent("drawing", 1, 3, "pieces"))
    _write_figures(folder / "figures", by_mixing, rows, environment, frame)
    return folder / PAGE_FILE


def headline(answers: Said) -> str:
    """Say in one sentence what generated data add beyond noise and PSF that vary; or what else was found.

    Parameters
    ----------
    answers : mapping
        As ``answers.json`` has them.
    """
    for kind, words in (
        ("beyond", "beyond varied noise and PSF"),
        ("added", "beside plain real data"),
    ):
        verdicts = [one["verdict"] for one in answers["effects"] if one["kind"] == kind]
        if not verdicts:
            continue
        told = {verdict for verdict in verdicts if verdict != "not told"}
        if not told:
            return f"Generated data: no effect told {words}"
        if len(told) == 1 and told != {"mixed"}:
            count = sum(verdict in told for verdict in verdicts)
            verb = "help" if told == {"helps"} else "hurt"
            return f"Generated data {verb} {words} in {count} of {len(verdicts)} comparisons"
        helps, hurts = (sum(verdict == one for verdict in verdicts) for one in ("helps", "hurts"))
        return f"Generated data {words}: help in {helps}, hurt in {hurts} of {len(verdicts)} comparisons"
    return "Denoising: how accurate each training is"


def _is_known(card: Said, quantity: str) -> bool:
    """Whether any group has a number for a quantity."""
    return any(one["bins"][ALL][quantity]["value"] is not None for one in card["answers"]["groups"])


def _picture_rows(
    card: Said, arrays: Mapping[str, Floats]
) -> list[tuple[str, list[tuple[str, NDArray[np.uint8]]]]]:
    """Draw the galaxy of each shift: truth, observed, predictions, then what they leave (Fig. 9)."""
    names, found = card["shown"]["names"], []
    for shift in card["shifts"] if names else ():
        images = [arrays[f"{shift}/{place}"] for place in range(len(names))]
        truth = images[0]
        stretch = common_stretch([truth], flux_unit=card["header"]["flux_unit"], reference_peak=truth.max())
        pictures = [
            (name, _enlarged(picture_of(image, stretch))) for name, image in zip(names, images, strict=True)
        ]
        leftover = [image - truth for image in images[2:]]
        limit = float(np.quantile(np.abs(np.stack(leftover)), 0.995)) if leftover else 1.0
        around = Stretch(-limit, 0.5 * limit, limit, is_display=False)
        pictures += [
            (f"{name}, less truth", _enlarged(_residual(image, around)))
            for name, image in zip(names[2:], leftover, strict=True)
        ]
        found.append((shift, pictures))
    return found


def _residual(image: Floats, around: Stretch) -> NDArray[np.uint8]:
    """Draw a residual of the middle band: gray is none, white too much, black too little."""
    share = (image[len(image) // 2, ::-1] - around.sky) / (around.peak - around.sky)
    result: NDArray[np.uint8] = np.clip(255 * share, 0, 255).round().astype(np.uint8)
    return result


def _enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat pixels until the picture is large enough."""
    factor = max(1, math.ceil(LEAST_SIDE_PIX / max(pixels.shape[:2])))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _write_figures(
    folder: Path,
    by_mixing: Mapping[str, Any],
    rows: Sequence[tuple[str, Sequence[tuple[str, NDArray[np.uint8]]]]],
    environment: Environment,
    frame: Mapping[str, int],
) -> None:
    """Write figures 9 and 10 as PNG and PDF."""
    from matplotlib import rc_context

    folder.mkdir(parents=True, exist_ok=True)
    plots = {shift: plot for shift, plot in by_mixing.items() if plot is not None}
    with rc_context(STYLE):
        if plots:
            draw = environment.get_template("plots.html.j2").module.plot_svg  # type: ignore[attr-defined]
            panels = [Panel(str(draw(plot, frame)).strip(), shift) for shift, plot in plots.items()]
            key = next(iter(plots.values())).key
            save(sheet(panels, columns=2, key=key), folder / "errors_by_mixing")
        if rows:
            save(_galaxy_figure(rows), folder / "one_galaxy")


def _galaxy_figure(rows: Sequence[tuple[str, Sequence[tuple[str, NDArray[np.uint8]]]]]) -> Figure:
    """Draw a row a shift, a column a picture."""
    columns = len(rows[0][1])
    figure = Figure(figsize=(1.3 * columns, 1.45 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (shift, pictures) in enumerate(rows):
        for column, (name, pixels) in enumerate(pictures):
            axis = axes[line, column]
            axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            if line == 0:
                axis.set_title(name.replace(", ", ",\n").replace(": ", ":\n"), fontsize=6)
            if column == 0:
                axis.set_ylabel(shift, fontsize=7)
    return figure


def _entry(said: Said | None) -> str:
    """Write a number with its interval below; a dash where there is none."""
    if said is None or said["value"] is None:
        return "–"
    return number(said["value"])


def _interval(said: Said | None) -> str:
    """Write the interval of a number."""
    if said is None or said["value"] is None or said["low"] is None:
        return ""
    return f"{number(said['low'])} to {number(said['high'])}"


def _environment() -> Environment:
    """Prepare the templates; everything that is filled in is escaped."""
    environment = page_environment()
    environment.globals.update(number=number, entry=_entry, interval=_interval)
    return environment

r"""Judge what the generators of fields drew beside fields that none of them has seen: one table, and pictures at full size.

    galsmith simulate fields -n 2500 -o scored --recipe fields-250 --seed 41
    galsmith score fit spectrum --data scored -o spectrum
    galsmith simulate fields -n 1000 -o unseen --recipe fields-250 --seed 42 \
        --set non_cosmology_share=0 --set corrupted_share=0
    python benchmarks/fields/judge_generators.py judge runs/fields --unseen unseen --scorer spectrum -o judged
    python benchmarks/fields/judge_generators.py table judged -o docs/results/fields

The first folder is that of `benchmark_generators.py`: every generator with a result there is judged, and again only when
something of it changed, so that the command can be repeated while trainings go on. UNSEEN are fields of the law of the
learned ones: clean ones, which are all of a score of 1.0 or more or labeled real. Scorers are fitted on others again.
`table` prints the table: W1 of predicted scores and of the 27 quantities of fields by topic, each with its 95 % interval
and its floor; and writes NAME.png with the first seeds of each, none chosen.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmark_generators import CONTESTANTS
from numpy.typing import NDArray
from PIL import Image

from galsmith.compare.estimates import Replicates, estimate
from galsmith.compare.intervals import plain_ends
from galsmith.compare.marginal.per_property import BOOTSTRAP, PERMUTATION, floor_distances, redrawn_distances
from galsmith.compare.marginal.wasserstein import pool_values, wasserstein_distance
from galsmith.compare.normalization import scale_of
from galsmith.data.store import open_store
from galsmith.files import read_json, write_json
from galsmith.images import ImageSet
from galsmith.measure import measured
from galsmith.measure.properties.field import FIELD_PROPERTIES
from galsmith.provenance import hash_json
from galsmith.report.panels.galaxies import common_stretch, picture_of
from galsmith.score import judge as judge_scores
from galsmith.score.scorer import read_scorer_page

TOPICS: dict[str, tuple[str, ...]] = {
    "counts": ("field_sources",),
    "light": ("field_log_", "field_axis_ratio"),
    "clustering": ("field_pairs_",),
    "sky": ("field_level", "field_noise"),
    "histogram": ("field_share_above_mean", "field_brighter_"),
    "power": ("field_power_",),
}
DRAWS, SPLITS, CONFIDENCE, SEED = 500, 200, 0.95, 14
SHOWN, GAP_PIX = 4, 4  # fields in a picture, and white between them
WHITE = 255
Floats = NDArray[np.float64]


def main() -> None:
    r"""Judge what is there, or give the page's table and pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("judge", help="judge every generator that has drawn")
    one.add_argument("fields", type=Path, nargs="+", help="folders of benchmark_generators.py")
    one.add_argument(
        "--unseen", type=Path, required=True, help="store of fields that no generator has learned"
    )
    one.add_argument("--scorer", type=Path, nargs="+", required=True, help="fitted on other fields again")
    one.add_argument("-o", "--output", type=Path, required=True)
    other = commands.add_parser("table", help="print the table, write the pictures")
    other.add_argument("judged", type=Path)
    other.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "judge":
        judge_all(arguments)
    else:
        write_results(arguments.judged, arguments.output)


def judge_all(arguments: argparse.Namespace) -> None:
    """Judge every generator whose result is there and was not judged yet."""
    unseen = open_store(arguments.unseen)
    reference = None
    for folder in arguments.fields:
        for file in sorted((folder / "results").glob("*.json")):
            result, drawn = read_json(file), open_store(folder / "drawn" / file.stem)
            scorers = [read_scorer_page(place)["provenance"] for place in arguments.scorer]
            asked = hash_json([drawn.content_hash, unseen.content_hash, scorers, SEED, DRAWS, SPLITS])
            place = arguments.output / f"{file.stem}.json"
            if place.is_file() and read_json(place)["asked"] == asked:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            reference = columns_of(unseen) if reference is None else reference
            found = {
                "asked": asked,
                "result": result,
                "drawn": str(drawn.path),
                "unseen": {"path": str(unseen.path), "n": len(unseen)},
                "scores": [
                    scores_of(scorer, arguments.unseen, file.stem, drawn, arguments.output)
                    for scorer in arguments.scorer
                ],
                **distances_of(reference, columns_of(drawn)),
            }
            write_json(place, found)
            print(f"{file.stem}: {cells(found)}", flush=True)


def columns_of(images: ImageSet) -> Floats:
    """Measure fields as wholes, [quantity, field]; NaN where nothing could be measured."""
    table = measured(images)
    return np.array([np.asarray(table[entry.name], dtype=np.float64) for entry in FIELD_PROPERTIES])


def scores_of(scorer: Path, unseen: Path, name: str, drawn: ImageSet, output: Path) -> dict[str, Any]:
    """Compare the laws of predicted scores."""
    method = read_scorer_page(scorer)["method"]
    file = output / "scores" / f"{name}-{scorer.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    judged = judge_scores(scorer, unseen, [(name, str(drawn.path))], file, overwrite=True)
    only = judged.sets[0]
    return {
        "scorer": scorer.name,
        "method": method,
        "value": only.distance.value,
        "interval": list(only.distance.interval),
        "floor": only.distance.floor,
        "mean": only.law.mean,
        "source_mean": judged.source.mean,
    }


def distances_of(reference: Floats, drawn: Floats) -> dict[str, Any]:
    """Mean W1 of each topic's quantities in the reference's standard deviations, with interval and floor.

    One draw of fields serves all quantities of a topic, so that a mean's interval is that of the mean.
    """
    sizes: dict[str, Any] = {
        "n_reference": reference.shape[1],
        "n_generated": drawn.shape[1],
        "seed": SEED,
    }
    topics, names = {}, [entry.name for entry in FIELD_PROPERTIES]
    for topic, starts in TOPICS.items():
        rows = [place for place, name in enumerate(names) if name.startswith(starts)]
        topics[topic] = topic_distance(reference[rows], drawn[rows], sizes)
    return {
        "topics": topics,
        "n_measured": int(np.isfinite(drawn[names.index("field_sources")]).sum()),
        "n_without_sources": int((np.nan_to_num(drawn[names.index("field_sources")]) < 1).sum()),
        "n_drawn": drawn.shape[1],
    }


def topic_distance(reference: Floats, drawn: Floats, sizes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Mean W1 of some quantities; None where one of them was measured of no drawn field."""
    n_drawn = np.isfinite(drawn).sum(axis=1)
    if not n_drawn.all():
        return None
    scales = np.array([scale_of(row[np.isfinite(row)], "reference-zscore") for row in reference])
    reference, drawn = reference / scales[:, None], drawn / scales[:, None]
    pooled = [pool_values(one, other) for one, other in zip(reference, drawn, strict=True)]
    alone = [pool_values(one, np.empty(0)) for one in reference]
    n_measured = np.column_stack([np.isfinite(reference).sum(axis=1), n_drawn])
    pairs = zip(reference, drawn, strict=True)
    value = float(np.mean([wasserstein_distance(*(row[np.isfinite(row)] for row in pair)) for pair in pairs]))
    again = redrawn_distances(pooled, BOOTSTRAP, draws=DRAWS, **sizes).mean(axis=1)
    dealt = redrawn_distances(pooled, PERMUTATION, draws=DRAWS, **sizes).mean(axis=1)
    floor = floor_distances(alone, n_measured, splits=SPLITS, **sizes).distances.mean(axis=1)
    replicates = Replicates(np.array([value]), again[:, None], floor[:, None])
    found = estimate(replicates, 0, plain_ends(value, drawn=again, dealt=dealt, confidence=CONFIDENCE))
    return {"value": value, "interval": list(found.interval), "floor": found.floor}


def write_results(judged: Path, output: Path) -> None:
    """Print the table; write the first fields of each generator, and of the unseen ones."""
    output.mkdir(parents=True, exist_ok=True)
    found = [
        read_json(judged / f"{name}.json") for name in CONTESTANTS if (judged / f"{name}.json").is_file()
    ]
    if not found:
        raise SystemExit(f"{judged}: nothing is judged; run the command `judge` first")
    scorers = [f"score, `{one['method']}`" for one in found[0]["scores"]]
    head = ("generator", *scorers, *TOPICS, "no source", "black pixels", "training images", "fields a CPU s")
    rows = [head, ["---"] * len(head), *(cells(one) for one in found), floors(found, len(head))]
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))
    for one in found:
        draw_first(open_store(one["drawn"]), output / f"{one['result']['name']}.png")
    draw_first(open_store(found[0]["unseen"]["path"]), output / "unseen.png")


def cells(found: Mapping[str, Any]) -> Sequence[str]:
    """One row of the table."""
    result = found["result"]
    drawing, training = result["drawing"], result["training"]
    rate = f"{result['draw'] / drawing['cpu_s']:.3g}" if drawing.get("cpu_s") else "–"
    return (
        f"`{result['name']}`",
        *(distance_text(one) for one in found["scores"]),
        *(distance_text(found["topics"][topic]) for topic in TOPICS),
        f"{found['n_without_sources'] / found['n_drawn']:.1%}",
        f"{drawing['black_share']:.1%}",
        f"{training['images_seen']:,}",
        rate,
    )


def floors(found: Sequence[Mapping[str, Any]], width: int) -> Sequence[str]:
    """The last row: what two sets of unseen fields differ by, from the generator of which most was measured."""
    most = max(found, key=lambda one: one["n_measured"])
    values = [one["floor"] for one in most["scores"]]
    values += [one["floor"] if one else np.nan for one in (most["topics"][topic] for topic in TOPICS)]
    return ["*floor*", *(f"{value:.3f}" for value in values), *["–"] * (width - 1 - len(values))]


def distance_text(one: Mapping[str, Any] | None) -> str:
    """A distance and its interval."""
    if one is None:
        return "–"
    low, high = one["interval"]
    return f"{one['value']:.3f} ({low:.3f}–{high:.3f})"


def draw_first(images: ImageSet, file: Path) -> None:
    """Put the first fields of a set side by side, pixel by pixel, as the root of their share of white."""
    fields = [np.asarray(images[row], dtype=np.float64) for row in range(SHOWN)]
    stretch = common_stretch(fields, flux_unit="display", reference_peak=WHITE, shows_fields=True)
    shown = [picture_of(field, stretch) for field in fields]
    gap = np.full((shown[0].shape[0], GAP_PIX), WHITE, dtype=np.uint8)
    row = np.hstack([part for one in shown for part in (one, gap)][:-1])
    Image.fromarray(row).save(file, optimize=True)


if __name__ == "__main__":
    main()

"""``galsmith score``: fit methods that predict galaxyness, predict it, and judge generated fields by it."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Device, Output, Overwrite, Seed, Sets, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import (
    check_counts,
    check_folder,
    check_places,
    check_positive,
    check_there,
    path_of_set,
)
from galsmith.counts import counted
from galsmith.errors import SettingsError
from galsmith.score.methods import METHODS, check_method

FIT_EXAMPLE = "galsmith score fit wavelets --data fields -o scorer --splits 5"
PREDICT_EXAMPLE = "galsmith score predict scorer fields -o submission.csv"
THRESHOLD_EXAMPLE = "galsmith score threshold scored.csv --labeled 1200 --negatives 200"
JUDGE_EXAMPLE = "galsmith score judge scorer fields wgan=generated -o judged.json"
REPORT_EXAMPLE = "galsmith score report fields -o scores"
NO_STORE = "there is no such store"
NONE_GIVEN: list[Path] = []
QUICK_METHODS = ["average", "wavelets", "spectrum"]


def methods_text() -> str:
    """Name the methods."""
    return "\n".join(["Methods:", *(f"  {name}: {listing.words}" for name, listing in METHODS.items())])


def score_fit(
    method: Annotated[str, Parameter(help="How scores are learned; the methods are listed below.")],
    /,
    *,
    data: Annotated[Path, Parameter(help="Store of fields with scores.")],
    output: Output,
    base: Annotated[
        Path | None,
        Parameter(help="Run or snapshot whose critic is fine-tuned, for methods that start from one."),
    ] = None,
    splits: Annotated[
        int,
        Parameter(help="How many parts of the fields are held out in turn, to know the error; 0 for none."),
    ] = 1,
    held_out: Annotated[float, Parameter(help="Share of the fields that each split holds out.")] = 0.1,
    out_of_range: Annotated[
        Literal["clip", "zero", "keep"],
        Parameter(
            help="Predictions outside of [0, 8]: clip them, set them to 0 as in the paper, or keep them."
        ),
    ] = "clip",
    minutes: Annotated[
        float | None, Parameter(help="Time budget of each fit, for methods that train in epochs.")
    ] = None,
    overrides: Sets = NO_SETTINGS,
    seed: Seed = 0,
    device: Device = "cpu",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Fit a method to the scored fields of a store, and say how well it predicts held-out ones."""
    check_places([data, base or ""], [output])
    check_method(method)
    check_positive({"minutes": minutes})
    if splits < 0:
        raise SettingsError(argument="splits", came=splits, wanted="0 or more")
    check_folder(data, NO_STORE)
    from galsmith.score.accuracy import accuracy_of
    from galsmith.score.fitting import fit

    with shown.progress() as progress:
        scorer = fit(
            method,
            data,
            output,
            overrides=overrides,
            base=base,
            splits=splits,
            held_out=held_out,
            out_of_range=out_of_range,
            seed=seed,
            minutes=minutes,
            device=_device(device),
            overwrite=overwrite,
            progress=progress,
        )
    numbers: dict[str, object] = {"method": method, "side_pix": scorer.side_pix}
    said = "not held against held-out fields"
    if len(scorer.held_out):
        found = accuracy_of(scorer.held_out)
        numbers |= {
            "mae": found.mae,
            "standard_error": found.standard_error,
            "n_held_out": found.n_fields,
            "mae_by_split": found.by_split.tolist(),
        }
        said = f"MAE {found.mae:.3f} +- {found.standard_error:.3f} on {found.n_fields:,} held-out fields"
    return Outcome("score fit", f"{method}, {said}", output, scorer.provenance.fingerprint(), numbers)


def score_predict(
    scorer: Annotated[Path, Parameter(help="What galsmith score fit wrote.")],
    data: Annotated[
        Path, Parameter(help="Store of fields; those of the part 'query' alone where there are some.")
    ],
    /,
    *,
    output: Output,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Predict the scores of fields into a CSV file with the columns Id and Predicted."""
    check_places([scorer, data], [output])
    check_folder(scorer, "there is no such scorer")
    check_folder(data, NO_STORE)
    from galsmith.score.submission import predict

    with shown.progress() as progress:
        table = predict(scorer, data, output, overwrite=overwrite, progress=progress)
    mean = float(table["Predicted"].mean())
    numbers = {"n_fields": len(table), "mean_predicted": mean}
    summary = f"{counted(len(table), 'fields')}, mean predicted score {mean:.3f}"
    return Outcome("score predict", summary, output, numbers=numbers)


def score_threshold(
    scored: Annotated[Path, Parameter(help="CSV file of scores, with columns Id and Actual.")],
    /,
    *,
    labeled: Annotated[int | None, Parameter(help="How many fields were labeled.")] = None,
    negatives: Annotated[int | None, Parameter(help="How many of them are not cosmology.")] = None,
    labels: Annotated[
        Path | None,
        Parameter(help="CSV file of labels, with columns Id and Actual, instead of the two numbers."),
    ] = None,
    confidence: Annotated[float, Parameter(help="Of the interval, and of the binomial quantile.")] = 0.999,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Say above which score all fields show cosmology, with high confidence."""
    check_places([scored, labels or ""], [])
    if labels is None and (labeled is None or negatives is None):
        raise SettingsError(
            "how many labeled fields are not cosmology is not known; wanted `labeled` and `negatives`, or `labels`"
        )
    if labels is not None and (labeled is not None or negatives is not None):
        raise SettingsError("`labels` has the counts; leave `labeled` and `negatives` out, or `labels`")
    for given in (scored, labels):
        if given is not None:
            check_there(given, wanted="a CSV file with columns Id and Actual")
    from galsmith.score.threshold import count_labels, read_scores
    from galsmith.score.threshold import score_threshold as find

    if labels is not None:
        labeled, negatives = count_labels(labels)
    found = find(
        read_scores(scored), labeled=int(labeled or 0), negatives=int(negatives or 0), confidence=confidence
    )
    ends = ", ".join(f"{name} {end:.6f}" for name, end in found.upper_ends.items())
    return Outcome(
        "score threshold",
        f"at most {found.rank} of {counted(found.n_scored, 'fields')} are not cosmology: none above {found.score:.7f}",
        numbers={
            "rank": found.rank,
            "score": found.score,
            "interval": found.interval,
            "upper_end": found.upper_end,
            "upper_ends": dict(found.upper_ends),
        },
        details=(
            f"share of the labeled that are not cosmology, upper end: {found.upper_end:.6f} ({found.interval})",
            f"  of all intervals: {ends}",
        ),
    )


def score_judge(
    scorer: Annotated[Path, Parameter(help="What galsmith score fit wrote.")],
    source: Annotated[Path, Parameter(help="Store of the source.")],
    /,
    *generated: Annotated[
        str, Parameter(help="Stores of generated fields; NAME=PATH gives one a name.", negative=())
    ],
    output: Output,
    least_score: Annotated[
        float | None,
        Parameter(
            help="Only fields of the source with this score or more, as the generator's training set had."
        ),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Compare the law of predicted scores of generated fields with the source's: mean, deviation and W1."""
    if not generated:
        raise SettingsError(
            "there is no generated set to judge", argument="generated", wanted="one or more stores of fields"
        )
    check_places([scorer, source, *map(path_of_set, generated)], [output])
    check_folder(scorer, "there is no such scorer")
    for store in [str(source), *map(path_of_set, generated)]:
        check_folder(store, NO_STORE)
    from galsmith.compare import Chance
    from galsmith.score.judged_sets import judge

    named = [(path_of_set(text), text.partition("=")[0]) for text in generated]
    sets = [(Path(path).name if name in ("", path) else name, path) for path, name in named]
    with shown.progress() as progress:
        found = judge(
            scorer,
            source,
            sets,
            output,
            least_score=least_score,
            chance=Chance(seed=seed),
            overwrite=overwrite,
            progress=progress,
        )
    lines = [
        f"source: {found.source.mean:.3f} +- {found.source.deviation:.3f} ({counted(found.source.n, 'fields')})"
    ]
    for one in found.sets:
        law, distance = one.law, one.distance
        ends = f"{distance.interval[0]:.3f} to {distance.interval[1]:.3f}, floor {distance.floor:.3f}"
        said = f"{law.mean:.3f} +- {law.deviation:.3f} ({counted(law.n, 'fields')}), W1 {distance.value:.3f} ({ends})"
        lines.append(f"{law.name}: {said}")
    numbers = {
        one.law.name: {
            "mean": one.law.mean,
            "deviation": one.law.deviation,
            "w1": one.distance.value,
            "interval": list(one.distance.interval),
            "floor": one.distance.floor,
            "p_value": one.p_value,
        }
        for one in found.sets
    }
    summary = f"{len(found.sets)} {'set' if len(found.sets) == 1 else 'sets'} by the {found.method} scorer"
    return Outcome("score judge", summary, output, numbers=numbers, details=tuple(lines))


def score_report(
    data: Annotated[Path, Parameter(help="Store of fields with scores.")],
    /,
    *,
    output: Output,
    scorer: Annotated[
        list[Path],
        Parameter(
            help="What galsmith score fit wrote for this store; may be repeated. Where there is none, methods are fitted.",
            negative=(),
            show_default=False,
        ),
    ] = NONE_GIVEN,
    judged: Annotated[Path | None, Parameter(help="What galsmith score judge wrote.")] = None,
    methods: Annotated[
        list[str], Parameter(name="--method", help="Fit these where no scorer is given.", negative=())
    ] = QUICK_METHODS,
    splits: Annotated[int, Parameter(help="How many parts of the fields are held out in turn.")] = 5,
    held_out: Annotated[float, Parameter(help="Share of the fields that each split holds out.")] = 0.2,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Write one page: how well methods predict galaxyness, beside the paper's numbers, and what the fields are like."""
    check_places([data, *scorer, judged or ""], [output])
    check_counts({"splits": splits})
    for name in methods:
        check_method(name)
    check_folder(data, NO_STORE)
    for place in scorer:
        check_folder(place, "there is no such scorer")
    if judged is not None:
        check_there(judged, wanted="what galsmith score judge wrote")
    from galsmith.score.card import report

    with shown.progress() as progress:
        page = report(
            data,
            output,
            scorers=scorer,
            judged=judged,
            methods=methods,
            splits=splits,
            held_out=held_out,
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    size = page.stat().st_size
    return Outcome("score report", f"a page of {size / 1e6:.1f} MB", page, numbers={"bytes": size})


def _device(wanted: str) -> str:
    """Choose a device, without loading torch for the CPU."""
    if wanted == "cpu":
        return wanted
    from galsmith.cli.device import choose_device

    return choose_device(wanted)

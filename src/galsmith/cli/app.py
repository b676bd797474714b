"""The verbs of the command line, spelled out in one table, and the Cyclopts application made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any

from cyclopts import App, Parameter

from galsmith.cli import (
    check,
    compare,
    demo,
    denoise,
    export,
    info,
    ingest,
    look,
    measure,
    observe,
    report,
    sample,
    score,
    simulate,
    snapshot,
    study,
    train,
)
from galsmith.data.readers.registry import readers
from galsmith.data.simulate import SIMULATORS
from galsmith.data.writers.registry import WRITERS

DESCRIPTION = (
    "Learn galaxies from a survey, draw new ones, and prove how far they can be trusted. "
    "Start with: galsmith demo"
)
GROUPS = {
    "ingest": "Read galaxy images from files into a store.",
    "export": "Write a store in a format of others.",
    "simulate": "Simulate galaxies or fields into a store.",
    "denoise": "Take point spread function and noise off images.",
    "score": "Learn and predict how like the ideal cosmology field an image is.",
}


@dataclass(frozen=True)
class Verb:
    """One command.

    Attributes
    ----------
    name : str
        One word, or two as in ``"simulate sersic"``.
    function : callable
        Takes the parsed arguments, calls the library, returns an `Outcome`.
    example : str
        A working command line, shown by ``--help``.
    resumes : bool
        Whether the same command goes on after an interruption.
    writes : bool
        Whether it makes an output.
    explains : callable, optional
        Gives what ``--help`` says between the flags and the example.
    """

    name: str
    function: Callable[..., Any]
    example: str
    resumes: bool = False
    writes: bool = True
    explains: Callable[[], str] | None = None


VERBS = (
    Verb("demo", demo.demo, demo.EXAMPLE, resumes=True),
    *(
        Verb(f"ingest {name}", ingest.ingest_command(reader), reader.example, resumes=True)
        for name, reader in readers().items()
    ),
    *(
        Verb(
            f"simulate {name}",
            simulate.simulate_command(simulator),
            simulator.example,
            resumes=True,
            explains=partial(simulate.recipes_text, simulator),
        )
        for name, simulator in SIMULATORS.items()
    ),
    Verb(
        "simulate sky-mosaic",
        simulate.simulate_sky_mosaic,
        simulate.MOSAIC_EXAMPLE,
        resumes=True,
    ),
    Verb("check-data", check.check_data, check.DATA_EXAMPLE, writes=False),
    Verb("train", train.train, train.EXAMPLE, resumes=True, explains=train.families_text),
    Verb("snapshot", snapshot.snapshot, snapshot.EXAMPLE),
    Verb("sample", sample.sample, sample.EXAMPLE, resumes=True),
    Verb("check-asked", check.check_asked, check.ASKED_EXAMPLE, writes=False),
    Verb("observe", observe.observe, observe.EXAMPLE, resumes=True, explains=observe.presets_text),
    Verb("measure", measure.measure, measure.EXAMPLE, resumes=True),
    Verb("compare", compare.compare, compare.EXAMPLE, resumes=True),
    Verb("look", look.look, look.EXAMPLE),
    Verb("report", report.report, report.EXAMPLE),
    Verb("score fit", score.score_fit, score.FIT_EXAMPLE, resumes=True, explains=score.methods_text),
    Verb("score predict", score.score_predict, score.PREDICT_EXAMPLE),
    Verb("score judge", score.score_judge, score.JUDGE_EXAMPLE),
    Verb("score report", score.score_report, score.REPORT_EXAMPLE, resumes=True),
    Verb("score threshold", score.score_threshold, score.THRESHOLD_EXAMPLE, writes=False),
    Verb(
        "denoise fit", denoise.denoise_fit, denoise.FIT_EXAMPLE, resumes=True, explains=denoise.recipes_text
    ),
    Verb(
        "denoise apply",
        denoise.denoise_apply,
        denoise.APPLY_EXAMPLE,
        resumes=True,
        explains=denoise.denoisers_text,
    ),
    Verb(
        "denoise study",
        denoise.denoise_study,
        denoise.STUDY_EXAMPLE,
        resumes=True,
        explains=denoise.study_recipes_text,
    ),
    Verb("denoise report", denoise.denoise_report, denoise.REPORT_EXAMPLE, resumes=True),
    Verb("study", study.study, study.EXAMPLE, resumes=True, explains=study.tasks_text),
    *(
        Verb(f"export {name}", export.export_command(writer), writer.example, resumes=True)
        for name, writer in WRITERS.items()
    ),
    Verb("info", info.info, info.EXAMPLE, writes=False),
)


def build_app() -> App:
    """Make the application from the table of verbs."""
    app = _new_app("galsmith", DESCRIPTION, examples=[demo.EXAMPLE])
    groups: dict[str, App] = {}
    for position, verb in enumerate(VERBS):
        group, _, kind = verb.name.rpartition(" ")
        if group and group not in groups:
            examples = [other.example for other in VERBS if other.name.startswith(f"{group} ")]
            groups[group] = _new_app(group, GROUPS[group], examples=examples, sort_key=position)
            app.command(groups[group])
        parent = groups[group] if group else app
        epilogue = _epilogue([verb.example])
        if verb.explains is not None:
            epilogue = f"{verb.explains()}\n\n{epilogue}"
        parent.command(verb.function, name=kind, sort_key=position, help_epilogue=epilogue)
    return app


def verb_of(command: Callable[..., Any]) -> Verb | None:
    """Return the verb that a parsed command belongs to; None for help and version."""
    return next((verb for verb in VERBS if verb.function is command), None)


def verb_words(tokens: Sequence[str]) -> str:
    """Return the leading words of a command line that name a verb."""
    known = {word for verb in VERBS for word in verb.name.split()}
    count = next((index for index, token in enumerate(tokens) if token not in known), len(tokens))
    return " ".join(tokens[:count])


def _new_app(name: str, description: str, *, examples: Sequence[str], sort_key: int | None = None) -> App:
    """Make an application that prints plain help and never ends the process by itself."""
    return App(
        name=name,
        help=description,
        help_format="plaintext",
        help_epilogue=_epilogue(examples),
        sort_key=sort_key,
        version=lambda: metadata.version("galsmith"),
        default_parameter=Parameter(negative=""),
    )


def _epilogue(examples: Sequence[str]) -> str:
    """Examples as they stand at the end of a help page."""
    return "\n".join(
        ["Example:" if len(examples) == 1 else "Examples:", *(f"  {example}" for example in examples)]
    )

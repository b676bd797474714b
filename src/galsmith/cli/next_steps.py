"""What one would do next with what a command made: a line after its summary, one entry a verb or a group of verbs."""

import shlex
from collections.abc import Mapping
from typing import Any

from galsmith.cli.outcome import Outcome, shown_place

LOOK = "galsmith look {output} -o {name}.png"
MEASURE = "galsmith measure {output} -o {name}.parquet"
DRAW = "galsmith sample {output} -n 1000 -o generated"
# words in capitals are for the user to fill in
JUDGE = "galsmith compare REAL {output} -o comparison.json"
OPEN = "open {output}"
STORE = (LOOK, "galsmith train pca_diffusion --data {output} -o run --minutes 20")
FIELDS = (LOOK, "galsmith train field_composer --data {output} -o run --minutes 20")
WITHOUT_TRAINING = (LOOK, MEASURE)

NEXT: Mapping[str, tuple[str, ...]] = {
    "demo": (OPEN,),
    "ingest": STORE,
    "simulate": STORE,
    "check-data": ("galsmith train pca_diffusion --data STORE -o run --minutes 20",),
    "train": (DRAW,),
    "snapshot": (DRAW,),
    "sample": (LOOK, JUDGE),
    "check-asked": ("galsmith compare REAL GENERATED -o comparison.json",),
    "observe": (LOOK, MEASURE),
    "measure": ("galsmith compare {output} OTHER -o comparison.json",),
    "compare": ("galsmith report {output} -o report",),
    "look": (OPEN,),
    "report": (OPEN,),
    "score fit": ("galsmith score predict {output} FIELDS -o submission.csv",),
    "score predict": ("galsmith info {output}",),
    "score judge": ("galsmith info {output}",),
    "score report": (OPEN,),
    "score threshold": (),
    "denoise fit": ("galsmith denoise apply {output} OBSERVED -o denoised",),
    "denoise apply": (LOOK, MEASURE),
    "denoise study": ("galsmith denoise report {output} -o page",),
    "denoise report": (OPEN,),
    "study": ("open {output}/index.html",),
    "export": (),
    "info": (),
}
# what `galsmith info` describes, as the verb that made it would go on
MADE_BY = {
    "store": "ingest",
    "run": "train",
    "snapshot": "snapshot",
    "model that comes with galsmith": "train",
    "folder of FITS cutouts": "sample",
    "table of measurements": "measure",
    "comparison": "compare",
    "denoiser": "denoise fit",
    "scorer": "score fit",
}


def next_steps(outcome: Outcome) -> list[str]:
    """Lines that say what one would do next; none after what went wrong, or where that is open."""
    verb = outcome.verb
    if verb == "info":
        verb = MADE_BY.get(str(outcome.numbers.get("kind")), verb)
    steps = _of_store(outcome.numbers) if NEXT[_key(verb)] is STORE else NEXT[_key(verb)]
    if outcome.exit_code or (any("{output}" in step for step in steps) and outcome.output is None):
        return []
    words = _words(outcome)
    heads = ["next:", *["  or:"] * len(steps)]
    return [f"{head} {step.format_map(words)}" for head, step in zip(heads, steps, strict=False)]


def _key(verb: str) -> str:
    """Name the entry of a verb: its own, or that of its group."""
    return verb if verb in NEXT else verb.partition(" ")[0]


def _of_store(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what to do with a store, by what its images show and whether some are to be learned from."""
    if "train" not in numbers.get("splits", ()):
        return WITHOUT_TRAINING
    return FIELDS if numbers.get("shows") == "field" else STORE


def _words(outcome: Outcome) -> dict[str, str]:
    """Give what is filled in, as a shell wants it."""
    if outcome.output is None:
        return {}
    # what is drawn of something at an address lies here
    return {"output": shlex.quote(shown_place(outcome.output)), "name": shlex.quote(outcome.output.name)}

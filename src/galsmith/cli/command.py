"""Running one command: parse, call, say what came out; every fault becomes one line and an exit code."""

import logging
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from cyclopts import CycloptsError

from galsmith.cli.app import Verb, build_app, verb_of, verb_words
from galsmith.cli.faults import explain
from galsmith.cli.flags import in_flags, shell_spelling
from galsmith.cli.log_file import logged_to
from galsmith.cli.next_steps import next_steps
from galsmith.cli.options import Shown
from galsmith.cli.outcome import Outcome, failure_json
from galsmith.errors import FollowedError, OutputError

DONE, WRONG_USAGE = 0, 2
ASKED_FOR = ("--help", "-h", "--version")


def run(tokens: Sequence[str]) -> int:
    """Run the command that `tokens` spell and return its exit code."""
    try:
        command, bound, untyped = build_app().parse_args(list(tokens), print_error=False, exit_on_error=False)
    except CycloptsError as error:
        return _refuse(tokens, error)
    verb = verb_of(command)
    if verb is None:
        command(*bound.args, **bound.kwargs)
        return DONE if not tokens or any(token in ASKED_FOR for token in tokens) else WRONG_USAGE
    shown = bound.arguments.get("shown", Shown())
    try:
        with logged_to(shown.log, tokens):
            return _run_verb(verb, command, bound, untyped, shown)
    except OutputError as error:  # of the log alone: what a verb raises is explained there
        return _explained(error, verb, shown, seconds=0.0)


def _run_verb(
    verb: Verb, command: Callable[..., Any], bound: Any, untyped: Mapping[str, Any], shown: Shown
) -> int:
    """Run what was parsed."""
    with _terminate_as_interrupt(), _notices_shown(shown, verb.name), warnings.catch_warnings():
        if not shown.debug:
            warnings.simplefilter("ignore")
        # What nobody types, `galsmith.cli.options.Spelled`, comes from here.
        in_words = partial(in_flags, verb=verb.name)
        given = {name: in_words if name == "spelled" else shell_spelling for name in untyped}
        return _call(verb, lambda: command(*bound.args, **bound.kwargs, **given), shown)


def _call(verb: Verb, command: Callable[[], Any], shown: Shown) -> int:
    """Call a verb and say how it ended."""
    started = time.monotonic()
    try:
        outcome: Outcome = command()
        _say(outcome, shown, time.monotonic() - started)
    except BrokenPipeError:
        _leave_closed_pipe()
        return DONE
    except FollowedError as error:
        return error.exit_code
    except (Exception, KeyboardInterrupt) as error:
        return _explained(error, verb, shown, seconds=time.monotonic() - started)
    return outcome.exit_code


def _explained(error: BaseException, verb: Verb, shown: Shown, *, seconds: float) -> int:
    """Say what went wrong, and return the exit code."""
    if shown.debug:
        traceback.print_exception(error)
    message, exit_code = explain(error, resumes=verb.resumes, verb=verb.name)
    print(f"galsmith: {message}", file=sys.stderr)
    if shown.json:
        print(failure_json(verb.name, message, exit_code, seconds=seconds))
    return exit_code


def _say(outcome: Outcome, shown: Shown, seconds: float) -> None:
    """Print what a verb made."""
    if outcome.is_said_elsewhere:
        return
    if shown.json:
        print(outcome.to_json(seconds), flush=True)
    elif not shown.quiet:
        print(*outcome.to_lines(seconds), *next_steps(outcome), sep="\n", flush=True)


def _refuse(tokens: Sequence[str], error: CycloptsError) -> int:
    """Say in one line what is wrong with a command line."""
    words = verb_words(tokens)
    message = f"{' '.join(str(error).split())} See galsmith {words} --help".replace("  ", " ")
    print(f"galsmith: {message}", file=sys.stderr)
    if "--json" in tokens:
        print(failure_json(words, message, WRONG_USAGE, seconds=0.0))
    return WRONG_USAGE


class _NoticeFormatter(logging.Formatter):
    """Writes what the library logs, with its arguments as flags of a verb."""

    def __init__(self, verb: str) -> None:
        super().__init__("note: %(message)s")
        self._verb = verb

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        return in_flags(super().format(record), self._verb)


@contextmanager
def _notices_shown(shown: Shown, verb: str) -> Iterator[None]:
    """Print what the library logs as a warning on stderr, one line each."""
    logger, handler = logging.getLogger("galsmith"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_NoticeFormatter(verb))
    handler.setLevel(logging.ERROR if shown.quiet else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let a request to terminate stop the work as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave_closed_pipe() -> None:
    """Stop writing to a reader that has gone, such as ``head``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

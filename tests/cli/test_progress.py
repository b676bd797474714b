"""Progress: nothing for short work, plain lines in a log, a live bar on a terminal."""

import io

from galsmith.cli.progress import ProgressDisplay
from galsmith.execution import ProgressEvent


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def shown(stream, events):
    clock = Clock()
    with ProgressDisplay(stream, clock=clock) as display:
        for seconds, event in events:
            clock.now = 100.0 + seconds
            display(event)
    return stream.getvalue()


def galaxies(done, **fields):
    return ProgressEvent("measuring", done, 400, "galaxies", fields)


def test_work_under_two_seconds_shows_nothing():
    assert shown(io.StringIO(), [(0.0, galaxies(0)), (1.9, galaxies(400))]) == ""
    assert shown(Terminal(), [(0.0, galaxies(0)), (1.9, galaxies(400))]) == ""


def test_a_log_gets_a_line_now_and_then_with_rate_and_remaining_time():
    text = shown(io.StringIO(), [(seconds, galaxies(10 * seconds)) for seconds in range(31)])
    assert text.splitlines() == [
        "measuring: 20/400 galaxies, 10 galaxies/s, 38.0 s left",
        "measuring: 170/400 galaxies, 10 galaxies/s, 23.0 s left",
    ]


def test_the_rate_of_a_resumed_run_leaves_out_what_was_done_before():
    text = shown(io.StringIO(), [(0, galaxies(300)), (10, galaxies(310))])
    assert text == "measuring: 310/400 galaxies, 1 galaxies/s, 1 min 30 s left\n"


def test_a_budget_of_time_shows_time_and_the_fields_of_training():
    events = [
        (0, ProgressEvent("training", 0, 240, "s")),
        (60, ProgressEvent("training", 60, 240, "s", {"loss": "0.4"})),
    ]
    assert shown(io.StringIO(), events) == "training: 1 min 00 s of 4 min 00 s, 3 min 00 s left, loss 0.4\n"


def test_an_unknown_total_shows_no_remaining_time():
    events = [
        (0, ProgressEvent("reading", 0, None, "files")),
        (4, ProgressEvent("reading", 8, None, "files")),
    ]
    assert shown(io.StringIO(), events) == "reading: 8 files, 2 files/s\n"


def test_a_terminal_gets_a_bar():
    text = shown(Terminal(), [(0, galaxies(0)), (3, galaxies(30)), (6, galaxies(60))])
    assert "measuring" in text
    assert "10 galaxies/s" in text


def test_stages_follow_one_another_on_one_bar():
    second = ProgressEvent("verifying", 1, 2, "files")
    assert "verifying" in shown(Terminal(), [(0, galaxies(0)), (3, galaxies(30)), (6, second)])

import itertools
import sys

import pytest

import imet_utils.progress as module
from imet_utils.progress import format_line, format_seconds, last_lines, progress


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setenv("IMET_HEADLESS", "1")
    found = Clock()
    monkeypatch.setattr(module, "monotonic", found)
    return found


def run(clock, iterable, seconds, **arguments):
    for _ in progress(iterable, "views", **arguments):
        clock.now += seconds


def test_a_line_every_ten_seconds_and_one_at_the_end(clock, capsys):
    run(clock, range(10), 4.0)
    assert capsys.readouterr().out.splitlines() == [
        "views: 3/10 (30 %), 12 s, about 28 s left",
        "views: 6/10 (60 %), 24 s, about 16 s left",
        "views: 9/10 (90 %), 36 s, about 4 s left",
        "views: 10/10 (100 %), 40 s",
    ]


def test_no_line_twice_when_the_last_item_is_slow(clock, capsys):
    run(clock, range(2), 15.0)
    assert capsys.readouterr().out.splitlines() == [
        "views: 1/2 (50 %), 15 s, about 15 s left",
        "views: 2/2 (100 %), 30 s",
    ]


def test_without_a_length_items_are_counted(clock, capsys):
    run(clock, (number for number in range(3)), 6.0, unit="batch")
    assert capsys.readouterr().out.splitlines() == [
        "views: 2 batches, 12 s",
        "views: 3 batches, 18 s",
    ]


def test_a_given_total_stands_in_for_a_length(clock, capsys):
    run(clock, iter(range(4)), 5.0, total=4)
    assert capsys.readouterr().out.splitlines()[0] == "views: 2/4 (50 %), 10 s, about 10 s left"


def test_a_loop_left_early_says_how_far_it_came(clock, capsys):
    for number in progress(range(30), "epochs"):
        clock.now += 1
        if number == 6:
            break
    assert capsys.readouterr().out == "epochs: 7/30 (23 %), 7 s\n"


def test_of_several_processes_the_first_one_tells(clock, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert list(progress([3, 1], "views")) == [3, 1]
    assert capsys.readouterr().out == ""


def test_an_empty_loop(clock, capsys):
    run(clock, [], 1.0)
    assert capsys.readouterr().out == "views: 0/0 (100 %), 0 s\n"


@pytest.mark.parametrize("headless", ["", "0", "1"])
@pytest.mark.parametrize("items", [[], [3, 1, 2]])
def test_items_come_through_unchanged(monkeypatch, headless, items):
    monkeypatch.setenv("IMET_HEADLESS", headless)
    assert list(progress(items, "items")) == items
    assert list(progress(iter(items), "items")) == items


def test_nothing_is_read_ahead(clock):
    endless = itertools.count()
    assert next(iter(progress(endless, "numbers"))) == 0
    assert next(endless) == 1


def test_interactively_a_bar_on_standard_output(monkeypatch, capsys):
    monkeypatch.delenv("IMET_HEADLESS", raising=False)
    list(progress(range(5), "views"))
    out, err = capsys.readouterr()
    assert "views: 100%" in out
    assert "5/5" in out
    assert err == ""


def test_a_hundred_percent_only_at_the_end():
    assert format_line("a", 9999, 10000, 10.0).startswith("a: 9,999/10,000 (99 %)")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (100, "1 min 40 s"), (3599.7, "1 h 0 min"), (7260, "2 h 1 min")],
)
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


def test_only_the_last_line_of_each_loop_is_kept(clock, capsys):
    run(clock, range(10), 4.0)
    sys.stdout.write("between: 5 apples, 3 pears\n")
    run(clock, range(10), 4.0)
    run(clock, iter(range(5)), 11.0, unit="batch")
    assert last_lines(capsys.readouterr().out).splitlines() == [
        "views: 10/10 (100 %), 40 s",
        "between: 5 apples, 3 pears",
        "views: 10/10 (100 %), 40 s",
        "views: 5 batches, 55 s",
    ]


def test_a_bar_is_reduced_to_how_it_ended(monkeypatch, capsys):
    monkeypatch.setenv("IMET_HEADLESS", "0")
    list(progress(range(5), "views"))
    sys.stdout.write("done\n")
    lines = last_lines(capsys.readouterr().out.replace("\r\n", "\n")).split("\n")
    assert len(lines) == 3  # the bar, "done" and what follows the last line break
    assert lines[0].startswith("views: 100%")

"""Progress of loops, read back from what it writes."""

import itertools
import subprocess
import sys

from imet_utils.progress import progress


def test_items_come_through_unchanged_and_none_is_read_ahead():
    assert list(progress([3, 1, 2], "items")) == [3, 1, 2]
    endless = itertools.count()
    loop = iter(progress(endless, "numbers"))
    assert next(loop) == 0
    assert next(endless) == 1
    loop.close()


def test_a_bar_on_standard_output_counts_on_from_where_an_earlier_run_stopped(capsys):
    list(progress(range(3, 5), "views", total=5, unit="view", initial=3))
    out, err = capsys.readouterr()
    bars = out.strip().split("\r")
    assert "views:  60%" in bars[0]
    assert "5/5" in bars[-1]
    assert "view/s" in bars[-1]
    assert err == ""


def test_of_several_processes_the_first_one_tells(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert list(progress([3, 1], "views")) == [3, 1]
    assert capsys.readouterr().out == ""


def test_the_environment_sets_the_form_of_every_bar():
    code = "from imet_utils.progress import progress; list(progress(range(3), 'views'))"
    environment = {"TQDM_MININTERVAL": "10", "TQDM_BAR_FORMAT": "{desc} {n_fmt}/{total_fmt}"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert result.stdout.decode().split("\r") == ["", "views 0/3", "views 3/3\n"]

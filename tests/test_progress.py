"""Progress of loops, read back from what it writes."""

from imet_utils.progress import progress


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

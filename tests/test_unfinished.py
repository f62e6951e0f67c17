import os
import subprocess
import sys
from pathlib import Path

import pytest

from imet_utils.unfinished import remove_leftovers, temporary_path


def test_the_temporary_name_is_beside_the_file_and_keeps_the_suffix(tmp_path):
    assert temporary_path(tmp_path / "a.b.csv") == tmp_path / f".a.b.{os.getpid()}.tmp.csv"
    assert temporary_path(tmp_path / "store").name == f".store.{os.getpid()}.tmp"


def test_only_what_dead_processes_were_writing_is_removed(tmp_path):
    dead, live, own = 99999999, os.getppid(), os.getpid()
    gone = [f".a.{dead}.tmp.json", f".store.{dead}.tmp", f".a.{own}.tmp.csv"]
    kept = [f".a.{live}.tmp.json", ".a.tmp.json", f"a.{dead}.tmp.json", f".a.{dead}.json", "a.json"]
    for name in gone + kept:
        (tmp_path / name).write_text("half")
    (tmp_path / f".folder.{dead}.tmp").mkdir()
    (tmp_path / f".folder.{dead}.tmp/maps.npy").write_text("half")
    remove_leftovers(tmp_path.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "mine").mkdir()
    link = tmp_path / ".store.99999999.tmp"
    link.symlink_to(tmp_path / "mine")
    remove_leftovers([link])
    assert not link.is_symlink()
    assert (tmp_path / "mine").is_dir()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
def test_a_process_that_has_ended_unnoticed_is_not_running(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # leaves it a zombie
    leftover = tmp_path / f".best.{process.pid}.tmp.pt"
    leftover.touch()
    remove_leftovers([leftover])
    process.wait()
    assert not leftover.exists()

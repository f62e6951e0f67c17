import multiprocessing
import os
import re
import signal

import pytest

from imet_utils.pipeline.run_folder import claim_folder, lock_folder, read_records


def hold(folder, ready):
    with lock_folder(folder):
        ready.set()
        signal.pause()


@pytest.fixture
def holder(tmp_path):
    """Start another process that holds the lock."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready), daemon=True)
    process.start()
    assert ready.wait(60)
    yield process
    process.kill()


def test_a_locked_folder_is_refused_with_its_holder_until_that_is_killed(tmp_path, holder):
    wanted = rf"{tmp_path} is in use by process {holder.pid} since \d{{4}}-.*Wait for its end"
    for _ in range(2):
        with pytest.raises(BlockingIOError, match=wanted):
            claim_folder(tmp_path, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock"]
    holder.kill()
    holder.join()
    with lock_folder(tmp_path):
        assert re.match(f"process {os.getpid()} since", (tmp_path / ".lock").read_text())


def test_a_closed_lock_is_free(tmp_path):
    lock_folder(tmp_path).close()
    lock_folder(tmp_path).close()


def test_claiming_removes_leftovers_of_every_depth_and_begins_a_record(tmp_path):
    for place in ("", "figures", "features/train"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / ".a.99999999.tmp.png").write_text("half")
    with claim_folder(tmp_path, "smoke"):
        left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == [".lock", "run.json"]
    assert [record["profile"] for record in read_records(tmp_path)] == ["smoke"]

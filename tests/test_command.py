"""Every command of `run_all.sh`: Ctrl-C while packages are still imported."""

import os
import signal
import subprocess
import sys

import pytest

from imet_utils.runs import PROJECT_DIR

SLOW = "import sys, time\nprint(sys.argv[1:], flush=True)\ntime.sleep(60)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_command_with_one_line(tmp_path, number):
    (tmp_path / "given.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "imet_tools.command", "given", "label", "a b"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{PROJECT_DIR}{os.pathsep}{tmp_path}"},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline() == "['label', 'a b']\n"
    os.killpg(process.pid, number)
    told = process.communicate(timeout=10)
    assert told == ("", "\nrun_all.sh: interrupted; nothing was written.\n")
    assert process.returncode == 130

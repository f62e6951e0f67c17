"""Every command of `run_all.sh`: Ctrl-C while packages are still imported, and exit codes."""

import os
import signal
import subprocess
import sys

import pytest
from small_data import has_ended

from imet_utils.runs import PROJECT_DIR

SLOW = """import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(sleep, stderr=subprocess.DEVNULL)  # it may still be starting
print(child.pid, sys.argv[1:], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_command_and_its_children_with_one_line(tmp_path, number):
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
    child, rest = process.stdout.readline().split(maxsplit=1)
    assert rest == "['label', 'a b']\n"
    os.killpg(process.pid, number)
    told = process.communicate(timeout=10)
    assert told == ("", "\nrun_all.sh: interrupted; nothing was written.\n")
    assert process.returncode == 130
    assert has_ended(int(child), within=0)


def test_a_command_has_its_own_exit_code_and_prints_in_any_locale(tmp_path):
    (tmp_path / "given.py").write_text("import sys; print(chr(0x65E5)); sys.exit(7)")
    environment = os.environ | {"PYTHONPATH": str(PROJECT_DIR), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "imet_tools.command", "given"]
    result = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment)
    assert (result.returncode, result.stdout) == (7, b"\\u65e5\n")

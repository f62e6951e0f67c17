"""A notebook's kernel: it dies with the process that started it, and keeps freed memory."""

import atexit
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PROCESS_GROUP = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # torchrun's


def die_with_parent(parent: int) -> None:
    """Have Linux kill this process as soon as its parent ends; elsewhere ipykernel polls for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os.kill(os.getpid(), signal.SIGKILL)


def leave_printing_to_messages() -> None:
    """Close the console, where ipykernel repeats what child processes print (not on Windows)."""
    if sys.platform != "win32":
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)


if __name__ == "__main__":
    atexit.register(os._exit, 0)  # as the last: to tear down torch's modules takes seconds
    die_with_parent(int(os.environ["JPY_PARENT_PID"]))
    leave_printing_to_messages()
    for name in PROCESS_GROUP:  # a kernel belongs to none
        os.environ.pop(name, None)
    from imet_utils.processes import keep_freed_memory

    keep_freed_memory()  # before there are threads, which would have heaps of their own
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()

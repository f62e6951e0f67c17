"""A notebook's kernel that dies with the process that started it, and keeps freed memory."""

import ctypes
import os
import signal
import sys

from imet_utils.processes import keep_freed_memory

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the system kill this process as soon as its parent is gone, however that ends.

    Other systems than Linux do not offer it; there ipykernel itself looks once a second.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os.kill(os.getpid(), signal.SIGKILL)


def leave_printing_to_messages() -> None:
    """Close the way to the console: what a child process prints would come twice.

    ipykernel sends it to whoever runs the notebook and also to where file descriptor 1 led before;
    on Windows it does neither.
    """
    if sys.platform != "win32":
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)


if __name__ == "__main__":
    die_with_parent(int(os.environ["JPY_PARENT_PID"]))
    leave_printing_to_messages()
    keep_freed_memory()  # before there are threads, which would have heaps of their own
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()

"""Several processes that share one job: who does which part, and how the parts come together.

All of it works in one process too, where a share is everything. The processes are started by
`run_in_processes`, from a notebook, or by `torchrun`, on one machine or on several; `accelerate
launch` starts one alone where there is no GPU.
"""

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.multiprocessing
from accelerate import PartialState
from accelerate.utils import gather_object
from joblib import wrap_non_picklable_objects
from torch import distributed

from imet_utils.processes import end_with_parent, num_cores

Item = TypeVar("Item")

PATIENCE = timedelta(hours=2)  # of a process that waits for another with more to read


def num_processes() -> int:
    """Count the processes of this job."""
    return distributed.get_world_size() if _has_group() else 1


def process_index() -> int:
    """Return the number of this process; 0 writes the files."""
    return distributed.get_rank() if _has_group() else 0


def _has_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def join_processes() -> torch.device:
    """Meet the other processes, where there are any, and return the device of this one."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE).device


def own_range(count: int) -> range:
    """Return the numbers below `count` that fall to this process: a range, of even lengths."""
    start, stop = (count * (process_index() + k) // num_processes() for k in (0, 1))
    return range(start, stop)


def gather_items(items: list[Item]) -> list[Item]:
    """Join the lists of all processes, in the order of the processes."""
    return gather_object(items) if num_processes() > 1 else items


def wait_for_all() -> None:
    """Wait until every process has come this far."""
    if num_processes() > 1:
        PartialState().wait_for_everyone()


def run_in_processes(count: int, function: Callable[..., Any], *args: Any) -> None:  # noqa: ANN401
    """Call `function(*args)` in `count` new processes of this machine, and wait for them.

    They start afresh instead of as forks (as accelerate's `notebook_launcher` does), so that it
    works where CUDA is in use already. The function is one of a module; its arguments may be or
    hold functions and classes of a notebook. Nothing is returned: it leaves files. On a machine
    with GPUs there is at most one process a GPU.

    Raises:
        ValueError: for a count that the machine cannot serve.
        torch.multiprocessing.ProcessRaisedException: with the traceback of the first that fails;
            the others are ended.
    """
    gpus = torch.cuda.device_count()
    if count < 1 or (gpus and count > gpus):
        raise ValueError(f"NUM_PROCESSES is {count}; this machine has {gpus} GPUs, one for each.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = (count, port, function, wrap_non_picklable_objects(args, keep_wrapper=False))
    running = torch.multiprocessing.spawn(_run_one, settings, nprocs=count, join=False)
    try:
        while not running.join():
            pass
    finally:  # an interrupt reaches only this process
        for process in running.processes:
            process.terminate()


def _run_one(index: int, count: int, port: int, function: Callable[..., Any], args: tuple) -> None:
    end_with_parent(index)
    threads = max(1, num_cores() // count)
    numbers = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    numbers |= {"MASTER_PORT": port, "OMP_NUM_THREADS": threads}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    os.environ.update({name: str(value) for name, value in numbers.items()})
    torch.set_num_threads(threads)
    join_processes()
    function(*args)
    distributed.destroy_process_group()  # not after a failure: the others would fail of it first

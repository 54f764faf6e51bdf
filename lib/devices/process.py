"""How this process uses threads and memory; docs/performance.md has what each choice gained."""

import ctypes
import gc
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
# Batches are always cut into as many parts, with one thread too: so the numbers do not depend on the threads.
PARTS = 2
# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


@contextmanager
def training_process(threads: int) -> Iterator[None]:
    """Prepare this process for trainings within the block: threads, and warnings that say nothing.

    Args:
        threads: Of the process; torch's own operations, in each of the parts of a batch, get their share of them.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // PARTS))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded_torch(seed: int) -> Iterator[None]:
    """Seed torch's global generators within the block; afterwards they are as they were.

    Args:
        seed: Of the generators of the CPU and of all GPUs.
    """
    cpu = torch.get_rng_state()
    gpu = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if gpu is not None:
            torch.cuda.set_rng_state(gpu)


def keep_freed_memory() -> None:
    """Let the C library keep the memory a step has freed, and leave what is loaded by now out of garbage collection.

    What goes back to the system is zeroed page by page when it is asked for again: a sixth of the time of a step.
    """
    gc.freeze()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # only glibc has it
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_THRESHOLD, 2**25)


@cache
def _threads() -> list[ThreadPoolExecutor]:
    return [ThreadPoolExecutor(1, thread_name_prefix=f"part-{number}") for number in range(PARTS)]


@cache
def background_thread(work: str) -> ThreadPoolExecutor:
    """Return the thread for work that goes on beside the steps; one a process, so that its memory is used again."""
    return ThreadPoolExecutor(1, thread_name_prefix=work)


def run_parallel(work: Callable[[Item], Result], items: Iterable[Item], *, parallel: bool) -> Sequence[Result]:
    """Return the results of all items, in order; an error of any is raised when all have ended."""
    if not parallel:
        return [work(item) for item in items]
    # Each part always in the same thread: what it needs of memory is then found in that thread's share of it.
    threads = _threads()
    futures = [threads[number % PARTS].submit(work, item) for number, item in enumerate(items)]
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]

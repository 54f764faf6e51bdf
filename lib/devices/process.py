"""How this process uses threads and memory. docs/performance.md has the measurements."""

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
# Batches are always split into this many shards, even with one thread, so that results do not depend on the threads.
SHARDS = 2
# M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


@contextmanager
def training_process(threads: int) -> Iterator[None]:
    """Set the number of threads and silence a needless warning of schedulers within the block.

    Args:
        threads: Number of threads of the process. Each shard of a batch gets an equal share for torch's operations.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // SHARDS))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded_torch(seed: int) -> Iterator[None]:
    """Seed torch's global generators of the CPU and of all GPUs within the block, and restore their states after it.

    Args:
        seed: Seed of all these generators.
    """
    cpu = torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if gpus is not None:
            torch.cuda.set_rng_state_all(gpus)


def keep_freed_memory() -> None:
    """Make the C library keep freed memory, and exclude all present objects from garbage collection.

    Memory that a step returns to the system is zeroed page by page when the next step asks for it again, which takes
    a sixth of the time of a step.
    """
    gc.freeze()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # only glibc has it
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_THRESHOLD, 2**25)


@cache
def _threads() -> list[ThreadPoolExecutor]:
    return [ThreadPoolExecutor(1, thread_name_prefix=f"shard-{number}") for number in range(SHARDS)]


@cache
def background_thread(work: str) -> ThreadPoolExecutor:
    """Return the thread for one kind of work that runs in parallel to the steps.

    There is one thread for each kind in a process, so that the thread's memory is reused.
    """
    return ThreadPoolExecutor(1, thread_name_prefix=work)


def run_parallel(work: Callable[[Item], Result], items: Iterable[Item], *, parallel: bool) -> Sequence[Result]:
    """Apply a function to items, in threads if `parallel`.

    If a call raises, its error is raised after all calls have ended.

    Args:
        work: The function.
        items: Its arguments.
        parallel: Whether to use threads. Item i always runs in thread i modulo SHARDS.

    Returns:
        The results, in the order of the items.

    Raises:
        Exception: The error of the first item that failed.
    """
    if not parallel:
        return [work(item) for item in items]
    # A shard always runs in the same thread, because malloc has an arena for each thread and reuses its memory.
    threads = _threads()
    futures = [threads[number % SHARDS].submit(work, item) for number, item in enumerate(items)]
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]

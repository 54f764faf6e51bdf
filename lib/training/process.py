"""How this process uses threads and memory; docs/performance.md has what each choice gained."""

import ctypes
import gc
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
# Batches are always cut into as many parts, with one thread too: so the numbers do not depend on the threads.
PARTS = 2
# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def set_threads(threads: int) -> None:
    """Give torch's own operations, in every thread, their share of the threads."""
    torch.set_num_threads(max(1, threads // PARTS))


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
def background(work: str) -> ThreadPoolExecutor:
    """Return the thread for work that goes on beside the steps; one a process, so that its memory is used again."""
    return ThreadPoolExecutor(1, thread_name_prefix=work)


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], *, parallel: bool) -> Sequence[Result]:
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

"""How often this process looks for garbage."""

import gc


def collect_garbage_less_often() -> None:
    """Look for garbage after 10,000 new objects, and not after 700.

    Importing torch and transformers makes a million objects that stay. With Python's default, a tenth of the time of
    these imports is spent on looking for garbage among them.
    """
    gc.set_threshold(10_000)

"""When Python looks for cyclic garbage: seldom, in processes that hardly make any."""

import gc

OBJECTS_OF_AN_IMPORT = 200_000
"""A chunk makes about so many that live until it is done."""


def look_seldom(objects: int) -> None:
    """Keep what is there now for good, and look for cycles only after so many more new objects than were freed.

    A process calls this once, when it has started. To look through all objects again and again would take longer than
    its work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(objects)

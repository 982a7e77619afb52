import gc
import threading

from webapp.importer.collecting import collecting_rarely


def test_garbage_is_left_alone_until_the_last_thread_has_left() -> None:
    # given two threads that apply chunks, of which one began later and ends later
    second_is_in, first_is_out, seen = threading.Event(), threading.Event(), []

    def apply_second() -> None:
        with collecting_rarely():
            second_is_in.set()
            first_is_out.wait(10)
            seen.append(gc.isenabled())

    thread = threading.Thread(target=apply_second)
    # when the first one ends
    with collecting_rarely():
        thread.start()
        second_is_in.wait(10)
        seen.append(gc.isenabled())
    first_is_out.set()
    thread.join(10)
    # then nothing was looked for before both were done, and from then on it is as it was
    assert seen == [False, False]
    assert gc.isenabled()

"""Never comes back: sleeps, loops, waits, in Python and below it, and shuts its ears against being told to stop."""

from strategy.skills.kit import Raw, Strategy, attack, call, libc

__all__ = ["Strategy"]


@attack("late", alone=True, seconds=0.6)
def sleep(scene):
    import time

    time.sleep(1000)


@attack("late", alone=True, seconds=0.6, thorough=True)
def sleep_in_c(scene):
    libc().sleep(1000)


@attack("late", alone=True, seconds=0.6)
def busy_loop(scene):
    while True:
        pass


@attack("late", alone=True, seconds=0.6)
def loop_that_catches_everything(scene):
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001  # this is the attack
            continue


@attack("late", alone=True, seconds=0.6)
def one_long_operation(scene):
    """No instruction of Python ends, so no signal handler of Python runs."""
    return 7 ** (10**9) > 0


@attack("late", alone=True, seconds=0.6, thorough=True)
def endless_iterator(scene):
    return sum(iter(int, 1))


@attack("late", alone=True, seconds=0.6)
def backtracking(scene):
    import re

    return re.match(r"(a+)+$", "a" * 60 + "b")


@attack("late", alone=True, seconds=0.6, thorough=True)
def big_number_to_text(scene):
    import sys

    sys.set_int_max_str_digits(0)
    return len(str(1 << (1 << 27)))


@attack("late", alone=True, seconds=0.6, thorough=True)
def numpy_loop(scene):
    import numpy as np

    return np.linalg.svd(np.random.default_rng(1).random((4000, 4000)))


@attack("late", alone=True, seconds=0.6, thorough=True)
def polars_loop(scene):
    """Rust does not look at signals at all."""
    import polars as pl

    side = pl.LazyFrame({"a": range(60_000)})
    for _ in range(1000):
        side.join_where(side.rename({"a": "b"}), pl.col("a") * 3 > pl.col("b") * 3 + 200_000).collect()


@attack("late", alone=True, seconds=0.6, thorough=True)
def lock_held_twice(scene):
    import threading

    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@attack("late", alone=True, seconds=0.6, thorough=True)
def wait_for_nothing(scene):
    import select

    select.poll().poll()


@attack("late", alone=True, seconds=0.6)
def read_the_request_socket(scene):
    """Eats the host's next request, or waits for it."""
    import select

    poller = select.poll()
    for number in range(3, 64):
        poller.register(number, select.POLLIN)
    while True:
        poller.poll(1000)


@attack("late", alone=True, seconds=0.6)
def deaf_to_every_signal(scene):
    import ctypes

    every = (ctypes.c_uint64 * 16)(*[0xFFFFFFFFFFFFFFFF] * 16)
    libc().pthread_sigmask(0, every, None)
    while True:
        pass


@attack("late", alone=True, seconds=0.6, thorough=True)
def signal_handlers_that_return(scene):
    import signal

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
        try:
            signal.signal(number, lambda *_: None)
        except (ValueError, OSError):
            continue
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    while True:
        pass


@attack("late", alone=True, seconds=0.6)
def only_its_thread_ends(scene):
    """The process stays, because of the threads of a library, but nobody in it answers."""
    import polars as pl

    assert pl.LazyFrame({"a": [1]}).collect().height
    call("exit", 0)


@attack("late", alone=True, seconds=0.6, thorough=True)
def stop_itself(scene):
    """Held by the job control of the shell, not by code."""
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSTOP)


@attack("late", alone=True, seconds=0.6, loose=True)
def endless_list(scene):
    """A list whose end never comes, read by whoever turns the answer into bytes."""

    class Endless(list):
        def __iter__(self):
            while True:
                for _ in range(1_000_000):
                    pass

        def __len__(self):
            return 1

    return Raw(Endless([1]))


@attack("late", alone=True, seconds=0.6, loose=True)
def lazy_text(scene):
    """A text that takes for ever to become one."""
    from shell.contract import Action, Signal

    class Slow(str):
        def isprintable(self):
            while True:
                pass

        __str__ = __repr__ = __format__ = encode = isprintable

    class Slower:
        __str__ = Slow.isprintable
        __repr__ = Slow.isprintable

    return Raw([Signal(scene.symbols[0], Action.BUY, reasoning=Slow("x"), tag=Slower())])


@attack("late", alone=True, seconds=0.6, loose=True)
def slow_exception(scene):
    """Raises what nobody can print."""

    class Slow(Exception):
        def __str__(self):
            while True:
                pass

        __repr__ = __str__

        @property
        def args(self):
            while True:
                pass

    raise Slow


@attack("late", alone=True, seconds=0.6, loose=True, thorough=True)
def slow_end_of_an_object(scene):
    """Hangs when its answer is thrown away."""
    from shell.contract import Action, Signal

    class Sticky(str):
        def __del__(self):
            while True:
                pass

    return Raw([Signal(scene.symbols[0], Action.BUY, reasoning=Sticky("x"))])


@attack("late", alone=True, seconds=0.6, asks="state")
def endless_state(scene):
    class Endless(dict):
        def items(self):
            while True:
                pass

        __iter__ = keys = values = __len__ = items

    scene.strategy.reply = Raw(Endless(a=1))

"""Starts processes and threads, and outlives its call. Every bomb counts to a bound; every leftover ends by itself."""

from strategy.skills.kit import Strategy, attack, call, libc

__all__ = ["Strategy"]


def linger(scene):
    """What a started process does: nothing, and not for ever."""
    import os
    import time

    time.sleep(scene.linger)
    os._exit(0)


def command(scene):
    return f"echo here > {scene.folder}/marker"


@attack("process")
def fork(scene):
    import os

    if os.fork() == 0:
        linger(scene)


@attack("process")
def fork_away(scene):
    """A process of another session, whose parent ends: killing the group does not reach it."""
    import os

    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            linger(scene)
        os._exit(0)
    os.wait()


@attack("process", thorough=True)
def fork_bomb(scene):
    import os

    for _ in range(scene.many):
        if os.fork() == 0:
            linger(scene)


@attack("process")
def fork_with_a_terminal(scene):
    import pty

    pid, _ = pty.fork()
    if pid == 0:
        linger(scene)


@attack("process", thorough=True)
def c_library_fork(scene):
    if libc().fork() == 0:
        linger(scene)


@attack("process")
def call_clone(scene):
    if call("clone", 17, 0, 0, 0, 0) == 0:
        linger(scene)


@attack("process", lacks="the kernel is older than clone3")
def call_clone3(scene):
    import ctypes

    arguments = (ctypes.c_uint64 * 11)()
    arguments[4] = 17
    if call("clone3", arguments, 88) == 0:
        linger(scene)


@attack("files")
def system(scene):
    import os

    os.system(command(scene))


@attack("files", thorough=True)
def popen(scene):
    import os

    os.popen(command(scene)).read()


@attack("files")
def subprocess_run(scene):
    import subprocess

    subprocess.run(["/bin/sh", "-c", command(scene)], check=True)


@attack("files", thorough=True)
def subprocess_by_vfork(scene):
    import _posixsubprocess
    import subprocess

    subprocess._USE_VFORK = True
    assert _posixsubprocess
    subprocess.run(["/bin/sh", "-c", command(scene)], close_fds=False, check=True)


@attack("files", thorough=True)
def posix_spawn(scene):
    import os

    os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", command(scene)], {}), 0)


@attack("files", thorough=True)
def c_library_system(scene):
    if libc().system(command(scene).encode()):
        raise OSError("system")


@attack("files")
def unpickled_command(scene):
    import pickle

    pickle.loads(b"cos\nsystem\n(S'" + command(scene).encode() + b"'\ntR.")


def shell_words(scene):
    import ctypes

    return (ctypes.c_char_p * 4)(b"sh", b"-c", f"{command(scene)}; sleep 5".encode(), None)


@attack("files", spoils=True, seconds=1.0)
def execve(scene):
    """The strategy's own process becomes another program, with its socket and its number."""
    import os

    os.execve("/bin/sh", ["sh", "-c", f"{command(scene)}; sleep 5"], dict(os.environ))


@attack("files", spoils=True, seconds=1.0, thorough=True)
def call_execve(scene):
    call("execve", b"/bin/sh", shell_words(scene), None)


@attack("files", spoils=True, seconds=1.0)
def exec_from_memory(scene):
    """A program that was never a file."""
    import os

    descriptor = call("memfd_create", b"x", 0)
    with open("/bin/sh", "rb") as program:
        os.write(descriptor, program.read())
    call("execveat", descriptor, b"", shell_words(scene), None, 0x1000)


@attack("process")
def multiprocessing_process(scene):
    import multiprocessing

    multiprocessing.get_context("fork").Process(target=linger, args=(scene,)).start()


@attack("process", thorough=True)
def process_pool(scene):
    import multiprocessing

    scene.strategy.kept = multiprocessing.get_context("fork").Pool(2)


@attack("process", spoils=True, thorough=True)
def spawned_server(scene):
    """The server process that multiprocessing keeps for its bookkeeping."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()


@attack("thread", spoils=True)
def thread(scene):
    import threading
    import time

    threading.Thread(target=time.sleep, args=(scene.linger,), daemon=True).start()


@attack("thread", spoils=True)
def bare_thread(scene):
    import _thread
    import time

    _thread.start_new_thread(time.sleep, (scene.linger,))


@attack("thread", spoils=True)
def thread_bomb(scene):
    import threading
    import time

    for _ in range(4 * scene.many):
        threading.Thread(target=time.sleep, args=(scene.linger,), daemon=True).start()


@attack("thread", spoils=True, thorough=True)
def timer_thread(scene):
    import threading

    timer = threading.Timer(scene.linger, print)
    timer.daemon = True
    timer.start()


@attack("thread", spoils=True)
def thread_pool(scene):
    import time
    from concurrent.futures import ThreadPoolExecutor

    scene.strategy.kept = ThreadPoolExecutor(2)
    scene.strategy.kept.submit(time.sleep, 1.0)


@attack("thread", spoils=True)
def c_library_thread(scene):
    """A thread that the interpreter does not know."""
    import ctypes

    sleep = ctypes.cast(libc().sleep, ctypes.c_void_p)
    identity = ctypes.c_ulong()
    code = libc().pthread_create(ctypes.byref(identity), None, sleep, ctypes.c_void_p(scene.linger))
    if code:
        raise OSError(code, "pthread_create")


@attack("thread", spoils=True)
def polars_threads(scene):
    """Libraries start threads when they first need them."""
    import polars as pl

    plan = pl.LazyFrame({"a": [number % 60 for number in range(5000)], "b": [1.0] * 5000})
    scene.strategy.kept = [
        plan.group_by("a").agg(pl.col("b").filter(pl.col("b") > 0).last()).collect(background=True) for _ in range(8)
    ]
    plan.group_by("a").len().collect(engine="streaming")
    for waiting in scene.strategy.kept:
        waiting.fetch_blocking()


@attack("process", spoils=True)
def fork_at_exit(scene):
    """Waits for the end of the process: what is registered there runs when the host has let go."""
    import atexit
    import os
    import sys

    def away():
        if os.fork() == 0:
            os.setsid()
            linger(scene)

    atexit.register(away)
    if os.fork() == 0:
        sys.exit(0)


@attack("files", alone=True)
def signal_handler_later(scene):
    """Code that runs after its call has returned, when a timer fires."""
    import signal
    import time

    def write(*_):
        with open(f"{scene.folder}/marker", "w") as file:
            file.write("here")

    signal.signal(signal.SIGALRM, write)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(0.2)

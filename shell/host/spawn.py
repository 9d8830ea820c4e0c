"""Starting the interpreter that a strategy runs in: clean environment, own session, no descriptor but those handed over."""

from __future__ import annotations

import compileall
import functools
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# Where the modules lie that a child imports of ours, and the packages that it imports of others.
CHILD_FOLDERS = ("shell", "shell/host", "shell/indicators", "shell/market")
CHILD_PACKAGES = ("numpy", "polars", "_polars_runtime_32", "_polars_runtime_64", "_polars_runtime_compat", "tzdata")
# -S: neither start-up files of site-packages nor their cost, so the folders of the libraries come as an argument, like the
# root: any layout of an installation works. The walls that must stand before anything large is imported come first.
_OPTIONS = ("-P", "-s", "-S")
_BOOTSTRAP = """
import gc, sys
gc.disable()
root, libraries, entry, descriptor, parent, lane, extra = sys.argv[1:]
sys.path += libraries.split(":")
sys.path.insert(0, root)
from shell.host.lockdown import enclose
enclosure = enclose(root, int(parent))
main = __import__(entry, fromlist=["main"]).main
main(int(descriptor), enclosure, [*map(int, lane.split())], *map(int, extra.split()))
"""


class Program(NamedTuple):
    """What a child runs: the module whose `main` it calls, and where that finds its modules of ours and its packages; whether
    it can be met through a lane (`shell.host.lane`), and whether it has polars (`shell.host.frames`)."""

    entry: str = "shell.host.child"
    folders: tuple[str, ...] = CHILD_FOLDERS
    packages: tuple[str, ...] = CHILD_PACKAGES
    lane: bool = False
    frames: bool = True


class Handed(NamedTuple):
    """The descriptors a child is given, the only ones it has: its socket, the lane's, and further ones of its program."""

    socket: int
    lane: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()


STRATEGY_HOST = Program(lane=True)
# For a strategy that touches no frame (`shell.host.frames`).
FRAMELESS_HOST = Program(entry="shell.host.frameless", lane=True, frames=False)


def spawn(handed: Handed, hash_seed: str, program: Program = STRATEGY_HOST) -> subprocess.Popen[bytes]:
    """A new child that serves on its socket. Raises OSError.

    The kernel kills it when this process ends: more exactly, when the thread that started it does. So one thread that
    lasts as long as the process starts them all.
    """
    compile_ahead(program.folders)
    return _STARTER.start((handed, hash_seed, program))


@functools.cache
def compile_ahead(folders: Sequence[str] = CHILD_FOLDERS) -> None:
    """Write the bytecode of the child's modules where it is missing or old: the child itself may write nothing.

    Where this process may not either, every child compiles anew and starts some hundredths of a second later.
    """
    for folder in folders:
        compileall.compile_dir(ROOT / folder, maxlevels=0, quiet=2)


def _open(handed: Handed, hash_seed: str, program: Program) -> subprocess.Popen[bytes]:
    lane, extra = (" ".join(map(str, each)) for each in (handed.lane, handed.extra))
    return subprocess.Popen(
        [
            *(sys.executable, *_OPTIONS, "-c", _BOOTSTRAP, str(ROOT), _libraries(program.packages)),
            *(program.entry, str(handed.socket), str(os.getpid()), lane, extra),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_environment(hash_seed),
        cwd="/",
        close_fds=True,
        pass_fds=(handed.socket, *handed.lane, *handed.extra),
        start_new_session=True,
    )


_Order = tuple[Future[subprocess.Popen[bytes]], tuple[Handed, str, Program]]


class _Starter:
    """The thread that starts children. Begun when first needed, and anew in a process that was forked from this one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._orders: SimpleQueue[_Order] | None = None

    def start(self, what: tuple[Handed, str, Program]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._orders is None:
                self._orders = SimpleQueue()
                Thread(target=self._work, args=(self._orders,), name="strategy starter", daemon=True).start()
            orders = self._orders
        done: Future[subprocess.Popen[bytes]] = Future()
        orders.put((done, what))
        return done.result()

    def forked(self) -> None:
        """Threads do not cross a fork."""
        self._lock, self._orders = Lock(), None

    @staticmethod
    def _work(orders: SimpleQueue[_Order]) -> None:
        while True:
            done, what = orders.get()
            try:
                process = _open(*what)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                done.set_exception(error)
            else:
                done.set_result(process)


_STARTER = _Starter()
os.register_at_fork(after_in_child=_STARTER.forked)


@functools.cache
def _libraries(packages: Sequence[str]) -> str:
    found = []
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            # A package's file is one folder deeper than a single module's.
            found.append(str(Path(spec.origin).resolve().parents[0 if spec.submodule_search_locations is None else 1]))
    return ":".join(dict.fromkeys(found))


def _environment(hash_seed: str) -> dict[str, str]:
    return {
        "PYTHONHASHSEED": hash_seed,
        "LANG": "C.UTF-8",
        # Without these, libraries ask the user database, over a socket on some machines.
        "HOME": "/",
        "USER": "nobody",
        # No threads beyond those that polars starts in the warm-up: behind the wall none can be started.
        "POLARS_MAX_THREADS": "1",
        "POLARS_ENGINE_AFFINITY": "in-memory",
        # Grouping many rows in partitions starts a thread on the way, even in the in-memory engine.
        "POLARS_NO_PARTITION": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "_RJEM_MALLOC_CONF": "background_thread:false",
        # Else pydantic reads the metadata of every installed package, in search of code to load.
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }

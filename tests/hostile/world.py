"""What hostile code may find to steal, change or kill, all made for the test: a world a worker, renewed after damage."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import random
import secrets
import selectors
import shelve
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from tests.hostile.market import FUTURE

# More than a strategy's process may hold.
BOMB_BYTES = 5 << 29
MANY = 12
LINGER_SECONDS = 20

# In this process's environment while hostile code runs: a child that inherits it can tell.
ENVIRONMENT_NAME = "HOSTILE_TEST_SECRET"
ENVIRONMENT_SECRET = f"prize-{secrets.token_hex(8)}"

# Each worker's world has a signal of its own, from here on.
FIRST_SIGNAL = signal.SIGRTMIN + 4
_RIGHTS = 0o777
# The standard library's database modules do not bear being imported by two threads at once.
_planting = threading.Lock()


class Signals:
    """Which signals reached this process, known at once and whichever thread they reached. Made in the main thread."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._lock = threading.Lock()
        self._seen: Counter[int] = Counter()
        for number in range(FIRST_SIGNAL, signal.SIGRTMAX):
            signal.signal(number, lambda *_: None)

    def seen(self, number: int) -> int:
        with self._lock:
            with contextlib.suppress(BlockingIOError):
                self._seen.update(os.read(self._reader, 65_536))
            return self._seen[number]

    def close(self) -> None:
        signal.set_wakeup_fd(self._before)
        for number in range(FIRST_SIGNAL, signal.SIGRTMAX):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._reader)
        os.close(self._writer)


class Listeners:
    """TCP, UDP, unix and abstract sockets that keep whatever they are sent."""

    def __init__(self, folder: Path, name: str) -> None:
        self.received: list[bytes] = []
        self._selector = selectors.DefaultSelector()
        tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        unix, dgram, abstract = (socket.socket(socket.AF_UNIX, kind) for kind in _UNIX_KINDS)
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(folder / "unix.sock"))
        dgram.bind(str(folder / "dgram.sock"))
        for path in ("unix.sock", "dgram.sock"):
            (folder / path).chmod(_RIGHTS)
        abstract.bind(f"\0{name}")
        self.tcp_port, self.udp_port = tcp.getsockname()[1], udp.getsockname()[1]
        for listening in (tcp, unix, abstract):
            listening.listen()
        for every in (tcp, udp, unix, dgram, abstract):
            every.setblocking(False)
            self._selector.register(every, selectors.EVENT_READ)
        self._stop, stop = socket.socketpair()
        self._selector.register(stop, selectors.EVENT_READ, "stop")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data == "stop":
                    for each in list(self._selector.get_map().values()):
                        each.fileobj.close()  # type: ignore[union-attr]
                    return
                with contextlib.suppress(OSError):
                    self._take(key.fileobj)  # type: ignore[arg-type]

    def _take(self, ready: socket.socket) -> None:
        if ready.type == socket.SOCK_STREAM and ready.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            made, _ = ready.accept()
            made.setblocking(False)
            self._selector.register(made, selectors.EVENT_READ)
            self.received.append(b"connection")
            return
        data = ready.recv(65_536)
        if data:
            self.received.append(data)
        elif ready.type == socket.SOCK_STREAM:
            self._selector.unregister(ready)
            ready.close()

    def close(self) -> None:
        self._stop.close()
        self._thread.join(5.0)
        self._selector.close()


_UNIX_KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM)


class World:
    """Prizes for one worker. `facts()` is what the attacker is told: where things are, never what they hold."""

    def __init__(self, signals: Signals, number: int) -> None:
        self.signals = signals
        self.mark = f"mark-{secrets.token_hex(6)}"
        self.secret = f"prize-{secrets.token_hex(8)}"
        self.number = random.SystemRandom().randrange(10**8, 10**9)
        self.signal_number = FIRST_SIGNAL + number
        self.ipc_key = random.SystemRandom().randrange(1 << 20, 1 << 30)
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
        self.entry = max(entries, key=len)[:60].decode(errors="replace")
        self.folder = Path(tempfile.mkdtemp(prefix="hostile-"))
        self.folder.chmod(_RIGHTS)
        self.listeners = Listeners(self.folder, self.mark)
        # Read or written only by who gets at another process's memory.
        self.buffer = ctypes.create_string_buffer(64)
        self.pipe_reader, self._pipe_writer = os.pipe()
        os.set_blocking(self.pipe_reader, False)
        with _planting:
            self._plant_made_files()
        self._made = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        self.victim = _bystander()
        self.renew()

    def renew(self) -> None:
        """Everything back in its place."""
        _wipe(self.folder)
        for name, data in self._made.items():
            (self.folder / name).write_bytes(data)
        (self.folder / "empty").mkdir()
        (self.folder / "names").mkdir()
        (self.folder / "names" / self.secret).touch()
        with (self.folder / "size.bin").open("wb") as sized:
            sized.truncate(self.number)
        for path in self.folder.rglob("*"):
            path.chmod(_RIGHTS)
        (self.folder / "link").symlink_to(self.secret)
        self.buffer.value = self.secret.encode()
        with contextlib.suppress(BlockingIOError):
            os.read(self.pipe_reader, 4096)
        # Several times, because who reads a pipe empties it.
        os.write(self._pipe_writer, 8 * self.secret.encode())
        remove_kernel_objects(self.ipc_key, self.mark)
        _end(self.victim)
        self.victim = _bystander()

    def _plant_made_files(self) -> None:
        secret, number, folder = self.secret, self.number, self.folder
        for name in ("secret.txt", "secret.pem"):
            (folder / name).write_text(secret)
        (folder / "planted.py").write_text(f"TOKEN = {secret!r}\n")
        (folder / "victim.txt").write_text("keep me")
        np.save(folder / "secret.npy", np.array([float(number)]))
        np.array([float(number)]).tofile(folder / "secret.bin")
        (folder / "secret.num").write_text(f"{number}\n")
        frame = pl.DataFrame({"secret": [secret]})
        frame.write_csv(folder / "secret.csv")
        frame.write_parquet(folder / "secret.parquet")
        frame.write_ipc(folder / "secret.ipc")
        frame.write_ndjson(folder / "secret.ndjson")
        with contextlib.closing(sqlite3.connect(folder / "secret.db")) as base, base:
            base.execute("create table prizes (text)")
            base.execute("insert into prizes values (?)", (secret,))
        with shelve.open(str(folder / "secret.shelf")) as shelf:
            shelf["secret"] = secret

    def facts(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "mark": self.mark,
            "parent": os.getpid(),
            "victim": self.victim.pid,
            "address": ctypes.addressof(self.buffer),
            "length": len(self.secret),
            "pipe": self.pipe_reader,
            "signal": self.signal_number,
            "ipc_key": self.ipc_key,
            "tcp_port": self.listeners.tcp_port,
            "udp_port": self.listeners.udp_port,
            "bomb_bytes": BOMB_BYTES,
            "many": MANY,
            "linger": LINGER_SECONDS,
        }

    def knows(self, text: str) -> bool:
        """True if `text` holds something that only this world (or the future) knows."""
        known = [self.secret, str(self.number), self.entry, ENVIRONMENT_SECRET, *(repr(price) for price in FUTURE)]
        return any(item in text for item in known)

    def close(self) -> None:
        remove_kernel_objects(self.ipc_key, self.mark)
        _end(self.victim)
        self.listeners.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.pipe_reader)
        os.close(self._pipe_writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bystander() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()


def _wipe(folder: Path) -> None:
    """Empty a folder but for the sockets that are listened on."""
    for path in folder.iterdir():
        if not path.is_socket():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def remove_kernel_objects(key: int, name: str) -> None:
    """End what an attack left in the kernel: System V objects under `key`, POSIX ones and keys under `name`."""
    library = ctypes.CDLL(None)
    for get, control in (("shmget", "shmctl"), ("msgget", "msgctl"), ("semget", "semctl")):
        arguments = (key, 0) if get == "msgget" else (key, 0, 0)
        identity = getattr(library, get)(*arguments)
        if identity >= 0:
            getattr(library, control)(*((identity, 0, 0, 0) if get == "semget" else (identity, 0, 0)))
    library.mq_unlink(f"/{name}".encode())
    with contextlib.suppress(OSError):
        Path("/dev/shm", name).unlink()
    number = 219 if platform.machine() == "aarch64" else 250
    found = library.syscall(number, 10, ctypes.c_long(-4), b"user", name.encode(), 0)
    if found >= 0:
        library.syscall(number, 9, ctypes.c_long(found), ctypes.c_long(-4))

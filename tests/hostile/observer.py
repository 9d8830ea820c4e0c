"""What changed in the world and in a process, seen from outside: nothing the process says of itself counts here."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.prizes import Prize
from tests.hostile.world import BOMB_BYTES, World

_MAPPING = re.compile(r"^\S+ (\S{4}) \S+ \S+ (\d+)\s*(.*)$")
_NUMBERED = re.compile(r"\d+")
# What any process may have and lose: the kernel's own pages.
_KERNEL_PAGES = {"[vdso]", "[vsyscall]", "[uprobes]"}
_STATUS = {"Uid", "Gid", "Groups", "CapEff", "SigIgn", "Seccomp", "Seccomp_filters", "NoNewPrivs"}
_GONE_SECONDS = 2.0
_ARRIVES_SECONDS = 2.0
_ARRIVING = {Prize.RECEIVED, Prize.SIGNALLED, Prize.VICTIM, Prize.PROCESS, Prize.THREAD}


@dataclass(frozen=True, slots=True)
class Subject:
    """One process as /proc shows it, in the pieces that an attack may change. Empty pieces: the process is gone."""

    threads: int
    descriptors: frozenset[str]
    code: frozenset[str]
    standing: frozenset[str]
    command: str
    held_bytes: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The world's side of the same moment."""

    files: tuple[str, ...]
    received: int
    victim: tuple[str, ...]
    buffer: bytes
    signals: int
    objects: frozenset[str]


class Observer:
    """Compares a world and one process before and after an attack. `mark` is the hash seed that the process was given: it
    stands in the environment of everything that descends from it."""

    def __init__(self, world: World, pid: int, mark: str, bomb_bytes: int = BOMB_BYTES) -> None:
        self._world, self._pid, self._bomb_bytes = world, pid, bomb_bytes
        self._mark = f"PYTHONHASHSEED={mark}\0".encode()
        # Processes that were there before have another environment and keep it.
        self._older = set(pids())
        self.before()

    def before(self) -> None:
        self._subject, self._around = subject(self._pid), surroundings(self._world)

    def after(self, text: str, expected: Prize | None = None) -> set[Prize]:
        """The prizes that were won since `before`, `text` being all that came back.

        What travels through the kernel or another thread of this process may need a moment: `expected` is waited for."""
        until = time.monotonic() + (_ARRIVES_SECONDS if expected in _ARRIVING else 0.0)
        won = self._won(text)
        while expected not in won and time.monotonic() < until:
            time.sleep(0.01)
            won = self._won(text)
        return won

    def _won(self, text: str) -> set[Prize]:
        won = {Prize.TOLD} if self._world.knows(text) else set()
        won |= self._around_changes()
        now, earlier = subject(self._pid), self._subject
        if now is not None and earlier is not None:
            won |= _subject_changes(earlier, now)
            # A bomb has gone off when nearly all of it is really there.
            won |= {Prize.BYTES} if now.held_bytes - earlier.held_bytes > 0.8 * self._bomb_bytes else set()
        if self._descendants():
            won.add(Prize.PROCESS)
        return won

    def end_descendants(self) -> None:
        """End what the process left behind, so that one attack's loot is not taken for another's."""
        for pid in self._descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def settle(self) -> None:
        """Wait until what was killed with the process has gone; what is still there afterwards lives on."""
        until = time.monotonic() + _GONE_SECONDS
        while self._descendants() and time.monotonic() < until:
            time.sleep(0.01)

    def _around_changes(self) -> set[Prize]:
        now, earlier = surroundings(self._world), self._around
        return {
            prize
            for prize, changed in (
                (Prize.FILES, now.files != earlier.files),
                (Prize.RECEIVED, now.received != earlier.received),
                (Prize.VICTIM, now.victim != earlier.victim),
                (Prize.MEMORY_OF_OTHERS, now.buffer != earlier.buffer),
                (Prize.SIGNALLED, now.signals != earlier.signals),
                (Prize.KERNEL_OBJECT, bool(now.objects - earlier.objects)),
            )
            if changed
        }

    def _descendants(self) -> list[int]:
        return [pid for pid in pids() if pid not in self._older and pid != self._pid and self._mark in _environment(pid)]


def _subject_changes(earlier: Subject, now: Subject) -> set[Prize]:
    return {
        prize
        for prize, changed in (
            (Prize.THREAD, now.threads > earlier.threads),
            (Prize.DESCRIPTOR, bool(now.descriptors - earlier.descriptors)),
            (Prize.CODE, bool(now.code - earlier.code)),
            # A thread may leave the others: any fact that is true of one of them counts.
            (Prize.STANDING, bool(now.standing - earlier.standing)),
            (Prize.PROCESS, now.command != earlier.command),
        )
        if changed
    }


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def alive(pid: int) -> bool:
    """True unless the process is gone or only waits to be reaped."""
    try:
        return _read(pid, "stat").rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def subject(pid: int) -> Subject | None:
    """None if the process is gone or not ours to look at."""
    try:
        status = dict(line.split(":\t", 1) for line in _read(pid, "status").splitlines() if ":\t" in line)
        if status["State"][0] in "ZX":
            return None
        threads = os.listdir(f"/proc/{pid}/task")
        return Subject(
            threads=len(threads),
            descriptors=frozenset(_descriptors(pid)),
            code=frozenset(_code(pid)),
            standing=frozenset(fact for thread in threads for fact in _standing(f"{pid}/task/{thread}"))
            | {_read(pid, "limits")},
            command=_read(pid, "cmdline"),
            held_bytes=1024 * int(status["VmHWM"].split()[0]),
        )
    except (OSError, KeyError):
        return None


def surroundings(world: World) -> Surroundings:
    files = [_shown(path) for path in sorted(world.folder.rglob("*"))]
    victim = world.victim.pid
    return Surroundings(
        files=tuple(files),
        received=len(world.listeners.received),
        victim=_condition(victim) if world.victim.poll() is None else ("dead",),
        buffer=world.buffer.raw,
        signals=world.signals.seen(world.signal_number),
        objects=frozenset(_objects(world)),
    )


def _shown(path: Path) -> str:
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return f"{path} vanished"
    more = os.listxattr(path, follow_symlinks=False)
    return f"{path} {facts.st_mode:o} {facts.st_uid} {facts.st_size} {facts.st_mtime_ns} {facts.st_nlink} {more}"


def _condition(pid: int) -> tuple[str, ...]:
    try:
        stat = _read(pid, "stat").rpartition(")")[2].split()
        status = _read(pid, "status")
        # Its state counts only when it is held up: it may be sleeping or just on its way there.
        state = stat[0] if stat[0] in "TtZ" else "runs"
        limits = str(resource.prlimit(pid, resource.RLIMIT_NOFILE))
        tracer = next((line for line in status.splitlines() if line.startswith("TracerPid")), "")
        return state, stat[16], limits, tracer, str(sorted(os.sched_getaffinity(pid)))
    except (OSError, IndexError):
        return ("dead",)


def _descriptors(pid: int) -> list[str]:
    kinds = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            kinds.append(_NUMBERED.sub("N", os.readlink(f"/proc/{pid}/fd/{number}")))
    return [f"{kind} {kinds.count(kind)}" for kind in kinds]


def _code(pid: int) -> list[str]:
    found = []
    for line in _read(pid, "maps").splitlines():
        match = _MAPPING.match(line)
        if match is not None and "x" in match[1] and match[3] not in _KERNEL_PAGES:
            found.append(f"{match[1]} {match[3]}" if int(match[2]) else line)
    return found


def _standing(thread: str) -> list[str]:
    spaces = [f"{name} {os.readlink(f'/proc/{thread}/ns/{name}')}" for name in sorted(os.listdir(f"/proc/{thread}/ns"))]
    status = _read(thread, "status").splitlines()
    rights = [line for line in status if line.partition(":")[0] in _STATUS]
    links = [f"{name} {os.readlink(f'/proc/{thread}/{name}')}" for name in ("root", "cwd")]
    mounts = _read(thread, "mountinfo").count("\n")
    numbers = _read(thread, "stat").rpartition(")")[2].split()
    number = int(thread.rpartition("/")[2])
    scheduling = f"nice {numbers[16]} policy {numbers[38]} on {sorted(os.sched_getaffinity(number))}"
    files = [f"{name} {_read(thread, name)}" for name in ("personality", "oom_score_adj")]
    return [*spaces, *rights, *links, f"{mounts} mounts", scheduling, *files]


def _objects(world: World) -> list[str]:
    found = []
    for kind in ("shm", "msg", "sem"):
        with contextlib.suppress(OSError):
            lines = Path("/proc/sysvipc", kind).read_text().splitlines()
            found += [f"{kind} {world.ipc_key}" for line in lines if line.split()[:1] == [str(world.ipc_key)]]
    with contextlib.suppress(OSError):
        found += [line for line in Path("/proc/keys").read_text().splitlines() if world.mark in line]
    for folder in ("/dev/shm", "/dev/mqueue"):
        with contextlib.suppress(OSError):
            found += [f"{folder}/{name}" for name in os.listdir(folder) if world.mark in name]
    return found


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes() if alive(pid) else b""
    except OSError:
        return b""


def _read(pid: int | str, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(errors="replace")

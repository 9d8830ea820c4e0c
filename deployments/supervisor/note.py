"""What `brain up` leaves in a home for others to find: a lock held while it lives, and a note of what it started.

The lock decides (the kernel drops it with the process); the note tells of what runs, or was left. A process is named by its
number and its start, so that a number the kernel gave to somebody else is never sent a signal.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shell.clock import monotonic
from shell.errors import NotNow
from shell.home import Home, make_private

# In the environment of everything that `brain up` starts, at any depth: the run folder of the home.
MARK = "TRADING_BRAIN_UP"
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, unmistakable while the machine runs. `started` is in clock ticks since boot, "" where unknown."""

    pid: int
    started: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpNote:
    """Who runs and where. `phase` is "starting", "up" or "stopping"; `ui` the address of Prefect's pages."""

    supervisor: Process
    children: Mapping[str, Process] = field(default_factory=dict)
    ui: str = ""
    api: str = ""
    phase: str = "starting"
    simulated: bool = False


def process_of(pid: int) -> Process:
    return Process(pid=pid, started=_start_of(pid))


def is_alive(process: Process) -> bool:
    """Whether this very process runs (a dead one that nobody waited for does not)."""
    started = _start_of(process.pid)
    if started:
        return process.started in ("", started)
    try:
        os.kill(process.pid, 0)
    except OSError:
        return False
    return not Path("/proc/self/stat").exists()


def session_of(process: Process) -> int:
    """The session a process is in, 0 when it is over."""
    try:
        return os.getsid(process.pid)
    except OSError:
        return 0


def read_note(home: Home) -> UpNote | None:
    """The note of the last start; None without one or with half of one."""
    try:
        facts = json.loads(_note_file(home).read_text(encoding="utf-8"))
        facts["supervisor"] = Process(**facts["supervisor"])
        facts["children"] = {name: Process(**each) for name, each in facts["children"].items()}
        return UpNote(**facts)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_note(home: Home, note: UpNote) -> None:
    staged = _note_file(home).with_suffix(".new")
    staged.write_text(json.dumps(asdict(note)) + "\n", encoding="utf-8")
    os.replace(staged, _note_file(home))


def remove_note(home: Home) -> None:
    _note_file(home).unlink(missing_ok=True)


def is_up(home: Home) -> bool:
    """Whether a `brain up` lives on this home."""
    if not _lock_file(home).is_file():
        return False
    with _lock_file(home).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextlib.contextmanager
def holding(home: Home) -> Iterator[None]:
    """Be the only `brain up` of a home. Raises NotNow when another one is."""
    make_private(home.run)
    descriptor = os.open(_lock_file(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        note = read_note(home)
        who = f" (process {note.supervisor.pid}, {note.ui})" if note else ""
        raise NotNow(f"the system is up already on {home.root}{who}: `brain down` stops it") from None
    try:
        yield
    finally:
        os.close(descriptor)


def leftovers(home: Home) -> dict[str, Process]:
    """What an earlier start, itself gone, left running: the children of its note, and whatever carries the mark."""
    note = read_note(home)
    found = {name: each for name, each in (note.children if note else {}).items() if is_alive(each)}
    known = {each.pid for each in found.values()} | {os.getpid()}
    for pid in _marked(str(home.run)):
        if pid not in known:
            found[f"process {pid}"] = process_of(pid)
    return found


def end(processes: Mapping[str, Process], seconds: float) -> None:
    """SIGTERM, and SIGKILL to what is still there after `seconds`."""
    deadline = monotonic() + seconds
    _send(processes, signal.SIGTERM)
    while any(is_alive(each) for each in processes.values()) and monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    _send({name: each for name, each in processes.items() if is_alive(each)}, signal.SIGKILL)


def _send(processes: Mapping[str, Process], number: signal.Signals) -> None:
    for each in processes.values():
        if is_alive(each):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each.pid, number)


def _marked(run: str) -> Iterator[int]:
    """Processes of this user with the mark of `run` in their environment. Linux; elsewhere none are found."""
    wanted = f"{MARK}={run}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue


def _start_of(pid: int) -> str:
    """The start of a running process; "" for one that is over, and where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _note_file(home: Home) -> Path:
    return home.run / "up.json"


def _lock_file(home: Home) -> Path:
    return home.run / "up.lock"

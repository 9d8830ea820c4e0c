"""One supervised process: started, watched, started again after a pause that grows, and stopped for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shell.children import end_by
from shell.clock import monotonic
from shell.log import get_logger

LAUNCH = Path(__file__).with_name("launch.py")
BACKOFF_FIRST_SECONDS = 1.0
BACKOFF_MOST_SECONDS = 60.0
# Up this long, a child is healthy again: the next failure starts with a short pause.
STEADY_SECONDS = 300.0
TAIL_BYTES = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a child is run. `with_parent`: the kernel ends it when the supervisor dies. The shell is not: it goes on alone.

    `ready` says, without blocking for long, whether it does its work. `stop_signal` asks it to end, `stop_seconds` is how
    long that may take before it is killed.
    """

    name: str
    command: tuple[str, ...]
    # Holds secrets: shown nowhere.
    environment: Mapping[str, str] = field(repr=False)
    folder: Path
    log: Path
    ready: Callable[[], bool]
    with_parent: bool = True
    as_user: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0


@dataclass(slots=True)
class Child:
    """A program and its present process. `restarts` counts those after the first start."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    failures: int = 0
    due_at: float = 0.0
    words: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def start(self) -> None:
        """Start the process in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone."""
        program = self.program
        options = [*(["--with-parent"] if program.with_parent else []), *(["--as-user"] if program.as_user else [])]
        if program.as_user:
            # Being ended with the parent is arranged after the change of user, which would undo it.
            options.reverse()
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCH), *options, *program.command], env=dict(program.environment),
                cwd=program.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        self.started_at = monotonic()

    def ended(self) -> int | None:
        """The exit code of a process that is over, else None."""
        return None if self.process is None else self.process.poll()

    def ready(self) -> bool:
        return self.pid is not None and self.program.ready()

    def watch(self, now: float) -> bool:
        """Start it again when it ended and its pause is over. True when something changed. `now` is monotonic."""
        code = self.ended()
        if code is None:
            if self.failures and now - self.started_at > STEADY_SECONDS:
                self.failures = 0
            return False
        if not self.due_at:
            self.failures += 1
            pause = backoff(self.failures)
            self.due_at = now + pause
            told = {"child": self.name, "code": code, "again_in_seconds": round(pause, 1), "last_words": self.tail(1)}
            get_logger().warning("a child ended", **told)
            return True
        if now >= self.due_at:
            self.due_at = 0.0
            self.restarts += 1
            self.start()
            return True
        return False

    def ask_to_stop(self) -> None:
        """Send the stop signal to the process itself; its own children are its affair."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.program.stop_signal)

    def stop(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic), then kill the process and its session. Harmless for one that is over."""
        if self.process is None:
            return
        end_by(self.process, deadline)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process = None

    def kill(self) -> None:
        """End a process that hangs; `watch` starts it again."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def tail(self, lines: int = 5) -> str:
        """The end of its log."""
        try:
            with self.program.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def backoff(failures: int) -> float:
    """Seconds before start number `failures` + 1: 1, 2, 4, ... at most a minute."""
    return float(min(BACKOFF_FIRST_SECONDS * 2 ** max(failures - 1, 0), BACKOFF_MOST_SECONDS))

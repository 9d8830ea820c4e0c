"""Nothing of a strategy stays: not its process when the parent dies, and nothing that its next process could find."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from tests.hostile.catalogue import FOLDER
from tests.hostile.observer import alive
from tests.hostile.world import remove_kernel_objects
from tests.shell.host.sources import LIMITS, QUICK, SYMBOLS, scan, windows

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are those of Linux")

# The alarm inside the child would end it later than this; only the kernel's own tie to the parent is as quick.
SOON_SECONDS = 10.0
CALL_SECONDS = 120

DEAF = """
import ctypes

class Strategy:
    def initialize(self, risk_limits, symbols): pass
    def load_state(self, state): pass
    def on_fill(self, *args): pass
    def on_position_closed(self, *args): pass
    def get_state(self): return {}
    def analyze(self, markets, portfolio, timestamp):
        library = ctypes.CDLL(None)
        try:
            library.prctl(1, 0, 0, 0, 0)
        except OSError:
            pass
        library.pthread_sigmask(0, (ctypes.c_uint64 * 16)(*[0xFFFFFFFFFFFFFFFF] * 16), None)
        library.setitimer(0, (ctypes.c_int64 * 4)(), None)
        while True:
            pass
"""
# A parent that starts a strategy, tells its process id, and waits for an answer that never comes.
WALLED_PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from datetime import timedelta
from shell.config import HostConfig
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from tests.shell.host.sources import LIMITS, SYMBOLS, scan, windows
config = HostConfig(call_timeout=timedelta(seconds=int(sys.argv[2])), start_timeout=timedelta(seconds=60))
host = HostedStrategy(StrategySource(code=sys.argv[3]), config, check_policy=False)
host.start(symbols=SYMBOLS, limits=LIMITS, windows=windows(), state=None)
print(host.pid, flush=True)
host.analyze(scan())
"""
UNWALLED_PARENT = """
import subprocess, sys
code = sys.argv[3] + "\\nprint('here', flush=True)\\nStrategy().analyze(None, None, None)"
child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def orphan(parent: str, project: Path) -> int:
    """The process id of a strategy that never returns, whose parent has been killed while it ran."""
    command = [sys.executable, "-c", parent, str(project), str(CALL_SECONDS), DEAF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        _wait_until_busy(pid)
        process.kill()
    return pid


def _wait_until_busy(pid: int) -> None:
    """Until the process has used a processor for a while: its loop has begun."""
    begun, until = _cpu_ticks(pid), time.monotonic() + 20.0
    while _cpu_ticks(pid) < begun + 15 and time.monotonic() < until:
        time.sleep(0.02)


def _cpu_ticks(pid: int) -> int:
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(numbers[11]) + int(numbers[12])


def _gone(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


def test_a_strategy_that_never_returns_dies_with_its_parent(project: Path) -> None:
    assert _gone(orphan(WALLED_PARENT, project), SOON_SECONDS)


def test_without_the_walls_it_would_live_on(project: Path) -> None:
    pid = orphan(UNWALLED_PARENT, project)
    try:
        assert not _gone(pid, 1.0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def notes(mark: str, key: int) -> StrategySource:
    text = (FOLDER / "notes_to_itself.py").read_text(encoding="utf-8")
    return StrategySource(code=text.replace("MARK", mark).replace("12345", str(key)))


@pytest.fixture
def mark() -> Iterator[tuple[str, int]]:
    name, key = f"hostile_note_{os.getpid()}", 0x30000000 + os.getpid()
    yield name, key
    remove_kernel_objects(key, name)
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        Path(folder, name).unlink(missing_ok=True)


def test_the_next_process_finds_no_note_of_the_one_before(mark: tuple[str, int]) -> None:
    said = []
    for _ in range(2):
        with HostedStrategy(notes(*mark), QUICK, check_policy=False) as host:
            host.start(symbols=SYMBOLS, limits=LIMITS, windows=windows(), state=None)
            said.append([signal.reasoning for signal in host.analyze(scan())])
    assert said == [["found: nothing"], ["found: nothing"]]


def test_without_the_walls_it_finds_many(mark: tuple[str, int]) -> None:
    """In one process, as a careless backtester runs one window after another, and in a second process of no walls."""
    text = notes(*mark).code
    twice = (
        f"for _ in range(2):\n    exec({text!r}, space := {{'__name__': 'x'}})\n    print(space['seek']())\n    space['hide']()"
    )
    first = subprocess.run([sys.executable, "-c", twice], capture_output=True, text=True, check=True).stdout.splitlines()
    second = subprocess.run([sys.executable, "-c", twice], capture_output=True, text=True, check=True).stdout.splitlines()
    assert first[0] == "found: nothing"
    assert {"module", "builtins", "class", "environment"} <= set(first[1].split()[1:])
    assert {"/tmp", "segment"} <= set(second[0].split()[1:])

"""`make faults`: the long tests in sections, the core of order handling first. Each has a time limit of its own, so one that
hangs ends and the others go on; its time is printed, and a table of all at the end.

    python -m tests.faults.run                  # everything
    python -m tests.faults.run core exchange    # these sections

BRAIN_FAULT_POINTS scales what is drawn (25 is all of it), BRAIN_TEST_SEED is the seed. Exits with 1 when a section failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POINTS = "25"
KILL_SECONDS = 10.0
SWAPS, SLOTS = "tests/faults/test_hot_swap.py", "tests/deployments/supervisor/test_slots.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Test files and folders, `without` those of them that another section has, or a module to run; ended after `minutes`."""

    name: str
    paths: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    module: str = ""
    minutes: float = 30

    def command(self) -> list[str]:
        if self.module:
            return [sys.executable, "-m", self.module]
        left_out = (f"--ignore={path}" for path in self.without)
        return [sys.executable, "-m", "pytest", "-q", "-s", "-m", "faults", *self.paths, *left_out]


SECTIONS = (
    Section(name="core", module="tests.faults.core", minutes=40),
    Section(name="compiled", module="tests.faults.compiled", minutes=40),
    Section(name="orders", paths=("tests/faults", "tests/shell/exchange"), without=(SWAPS,)),
    Section(name="swaps", paths=(SWAPS,)),
    Section(name="books", paths=("tests/shell/store",)),
    Section(name="shell", paths=("tests/shell/test_loop_soak.py", "tests/deployments/test_live_shell.py")),
    Section(name="doors", paths=("tests/shell/control", "tests/shell/telegram", "tests/shell/page")),
    Section(name="nights", paths=("tests/flows", "tests/tasks", "tests/deployments/test_night_replay.py"), minutes=45),
    Section(name="walls", paths=("tests/hostile",)),
    Section(name="system", paths=("tests/deployments/supervisor",), without=(SLOTS,), minutes=45),
    Section(name="slots", paths=(SLOTS,), minutes=45),
)


def the_rest(sections: Sequence[Section]) -> Section:
    """What no section names, so that a new long test cannot be forgotten."""
    named = [path for section in sections for path in section.paths]
    return Section(name="rest", paths=("tests",), without=tuple(named), minutes=60)


def run(section: Section, environ: Mapping[str, str]) -> tuple[str, float]:
    """What became of a section (done, FAILED, HUNG), and its seconds. Nothing of it is left running."""
    print(f"== {section.name} ==", flush=True)
    begun = time.monotonic()
    process = subprocess.Popen(section.command(), cwd=ROOT, env=dict(environ), start_new_session=True)
    try:
        outcome = "done" if process.wait(section.minutes * 60) == 0 else "FAILED"
    except subprocess.TimeoutExpired:
        outcome = "HUNG"
    except BaseException:
        _end(process)
        raise
    _end(process)
    took = time.monotonic() - begun
    print(f"== {section.name}: {outcome} in {took:.0f} s ==", flush=True)
    return outcome, took


def _end(process: subprocess.Popen[bytes]) -> None:
    """The section's whole group of processes, asked first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def main(wanted: Sequence[str], sections: Sequence[Section] = ()) -> int:
    every = tuple(sections) or (*SECTIONS, the_rest(SECTIONS))
    unknown = set(wanted) - {section.name for section in every}
    if unknown:
        print(f"no section {', '.join(sorted(unknown))}: {', '.join(section.name for section in every)}", file=sys.stderr)
        return 2
    environ = {"BRAIN_FAULT_POINTS": POINTS, **os.environ}
    told = [(section, *run(section, environ)) for section in every if not wanted or section.name in wanted]
    for section, outcome, took in told:
        print(f"{section.name:10} {outcome:7} {took:6.0f} s")
    return int(any(outcome != "done" for _, outcome, _ in told))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The existing tests of what decides and counts, against the compiled core: `python -m tests.faults.compiled`.

Builds the core if there is none of these sources (which proves it), then runs the tests with it first on sys.path. A test that
reaches into what a compiled class does not have is left out by name, with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from shell.compiled import find_tree
from tests.conftest import CORE_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    *("tests/shell/test_money.py", "tests/shell/test_clock.py", "tests/shell/test_engine.py", "tests/shell/test_engine_live.py"),
    *("tests/shell/test_indicators.py", "tests/shell/test_newest.py", "tests/shell/risk", "tests/shell/portfolio"),
    *("tests/shell/execution", "tests/shell/test_predictions.py", "tests/shell/market/test_recorded.py"),
    *("tests/shell/market/test_book.py", "tests/shell/market/test_columns.py", "tests/shell/market/test_aggregate.py"),
    *("tests/shell/host/test_answers.py", "tests/shell/host/test_validate.py", "tests/shell/host/test_wire.py"),
    *("tests/shell/host/test_replay.py", "tests/shell/host/test_supervisor.py", "tests/shell/host/test_frames.py"),
    *("tests/shell/host/test_lockdown.py", "tests/shell/backtest"),
)
# The test, and why it can say nothing of compiled classes.
_FRAMES = "the strategy of it finds the socket in the frames of our functions; compiled ones have none, so it raises"
_FORGED = (
    "bytes_written_to_the_socket_by_the_strategy_fool_nobody", "a_reply_too_many_is_refused_at_the_next_request",
)
LEFT_OUT: dict[str, str] = {
    "tests/shell/test_money.py::test_amounts_are_immutable_and_survive_pickling": "the words of the AttributeError are the compiler's",
    "tests/shell/backtest/test_driver.py::test_a_strategy_that_reaches_a_frame_unforeseen_is_run_again_from_the_beginning":
        "replaces a name in a module; compiled modules call one another without looking it up",
    "tests/shell/backtest/test_fast.py::test_what_breaks_the_engine_in_there_is_told_and_harms_nobody_here":
        "breaks the engine by an attribute of its class; compiled code calls the method all the same",
    "tests/shell/backtest/test_glide.py::test_a_panic_that_ends_a_glide_is_asked_again_in_the_same_slot":
        "hands over a journal of its own class; a compiled run takes the product's alone",
    **{
        f"tests/shell/backtest/test_fast_rows.py::test_{name}": "derives from a class that is compiled"
        for name in ("rows_cross_during_the_run_and_its_books_are_the_certified_runs", "nothing_of_one_run_is_in_the_next_ones_result")
    },
    **{
        f"tests/shell/backtest/test_result_stream.py::test_{name}": "it is refused all the same, in other words"
        for name in (
            "forged_blocks_are_refused[a number as a version]", "an_answer_that_does_not_fit_what_came_is_refused[another version]",
        )
    },
    "tests/shell/host/test_lockdown.py::test_before_anything_is_imported_nothing_but_code_can_be_read":
        "reads a file of the project beside `shell`; the copy has none",
    **{
        f"tests/shell/risk/test_approval.py::test_a_size_that_is_no_fraction_is_refused[{size}]":
        "hands over sizes that `shell.host.validate` lets nobody hand over; compiled, they raise instead of being refused"
        for size in ("None", "much")
    },
    **{f"tests/shell/host/test_supervisor.py::test_{name}": _FRAMES for name in _FORGED},
}


def main() -> int:
    """The tests' exit code."""
    tree = find_tree()
    if tree.path is None:
        print(tree.reason, flush=True)
        made = subprocess.run([sys.executable, "-m", "compiled"], cwd=ROOT, check=False)
        if made.returncode:
            return made.returncode
    left_out = (f"--deselect={name}" for name in LEFT_OUT)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *FILES, *left_out, *sys.argv[1:]],
        cwd=ROOT, env={**os.environ, CORE_VARIABLE: "compiled"}, check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())

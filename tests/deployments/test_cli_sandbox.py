"""What `brain sandbox` shows a person."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from deployments.cli.sandbox import Policy, _show, walls
from shell.host.sandbox import SandboxReport, SandboxVerdict

ERROR = {"line": 7, "code": "STATE", "message": "load_state does not restore [this]", "advice": "take all of it back"}


def shown(policy: Policy = Policy.on, **changes: Any) -> str:
    values: dict[str, Any] = {
        "verdict": SandboxVerdict.PASSED, "errors": [], "signals": [], "answers_hash": "", "seconds": 2.0, "isolation_gap": "",
        "isolation": {"policy": True, "seccomp": True, "probes": {"socket": "denied", "fork": "denied"}, "absent": ""},
    }
    console = Console(file=StringIO(), width=100)
    _show(console, SandboxReport(**{**values, **changes}), policy)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_each_error_is_shown_with_its_line_and_what_to_do_about_it() -> None:
    text = shown(verdict=SandboxVerdict.ERROR, errors=[ERROR])
    assert "error in 2.0 s" in text
    assert "line 7: STATE: load_state does not restore [this]" in text
    assert "-> take all of it back" in text


def test_a_wall_with_a_hole_is_said_loudly_and_a_whole_one_quietly() -> None:
    assert "INCOMPLETE" not in shown()
    text = shown(isolation_gap="from inside the wall these were possible: socket")
    assert "THE WALL IS INCOMPLETE" in text
    assert "these were possible: socket" in text
    assert "paper only" in text


def test_a_run_without_the_policy_says_that_it_counts_for_nothing() -> None:
    assert "says nothing about a promotion" in shown(Policy.off)
    assert "promotion" not in shown()


def test_walls_are_one_line_also_where_no_process_was_started() -> None:
    told = walls({"policy": True, "seccomp": True, "probes": {"socket": "denied", "fork": "allowed"}, "absent": ""})
    assert told == "policy True, seccomp True, probes 1 of 2 denied"
    assert walls({"policy": True}) == "no process was started"

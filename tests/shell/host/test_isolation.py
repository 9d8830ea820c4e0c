"""What is believed of a process's report on its own wall, and when that is enough for real money."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from shell.host.isolation import attested, isolation_is_complete, read_isolation
from tests.shell.host.walls import COMPLETE


def test_a_whole_wall_is_complete_and_a_network_namespace_is_not_missed() -> None:
    assert isolation_is_complete(COMPLETE) == ""
    assert isolation_is_complete({**COMPLETE, "network_namespace": False}) == ""
    assert isolation_is_complete({**COMPLETE, "uid": 1000}) == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seccomp": False}, "the system call filter .seccomp. does not hold"),
        ({"seccomp": False, "absent": "darwin has neither seccomp nor Landlock"}, "darwin has neither"),
        ({"landlock_abi": 0}, "not restricted by Landlock"),
        ({"landlock_abi": 0, "absent": "this kernel has no Landlock"}, "incomplete: this kernel has no Landlock$"),
        ({"probes": {**COMPLETE["probes"], "socket": "allowed"}}, "these were possible: socket$"),
        ({"probes": {}}, "not tried from inside"),
        ({"memory_limit": False}, "memory is not bounded"),
        ({"core_dumps": True}, "core dumps"),
        ({"uid": 0}, "runs as root"),
    ],
)
def test_each_missing_wall_is_said_in_a_sentence(change: dict[str, Any], says: str) -> None:
    sentence = isolation_is_complete({**COMPLETE, **change})
    assert re.search(says, sentence)
    assert sentence.startswith("the wall around the strategy's process is incomplete: ")


def test_nothing_known_is_not_complete() -> None:
    assert "no strategy has been started" in isolation_is_complete({})


@pytest.mark.parametrize(
    "change",
    [
        {"seccomp": 1},
        {"landlock_abi": True},
        {"landlock_abi": -1},
        {"uid": 1 << 40},
        {"filter_length": 1.0},
        {"probes": {"socket": "maybe"}},
        {"probes": {"unheard of": "denied"}},
        {"probes": {"socket": ["denied"]}},
        {"probes": []},
        {"absent": "a\u202eb"},
        {"absent": "x" * 501},
        {"more": True},
    ],
)
def test_a_report_in_another_form_is_no_report(change: dict[str, Any]) -> None:
    assert read_isolation(COMPLETE) == COMPLETE
    assert read_isolation({**COMPLETE, **change}) is None


def test_a_report_without_a_key_is_no_report() -> None:
    for name in COMPLETE:
        assert read_isolation({key: value for key, value in COMPLETE.items() if key != name}) is None


def test_a_filter_that_the_kernel_does_not_confirm_is_not_believed() -> None:
    # This process claims a filter and has none.
    doubted = attested(COMPLETE, os.getpid())
    assert doubted["seccomp"] is False
    assert "the kernel does not confirm" in isolation_is_complete(doubted)
    bare = {**COMPLETE, "seccomp": False, "absent": "this kernel has no Landlock"}
    assert attested(bare, os.getpid()) == bare

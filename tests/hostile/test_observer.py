"""The tests' own eyes: with the walls taken out of the host, the same runs see the damage that they never see otherwise."""

from __future__ import annotations

import sys

import pytest

from shell.host import spawn
from tests.hostile.catalogue import attacks
from tests.hostile.prizes import Prize
from tests.hostile.runs import all_walled

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are those of Linux")

STANDING = "from shell.host.lockdown import enclose\n"
FALLEN = """
import shell.host.lockdown as walls
told = {"seccomp": False, "landlock_abi": 0, "network_namespace": False, "uid": 0, "memory_limit": False,
        "core_dumps": False, "filter_length": 0, "probes": {}, "absent": ""}
walls.lock_down = lambda *_: told
enclose = lambda _, parent: walls.Enclosure(parent, 0, 0, False, ())
"""
# One attack for each kind of damage that needs no rights.
SEEN = {
    "open_read": Prize.TOLD,
    "polars_sink_csv": Prize.FILES,
    "udp": Prize.RECEIVED,
    "fork_away": Prize.PROCESS,
    "bare_thread": Prize.THREAD,
    "written_then_made_executable": Prize.CODE,
    "memory_file": Prize.DESCRIPTOR,
    "signal_the_parent": Prize.SIGNALLED,
    "change_a_bystanders_limits": Prize.VICTIM,
    "message_queue": Prize.KERNEL_OBJECT,
    "change_personality": Prize.STANDING,
}


def test_damage_is_seen_where_the_walls_have_fallen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert STANDING in spawn._BOOTSTRAP
    monkeypatch.setattr(spawn, "_BOOTSTRAP", spawn._BOOTSTRAP.replace(STANDING, FALLEN))
    outcomes = all_walled((attack for attack in attacks() if attack.name in SEEN), patient=True)
    seen = {attack.name: SEEN[attack.name] in outcome.won for attack, outcome in outcomes.items()}
    assert seen == dict.fromkeys(SEEN, True)

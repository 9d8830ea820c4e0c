"""A process that made itself undumpable keeps its memory and environment from others of its user."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this switch")

# As root every door is open, so the process becomes somebody else first; that too closes the door, so it is opened again.
_SCRIPT = """
import ctypes, os
from shell.undumpable import make_undumpable
def readable():
    answers = []
    for name in ("mem", "environ"):
        try:
            open(f"/proc/self/{name}", "rb").close()
            answers.append(name)
        except PermissionError:
            pass
    return answers
if os.geteuid() == 0:
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
before = readable()
make_undumpable()
print(before, readable(), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_memory_and_environment_are_closed_to_the_same_user() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "['mem', 'environ'] [] 0"


def test_programs_can_still_be_started_with_no_descriptor_too_many() -> None:
    script = """
import os, subprocess, sys
from shell.undumpable import make_undumpable
make_undumpable()
leak, _ = os.pipe()
os.set_inheritable(leak, True)
look = f"import os; os.fstat({leak})"
print(subprocess.run([sys.executable, "-c", look], stderr=subprocess.DEVNULL).returncode)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "1"

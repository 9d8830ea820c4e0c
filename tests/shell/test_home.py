"""A home's folders, and the lock that leaves it one writer, whatever happens to that writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shell.errors import BadInput, NotNow
from shell.home import Home, HomeLock, find_project

HOLD = """
import subprocess, sys
from pathlib import Path
from shell.home import Home, HomeLock
lock = HomeLock(Home.private(Path(sys.argv[1]))).acquire()
print("held", flush=True)
if sys.argv[2] == "child":
    child = subprocess.Popen([sys.executable, "-c", "print(0, flush=True); import time; time.sleep(60)"],
                             stdout=subprocess.PIPE, close_fds=False)
    child.stdout.readline()
    print(child.pid, flush=True)
sys.stdin.read()
"""


def holder(folder: Path, *, child: bool = False) -> subprocess.Popen[str]:
    """Another process that holds the lock of `folder` until its stdin closes, with a child of its own or without."""
    command = [sys.executable, "-c", HOLD, str(folder), "child" if child else "alone"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_private_home_lies_inside_its_folder_and_reads_the_settings_of_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    home = Home.private(tmp_path / "home", project=project).create()
    assert home.config == project / "config"
    assert not home.config.exists(), "config belongs to the user: nothing of ours makes it"
    for folder in (home.archive, home.workspace, home.reports, home.logs, home.prefect, home.database.parent):
        assert folder.is_dir()
        assert folder.is_relative_to(tmp_path / "home")


def test_the_project_is_its_own_home_with_its_state_under_data(tmp_path: Path) -> None:
    home = Home.project(tmp_path).create()
    assert home.database == tmp_path / "data" / "brain.db"
    assert home.workspace == tmp_path / "strategy"
    assert home.reports == tmp_path / "reports"
    assert home.env_file == tmp_path / ".env"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "reports", "strategy"]


def test_the_project_is_found_from_a_folder_below_it(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.toml").touch()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_project(below) == tmp_path


def test_a_file_in_the_way_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("I am a file")
    with pytest.raises(BadInput, match="cannot be made"):
        Home.private(tmp_path / "home", project=tmp_path).create()


def test_a_second_writer_is_refused_while_the_first_lives_and_welcome_after(tmp_path: Path) -> None:
    process = holder(tmp_path)
    home = Home.private(tmp_path)
    with pytest.raises(NotNow, match=f"process {process.pid} is writing the home"):
        HomeLock(home).acquire()
    process.communicate("")
    with HomeLock(home) as lock:
        assert lock.held
    assert not lock.held


def test_a_killed_writer_leaves_no_stale_lock(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with HomeLock(Home.private(tmp_path)) as lock:
        assert lock.held


def test_a_child_that_outlives_its_killed_parent_does_not_keep_the_lock(tmp_path: Path) -> None:
    process = holder(tmp_path, child=True)
    assert process.stdout is not None
    orphan = int(process.stdout.readline())
    try:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.kill(orphan, 0)  # it lives
        with HomeLock(Home.private(tmp_path)) as lock:
            assert lock.held
    finally:
        os.kill(orphan, signal.SIGKILL)
        process.communicate()


def test_the_same_process_cannot_lock_one_home_twice(tmp_path: Path) -> None:
    home = Home.private(tmp_path)
    with HomeLock(home) as lock:
        with pytest.raises(NotNow, match="is writing the home"):
            HomeLock(home).acquire()
        with pytest.raises(NotNow, match="already holds"):
            lock.acquire()
    with HomeLock(Home.private(tmp_path)):
        pass


def test_looking_for_a_writer_finds_it_and_takes_nothing(tmp_path: Path) -> None:
    home = Home.private(tmp_path / "home")
    assert HomeLock.writer_of(home) == ""
    with HomeLock(home):
        assert HomeLock.writer_of(home) == str(os.getpid())
    assert HomeLock.writer_of(home) == ""
    HomeLock(home).acquire().release()

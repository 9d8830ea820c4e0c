"""The systemd units, as systemd itself reads them where it is installed: no unknown word, no hole, no path of another layout."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deployments.elsewhere.with_password import __name__ as WITH_PASSWORD
from deployments.supervisor.conductor import POOL, ROOT_VARIABLE
from tasks.context import SOCKET_VARIABLE

ROOT = "/srv/trading-brain"
SERVICES = ("shell", "prefect", "worker", "conductor", "backup")
EXPOSURE_MAX = 20  # tenths: "OK" to systemd ends at 4.9
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def units(project: Path) -> dict[str, configparser.ConfigParser]:
    found = {}
    for name in SERVICES:
        parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(project / "deployments" / "elsewhere" / "systemd" / f"trading-brain-{name}.service")
        found[name] = parser
    return found


@pytest.fixture
def installed(project: Path, tmp_path: Path) -> Path:
    """The units with programs that exist here, since systemd looks."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("brain", "prefect", "python"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    for unit in (project / "deployments" / "elsewhere" / "systemd").iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace(f"{ROOT}/.venv/bin", str(programs)))
    return tmp_path


@needs_systemd
def test_systemd_finds_nothing_to_say_about_them(installed: Path) -> None:
    files = sorted(str(path) for path in installed.glob("trading-brain-*"))
    assert len(files) == len(SERVICES) + 1
    command = ["systemd-analyze", "verify", "--man=no", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"SYSTEMD_UNIT_PATH": f"{installed}:"}, check=False)
    said = [line for line in done.stderr.splitlines() if str(installed) in line or "trading-brain" in line]
    assert (done.returncode, said) == (0, []), done.stderr


@needs_systemd
def test_a_word_systemd_does_not_know_would_be_noticed(installed: Path) -> None:
    unit = installed / "trading-brain-shell.service"
    unit.write_text(unit.read_text().replace("NoNewPrivileges", "NoNewPriviledges"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60,
        env={"SYSTEMD_UNIT_PATH": f"{installed}:"}, check=False,
    )
    assert "NoNewPriviledges" in done.stderr


@needs_systemd
def test_every_service_is_locked_down_by_systemds_own_measure(installed: Path) -> None:
    for name in SERVICES:
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}",
             str(installed / f"trading-brain-{name}.service")], capture_output=True, text=True, timeout=60, check=False,
        )
        if "unrecognized option" in done.stderr:
            pytest.skip("this systemd cannot measure a unit that is not loaded")
        assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_the_shell_is_watched_and_depends_on_none_of_the_others(units: dict[str, configparser.ConfigParser]) -> None:
    shell = units["shell"]
    assert (shell["Service"]["Type"], shell["Service"]["NotifyAccess"], shell["Service"]["Restart"]) == ("notify", "main", "always")
    assert int(shell["Service"]["WatchdogSec"]) >= 60
    assert shell["Unit"]["StartLimitIntervalSec"] == "0"
    named = " ".join(shell["Unit"].get(word, "") for word in ("Requires", "BindsTo", "Wants", "After", "PartOf"))
    assert not re.search("prefect|worker|conductor", named)


def test_only_the_shell_may_write_the_strategy_and_nobody_the_settings(units: dict[str, configparser.ConfigParser]) -> None:
    writable = {name: unit["Service"]["ReadWritePaths"].split() for name, unit in units.items()}
    assert [name for name, paths in writable.items() if f"{ROOT}/strategy" in paths] == ["shell"]
    every = {path for paths in writable.values() for path in paths}
    assert not any(f"{ROOT}/config".startswith(path) for path in every)
    assert f"{ROOT}/data" not in writable["worker"] + writable["conductor"] + writable["prefect"]


def test_the_units_speak_of_the_names_the_program_uses(units: dict[str, configparser.ConfigParser], project: Path) -> None:
    text = {name: (project / "deployments" / "elsewhere" / "systemd" / f"trading-brain-{name}.service").read_text() for name in SERVICES}
    assert f"--pool {POOL} " in units["worker"]["Service"]["ExecStart"]
    for name in ("worker", "conductor"):
        assert f"{SOCKET_VARIABLE}={ROOT}/data/run/control.sock" in text[name]
        assert f"{ROOT_VARIABLE}={ROOT}\n" in text[name] or f"{ROOT_VARIABLE}={ROOT} " in text[name]
    # Whoever starts Prefect's command starts it with the home's password; the conductor finds that by itself.
    for name, word in (("prefect", "server"), ("worker", "worker")):
        assert f" -m {WITH_PASSWORD} {word} start " in units[name]["Service"]["ExecStart"]
    assert not any("/bin/prefect " in each or "AUTH_STRING" in each for each in text.values())
    assert not any(re.search(r"0\.0\.0\.0|KEY=|SECRET=|PASSWORD=", each) for each in text.values())

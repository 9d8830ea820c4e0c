"""Logs: one signal can be followed to its last fill, two times are kept apart, and no secret gets through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shell import log as logs
from shell.clock import VirtualClock
from shell.contract import Action
from shell.errors import BadInput
from shell.home import Home
from shell.log import configure, following, get_logger
from shell.money import Price
from shell.secrets import Secret

CANARY = "canary-5f3a/Zz+9=="
SLOT = datetime(2023, 3, 1, 12, 5, tzinfo=UTC)
WALL = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home.private(tmp_path, project=tmp_path)
    logs.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_signal_is_followed_to_its_fill_by_ids(home: Home) -> None:
    path = configure(home, console=False)
    log = get_logger()
    with following(at=SLOT, book="main", slot=SLOT, version="v001", signal_id="s1"):
        log.info("signal approved")
        with following(intent_id="i1", order_id="o1"):
            log.info("order submitted", price=Price("27000.10"), action=Action.BUY)
            with following(fill_id="f1"):
                log.info("fill booked", qty=Decimal("1E-5"))
    log.info("outside")
    written = lines(path)
    assert [line.get("signal_id") for line in written] == ["s1", "s1", "s1", None]
    assert [line.get("fill_id") for line in written] == [None, None, "f1", None]
    assert (written[1]["price"], written[1]["action"], written[2]["qty"]) == ("27000.1", "BUY", "0.00001")
    assert (written[2]["order_id"], written[2]["book"], written[2]["slot"]) == ("o1", "main", SLOT.isoformat())


def test_the_time_of_the_event_and_the_time_of_writing_are_apart(home: Home) -> None:
    path = configure(home, console=False, clock=VirtualClock(WALL))
    get_logger().info("scan", at=SLOT)
    get_logger().info("started")
    first, second = lines(path)
    assert (first["at"], first["logged_at"]) == (SLOT.isoformat(), WALL.isoformat())
    assert "at" not in second


def test_no_secret_reaches_file_or_terminal(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    secret = Secret(CANARY)
    path = configure(home, secrets=[secret])
    log = get_logger()
    log.info(f"event {CANARY}", key=secret, nested={"a": [secret, CANARY], CANARY: 1})
    log.info("request", url="/bot?token=canary-5f3a%2FZz%2B9%3D%3D")
    log.info("as an object", thing=ValueError(CANARY), things={CANARY})
    try:
        raise ValueError(f"refused {CANARY}")
    except ValueError:
        log.error("failed", exc_info=True)
    shown = capsys.readouterr()
    for text in (path.read_text(), shown.err):
        assert "ValueError: refused ********" in text, "the text was written, so the canary had its chance"
        assert "canary" not in text
    assert shown.out == "", "stdout belongs to results"


def test_below_the_level_nothing_is_written(home: Home) -> None:
    path = configure(home, "warning", console=False)
    log = get_logger()
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines(path)] == ["loud"]


def test_the_last_configuration_holds_for_loggers_made_before(home: Home) -> None:
    log = get_logger()
    first = configure(home, console=False, name="first")
    second = configure(home, console=False, name="second")
    log.info("now")
    assert first.read_text() == ""
    assert len(lines(second)) == 1


def test_before_any_configuration_only_warnings_show_and_never_on_stdout(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.close()
    get_logger().info("quiet")
    get_logger().warning("loud", key=Secret(CANARY))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "WARNING loud  key=********" in shown.err
    assert "quiet" not in shown.err


def test_a_file_is_rotated_at_its_size_and_old_ones_are_dropped(home: Home) -> None:
    path = configure(home, console=False, file_bytes_max=10_000, files_kept=2)
    log = get_logger()
    for number in range(400):
        log.info("line", number=number, padding="x" * 80)
    files = sorted(home.logs.iterdir())
    assert [file.name for file in files] == ["brain.jsonl", "brain.jsonl.1", "brain.jsonl.2"]
    assert all(file.stat().st_size <= 10_000 for file in files)
    assert lines(path)[-1]["number"] == 399


def test_a_terminal_line_cannot_carry_control_characters(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    configure(home)
    get_logger().info("said \x1b[2J", reason="two\nlines \x9b31m", at=SLOT)
    line = capsys.readouterr().err
    assert line == "2023-03-01 12:05:00 INFO    said \\x1b[2J  reason=two\\nlines \\x9b31m\n"


def test_whatever_is_logged_is_one_json_line(home: Home) -> None:
    path = configure(home, console=False)
    deep: list[Any] = []
    deep.append(deep)
    get_logger().info("odd", a=float("nan"), b=b"\xff", c=object, d=deep, e={1: {2, 1}}, f="x" * 100_000)
    (line,) = lines(path)
    assert (line["a"], line["e"]) == ("nan", {"1": ["1", "2"]})
    assert len(line["f"]) < 100_000


def test_a_log_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file is in the way")
    with pytest.raises(BadInput, match="cannot be opened"):
        configure(Home.private(tmp_path, project=tmp_path))

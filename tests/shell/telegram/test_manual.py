"""The page about Telegram says what the bot does, and every command in it is one the bot answers."""

from __future__ import annotations

import re
from pathlib import Path

from shell.telegram.changes import WARNINGS
from shell.telegram.commands import COMMANDS, parse
from shell.telegram.conversation import READS
from shell.telegram.manual import manual

# Answered by the conversation itself.
OTHERS = {"yes", "report"}


def test_the_manual_in_the_repository_is_the_one_the_table_gives(project: Path) -> None:
    written = (project / "docs" / "telegram.md").read_text(encoding="utf-8")
    assert written == manual(), "run: python -m shell.telegram.manual > docs/telegram.md"


def test_every_command_is_read_or_changes_and_every_confirmed_one_has_its_question() -> None:
    assert set(READS) | OTHERS | {each.name for each in COMMANDS.values() if each.changes} == set(COMMANDS)
    assert {each.name for each in COMMANDS.values() if each.confirmed} == set(WARNINGS)
    assert all(each.changes for each in COMMANDS.values() if each.confirmed)


def test_commands_fit_telegrams_menu() -> None:
    for name, command in COMMANDS.items():
        assert re.fullmatch(r"[a-z0-9_]{1,32}", name)
        assert 3 <= len(command.does) <= 256


def test_a_command_is_read_with_its_argument_and_only_when_it_is_ours() -> None:
    assert parse("/close  btc ", "brain_bot") == ("close", "btc")
    assert parse("/STATUS@Brain_Bot", "brain_bot") == ("status", "")
    assert parse("/status@other_bot", "brain_bot") is None
    assert parse("status", "brain_bot") is None
    assert parse("/status\n/kill", "brain_bot") is None

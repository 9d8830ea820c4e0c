"""The documents keep to the program: references are what the code says, and every command that is shown exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from deployments import references
from deployments.cli.main import app
from shell.config import Settings
from tests.thorough import thorough

BRAIN = get_command(app)
SHOWN = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?brain (.+)$")
INLINE = re.compile(r"`(?:\.venv/bin/)?brain ([^`\n]+)`")
GENERIC = {"--help", "--json", "--home", "--install-completion", "--show-completion"}


def documents(project: Path) -> list[Path]:
    return [project / "README.md", *sorted((project / "docs").glob("*.md"))]


def commands_in(text: str) -> Iterator[str]:
    """Commands in blocks and in running text, without comments."""
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL):
        yield from (match[1] for line in block.splitlines() if (match := SHOWN.match(line.strip())))
    yield from INLINE.findall(text)


def mistake_in(line: str) -> str:
    """What is wrong with a command as it is written, empty for nothing. Values are not looked at."""
    bare = line.split(" #")[0].replace("…", "").replace("...", "").replace("\\|", "|")
    try:
        words = shlex.split(bare)
    except ValueError:  # an apostrophe of running text: the command's own words come before it
        words = bare.split()
    command: Any = BRAIN
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    group = getattr(command, "commands", None) and not command.invoke_without_command
    if words and group and words[0] not in GENERIC and not words[0].isupper():
        return f"brain {line}: there is no such command"
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | GENERIC
    strange = [word for word in words if word.startswith("--") and word.split("=")[0].strip("[]|") not in known]
    return f"brain {line}: no {', '.join(strange)}" if strange else ""


@pytest.mark.parametrize("name", [references.SETTINGS_PAGE, references.CLI_PAGE])
def test_a_reference_is_what_the_code_says(name: str, project: Path) -> None:
    assert (project / name).read_text() == references.pages()[name], "run: python -m deployments.references"


def test_every_setting_and_every_command_has_a_place_and_words() -> None:
    text = references.settings_page()
    for section, field in Settings.model_fields.items():
        assert f"`{section}`" in text or f"[{section}]" in text or section == "risk", section
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"`{key}`" in text or f"[{section}.{key}]" in text or f"{section}.{key}" in text, f"{section}.{key}"
    without = [name for name, command in references._commands(BRAIN, "brain") if not "".join(references._help(command))]
    assert without == []


def test_every_command_in_the_documents_exists_with_its_options(project: Path) -> None:
    found = {(file.name, line) for file in documents(project) for line in commands_in(file.read_text())}
    assert len(found) > 60
    assert sorted(f"{name}: {wrong}" for name, line in found if (wrong := mistake_in(line))) == []


@pytest.mark.parametrize("line", ["reherse", "rehearse --dais 3", "report lots --year=2026 --cvs x", "strategy lst"])
def test_a_planted_mistake_is_found(line: str) -> None:
    assert mistake_in(line)
    assert not mistake_in("report lots --year=2026 --csv x  # a comment")


@thorough
def test_every_command_answers_help() -> None:
    for name, _ in references._commands(BRAIN, "brain"):
        shown = CliRunner().invoke(app, [*name.split()[1:], "--help"])
        assert shown.exit_code == 0, name


def example(project: Path) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (project / "docs" / "writing-a-strategy.md").read_text(), flags=re.DOTALL)
    return str(code)


def test_the_worked_example_keeps_to_the_contract(project: Path, tmp_path: Path) -> None:
    from shell.host.policy import check_policy
    from shell.host.port import StrategySource

    assert check_policy(StrategySource(code=example(project), skills={}, origin="breakout.py")) == []


@thorough
def test_the_worked_example_passes_the_sandbox_and_trades_in_a_backtest(project: Path, tmp_path: Path, seed: int) -> None:
    import json
    from datetime import UTC, datetime

    from shell.market.synthetic import synthetic_market

    file, data = tmp_path / "breakout.py", tmp_path / "data"
    file.write_text(example(project))
    data.mkdir()
    for symbol, frame in synthetic_market(seed, ["BTC/USD"], datetime(2023, 3, 1, tzinfo=UTC), 30).m5.items():
        frame.write_parquet(data / f"{symbol.replace('/', '-')}_5m.parquet")
    for arguments in (["sandbox", file], ["backtest", "--strategy", file, "--data", data]):
        done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout.strip().splitlines()[-1])
    assert len(facts["fills"]) >= 2

"""Writes docs/settings.md from the settings' models and docs/cli.md from the `brain` command.

`python -m deployments.references` writes them. A test compares the files with what this gives, so that neither can fall
behind. Lists are in the order of the code.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from typer.main import get_command

from deployments.cli.main import app
from shell.config import RiskConfig, Settings
from shell.home import find_project
from shell.secrets import SECRET_NAMES
from shell.settings_file import RISK_LIMITS_FILE, SETTINGS_FILE
from shell.settings_value import allowed, section_of, shown, tables_of

SETTINGS_PAGE, CLI_PAGE = "docs/settings.md", "docs/cli.md"
MADE = "<!-- Made by `python -m deployments.references`. Change the code and make it again. -->"
EVERYWHERE = ("as_json", "home", "help")
KINDS = {int: "N", float: "NUMBER", Path: "PATH"}
NO_DEFAULT = ("PydanticUndefined", "None", "")


def settings_page() -> str:
    """The reference of every setting."""
    lines = [
        "# Settings", "", MADE, "",
        f"`config/{SETTINGS_FILE}` holds what the system does, `config/{RISK_LIMITS_FILE}` what it must never do. Both are",
        "read once at start-up; a mistake stops the start with every mistake in a sentence. Every key is optional. Durations",
        'carry their unit (`"90s"`, `"10m"`, `"24h"`, `"7d"`), every `_pct` is a fraction (0.05 is 5 %). `brain init` asks for',
        "the most important ones.", "",
        "Secrets never stand in either file. They come from the environment or from `.env`, which nobody else may read",
        f"(`chmod 600 .env`): {', '.join(f'`{name}`' for name in SECRET_NAMES)}.", "",
        f"## {SETTINGS_FILE}", "",
    ]
    plain = [name for name, field in Settings.model_fields.items() if section_of(field.annotation) is None]
    lines += _table(Settings, plain)
    for name, model in _sections(Settings, ""):
        if model is not RiskConfig:
            lines += ["", f"### [{name}]", *_about(model), "", *_table(model, _own(model))]
    lines += ["", f"## {RISK_LIMITS_FILE}", *_about(RiskConfig), "", *_table(RiskConfig, _own(RiskConfig))]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """The reference of every command."""
    lines = [
        "# The `brain` command", "", MADE, "",
        "Every command has `--help`, a view for people, and `--json`: exactly one JSON object as the last line of stdout,",
        "everything else on stderr. Exit code 0: done; 1: refused or failed, with a sentence; 2: wrong usage. `--home` names a",
        "home folder, such as a rehearsal's; without it a command works on this project.", "",
        "`brain --install-completion` teaches your shell (bash, zsh, fish) to complete commands and options; open a new",
        "terminal then.",
    ]
    for name, command in _commands(get_command(app), "brain"):
        lines += ["", f"## {name}", "", *_help(command)]
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        options = [each for each in command.params if each.param_type_name == "option" and each.name not in EVERYWHERE]
        kinds = get_type_hints(inspect.unwrap(command.callback)) if command.callback is not None else {}
        inner = getattr(command, "commands", None)
        usage = " ".join([name, *(_written(each) for each in arguments), *(["COMMAND"] if inner else [])])
        lines += ["", f"`{usage}{' [OPTIONS]' if options else ''}`"]
        rows = [f"| `{_written(each)}` | {_cell(getattr(each, 'help', '') or '')} | |" for each in arguments]
        rows += [f"| {_names(each, kinds.get(each.name))} | {_cell(each.help or '')} | {_default(each)} |" for each in options]
        if rows:
            lines += ["", "| | | default |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every made page by its path."""
    return {SETTINGS_PAGE: settings_page(), CLI_PAGE: cli_page()}


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        if inner := section_of(field.annotation) or tables_of(field.annotation):
            dotted = f"{prefix}{name}"
            yield (f"[{dotted}]" if tables_of(field.annotation) else dotted), inner
            yield from _sections(inner, f"{dotted}.")


def _own(model: type[BaseModel]) -> list[str]:
    fields = model.model_fields.items()
    return [name for name, each in fields if not section_of(each.annotation) and not tables_of(each.annotation)]


def _about(model: type[BaseModel]) -> list[str]:
    text = inspect.cleandoc(model.__doc__) if model.__doc__ and model.__doc__ != BaseModel.__doc__ else ""
    return ["", " ".join(text.split())] if text else []


def _table(model: type[BaseModel], names: list[str]) -> list[str]:
    if not names:
        return ["Nothing to set."]
    rows = []
    for name in names:
        field = model.model_fields[name]
        default = field.get_default(call_default_factory=True)
        told = "" if str(default) in NO_DEFAULT else f"`{_toml(default)}`"
        limits = allowed(name, field) if not isinstance(default, tuple) else "a list"
        limits = limits.removesuffix(f" ({field.description})")
        rows.append(f"| `{name}` | {_cell(field.description or '')} | {told} | {_cell(limits)} |")
    return ["| key | what it is | default | allowed |", "|---|---|---|---|", *rows]


def _toml(value: Any) -> str:
    from datetime import timedelta
    from decimal import Decimal

    from shell.duration import format_duration

    if isinstance(value, timedelta):
        return f'"{format_duration(value)}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:f}" if isinstance(value, Decimal) else shown(value)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", {})
    if name != "brain" and (command.invoke_without_command if inner else True):
        yield name, command
    for key, each in inner.items():
        yield from _commands(each, f"{name} {key}")


def _help(command: Any) -> list[str]:
    text = command.callback.__doc__ if command.callback is not None and command.callback.__doc__ else command.help or ""
    return inspect.cleandoc(text).splitlines()


def _written(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    return name if argument.required else f"[{name}]"


def _names(option: Any, kind: Any) -> str:
    """An option's spellings and what it takes, by the type its command declares."""
    taken = next((text for each, text in KINDS.items() if kind is each or each in get_args(kind)), "TEXT")
    return f"`{'/'.join([*option.opts, *option.secondary_opts])}{'' if option.is_flag else f' {taken}'}`"


def _default(option: Any) -> str:
    value = option.default
    if callable(value) or value in (None, "", False, (), []) or "UNSET" in str(value) or "Sentinel" in type(value).__name__:
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    root = find_project()
    for name, text in pages().items():
        (Path(root) / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}: {len(text.splitlines())} lines\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

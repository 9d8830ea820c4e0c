"""`brain init`: six questions, and the settings and secrets they lead to. Risk limits are never written: they are yours."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for

if TYPE_CHECKING:
    from shell.config import Settings
    from shell.home import Home

PROVIDERS = ("local", "anthropic", "vertex")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What was asked for: settings by dotted key, secrets by name."""

    changes: dict[str, Any]
    secrets: dict[str, str]


@command
def init(
    symbols: Annotated[str, typer.Option(help="1. The pairs to trade, such as BTC/USD,ETH/USD.")] = "",
    cash: Annotated[int, typer.Option(min=0, help="2. Paper capital in the account currency; 0 asks.")] = 0,
    timezone: Annotated[str, typer.Option(help="3. Time zone of your days, such as Europe/Berlin.")] = "",
    provider: Annotated[str, typer.Option(help="4. Who proposes candidates: local, anthropic or vertex.")] = "",
    telegram_id: Annotated[int, typer.Option(min=0, help="5. Your numeric Telegram id; 0 asks.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take the flags, and what is there for the rest.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Secrets that are set already may be replaced.")] = False,
    test_keys: Annotated[bool, typer.Option("--test-keys", help="Only try the key that is set, and change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write config/settings.toml and .env by asking six questions; the sixth is Kraken's key, which paper trading needs not.

    Keys are never flags, which others on this machine could read: they are asked for without an echo, or with --yes taken
    from the environment (KRAKEN_API_KEY, KRAKEN_API_SECRET, TELEGRAM_BOT_TOKEN, ANTHROPIC_API_KEY).
    """
    from deployments.opening import settings_for
    from shell.home import Home

    place = Home.project()
    settings = settings_for(place)
    if test_keys:
        _finish(place, settings, [], as_json, tried=True)
        return
    given = {"symbols": symbols, "cash": cash, "timezone": timezone, "provider": provider, "telegram_id": telegram_id}
    asked = _flags(given) if yes else _questions(given, settings)
    written = _write(place, asked, yes=yes, replace=replace, as_json=as_json)
    _finish(place, settings_for(place), written, as_json, tried="KRAKEN_API_KEY" in asked.secrets)


def _flags(given: dict[str, Any]) -> _Answers:
    names = ("KRAKEN_API_KEY", "KRAKEN_API_SECRET", "TELEGRAM_BOT_TOKEN", "ANTHROPIC_API_KEY")
    secrets = {name: os.environ[name].strip() for name in names if os.environ.get(name, "").strip()}
    return _Answers(changes=_changes(given), secrets=secrets)


def _questions(given: dict[str, Any], settings: Settings) -> _Answers:
    """Ask for what no flag named; an empty answer keeps what is there."""
    account = settings.account
    ask: Callable[[str, Any], Any] = lambda text, default: typer.prompt(text, default=default, err=True)  # noqa: E731
    given["symbols"] = given["symbols"] or ask("1. Which pairs should it trade", ",".join(account.symbols))
    given["cash"] = given["cash"] or ask(f"2. Paper capital, in {account.quote}", int(account.starting_cash))
    given["timezone"] = given["timezone"] or ask("3. Your time zone", account.timezone)
    given["provider"] = given["provider"] or ask(f"4. Who proposes candidates ({', '.join(PROVIDERS)})", settings.ai.provider)
    owner = settings.telegram.owner_ids[0] if settings.telegram.owner_ids else 0
    given["telegram_id"] = given["telegram_id"] or ask("5. Your numeric Telegram id, 0 for none", owner)
    secrets: dict[str, str] = {}
    if given["telegram_id"]:
        _ask_secret(secrets, "TELEGRAM_BOT_TOKEN", "   The bot's token from @BotFather")
    if given["provider"] == "anthropic":
        _ask_secret(secrets, "ANTHROPIC_API_KEY", "   Anthropic's API key")
    _ask_secret(secrets, "KRAKEN_API_KEY", "6. Kraken's API key; without the right to withdraw; empty for paper trading alone")
    if "KRAKEN_API_KEY" in secrets:
        _ask_secret(secrets, "KRAKEN_API_SECRET", "   Its private half")
    return _Answers(changes=_changes(given), secrets=secrets)


def _ask_secret(found: dict[str, str], name: str, text: str) -> None:
    given = str(typer.prompt(f"{text} (empty keeps what is there)", default="", hide_input=True, show_default=False, err=True))
    if given.strip():
        found[name] = given.strip()


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    from deployments.opening import account_overrides
    from shell.errors import UsageError
    from shell.market.pair import parse_symbol

    changes: dict[str, Any] = {}
    if given["symbols"]:
        changes |= account_overrides([parse_symbol(each) for each in str(given["symbols"]).split(",") if each.strip()])
    if given["cash"]:
        changes["account.starting_cash"] = int(given["cash"])
    if given["timezone"]:
        changes["account.timezone"] = str(given["timezone"])
    if given["provider"]:
        if given["provider"] not in PROVIDERS:
            raise UsageError(f"{given['provider']!r} proposes nothing: {', '.join(PROVIDERS)} do")
        changes["ai.provider"] = given["provider"]
    if given["telegram_id"]:
        changes["telegram.owner_ids"] = [int(given["telegram_id"])]
    return changes


def _write(place: Home, asked: _Answers, *, yes: bool, replace: bool, as_json: bool) -> list[Path]:
    """Show what would change, ask, and write it. Nothing is written that the settings' own reader refuses."""
    import difflib

    from deployments.settings_edit import edited, env_with, write_private
    from shell.errors import BadInput
    from shell.secrets import Secret, load_secrets
    from shell.settings_file import SETTINGS_FILE, load_settings

    file = place.config / SETTINGS_FILE
    before = file.read_text(encoding="utf-8")
    after = edited(before, asked.changes)
    load_settings(place.config, environ=os.environ, overrides=asked.changes)
    known = load_secrets({}, place.env_file)
    taken = [name for name, text in asked.secrets.items() if getattr(known, name.lower()) not in (None, Secret(text))]
    if taken and yes and not replace:
        raise BadInput(f"{', '.join(taken)} is set in {place.env_file} already: --replace allows to change it")
    console = console_for(as_json)
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), "now", "then", n=0, lineterm=""):
        console.print(line, markup=False)
    for name in asked.secrets:
        console.print(f"{place.env_file}: {name} {'is replaced' if name in taken else 'is added'}", markup=False)
    if before == after and not asked.secrets:
        console.print("Nothing to change.")
        return []
    if not yes and not typer.confirm("Write this?", err=True):
        raise BadInput("nothing was written")
    written = []
    if before != after:
        write_private(file, after, mode=stat.S_IMODE(file.stat().st_mode))
        written.append(file)
    if asked.secrets:
        held = place.env_file.read_text(encoding="utf-8") if place.env_file.exists() else ""
        write_private(place.env_file, env_with(held, asked.secrets))
        written.append(place.env_file)
    return written


def _finish(place: Home, settings: Settings, written: list[Path], as_json: bool, *, tried: bool) -> None:
    """Try the key where one was given and no shell runs, and say what comes next."""
    told, opened = "", None
    if tried:
        told, opened = _try_key(place, settings)
    facts = {"written": [str(each) for each in written], "key": told or None, "key_works": opened}
    if as_json:
        answer(facts)
    else:
        console = console_for(False)
        for each in written:
            console.print(f"written: [bold]{each}[/]", soft_wrap=True)
        if told:
            console.print(told, style="green" if opened else "bold red", markup=False, soft_wrap=True)
        console.print("Next: `brain doctor`, then `brain rehearse` to watch it on an invented market, then `brain up`.")
    if opened is False:
        raise typer.Exit(FAILED)


def _try_key(place: Home, settings: Settings) -> tuple[str, bool]:
    from deployments.kraken_probe import CLOCK_SECONDS_MAX, probe_kraken
    from shell.errors import NotNow
    from shell.home import HomeLock
    from shell.secrets import load_secrets

    secrets = load_secrets(os.environ, place.env_file)
    if secrets.kraken_api_key is None or secrets.kraken_api_secret is None:
        return "KRAKEN_API_KEY and KRAKEN_API_SECRET are not both set: there is nothing to try", False
    try:
        with HomeLock(place):
            found = probe_kraken(settings, os.environ, place.env_file, secrets=secrets, nonces=place.database.parent)
    except NotNow as error:
        return f"the key was not tried, because two programs with one key disturb each other: {error}", False
    if not found.reachable or found.balances is None:
        return found.sentence, False
    if not found.clock_agrees:
        return f"{found.sentence}; but this machine's clock is off by more than {CLOCK_SECONDS_MAX:.0f} s", False
    return found.sentence, True

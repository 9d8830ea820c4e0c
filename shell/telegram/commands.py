"""The commands, in one table: what the bot answers to, what /help and docs/telegram.md say, what Telegram's menu shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command. `changes` ones are carried out one after another; `confirmed` ones ask for a code first."""

    name: str
    does: str
    argument: str = ""
    changes: bool = False
    confirmed: bool = False

    @property
    def usage(self) -> str:
        return f"/{self.name} {self.argument}".rstrip()


COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        Command(name="status", does="value, day's result, positions, halts, last scan"),
        Command(name="health", does="every link and what to do about a broken one"),
        Command(name="positions", does="what is held, with stops and results"),
        Command(name="trades", argument="[COUNT]", does="the last closed trades; one of them drawn on the price"),
        Command(name="performance", does="results so far, with curves of value and drawdown"),
        Command(name="risk", does="limits, how much of each is used, and what halts openings"),
        Command(name="strategy", does="the active version and those before"),
        Command(name="candidates", does="what was tried lately and why it was refused"),
        Command(name="night", argument="[DATE]", does="what the last night decided, and why"),
        Command(name="costs", does="fees paid, and what models cost"),
        Command(name="report", does="the whole report as a file"),
        Command(name="pause", does="no more openings until /resume; stops and exits go on", changes=True),
        Command(
            name="resume", argument="[HALT]", does="allow openings again, or lift the named halt", changes=True, confirmed=True
        ),
        Command(name="orchestrate", does="ask the conductor for a night's work now", changes=True),
        Command(
            name="approve", argument="CANDIDATE", does="let a candidate that waits be promoted", changes=True, confirmed=True
        ),
        Command(name="reject", argument="CANDIDATE", does="refuse a candidate that waits", changes=True, confirmed=True),
        Command(name="rollback", does="go back to the version before", changes=True, confirmed=True),
        Command(name="close", argument="SYMBOL", does="sell a position at the market", changes=True, confirmed=True),
        Command(
            name="kill", does="emergency stop: no opening leaves, resting entries are cancelled", changes=True, confirmed=True
        ),
        Command(name="yes", argument="CODE", does="confirm what was asked last, as its button does", changes=True),
        Command(name="help", does="this list"),
    )
}
# What a phone's Telegram sends when a chat with a bot is opened.
START = "start"


def parse(text: str, bot_name: str) -> tuple[str, str] | None:
    """(command, argument) of a message; None for one that is no command, or is for another bot."""
    head, _, rest = text.strip().partition(" ")
    if not head.startswith("/") or "\n" in head:
        return None
    name, at, addressed = head[1:].partition("@")
    if at and addressed.lower() != bot_name.lower():
        return None
    return name.lower(), " ".join(rest.split())

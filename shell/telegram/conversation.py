"""What is answered to one wish. Blocking, in a thread of its own per question; the trading thread is asked, never used."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from shell.errors import BrainError, OutcomeUnknown, Rejected
from shell.telegram import answers, nights, pictures
from shell.telegram.books import Reader
from shell.telegram.changes import TAKEN_UP_SECONDS, WARNINGS, Change, carry_out, checked, not_taken_up
from shell.telegram.commands import COMMANDS, START, Command, parse
from shell.telegram.confirm import PRESSED_NO, PRESSED_YES, VALID_SECONDS, Confirmations
from shell.telegram.gate import Wish
from shell.telegram.text import Button, File, Later, Reply, bold, plain

BUTTONS_FOR = ("approve", "reject")
CAREFUL = "It may have happened and may not: look at /status before you ask again."

READS: dict[str, Callable[[Reader, str], Reply]] = {
    "help": lambda _reader, _argument: answers.help_(),
    "status": lambda reader, _argument: answers.status(reader),
    "health": lambda reader, _argument: answers.health(reader),
    "positions": lambda reader, _argument: answers.positions(reader),
    "trades": pictures.trades,
    "performance": lambda reader, _argument: pictures.performance(reader),
    "risk": lambda reader, _argument: answers.risk(reader),
    "strategy": lambda reader, _argument: answers.strategy(reader),
    "candidates": lambda reader, _argument: nights.candidates(reader),
    "night": nights.night,
    "costs": lambda reader, _argument: answers.costs(reader),
}


class Conversation:
    """Answers wishes that the gate let through. `report` writes the report and says where it lies."""

    def __init__(self, reader: Reader, confirmations: Confirmations, report: Callable[[], Path] | None, bot_name: str) -> None:
        self._reader = reader
        self._confirmations = confirmations
        self._report = report
        self._bot_name = bot_name
        self._changing = Lock()
        self._reporting = Lock()

    def answer(self, wish: Wish) -> Reply:
        """The answer to one wish; a known no is an answer like any other."""
        try:
            return self._pressed(wish) if wish.pressed else self._written(wish)
        except OutcomeUnknown as error:
            return Reply(html=f"{bold('Unknown')}: {plain(str(error))}. {CAREFUL}")
        except BrainError as error:
            return Reply(html=f"{bold('No')}: {plain(str(error))}.")

    def _written(self, wish: Wish) -> Reply:
        parsed = parse(wish.text, self._bot_name)
        if parsed is None:
            return Reply(html="I understand commands: /help lists them.")
        name, argument = parsed
        if name == START:
            return answers.help_()
        command = COMMANDS.get(name)
        if command is None:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean /{near[0]}?" if near else "/help lists what I know."
            return Reply(html=f"I do not know /{plain(name)}: {hint}")
        return self._obey(command, argument, wish)

    def _obey(self, command: Command, argument: str, wish: Wish) -> Reply:
        if command.name == "yes":
            return self._confirmed(argument, wish)
        if command.name == "report":
            return self._send_report()
        if not command.changes:
            return READS[command.name](self._reader, argument)
        argument = checked(command.name, argument, self._reader)
        if command.confirmed:
            return self._ask_for_code(command.name, argument, wish)
        return self._change(command.name, argument, wish)

    def _pressed(self, wish: Wish) -> Reply:
        if wish.pressed.startswith(PRESSED_YES):
            return self._confirmed(wish.pressed.removeprefix(PRESSED_YES), wish)
        if wish.pressed.startswith(PRESSED_NO):
            self._confirmations.take(wish.pressed.removeprefix(PRESSED_NO), wish.owner)
            return Reply(html="Nothing was done.")
        name, _, argument = wish.pressed.partition(":")
        if name in BUTTONS_FOR:
            return self._obey(COMMANDS[name], argument, wish)
        return Reply(html="That button is of an earlier version: /help lists what I know.")

    def _ask_for_code(self, name: str, argument: str, wish: Wish) -> Reply:
        code = self._confirmations.ask(wish.owner, name, argument)
        buttons = (
            Button(label=f"Yes, {name} {argument}".strip(), data=f"{PRESSED_YES}{code}"),
            Button(label="No", data=f"{PRESSED_NO}{code}"),
        )
        question = plain(WARNINGS[name].format(argument=argument))
        return Reply(html=f"{question}\nPress a button within {VALID_SECONDS:.0f} s, or write /yes {code}", buttons=(buttons,))

    def _confirmed(self, code: str, wish: Wish) -> Reply:
        asked = self._confirmations.take(code, wish.owner)
        if asked is None:
            raise Rejected(f"that code is not valid; a code holds for {VALID_SECONDS:.0f} s, once: ask for the command again")
        return self._change(asked.command, asked.argument, wish)

    def _change(self, name: str, argument: str, wish: Wish) -> Reply:
        """One change at a time, so that they happen in the order they were asked for; a kill waits for nobody."""
        change = Change(command=name, argument=argument, by=wish.name, at=self._reader.clock.now())
        if name == "kill":
            return Reply(html=f"{plain(carry_out(change, self._reader))}.")
        if not self._changing.acquire(blocking=False):
            raise Rejected("another command is still being carried out; ask again in a moment")
        try:
            html = f"Done: {plain(carry_out(change, self._reader))}."
        finally:
            self._changing.release()
        if name != "orchestrate":
            return Reply(html=html)
        later = Later(seconds=TAKEN_UP_SECONDS, check=lambda: not_taken_up(self._reader, change.at))
        return Reply(html=html, later=later)

    def _send_report(self) -> Reply:
        if self._report is None:
            raise Rejected("no report can be written here; `brain report` on the machine writes one")
        if not self._reporting.acquire(blocking=False):
            raise Rejected("a report is being written already")
        try:
            path = self._report()
            return Reply(file=File(name=path.name, content=path.read_bytes(), caption="Open it in a browser."))
        except OSError as error:
            raise Rejected(f"the report could not be read: {error.strerror}") from None
        finally:
            self._reporting.release()

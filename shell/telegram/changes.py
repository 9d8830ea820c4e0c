"""Commands that change something, carried out on the trading thread and answered with what became of them.

Each is checked before its code is asked for, so that nobody confirms what cannot be done, and again by the shell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shell.by_hand import REQUEST_FACT
from shell.calls import Calls
from shell.errors import NotNow, OutcomeUnknown, Rejected
from shell.main_book import MAIN_BOOK
from shell.risk.halts import HaltKind
from shell.telegram.books import Reader
from shell.telegram.text import Reply, plain

CHANGE_SECONDS = 20.0
KILL_SECONDS = 5.0
TAKEN_UP_SECONDS = 300.0
WARNINGS = {
    "resume": "Lift {argument}? Openings may leave again, measured afresh from now.",
    "approve": "Let {argument} be promoted? It trades the account in minutes, from the next night on at the latest.",
    "reject": "Refuse {argument}? Its work is kept, it is not promoted.",
    "rollback": "Go back to the version before? Positions and their stops stay.",
    "close": "Sell all of {argument} at the market?",
    "kill": "Stop all openings now? Resting entries are cancelled; positions keep their stops. /resume KILL_SWITCH undoes it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change to be made, its argument checked and written out, as of when it was asked for."""

    command: str
    argument: str
    by: str
    at: datetime


def checked(command: str, argument: str, reader: Reader) -> str:
    """The argument as it will be used. Raises Rejected, with what would be right, where it makes no sense now."""
    match command:
        case "resume":
            return _halt_to_lift(argument, reader)
        case "close":
            return _held_symbol(argument, reader)
        case "approve" | "reject":
            return _candidate(argument.lower(), command, reader)
        case _:
            if argument and command != "kill":
                raise Rejected(f"/{command} takes no argument")
            return argument


def carry_out(change: Change, reader: Reader) -> str:
    """Make the change; returns what happened, as a sentence. Raises what the shell raises."""
    now, by, argument, calls = change.at, change.by, change.argument, reader.calls
    match change.command:
        case "pause":
            return calls.ask(lambda desk: desk.by_hand.pause(by, now), seconds=CHANGE_SECONDS)
        case "resume":
            left = calls.ask(lambda desk: desk.by_hand.resume(HaltKind(argument), by, now), seconds=CHANGE_SECONDS)
            return f"{argument} is lifted; " + (f"still halted: {', '.join(left)}" if left else "openings may leave")
        case "close":
            sentence = calls.ask(lambda desk: desk.by_hand.close(argument, by, now), seconds=CHANGE_SECONDS)
            return f"on its way: {sentence}; the fill is told when it comes"
        case "approve" | "reject":
            yes = change.command == "approve"
            told = calls.ask(lambda desk: desk.by_hand.decide(argument, yes, by, now), seconds=CHANGE_SECONDS)
            return f"{argument} is {'approved' if yes else 'rejected'}: {told}"
        case "rollback":
            done = calls.ask(lambda desk: desk.rollback(f"asked for by {by}", now), seconds=CHANGE_SECONDS)
            return f"{done.version} is active again, in place of {done.previous}"
        case "orchestrate":
            calls.ask(lambda desk: desk.by_hand.request_run("orchestrate", by, now), seconds=CHANGE_SECONDS)
            return "asked for; the conductor takes it up, and I say so if nothing does within 5 minutes"
        case "kill":
            return _kill(f"asked for by {by}" + (f": {argument}" if argument else ""), reader, now)
        case _:
            raise Rejected(f"/{change.command} changes nothing")


def not_taken_up(reader: Reader, asked_at: datetime) -> Reply | None:
    """A word to whoever asked for a night's work that nothing has begun; None once something has, or it was asked for anew."""
    with reader.store() as store:
        known = store.facts.get(REQUEST_FACT.format(flow="orchestrate"))
    if known is None or known["taken"] or datetime.fromisoformat(known["at"]) != asked_at:
        return None
    text = "Nothing has taken up your /orchestrate: the conductor is not running. `brain up` on the machine starts it."
    return Reply(html=plain(text))


def _kill(reason: str, reader: Reader, now: datetime) -> str:
    """Two ways that do not need each other: the trading thread at once, else a note it heeds before its next step."""
    try:
        _ask_to_kill(reader.calls, reason, now)
    except (NotNow, OutcomeUnknown) as error:
        reader.home.kill_file.write_text(reason, encoding="utf-8")
        return (
            f"the shell did not answer ({error}); the order to stop lies in {reader.home.kill_file.name} and is heeded before "
            "its next step. Ask /status, and look at the exchange's own page if it stays silent"
        )
    return "KILLED: no opening leaves until /resume KILL_SWITCH; positions keep their stops"


def _ask_to_kill(calls: Calls, reason: str, now: datetime) -> None:
    calls.ask(lambda desk: desk.by_hand.kill(reason, now), seconds=KILL_SECONDS)


def _halt_to_lift(argument: str, reader: Reader) -> str:
    with reader.store() as store:
        active = [halt.kind.value for halt in store.halts.active(MAIN_BOOK)]
    wanted = argument.upper()
    if not active:
        raise NotNow("nothing halts openings")
    if wanted in active:
        return wanted
    if not wanted and HaltKind.OPERATOR_PAUSE.value in active:
        return HaltKind.OPERATOR_PAUSE.value
    if not wanted and len(active) == 1:
        return active[0]
    told = f"{wanted} is not active" if wanted else "several halts are active"
    raise Rejected(f"{told}: " + ", ".join(f"/resume {each}" for each in active))


def _held_symbol(argument: str, reader: Reader) -> str:
    held = [str(row["symbol"]) for row in reader.standing().positions]
    wanted = argument.upper().replace("-", "/")
    found = [symbol for symbol in held if symbol == wanted or symbol.split("/")[0] == wanted]
    if len(found) == 1:
        return found[0]
    if not held:
        raise NotNow("nothing is held")
    raise Rejected(f"held are {', '.join(held)}: /close {held[0]}")


def _candidate(argument: str, command: str, reader: Reader) -> str:
    if not argument:
        raise Rejected(f"which one? /{command} c0001; /candidates lists them")
    with reader.store() as store:
        return store.candidates.get(argument).candidate_id

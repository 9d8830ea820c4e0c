"""What may go wrong in a month, on purpose: `brain rehearse --incidents` lets it happen, and keeps what people were told of it.

An incident is real where it strikes: the network of the client is down, the exchange is in maintenance, prices fall, nobody
asks for scans, a night's read fails, the provider of models is overloaded, the month's money for them is spent, a model is
asked whose price nobody knows. What follows from it is the system's own doing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from deployments.overloaded_provider import overloaded
from deployments.rehearsal_venue import RehearsalExchange
from shell.clock import local_day
from shell.desk import Desk
from shell.errors import BrainError, NotNow, UsageError
from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.system import SystemState
from shell.model_calls import TOKENS_PRICED, CallRequest, CallState, ModelCall, Usage, price_of
from shell.notices.kinds import KINDS, Severity
from shell.notices.link_watch import LinkWatch
from shell.service import Shell
from shell.slots import FALLBACK, REQUESTED
from shell.store.outbox import Notification
from tasks.ai.connect import use_access
from tasks.client import ShellClient
from tasks.context import use_client
from tasks.night import night_of

DAYS_MIN, MONTH = 11, 30
OUTAGE, MAINTENANCE, CRASH, SLUMP = "outage", "maintenance", "flash crash", "slump"
WORKER_DEAD, BAD_NIGHT, BUDGET_SPENT, NO_PRICE = "worker dead", "bad night", "budget spent", "model without a price"
PROVIDER_DOWN = "provider down"
# What a person is told on a day on which nothing happens: the night and the day's result, on Sundays in one with the week's.
QUIET_DAY_MOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`tells`: kinds of messages that must come of it within a day of its beginning. `story` is it in a person's words."""

    name: str
    begins: datetime
    ends: datetime
    tells: tuple[str, ...] = ()
    story: str = ""


def script_of(start: datetime, days: int) -> tuple[Incident, ...]:
    """The incidents of a rehearsal from `start`, one at a time, spread over `days` up to a month. Raises UsageError when it is
    too short for them."""
    if days < DAYS_MIN:
        raise UsageError(f"--incidents needs {DAYS_MIN} days or more, --days says {days}")

    def incident(name: str, day: int, hour: int, lasts: timedelta, story: str, *tells: str) -> Incident:
        begins = start + timedelta(days=day * min(days, MONTH) // DAYS_MIN, hours=hour)
        return Incident(name=name, begins=begins, ends=begins + lasts, tells=tells, story=story)

    hours = timedelta(hours=1)
    return (
        incident(OUTAGE, 1, 10, 2 * hours, "The network is down for two hours.", "link"),
        # Before the money is spent: without money nobody is asked.
        incident(PROVIDER_DOWN, 3, 4, 8 * hours, "The provider of models is overloaded the whole night.", "models"),
        incident(MAINTENANCE, 3, 14, hours / 3, "The exchange goes into maintenance for twenty minutes.", "link"),
        incident(BUDGET_SPENT, 4, 17, hours, "One call takes all the money that the month has for models.", "budget"),
        incident(CRASH, 5, 15, hours / 2, "Prices fall by two fifths within a bar, and are back in half an hour."),
        incident(SLUMP, 6, 12, 6 * hours, "Prices fall by an eighth within six hours, and stay there."),
        incident(WORKER_DEAD, 7, 9, 4 * hours, "The worker is dead: nobody asks for scans for four hours.", "fallback"),
        incident(BAD_NIGHT, 8, 0, 24 * hours, "What the night reads cannot be read.", "flow"),
        incident(NO_PRICE, 9, 17, hours, "A model is asked whose price nobody knows.", "budget"),
    )


class Misfortune:
    """Lets the incidents happen to one rehearsal, and watches its link as the trading loop does."""

    def __init__(self, incidents: Sequence[Incident], shell: Shell, exchange: RehearsalExchange) -> None:
        self.incidents = tuple(incidents)
        self._shell, self._exchange = shell, exchange
        self._watch = LinkWatch("Kraken", shell.notify)
        self._struck: set[str] = set()

    def strike(self, now: datetime) -> None:
        """Before the step of `now`: what begins begins, what ends ends."""
        link = self._exchange.link
        link.wire.down = self._runs(OUTAGE, now)
        for each in self.incidents:
            if each.begins <= now < each.ends and each.name not in self._struck:
                self._struck.add(each.name)
                self._begin(each, now)

    def watched(self, now: datetime) -> None:
        """After the step: tell of the link, as the loop of `brain shell` does."""
        system = self._exchange.desk.exchange.venue.state
        down = self._exchange.link.wire.down
        reason = "no connection" if down else f"the exchange says {system.value}"
        self._watch.look(not down and system is SystemState.ONLINE, reason, now)

    def origin(self, now: datetime) -> str:
        """Who asks for the scan of `now`."""
        return FALLBACK if self._runs(WORKER_DEAD, now) else REQUESTED

    @contextmanager
    def night(self, now: datetime, desk: Desk) -> Iterator[str]:
        """What the night of `now` runs in; gives the provider it is to ask, "" for the settings'.

        A night whose reads fail has told of its failure itself; the rehearsal, like the conductor, goes on.
        """
        if self._runs(BAD_NIGHT, now):
            with use_client(cast(ShellClient, BadNightDesk(desk))), suppress(BrainError):
                yield ""
        elif self._runs(PROVIDER_DOWN, now):
            with overloaded() as access, use_access(access):
                yield "anthropic"
        else:
            yield ""

    def _runs(self, name: str, now: datetime) -> bool:
        return any(each.name == name and each.begins <= now < each.ends for each in self.incidents)

    def _begin(self, incident: Incident, now: datetime) -> None:
        if incident.name == MAINTENANCE:
            lasts = int((incident.ends - incident.begins).total_seconds()) * SECOND_NS
            self._exchange.desk.exchange.set_state(SystemState.MAINTENANCE, lasts)
        elif incident.name == BUDGET_SPENT:
            self._spend_the_month(now)
        elif incident.name == NO_PRICE:
            try:
                self._reserve("a model nobody priced", now)
            except NotNow:
                return
            raise AssertionError("a call whose price nobody knows was granted")

    def _reserve(self, model: str, now: datetime) -> ModelCall:
        """Ask for the money of a call. Nothing is called."""
        asked = CallRequest(
            night=night_of(now), slot="incident", role="generate", provider="anthropic", model=model, request={},
            request_hash="incident", input_tokens=1, output_tokens_max=1,
        )
        return Desk(self._shell).reserve_call(asked, now)

    def _spend_the_month(self, now: datetime) -> None:
        """One call whose bill is all that the month has."""
        ai = self._shell.config.ai
        call = self._reserve(ai.generate_model, now)
        price = price_of(ai, ai.generate_model).output_usd
        assert price is not None, "a complete price"
        tokens = int(ai.month_usd_max / price * TOKENS_PRICED) + 1
        Desk(self._shell).settle_call(call.call_id, CallState.ANSWERED, now, usage=Usage(output_tokens=tokens), reply={})


class BadNightDesk:
    """A desk whose performance cannot be read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def performance(self, now: datetime) -> Any:
        raise NotNow(f"the database does not answer (an incident of the rehearsal, {now:%Y-%m-%d})")


def told_of(
    incidents: Sequence[Incident], messages: Sequence[Notification], zone: ZoneInfo, first: date, last: date
) -> dict[str, Any]:
    """What people were told, judged: `missing` messages, `without_action`, and the most on a day on which nothing happened.

    Such a day lies wholly inside the rehearsal, no incident touches it or the day before, and nothing was bought or sold."""
    missing = [
        f"{each.name}: no message of kind {kind} within a day" for each in incidents for kind in each.tells
        if not any(told.kind == kind and each.begins <= told.at < each.begins + timedelta(days=1) for told in messages)
    ]
    alarms = [each for each in messages if each.severity != Severity.INFO.value]
    without = [each.text for each in alarms if not (each.action or (each.kind in KINDS and KINDS[each.kind].action))]
    each_day = Counter(local_day(told.at, zone) for told in messages)
    eventful = {local_day(told.at, zone) for told in messages if told.kind in ("fill", "stop", "promotion", "rollback", "halt")}
    for each in incidents:
        begun = local_day(each.begins, zone)
        eventful |= {begun, begun + timedelta(days=1), begun - timedelta(days=1)}
    quiet = {day: count for day, count in each_day.items() if first < day < last and day not in eventful}
    return {
        "missing": missing, "without_action": without, "quiet_days": len(quiet),
        "quiet_day_most": max(quiet.values(), default=0), "alarms": len(alarms),
        "incidents": [
            {"name": each.name, "begins": each.begins.isoformat(), "ends": each.ends.isoformat()} for each in incidents
        ],
        "messages": [
            {"at": each.at.isoformat(), "kind": each.kind, "severity": each.severity, "text": each.text, "action": each.action}
            for each in messages
        ],
    }

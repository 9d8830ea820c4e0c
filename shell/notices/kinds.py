"""The kinds of messages there are, what each tells, and what a person does about it unless the message says otherwise.

Everything that tells a person something names one of these: no alarm is without an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """INFO can wait for the morning, WARNING should be looked at today, CRITICAL now, whatever the hour."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of message.

    `urgent` ones are told at once at any hour and cannot be switched off. `many` names several of them in one line.
    """

    name: str
    tells: str
    action: str
    many: str = "messages"
    urgent: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="fill", tells="an order was filled", action="/positions shows what is held", many="fills"),
        Kind(name="stop", tells="a position left by its stop", action="/trades shows the result", many="stops"),
        Kind(
            name="refusals", tells="risk refused more signals within an hour than [telegram] refusals_per_hour",
            action="/risk shows the limits; /pause stops openings", many="warnings of refused signals",
        ),
        Kind(
            name="halt", tells="openings were halted, or allowed again", many="halts", urgent=True,
            action="/risk shows what was measured; /resume lifts it once you agree",
        ),
        Kind(
            name="rollback", tells="the version before is active again", action="/strategy shows both versions",
            many="rollbacks",
        ),
        Kind(
            name="promotion", tells="a candidate became the active version, or was refused at the last step",
            action="/strategy shows it; /rollback goes back", many="promotions",
        ),
        Kind(
            name="rerun", tells="a candidate's evidence did not come out when the shell ran it again", many="refused reruns",
            action="`brain strategy show` has its figures; /night says where they came from", urgent=True,
        ),
        Kind(
            name="approval", tells="a candidate passed everything and waits for a person ([orchestrator] approval)",
            action="approve or reject it", many="candidates that wait",
        ),
        Kind(
            name="quarantine", tells="code tried what honest code never does, and never runs again", urgent=True,
            action="/strategy shows what runs instead", many="quarantines",
        ),
        Kind(name="night", tells="what a night decided", action="/night says why", many="nights"),
        Kind(name="daily", tells="the day's result", action="/performance shows the curve", many="days"),
        Kind(name="weekly", tells="the week's result", action="/report sends the whole report", many="weeks"),
        Kind(name="system", tells="the system started or stopped", action="/status shows more", many="starts and stops"),
        Kind(
            name="recovery", tells="what start-up found and mended", action="/health shows whether all is well now",
            many="recoveries",
        ),
        Kind(
            name="isolation", tells="strategies cannot be fully confined on this machine",
            action="see docs/sandbox.md; live mode stays refused", many="warnings about the strategy's wall",
        ),
        Kind(
            name="reconciliation", tells="our books and the exchange's differ",
            action="/risk shows whether openings are halted; compare with the exchange's own page", many="differences",
        ),
        Kind(
            name="flow", tells="a flow run failed, crashed or was cancelled; once a day for each flow",
            action="trading goes on without it; Prefect's page shows the run and why, /night what became of a night",
            many="failed flow runs",
        ),
        Kind(
            name="fallback", tells="the shell scans on its own because nothing asks it to, or is asked again",
            action="trading goes on; `brain up` starts the conductor again", many="messages about scans",
        ),
        Kind(name="budget", tells="a part of the AI budget is spent", action="/costs shows what is left", many="budgets"),
        Kind(
            name="models", tells="no model could be asked in a night: no key, no connection, or the provider refused",
            action="/night says what was done without; `brain doctor` says what is set", many="nights without a model",
        ),
        Kind(
            name="export", tells="a night's trials could not be copied to Vertex ([ai.vertex] export)",
            action="nothing else depends on it; `brain night export` tries again", many="exports that failed",
        ),
        Kind(
            name="parity", tells="live decisions differ from what a backtest of the same bars decides",
            action="/health; the night's report says which", many="differences from the backtest",
        ),
        Kind(
            name="document", tells="the strategy document could not be kept as it should", action="/night shows the night",
            many="messages about the document",
        ),
        Kind(name="capital", tells="capital was allocated or taken back", action="/status shows it", many="capital events"),
        Kind(name="link", tells="a link to the outside broke or came back", action="/health shows every link", many="links"),
        Kind(
            name="slots", tells="slots passed without a scan, such as while the machine slept",
            action="keep the machine awake; /status shows the newest scan", many="warnings about slots",
        ),
        Kind(
            name="clock", tells="the machine's clock jumped, or differs from the exchange's",
            action="let the machine set its time from the network", many="warnings about the clock",
        ),
        Kind(
            name="stale", tells="a position's price is too old to watch its stop",
            action="/health shows the link; look at the exchange's own page", many="warnings about old prices",
        ),
    )
}
# What [telegram] muted may name.
MUTABLE = tuple(kind.name for kind in KINDS.values() if not kind.urgent)


def kind_of(name: str) -> Kind:
    """The kind of this name; one that is not known is told like any other."""
    known = KINDS.get(name)
    return known if known is not None else Kind(name=name, tells=name, action="/status shows how things stand")

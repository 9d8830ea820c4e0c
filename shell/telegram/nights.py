"""Answers about the search for better strategies: candidates, nights, and who waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shell.clock import NEW_YORK, local_day, night_window
from shell.promotion.permission import waiting_for_a_person
from shell.telegram.answers import owner_buttons
from shell.telegram.books import Reader
from shell.telegram.text import Reply, bold, plain
from shell.trials.candidate import Candidate

CANDIDATES_SHOWN = 5
REASONS_SHOWN = 3


def candidates(reader: Reader) -> Reply:
    """The newest candidates; buttons for those that wait for a person."""
    with reader.store() as store:
        known = store.candidates.list()
        asking = waiting_for_a_person(store, reader.settings, known)
        trials = {each.candidate_id: each for each in store.paper.list()}
    if not known:
        return Reply(html="No candidate has been tried yet. /night says what the last night decided.")
    shown = {each.candidate_id: each for each in [*known[-CANDIDATES_SHOWN:], *asking]}
    blocks = []
    for each in reversed(list(shown.values())):
        lines = [f"{bold(each.candidate_id)} {plain(_state(each))}", plain(each.proposal.hypothesis)]
        lines += [f"· {plain(reason)}" for reason in each.reasons[:REASONS_SHOWN]]
        trial = trials.get(each.candidate_id)
        if trial is not None and trial.state in ("running", "extended"):
            lines.append(f"on paper until {trial.due_at:%Y-%m-%d %H:%M} UTC")
        blocks.append("\n".join(lines))
    buttons = tuple(owner_buttons(each.candidate_id) for each in asking)
    return Reply(html="\n\n".join(blocks), buttons=buttons)


def night(reader: Reader, date: str) -> Reply:
    """One night's decision and why: the newest unless a date ("2026-03-02", New York's) is given."""
    with reader.store() as store:
        nights = store.nights.list()
    found = nights[-1] if nights and not date else next((each for each in nights if each.night == date), None)
    if found is None:
        known = f"; the newest is {nights[-1].night}" if nights else ""
        return Reply(html=plain(f"No night {date or ''} is recorded yet{known}.".replace("  ", " ")))
    decision = found.decision
    lines = [f"{bold(f'Night of {found.night}')}: {plain(str(decision.get('decision', 'recorded')))}"]
    lines += [f"· {plain(str(reason))}" for reason in decision.get("reasons", ())]
    lines += [f"· {plain(str(remark))}" for remark in decision.get("remarks", ())]
    lines += [_candidate_line(each) for each in decision.get("candidates", ())]
    lines += [_settled_line(each) for each in decision.get("settled", ())]
    missing = "" if date else _not_told(found.night, reader.clock.now())
    return Reply(html="\n".join([missing, *lines] if missing else lines))


def _not_told(newest: str, now: datetime) -> str:
    """A sentence where the last night that is over left no record, so that an older one is not taken for it; else ""."""
    last = local_day(now, NEW_YORK)
    if night_window(last).ends > now:
        last -= timedelta(days=1)
    if newest >= last.isoformat():
        return ""
    return plain(f"The night of {last:%Y-%m-%d} left no record: its run failed, or nothing ran. The newest that did:")


def _state(candidate: Candidate) -> str:
    kind = f", a {candidate.change_class.value}" if candidate.change_class is not None else ""
    return f"{candidate.verdict.value} at {candidate.stage.value}{kind}, by {candidate.proposal.provider}"


def _candidate_line(row: Mapping[str, Any]) -> str:
    reasons = "; ".join(str(reason) for reason in list(row.get("reasons", ()))[:REASONS_SHOWN])
    name, ended = str(row.get("id") or "no candidate"), f"{row.get('verdict', '')} at {row.get('stage', '')}"
    return f"{bold(name)}: {plain(ended)}: {plain(reasons)}"


def _settled_line(row: Mapping[str, Any]) -> str:
    became = f"promoted as {row['promoted']}" if row.get("promoted") else str(row.get("refusal") or "not promoted")
    passed = "passed" if row.get("passed") else "not passed"
    return f"Paper trial of {bold(str(row.get('candidate')))}: {passed}, {plain(became)}"

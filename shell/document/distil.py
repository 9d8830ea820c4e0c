"""The quarterly distillation: notes of a quarter that is over become one line, their year gets a summary, principles stay.

By arithmetic over what the ledger holds, so it is the same with or without a model. A model may write a better document
any night; it passes the same rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from shell.document.notes import joined, split_notes

Key = TypeVar("Key")

QUARTERS_HEADING = "## Quarters"
QUARTERS_KEPT = 4
_LINE = re.compile(r"^- (\d{4}-Q[1-4]): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate of the period: `failed_at` is the first check or stage that refused it, empty for one that was promoted."""

    name: str
    provider: str
    hypothesis: str
    failed_at: str
    promoted_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFacts:
    """What the ledger says of one quarter or year. `result_pct` is None where the account's value was never marked."""

    name: str
    nights: int
    tried: Sequence[Tried] = field(default_factory=tuple)
    result_pct: float | None = None
    trades: int = 0
    fees: str = "0"


def quarter_of(day: date) -> str:
    """A day's quarter, such as 2026-Q3."""
    return f"{day.year}-Q{(day.month - 1) // 3 + 1}"


def before(day: date) -> str:
    """The quarter before that of `day`: the one that is over."""
    first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return quarter_of(date.fromordinal(first.toordinal() - 1))


def distilled(document: str, facts: PeriodFacts) -> str:
    """`document` with the notes of the quarter `facts` is about (and earlier ones) taken out and its line put in.

    The line of a quarter that is there already is replaced; the newest four stay.
    """
    body, notes = split_notes(document)
    kept = {night: note for night, note in notes.items() if quarter_of(date.fromisoformat(night)) > facts.name}
    above, lines, below = _split_quarters(body)
    lines[facts.name] = line_of(facts)
    newest = sorted(lines, reverse=True)[:QUARTERS_KEPT]
    section = "\n".join(lines[name] for name in newest)
    parts = [above.rstrip(), f"{QUARTERS_HEADING}\n\n{section}", below.strip()]
    return joined("\n\n".join(part for part in parts if part), kept)


def line_of(facts: PeriodFacts) -> str:
    """A quarter in one line: what was tried, what refused it, what came of it."""
    refused = Counter(each.failed_at for each in facts.tried if each.failed_at)
    parts = [f"{_count(facts.nights, 'night')}, {_count(len(facts.tried), 'candidate')}"]
    if refused:
        parts.append("refused: " + ", ".join(f"{_plain(name)} {count}" for name, count in _often(refused)[:4]))
    promoted = [each for each in facts.tried if each.promoted_as]
    parts.append("promoted: " + ", ".join(_plain(each.promoted_as) for each in promoted) if promoted else "promoted: none")
    if facts.result_pct is not None:
        parts.append(f"account {facts.result_pct * 100:+.2f} % in {_count(facts.trades, 'trade')}, fees {facts.fees}")
    return f"- {facts.name}: {'; '.join(parts)}."


def yearly(year: int, facts: PeriodFacts, quarters: Sequence[PeriodFacts]) -> str:
    """The summary of a year (so far) for the archive: its quarters, its promotions, and what refused the rest."""
    lines = [f"# {year}", "", *(line_of(each) for each in quarters), "", "## Promoted", ""]
    promoted = [each for each in facts.tried if each.promoted_as]
    lines += [f"- {each.promoted_as} from {each.name} by {each.provider}" for each in promoted] or ["Nothing."]
    lines += ["", "## Refused", ""]
    refused = Counter((each.failed_at, each.provider) for each in facts.tried if each.failed_at)
    lines += [
        f"- {_plain(stage)}: {_count(count, 'candidate')} by {_plain(provider)}" for (stage, provider), count in _often(refused)
    ] or ["Nothing."]
    return "\n".join(lines) + "\n"


def _split_quarters(body: str) -> tuple[str, dict[str, str], str]:
    """What stands above the quarters' lines, those by quarter, and what stands below them."""
    above, heading, rest = body.partition(QUARTERS_HEADING)
    if not heading:
        return body, {}, ""
    lines: dict[str, str] = {}
    below: list[str] = []
    for line in rest.splitlines():
        match = _LINE.match(line)
        if match and not below:
            lines[match[1]] = line
        elif line.strip() or below:
            below.append(line)
    return above, lines, "\n".join(below)


def _often(counted: Counter[Key]) -> list[tuple[Key, int]]:
    return sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))


def _plain(text: str) -> str:
    return " ".join(text.split())[:60]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

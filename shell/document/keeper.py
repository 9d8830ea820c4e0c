"""The keeper of the strategy document: what may replace it, what it was before, and its distillation at a quarter's end.

The file in the workspace is the document. A person may edit it there, which becomes a version of its own; what the cycle
writes passes the rules first, or the old one stays.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from shell.clock import NEW_YORK, local_day
from shell.document.distil import PeriodFacts, Tried, before, distilled, quarter_of, yearly
from shell.document.notes import words
from shell.document.rules import faults_of
from shell.errors import Rejected
from shell.money import NO_MONEY, QuoteAmount
from shell.promotion.workspace import Workspace
from shell.store.documents import DocumentKind
from shell.store.store import Store
from shell.trials.candidate import Candidate, Stage, Verdict
from shell.truth.account import account_figures, later_flows


class DocumentKeeper:
    """One home's document."""

    def __init__(self, store: Store, workspace: Workspace, book: str = "main") -> None:
        self._store = store
        self._workspace = workspace
        self._book = book

    def text(self) -> str:
        """The document as it stands."""
        return self._workspace.document()

    def write(self, text: str, now: datetime, kind: DocumentKind = DocumentKind.WRITTEN, label: str = "") -> None:
        """Replace it. Raises Rejected, and keeps the old one, for a text that breaks a rule; the refusal is recorded."""
        faults = faults_of(text)
        if faults:
            sentence = "the strategy document was not replaced: " + "; ".join(faults)
            self._store.documents.refuse(text, sentence, now, label=label)
            raise Rejected(sentence)
        self._keep_found(now)
        self._workspace.write_document(text)
        self._store.documents.keep(kind, text, now, label=label)

    def distil(self, now: datetime) -> dict[str, Any]:
        """Turn the notes of the quarter that is over into one line, and archive its year's summary. Safe to repeat.

        A quarter in which nothing happened changes nothing. Raises Rejected when the result breaks a rule.
        """
        today = local_day(now, NEW_YORK)
        quarter = before(today)
        facts = self._facts(quarter)
        document, year = self.text(), int(quarter[:4])
        if not facts.nights and not facts.tried:
            return _told(quarter, year, document, document, facts)
        text = distilled(document, facts)
        quarters = [self._facts(f"{year}-Q{number}") for number in range(1, 5)]
        summary = yearly(year, self._facts(str(year)), [each for each in quarters if each.nights or each.tried])
        with self._store.transaction():
            self.write(text, now, DocumentKind.DISTILLED, quarter)
            self._store.documents.keep(DocumentKind.YEARLY, summary, now, label=str(year))
        return _told(quarter, year, document, text, facts)

    def _keep_found(self, now: datetime) -> None:
        """Keep what a person, or the shipped workspace, left on disk as a version before it is replaced."""
        found, newest = self.text(), self._store.documents.newest()
        if found.strip() and (newest is None or newest.text != found):
            self._store.documents.keep(DocumentKind.FOUND, found, now)

    def _facts(self, name: str) -> PeriodFacts:
        """What the ledger holds of a quarter ("2026-Q3") or a year ("2026")."""

        def inside(day: date) -> bool:
            return quarter_of(day).startswith(name)

        nights = [each for each in self._store.nights.list() if inside(date.fromisoformat(each.night))]
        promoted = {each.candidate_id: each.version for each in self._store.promotions.list()}
        tried = [
            _tried(each, promoted.get(each.candidate_id, "")) for each in self._store.candidates.list()
            if inside(local_day(each.proposed_at, NEW_YORK))
        ]
        marks = [mark for mark in self._store.history.equity(self._book) if inside(local_day(mark[0], NEW_YORK))]
        trades = [each for each in self._store.history.trades(self._book) if inside(local_day(each.closed_at, NEW_YORK))]
        fills = [each for each in self._store.history.fills(self._book) if inside(local_day(each.filled_at, NEW_YORK))]
        result = None
        if len(marks) > 1:
            capital = self._store.books.capital_events(self._book)
            flows = later_flows(marks, capital)
            grown = account_figures(marks, QuoteAmount(marks[0][1]), flows, trades, ())["total_return_pct"].value
            result = None if grown is None else float(grown)
        return PeriodFacts(
            name=name, nights=len(nights), tried=tried, result_pct=result,
            trades=len(trades), fees=f"{sum((each.fee for each in fills), start=NO_MONEY).value:,.2f}",
        )


def _tried(candidate: Candidate, version: str) -> Tried:
    failed = ""
    if candidate.verdict is Verdict.REFUSED:
        stage = candidate.stages[-1]
        first = stage.inputs.get("first_failure") if stage.stage is Stage.GATE else None
        failed = str(first or stage.stage.value)
    return Tried(
        name=candidate.candidate_id, provider=candidate.proposal.provider, hypothesis=candidate.proposal.hypothesis,
        failed_at=failed, promoted_as=version,
    )


def _told(quarter: str, year: int, before: str, after: str, facts: PeriodFacts) -> dict[str, Any]:
    return {
        "quarter": quarter, "year": year, "words_before": words(before), "words": words(after),
        "nights": facts.nights, "candidates": len(facts.tried),
    }

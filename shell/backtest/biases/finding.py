"""What the probes answer: one finding each, and the report that holds them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Evidence = Mapping[str, float | int | str | None]
# Evidence while it is put together.
Numbers = dict[str, float | int | str | None]


class BiasVerdict(StrEnum):
    """CLEAN: tried, and nothing found. UNKNOWN: could not be tried well enough, and the sentence says why. BIASED: found."""

    CLEAN = "clean"
    UNKNOWN = "unknown"
    BIASED = "biased"


# The worst first.
SEVERITY = (BiasVerdict.BIASED, BiasVerdict.UNKNOWN, BiasVerdict.CLEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer of one probe; `evidence` holds the numbers behind the sentence, finite, fractions where they end in _pct."""

    check: str
    verdict: BiasVerdict
    sentence: str
    evidence: Evidence = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "check": self.check, "verdict": self.verdict.value, "sentence": self.sentence, "evidence": dict(self.evidence),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasReport:
    """All findings over one window. `signals` and `trades` count those of the plain run that the probes compare with."""

    findings: tuple[Finding, ...]
    signals: int
    trades: int
    start: datetime
    end: datetime

    @property
    def verdict(self) -> BiasVerdict:
        """The worst of the findings; unknown when there are none."""
        found = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in SEVERITY if verdict in found), BiasVerdict.UNKNOWN)

    def of(self, verdict: BiasVerdict) -> tuple[Finding, ...]:
        """The findings with this verdict, in order."""
        return tuple(finding for finding in self.findings if finding.verdict is verdict)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "verdict": self.verdict.value, "findings": [finding.as_dict() for finding in self.findings],
            "signals": self.signals, "trades": self.trades, "start": self.start.isoformat(), "end": self.end.isoformat(),
        }

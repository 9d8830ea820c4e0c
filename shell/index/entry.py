"""One entry of the index, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shell.report.data import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """A version or a candidate. A candidate that was promoted is one entry under its version's name, `candidate_id` beside it.

    `figures` has the numbers of "backtest" (selection), "paper" (conformance of the trial) and "live" (its closed trades on the
    main book), each as far as it is known. `tags` are read from the code and the record, nobody assigns them.
    """

    name: str
    candidate_id: str
    parent: str
    hypothesis: str
    provider: str
    change_class: str
    verdict: str
    stage: str
    hash: str
    at: datetime | None
    reasons: Sequence[str] = ()
    tags: Sequence[str] = ()
    figures: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    code: str = ""

    def as_dict(self) -> dict[str, object]:
        """Everything but the code."""
        return {
            "name": self.name, "candidate": self.candidate_id, "parent": self.parent, "hypothesis": self.hypothesis,
            "provider": self.provider, "class": self.change_class, "verdict": self.verdict, "stage": self.stage,
            "hash": self.hash, "at": self.at, "reasons": list(self.reasons), "tags": list(self.tags),
            "figures": {name: dict(values) for name, values in self.figures.items()},
        }

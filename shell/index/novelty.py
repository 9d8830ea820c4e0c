"""Was this idea had before, and did it fail? Asked before a candidate costs a counted trial. Pure.

A proposal repeats a failed idea when it is the same program but for names, layout, unread constants and numbers that agree
to two significant digits; or when it is made of the same ingredients (`normal.ingredients`) put together in nearly the same
way. One comparison turned round, or one number moved by more, is another idea. Only what failed on its merits counts: what
broke, or was refused before it was scored, may be mended and tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shell.host.port import StrategySource
from shell.index.normal import ingredients, normal_hash, shingles
from shell.trials.candidate import Candidate, Stage, Verdict

# The share of token runs that two programs of the same ingredients must have in common to be one idea.
SAME_IDEA = 0.9
# A shape takes some hundredths of a second to find; failed ideas are compared with again every night.
SHAPES_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The failed idea that a proposal repeats; `likeness` 1.0 is the same normal form."""

    candidate_id: str
    likeness: float
    reason: str

    def __str__(self) -> str:
        how = (
            "the same program but for names, layout and small numbers" if self.likeness == 1.0
            else f"made of the same parts in nearly the same way ({self.likeness:.0%} in common)"
        )
        return f"this idea was had before: {self.candidate_id} was {how}, and it failed: {self.reason}"


def failed_ideas(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that were scored and then refused, by the gate or on paper."""
    return [
        each for each in candidates
        if each.verdict is Verdict.REFUSED and each.stages[-1].stage in (Stage.GATE, Stage.PAPER)
    ]


def repeat_of(source: StrategySource, failed: Sequence[Candidate]) -> Repeat | None:
    """The failed idea that `source` repeats, the likest one; None for one that is new, or that does not parse."""
    try:
        own = _shape_of(source)
    except SyntaxError:
        return None
    best: Repeat | None = None
    for candidate in failed:
        try:
            likeness = own.likeness(_shape_of(candidate.proposal.source))
        except SyntaxError:
            continue
        if likeness >= SAME_IDEA and (best is None or likeness > best.likeness):
            reason = candidate.reasons[0] if candidate.reasons else candidate.stage.value
            best = Repeat(candidate_id=candidate.candidate_id, likeness=likeness, reason=reason)
    return best


@dataclass(frozen=True, slots=True)
class _Shape:
    hash: str
    parts: Counter[str]
    runs: Counter[tuple[str, ...]]

    def likeness(self, other: _Shape) -> float:
        """1.0 for the same normal form, 0.0 for other ingredients, else the share of token runs in common."""
        if other.hash == self.hash:
            return 1.0
        return common(self.runs, other.runs) if other.parts == self.parts else 0.0


def _shape_of(source: StrategySource) -> _Shape:
    return _kept_shape(source.code, tuple(sorted(source.skills.items())))


@lru_cache(maxsize=SHAPES_KEPT)
def _kept_shape(code: str, skills: tuple[tuple[str, str], ...]) -> _Shape:
    source = StrategySource(code=code, skills=dict(skills))
    return _Shape(normal_hash(source), ingredients(source), shingles(source))


def common(one: Counter[tuple[str, ...]], other: Counter[tuple[str, ...]]) -> float:
    """The share of two bags that they have in common (Jaccard, with counts); 0.0 for two empty ones."""
    either = (one | other).total()
    return (one & other).total() / either if either else 0.0

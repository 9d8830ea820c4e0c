"""The search budget: how many candidates a quarter may score on the selection segment there is, and what costs no trial.

The best of N trials without skill shows a Sharpe ratio that grows with N and falls with the length of the data. The budget
is the largest N whose best is not yet expected to reach `target_annual_sharpe` by luck alone (minimum backtest length,
Bailey, Borwein, Lopez de Prado and Zhu 2014). It is small: at a target of 2, forty-two days allow 2 trials, a year 25.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shell.backtest.overfitting import minimum_backtest_length_years
from shell.errors import BadInput
from shell.host.port import StrategySource
from shell.trials.candidate import Candidate, Stage

DAYS_PER_YEAR = 365
# No night could score more in a quarter; it keeps the search for the largest number short.
TRIALS_MAX = 100_000
# A program that names this may keep a parameter in a docstring: then its docstrings are part of it.
DOCSTRING = "__doc__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One quarter's budget. `days` is the length of the selection segment, `renewed_at` the next quarter's beginning."""

    quarter: str
    days: float
    target_annual_sharpe: float
    allowed: int
    spent: int
    renewed_at: datetime

    @property
    def left(self) -> int:
        return max(self.allowed - self.spent, 0)

    @property
    def sentence(self) -> str:
        """The budget for people."""
        return (
            f"{self.spent} of {self.allowed} trials of {self.quarter} are spent: {self.days:.0f} days of selection allow "
            f"{self.allowed} before luck is expected to show an annual Sharpe ratio of {self.target_annual_sharpe:g}"
        )

    @property
    def spent_sentence(self) -> str:
        """Why nothing more is scored."""
        return (
            f"the search budget is spent: {self.sentence}; until {self.renewed_at:%Y-%m-%d} only repairs and changes "
            "that leave the program the same go on"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "quarter": self.quarter, "days": self.days, "target_annual_sharpe": self.target_annual_sharpe,
            "allowed": self.allowed, "spent": self.spent, "left": self.left, "renewed_at": self.renewed_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Why a scoring costs no trial. `repairs` names the candidate whose trial it takes over, "" for the same program."""

    reason: str
    repairs: str = ""


def trials_allowed(days: float, target_annual_sharpe: float) -> int:
    """The largest number of trials whose minimum backtest length fits into `days` of selection; 0 for no days at all.

    A single trial chooses nothing, so any segment allows one. Raises BadInput for a target that is not above zero or days
    that are not a number of days.
    """
    if not 0 <= days < float("inf"):
        raise BadInput(f"days = {days!r}: write the length of the segment in days, 0 or more")
    years = days / DAYS_PER_YEAR
    minimum_backtest_length_years(1, target_annual_sharpe)
    if years == 0:
        return 0
    fits, too_many = 1, TRIALS_MAX + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if minimum_backtest_length_years(middle, target_annual_sharpe) <= years:
            fits = middle
        else:
            too_many = middle
    return fits


def free_of_charge(
    candidate: Candidate, scored: Sequence[Candidate], broken: Sequence[Candidate], repaired: frozenset[str]
) -> Free | None:
    """Why scoring `candidate` costs no trial, None when it does. Strict: what cannot be seen from the source costs one.

    - The same program: its syntax tree without comments, docstrings and layout is that of one in `scored`, which the same
      segment has scored already. Its trial would be the same trial.
    - A repair: a candidate in `broken` was let onto the segment and broke before it had a score. One change of the same
      parent, by the same proposer, with the same parameters, takes over its trial; `repaired` names those that are taken.
    """
    shape = program_shape(candidate.proposal.source)
    for other in scored:
        if other.candidate_id != candidate.candidate_id and program_shape(other.proposal.source) == shape:
            return Free(reason=f"the same program as {other.candidate_id}, which has been scored")
    for other in broken:
        if other.candidate_id not in repaired and _repairs(candidate, other):
            return Free(reason=f"repairs {other.candidate_id}, which broke before it had a score", repairs=other.candidate_id)
    return None


def program_shape(source: StrategySource) -> str:
    """Identity of what a source does when run, as far as its text alone can tell: code and skills without comments,
    layout, and the docstrings of programs that cannot read them. Code that is no Python is its own shape."""
    parts = {"": source.code, **dict(source.skills)}
    read = any(DOCSTRING in _shape(part, docstrings=True) for part in parts.values())
    digest = hashlib.sha256()
    for name in sorted(parts):
        digest.update(f"\0{name}\0{_shape(parts[name], docstrings=read)}".encode())
    return digest.hexdigest()


def broke(candidate: Candidate) -> bool:
    """Whether its scoring ended in a fault of its own."""
    return any(result.stage is Stage.BACKTEST and not result.passed and _fault(result.inputs) for result in candidate.stages)


def _repairs(candidate: Candidate, other: Candidate) -> bool:
    mine, theirs = candidate.proposal, other.proposal
    return (
        candidate.candidate_id != other.candidate_id and mine.parent_version == theirs.parent_version
        and mine.provider == theirs.provider and dict(mine.parameters) == dict(theirs.parameters)
    )


def _fault(inputs: Mapping[str, Any]) -> bool:
    return bool(inputs.get("fault"))


def _shape(code: str, *, docstrings: bool) -> str:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return code
    for node in ast.walk(tree) if not docstrings else ():
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                node.body = node.body[1:]
    try:
        return ast.dump(tree)
    except RecursionError:
        return code

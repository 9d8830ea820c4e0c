"""A small MAP-Elites archive: the best evaluation of each kind of behaviour, so that a search keeps more than one idea alive.

Mouret and Clune (2015), with three coarse axes of a strategy's run on the search segment: how long it holds, how much it
turns over, and how closely it follows the market. A cell's best is a parent of later draws. Behaviour is also what tells
whether a candidate would be the same trial again under another name.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shell.backtest.parameters import DECIMALS, Number, Parameter
from tasks.ai.genes import Choice, Gene, Genes
from tasks.ai.provider import SearchScore

# Edges of the cells: hours a trade lasts; traded value a day as a multiple of the account; correlation of daily returns with
# those of holding every symbol in equal parts.
HOLDING_EDGES = (12.0, 48.0)
TURNOVER_EDGES = (0.05, 0.25)
REGIME_EDGES = (0.3, 0.7)
# From this correlation of daily returns on, two strategies are one trial: what the second would show is known.
SAME_BEHAVIOUR = 0.95
# Fewer common days say nothing about likeness.
LIKENESS_DAYS_MIN = 5
STEPS_MOVED_MAX = 3
STRUCTURE_MOVED = 0.3

Cell = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elite:
    """What an archive needs of an evaluation. `identity` breaks ties, so that equal values do not depend on an order."""

    genes: Genes
    identity: str
    score: SearchScore


@dataclass(slots=True)
class Archive:
    """The best of each cell."""

    cells: dict[Cell, Elite] = field(default_factory=dict)

    @classmethod
    def of(cls, elites: Iterable[Elite]) -> Archive:
        """Of all that traded, in whatever order they come."""
        archive = cls()
        for elite in elites:
            archive.add(elite)
        return archive

    def add(self, elite: Elite) -> None:
        """Keep it if it is the best of its cell so far. What never traded has no behaviour and no cell."""
        if not elite.score.trades:
            return
        cell = cell_of(elite.score)
        held = self.cells.get(cell)
        if held is None or (elite.score.value, elite.identity) > (held.score.value, held.identity):
            self.cells[cell] = elite

    def parent(self, chance: random.Random) -> Elite | None:
        """The best of a cell drawn evenly: a rare kind of behaviour is chosen as often as a common one."""
        return self.cells[chance.choice(sorted(self.cells))] if self.cells else None


def cell_of(score: SearchScore) -> Cell:
    """Where a run belongs."""
    return (
        bisect_right(HOLDING_EDGES, score.holding_hours), bisect_right(TURNOVER_EDGES, score.turnover),
        bisect_right(REGIME_EDGES, score.market_correlation),
    )


def alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """True when two series of daily returns of one window are one behaviour. Constant, short or unequal ones are not."""
    if len(one) != len(other) or len(one) < LIKENESS_DAYS_MIN:
        return False
    left, right = np.asarray(one), np.asarray(other)
    if not (left.std() > 0 and right.std() > 0):
        return False
    return float(np.corrcoef(left, right)[0, 1]) >= SAME_BEHAVIOUR


def neighbour(genes: Genes, known: Mapping[str, Gene], chance: random.Random) -> Genes:
    """Every number one step to a side drawn by chance, back inside its range where it would leave it; names stay."""
    moved: dict[str, Number | str] = dict(genes)
    for name in sorted(genes):
        gene = known[name]
        if isinstance(gene, Parameter):
            moved[name] = _stepped(gene, genes[name], chance.choice((-1, 1)))
    return moved


def mutant(genes: Genes, known: Mapping[str, Gene], chance: random.Random) -> Genes:
    """One or two numbers moved by up to some steps, or a name exchanged. What a new name needs besides is left out, for
    the sampler to choose."""
    moved: dict[str, Number | str] = dict(genes)
    choices = [name for name in sorted(genes) if isinstance(known[name], Choice)]
    numbers = [name for name in sorted(genes) if isinstance(known[name], Parameter)]
    if choices and chance.random() < STRUCTURE_MOVED:
        name = chance.choice(choices)
        gene = known[name]
        assert isinstance(gene, Choice), "only choices were drawn from"
        moved[name] = chance.choice([option for option in gene.options if option != genes[name]])
        return moved
    for name in chance.sample(numbers, min(len(numbers), chance.choice((1, 2)))):
        gene = known[name]
        assert isinstance(gene, Parameter), "only numbers were drawn from"
        moved[name] = _stepped(gene, genes[name], chance.choice((-1, 1)) * chance.randint(1, STEPS_MOVED_MAX))
    return moved


def _stepped(gene: Parameter, value: Number | str, steps: int) -> Number:
    """`value` moved by `steps`; the other way where that would leave the range, and as it is where neither fits."""
    assert not isinstance(value, str), f"{gene.name} takes a number"
    for moved in (value + steps * gene.step, value - steps * gene.step):
        if gene.low <= moved <= gene.high:
            return round(moved) if gene.whole else round(float(moved), DECIMALS)
    return value

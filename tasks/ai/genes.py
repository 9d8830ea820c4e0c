"""Genes: what a search may choose, a small typed space that optuna samples and storage keeps as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from shell.backtest.parameters import DECIMALS, Number, Parameter

Genes = Mapping[str, Number | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A gene that takes one of a few names."""

    name: str
    options: tuple[str, ...]


Gene = Choice | Parameter


def suggest(trial: optuna.Trial, gene: Gene) -> Number | str:
    """Let `trial` choose a value of `gene`."""
    if isinstance(gene, Choice):
        return str(trial.suggest_categorical(gene.name, gene.options))
    if gene.whole:
        return int(trial.suggest_int(gene.name, int(gene.low), int(gene.high), step=int(gene.step)))
    value = float(trial.suggest_float(gene.name, float(gene.low), float(gene.high), step=float(gene.step)))
    return round(value, DECIMALS)


def distribution(gene: Gene) -> BaseDistribution:
    """The distribution `suggest` draws from, needed to tell a study of looks that an earlier night made."""
    if isinstance(gene, Choice):
        return CategoricalDistribution(gene.options)
    if gene.whole:
        return IntDistribution(int(gene.low), int(gene.high), step=int(gene.step))
    return FloatDistribution(float(gene.low), float(gene.high), step=float(gene.step))


def allows(gene: Gene, value: Number | str) -> bool:
    """True when `gene` may take `value`."""
    if isinstance(gene, Choice):
        return value in gene.options
    return not isinstance(value, str) and gene.low <= value <= gene.high

"""The settings a run was made with, as names and texts for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from pydantic import BaseModel

from shell.config import Settings
from shell.money import plain
from shell.report import figures


def settings_table(settings: Settings) -> Mapping[str, Mapping[str, str]]:
    """What decides results: account, costs, limits, the gate and the nights. Nothing secret is among them."""
    sections: dict[str, BaseModel] = {
        "account": settings.account, "costs": settings.paper, "risk limits": settings.risk, "gate": settings.gate,
        "nights": settings.orchestrator,
    }
    return {title: _section(section) for title, section in sections.items()}


def _section(section: BaseModel) -> Mapping[str, str]:
    return {_name(name): _text(name, getattr(section, name)) for name in type(section).model_fields}


def _name(name: str) -> str:
    return name.removesuffix("_pct").replace("_", " ")


def _text(name: str, value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float() | Decimal() if name.endswith("_pct"):
            return figures.percent(value)
        case Decimal():
            return plain(value)
        case timedelta():
            return figures.span(value) if value >= timedelta(minutes=1) else f"{value.total_seconds():g} s"
        case tuple() | list():
            return ", ".join(str(each) for each in value)
        case _:
            return str(value)

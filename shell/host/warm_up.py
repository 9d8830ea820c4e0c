"""polars, imported and used once, and all of `shell.host.preload`: behind the wall nothing can be opened or started.

What is listed here was found by running ordinary strategies inside the wall: what polars imports, opens or starts only when
it is first needed.
"""

from __future__ import annotations

import importlib
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from polars.lazyframe import engine_config

from shell.host.allowed import LIBRARY_MODULES
from shell.host.frames import LIBRARY
from shell.host.preload import keep, preload

# Imported late by: repr of a frame in HTML, map_elements, candles as a frame, times with a zone.
_LATE_MODULES = frozenset(
    {"html", "html.entities", "polars._utils.parquet", "polars._utils.udfs", "shell.market.frames", "zoneinfo"}
)
# Converting a time of a zone to Python opens the zone's file. polars itself knows every zone without one.
_ZONES = (
    *("UTC", "Etc/UTC", "GMT", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    *("America/Toronto", "America/Sao_Paulo", "Europe/London", "Europe/Berlin", "Europe/Paris", "Europe/Zurich"),
    *("Europe/Amsterdam", "Europe/Madrid", "Europe/Moscow", "Asia/Tokyo", "Asia/Seoul", "Asia/Shanghai", "Asia/Hong_Kong"),
    *("Asia/Singapore", "Asia/Kolkata", "Asia/Dubai", "Australia/Sydney", "Pacific/Auckland"),
)
# zoneinfo forgets a zone that nobody holds.
_held: list[ZoneInfo] = []


def warm_up() -> None:
    """Import, use once, and hold what would otherwise be looked for inside the wall."""
    preload()
    for name in sorted(_LATE_MODULES.union(name for name in LIBRARY_MODULES if name.split(".")[0] == LIBRARY)):
        importlib.import_module(name)
    for zone in _ZONES:
        try:
            _held.append(ZoneInfo(zone))
        except ZoneInfoNotFoundError:
            # A machine may lack some; a strategy that converts to it then fails with that name.
            continue
    _start_engines()
    _have_one_engine()
    keep()


def _start_engines() -> None:
    """Start the threads that polars keeps: its pool, its input loop, and the executor of the streaming engine."""
    table = pl.DataFrame({"at": [1, 2, 3], "value": [1.0, 2.0, 3.0], "group": ["a", "b", "a"]})
    lazy = table.lazy().with_columns(pl.col("value").rolling_mean(2).alias("mean")).sort("at")
    lazy.group_by("group").agg(pl.col("mean").sum()).collect()
    lazy.group_by("group").agg(pl.col("mean").sum()).collect(engine="streaming")
    pl.collect_all([lazy, lazy.join(lazy, on="at")])
    table.select(pl.col("value").map_elements(_same, return_dtype=pl.Float64))
    repr(table.describe())


def _have_one_engine() -> None:
    """Who asks for the streaming engine gets the same answer from the other: streaming many rows, polars starts threads at
    any time, and behind the wall panics because it cannot. (Its own name for the choice; a test streams many rows.)"""
    engines = engine_config._ENGINE_BY_NAME
    engines["streaming"] = engines["in-memory"]


def _same(value: float) -> float:
    return value

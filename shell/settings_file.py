"""config/settings.toml and config/risk_limits.toml, read once into frozen objects; every mistake is told at once."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shell.config import RiskConfig, Settings
from shell.errors import Mistake, SettingsError
from shell.live_mode import live_blockers
from shell.secrets import SECRET_NAMES, Secrets, load_secrets
from shell.settings_check import Finding, check_risk, check_settings
from shell.settings_value import Refusal, allowed, read_value, section_of, shown, tables_of

SETTINGS_FILE = "settings.toml"
RISK_LIMITS_FILE = "risk_limits.toml"
COMMAND_LINE = "command line"

_HIDDEN = "(hidden)"
_SECRET_KEY = re.compile(r"secret|token|passw|passphrase|credential|api_?key|private", re.IGNORECASE)

M = TypeVar("M", bound=BaseModel)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One pass over the files: the mistakes so far, by dotted key, and which keys came from the command line.

    A limit's dotted key is `risk.max_positions`; in its file, which has no sections, it is shown without `risk.`.
    """

    settings_file: str = SETTINGS_FILE
    limits_file: str = RISK_LIMITS_FILE
    mistakes: list[Mistake] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    overridden: frozenset[str] = frozenset()

    def refuse(self, key: str, value: object, sentence: str) -> None:
        self.add(key, shown(value), sentence)

    def add(self, key: str, text: str, sentence: str) -> None:
        self.refused.add(key)
        if key in self.overridden:
            self.mistakes.append(Mistake(COMMAND_LINE, key, text, sentence))
        elif key.startswith("risk."):
            self.mistakes.append(Mistake(self.limits_file, key.removeprefix("risk."), text, sentence))
        else:
            self.mistakes.append(Mistake(self.settings_file, key, text, sentence))

    def refuse_findings(self, findings: Iterable[Finding]) -> None:
        """Note `findings`, except where a value already refused, and so replaced by its default, was compared."""
        before = frozenset(self.refused)
        for finding in findings:
            if not before & {finding.key, finding.against}:
                self.refuse(finding.key, finding.value, finding.sentence)

    def refuse_file(self, path: Path, sentence: str) -> None:
        self.mistakes.append(Mistake(str(path), "", "", sentence))

    def raise_if_any(self) -> None:
        if self.mistakes:
            raise SettingsError(self.mistakes)


def load_settings(
    folder: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    secrets: Secrets | None = None,
) -> Settings:
    """The settings of `folder` (a `config/`), with `overrides` on top.

    `overrides` maps dotted keys (`account.starting_cash`, `risk.max_positions`) or nested mappings to values: TOML's
    types, durations as text or timedelta, None for no override. Keys a file leaves out take their defaults. `secrets`,
    else those of `environ` and of `.env` beside the folder, only decide whether `mode = "live"` is possible.
    Raises SettingsError with every mistake.
    """
    settings_path, limits_path = folder / SETTINGS_FILE, folder / RISK_LIMITS_FILE
    reading = _Reading(settings_file=str(settings_path), limits_file=str(limits_path))
    table = _read_toml(settings_path, reading)
    limits = _read_toml(limits_path, reading)
    if table is None or limits is None:
        raise SettingsError(reading.mistakes)
    if "risk" in table:
        reading.refuse("risk", table.pop("risk"), f"limits stand in {RISK_LIMITS_FILE}, without a section")
    _override(table, limits, overrides or {}, reading)
    risk = _read_section(RiskConfig, limits, "risk.", reading)
    settings = _read_section(Settings, table, "", reading).model_copy(update={"risk": risk})
    reading.refuse_findings((*check_risk(risk), *check_settings(settings)))
    if settings.mode == "live":
        known = secrets if secrets is not None else load_secrets(environ, folder.parent / ".env")
        # The wall around strategies is measured when a shell starts, which refuses then.
        if missing := live_blockers(settings, known, isolation_gap=""):
            reading.refuse("mode", "live", f'only "paper" is possible: {"; ".join(missing)}')
    reading.raise_if_any()
    return settings


def load_risk_limits(path: Path) -> RiskConfig:
    """The limits of one flat file, wherever it lies. Raises SettingsError with every mistake."""
    reading = _Reading(limits_file=str(path))
    table = _read_toml(path, reading)
    if table is None:
        raise SettingsError(reading.mistakes)
    risk = _read_section(RiskConfig, table, "risk.", reading)
    reading.refuse_findings(check_risk(risk))
    reading.raise_if_any()
    return risk


def _read_toml(path: Path, reading: _Reading) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        shipped = path.name in (SETTINGS_FILE, RISK_LIMITS_FILE)
        restore = f"restore it with `git checkout -- config/{path.name}`, or make" if shipped else "make"
        reading.refuse_file(path, f"there is no such file: {restore} an empty one to take every default")
    except OSError as error:
        reading.refuse_file(path, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        reading.refuse_file(path, f"is not UTF-8 text (byte {error.start})")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reading.refuse_file(path, f"is not valid TOML: {error}")
    return None


def _override(
    table: dict[str, Any], limits: dict[str, Any], overrides: Mapping[str, Any], reading: _Reading
) -> None:
    """Put every override into the table it belongs to, and remember which keys are the command line's."""
    keys: set[str] = set()
    for dotted, value in _flat(overrides):
        target, path = (limits, dotted[len("risk.") :]) if dotted.startswith("risk.") else (table, dotted)
        *sections, key = path.split(".")
        for depth, section in enumerate(sections):
            if section not in target:
                keys.add(".".join(sections[: depth + 1]))  # a section that only the command line names
            inner = target.setdefault(section, {})
            if not isinstance(inner, dict):
                break  # a value stands where a section belongs: reading the section reports it
            target = inner
        else:
            target[key] = value
            keys.add(dotted)
    reading.overridden = frozenset(keys)


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


def _read_section(model: type[M], table: Mapping[str, Any], prefix: str, reading: _Reading) -> M:
    """`table` as a `model`; what is refused is noted in `reading` and takes its default here."""
    values: dict[str, object] = {}
    for key, value in table.items():
        known = model.model_fields.get(key)
        dotted = prefix + key
        if known is None:
            _refuse_unknown(model, key, dotted, value, reading)
        elif section := section_of(known.annotation):
            if isinstance(value, Mapping):
                values[key] = _read_section(section, value, dotted + ".", reading)
            else:
                reading.refuse(dotted, value, f"a section: write [{dotted}] and its keys below")
        elif row := tables_of(known.annotation):
            if isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value):
                rows = (_read_section(row, item, f"{dotted}[{at}].", reading) for at, item in enumerate(value))
                values[key] = tuple(rows)
            else:
                reading.refuse(dotted, value, f"tables: write [[{dotted}]] and its keys below, once for each")
        else:
            try:
                values[key] = read_value(key, known, value)
            except Refusal as refusal:
                reading.refuse(dotted, value, str(refusal))
    try:
        return model(**values)
    except ValidationError as error:  # what only the model itself checks, such as a pattern
        for name in dict.fromkeys(str(item["loc"][0]) for item in error.errors()):
            reading.refuse(prefix + name, values.pop(name), allowed(name, model.model_fields[name]))
        return model(**values)


def _refuse_unknown(model: type[BaseModel], key: str, dotted: str, value: object, reading: _Reading) -> None:
    if _SECRET_KEY.search(key):
        reading.add(dotted, _HIDDEN, f"secrets ({', '.join(SECRET_NAMES)}) belong in the environment or in .env")
        return
    names = [name for name in model.model_fields if not (model is Settings and name == "risk")]
    near = difflib.get_close_matches(key, names, n=1) or [name for name in names if key in name.split("_")]
    elsewhere = _home_of(key)
    if model is RiskConfig and isinstance(value, dict):
        sentence = "a table: the limits stand at the top level of this file, such as max_trade_pct = 0.1"
    elif near:
        sentence = f"unknown: did you mean {near[0]}?"
    elif elsewhere:
        sentence = f"unknown here: it belongs in {elsewhere}"
    elif names:
        sentence = f"unknown: known here are {', '.join(sorted(names))}"
    else:
        sentence = "unknown: nothing is set here"
    reading.refuse(dotted, value, sentence)


def _home_of(key: str) -> str | None:
    """Where a key of exactly this name would be right."""
    if key in RiskConfig.model_fields:
        return RISK_LIMITS_FILE
    for name, known in Settings.model_fields.items():
        section = section_of(known.annotation)
        if name == key:
            return f"the top of {SETTINGS_FILE}"
        if section is not None and section is not RiskConfig and key in section.model_fields:
            return f"[{name}] of {SETTINGS_FILE}"
    return None

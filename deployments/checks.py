"""What `brain doctor` looks at, one function a check: in order, worth knowing, or wrong with what to do about it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from deployments.kraken_probe import CLOCK_SECONDS_MAX, probe_kraken
from deployments.prefect_api import DOOR, PrefectApi, call, is_open
from deployments.prefect_password import known_password
from deployments.standing import page_of, prefect_of
from shell.clock import from_ms
from shell.config import Settings
from shell.errors import BrainError, Rejected, SettingsError, StrategyFault
from shell.home import Home, HomeLock
from shell.host.isolation import isolation_is_complete
from shell.host.isolation_measure import measured_isolation
from shell.main_book import LIMITS_FACT, MAIN_BOOK
from shell.market.bars import Tier
from shell.page.server import require_token
from shell.risk.limits import limits_hash
from shell.secrets import Secrets, load_secrets
from shell.settings_file import load_settings
from shell.store.candles import CandleStore
from shell.store.place import open_store, store_place
from shell.store.store import Store
from shell.watchdog import STALE, heartbeat_age

DISK_BYTES_MIN, DISK_BYTES_GOOD = 500_000_000, 2_000_000_000
DATA_AGE_MAX = timedelta(hours=2)
DISTRIBUTION = "trading-brain"
# Those whose newer versions break something silently; pyproject.toml says what.
PINNED = ("prefect", "fastapi", "sqlalchemy")


class State(StrEnum):
    """OK is in order, NOTE is worth knowing and needed by none of what is switched on, WRONG has to be mended."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding. `sentence` says what is the case and, unless it is OK, what to do."""

    name: str
    state: State
    sentence: str


def ok(name: str, sentence: str) -> Check:
    return Check(name=name, state=State.OK, sentence=sentence)


def note(name: str, sentence: str) -> Check:
    return Check(name=name, state=State.NOTE, sentence=sentence)


def wrong(name: str, sentence: str) -> Check:
    return Check(name=name, state=State.WRONG, sentence=sentence)


def every_check(home: Home, environ: Mapping[str, str], now: datetime, *, network: bool) -> list[Check]:
    """All checks in the order in which one would mend them. Nothing is changed, and no key is used."""
    found = [python_check(), *packages_check(), *private_files_check(home), disk_check(home.root)]
    try:
        secrets = load_secrets(environ, home.env_file)
        settings = load_settings(home.config, environ=environ, secrets=secrets)
    except SettingsError as error:
        return [*found, *(wrong("settings", str(each)) for each in error.mistakes)]
    except BrainError as error:
        return [*found, wrong("settings", str(error))]
    found += [ok("settings", f"{home.config} reads without a mistake, mode {settings.mode}")]
    found += [lock_check(home), beat_check(home, now)]
    found += [wall_check(settings), *secrets_check(settings, secrets), page_check(home, settings, secrets)]
    found += stored_checks(home, settings, now)
    found.append(prefect_check(home, environ))
    if network:
        found += kraken_check(home, settings, environ)
    return found


def python_check() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.prefix == sys.base_prefix:
        return note("Python", f"{version}, outside a virtual environment: `make` in the project's folder makes one in .venv")
    return ok("Python", f"{version} in {sys.prefix}")


def packages_check() -> list[Check]:
    """The packages of which only certain versions work."""
    try:
        asked = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return [note("packages", "this is run from a folder without being installed: `make` installs it into .venv")]
    wanted = {each.name.lower(): each for text in asked if not (each := Requirement(text)).marker}
    found = []
    for name in PINNED:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(wrong("packages", f"{name} is not installed: `make` installs what requirements.lock names"))
            continue
        if name in wanted and not wanted[name].specifier.contains(version, prereleases=True):
            told = f"{name} {version} is installed, {wanted[name].specifier} is needed: `rm -rf .venv && make` installs it"
            found.append(wrong("packages", told))
    return found or [ok("packages", ", ".join(f"{name} {metadata.version(name)}" for name in PINNED))]


def private_files_check(home: Home) -> Iterable[Check]:
    """Files that nobody else of this machine may read."""
    for name, file in ((".env", home.env_file), ("database", home.database)):
        if not file.exists():
            continue
        found = file.stat()
        if stat.S_IMODE(found.st_mode) & 0o077:
            yield wrong(name, f"others on this machine can read {file}: `chmod 600 {file}`")
        elif found.st_uid != os.getuid():
            yield wrong(name, f"{file} belongs to another user: run as its owner, or `chown` it")
        else:
            yield ok(name, f"{file} is its owner's alone")


def disk_check(folder: Path) -> Check:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1e9:.1f} GB free at {there}"
    if free < DISK_BYTES_MIN:
        return wrong("disk", f"{told}: the database cannot grow; make room")
    return note("disk", f"{told}: a year of records takes about 2 GB") if free < DISK_BYTES_GOOD else ok("disk", told)


def lock_check(home: Home) -> Check:
    """Whether a shell runs on this home; looking does not disturb one that is starting."""
    writer = HomeLock.writer_of(home)
    if writer:
        return ok("shell", f"running, process {writer}")
    return note("shell", "none is running: `brain up` starts everything, `brain shell` the shell alone")


def beat_check(home: Home, now: datetime) -> Check:
    """Whether the trading thread still answers: a shell may run and hang, and one that was killed cannot say so."""
    age = heartbeat_age(home, now)
    if age is None:
        return note("heartbeat", "none: no shell trades here, or it was stopped in good order")
    if age <= STALE:
        return ok("heartbeat", f"the trading thread answered {age.total_seconds():.0f} s ago")
    since = "cannot be read" if age == timedelta.max else f"is {age.total_seconds():,.0f} s old"
    if HomeLock.writer_of(home):
        told = "although the shell runs: its trading thread hangs; `brain down`, then `brain up`"
        return wrong("heartbeat", f"it {since} {told}")
    return wrong("heartbeat", f"it {since}: the shell was killed; `brain up` starts it again, its books are whole")


def wall_check(settings: Settings) -> Check:
    """The wall around strategies, measured now in a process of its own."""
    try:
        gap = isolation_is_complete(measured_isolation(settings.host))
    except StrategyFault as fault:
        return wrong("strategy's wall", f"no process for a strategy could be started: {fault}")
    if not gap:
        return ok("strategy's wall", "complete")
    told = f"{gap}; paper trading goes on, live mode is refused: docs/sandbox.md says what each wall needs"
    return wrong("strategy's wall", told) if settings.mode == "live" else note("strategy's wall", told)


def secrets_check(settings: Settings, secrets: Secrets) -> Iterable[Check]:
    """Which doors can be opened. Only whether a secret is set is looked at, never what it is."""
    both = secrets.kraken_api_key is not None and secrets.kraken_api_secret is not None
    needed = wrong if settings.mode == "live" else note
    if both:
        yield ok("Kraken key", "set; `brain init --test-keys` tries it while no shell runs")
    else:
        told = "not set: paper trading needs none, live trading KRAKEN_API_KEY and KRAKEN_API_SECRET in .env"
        yield needed("Kraken key", told)
    if secrets.telegram_bot_token is None:
        yield needed("Telegram", "TELEGRAM_BOT_TOKEN is not set: nobody is told of fills and halts on a phone")
    elif not settings.telegram.owner_ids:
        yield wrong("Telegram", "nobody may command the bot: put your numeric id into owner_ids under [telegram]")
    else:
        yield ok("Telegram", f"token set, {len(settings.telegram.owner_ids)} may command")
    if settings.ai.provider == "anthropic" and secrets.anthropic_api_key is None:
        yield wrong("AI", 'ANTHROPIC_API_KEY is not set: set it in .env, or provider = "local" under [ai]')
    elif settings.ai.provider == "vertex" and not settings.ai.vertex.project_id:
        yield wrong("AI", "project_id under [ai.vertex] is empty")
    else:
        yield ok("AI", f"candidates come from {settings.ai.provider}")


def page_check(home: Home, settings: Settings, secrets: Secrets) -> Check:
    try:
        require_token(settings.page.host, secrets.page_token)
    except Rejected as error:
        return wrong("page", str(error))
    if served := page_of(home):
        return ok("page", f"at {served}")
    return ok("page", f"at http://{settings.page.host}:{settings.page.port}/ while the shell or `brain page` runs")


def stored_checks(home: Home, settings: Settings, now: datetime) -> list[Check]:
    """What the database tells: readable, books in order, halts, limits accepted, candles and how old they are."""
    place = store_place(home)
    if isinstance(place, Path) and not place.is_file():
        told = "there is no database yet: `brain rehearse` tries everything out, `brain data import` begins here"
        return [note("books", told)]
    try:
        with open_store(home, read_only=True) as store:
            where = [] if store.is_sqlite else [ok("database", store.place)]
            return [*where, *_books(store, settings), _candles(store, settings, now)]
    except BrainError as error:
        return [wrong("books", str(error))]


def _books(store: Store, settings: Settings) -> Iterable[Check]:
    problems = [f"{book}: {each}" for book in store.books.names() for each in store.books.check(book)]
    if problems:
        yield wrong("books", f"they do not agree with their own facts: {'; '.join(problems)}; keep the file and restore a copy")
    else:
        yield ok("books", "equal to a replay of every fill and capital event")
    halted = store.halts.active(MAIN_BOOK)
    for halt in halted:
        told = f"{halt.kind.value} since {halt.raised_at:%Y-%m-%d %H:%M} UTC: {halt.sentence}"
        yield wrong("halts", f"{told}; `brain resume {halt.kind.value}` once you know why")
    if not halted:
        yield ok("halts", "opening orders are allowed")
    accepted = store.facts.get(LIMITS_FACT)
    if accepted is not None and accepted != limits_hash(settings.risk):
        yield note("risk limits", "config/risk_limits.toml has changed: openings halt at the next start until you accept it")


def _candles(store: Store, settings: Settings, now: datetime) -> Check:
    candles = CandleStore(store)
    spans = {symbol: candles.span(symbol, Tier.M5) for symbol in settings.account.symbols}
    missing = [symbol for symbol, span in spans.items() if span is None]
    if missing:
        told = "`brain data backfill` fetches them, `brain data import` reads files"
        return note("candles", f"none of {', '.join(missing)}: {told}")
    newest = min(from_ms(span[1] + Tier.M5.ms) for span in spans.values() if span is not None)
    age = now - newest
    told = f"the newest of every symbol is at least as new as {newest:%Y-%m-%d %H:%M} UTC"
    return note("candles", f"{told}: a running shell keeps them up to date") if age > DATA_AGE_MAX else ok("candles", told)


def prefect_check(home: Home, environ: Mapping[str, str]) -> Check:
    """Whether a server answers, to whoever knows the home's password and to nobody else."""
    found = prefect_of(home)
    anew = "`brain down`, then `brain up`"
    try:
        password = known_password(home, environ)
        if not found["reachable"]:
            return note("Prefect", "not running; trading does not depend on it, nights and reports do: `brain up` starts it")
        if is_open(found["url"]):
            return wrong("Prefect", f"asks for no password: every account of this machine can have flows run as you; {anew}")
        if password is None:
            return wrong("Prefect", f"its password is kept nowhere any more, so nothing of ours can ask it; {anew}")
        call(PrefectApi(url=found["url"], password=password), "GET", DOOR, None)
    except BrainError as error:
        return wrong("Prefect", str(error))
    return ok("Prefect", f"answers at {found['url']}, to its password alone")


def kraken_check(home: Home, settings: Settings, environ: Mapping[str, str]) -> Iterable[Check]:
    """The public side alone, within a few seconds."""
    found = probe_kraken(settings, environ, home.env_file)
    if not found.reachable:
        needed = wrong if settings.mode == "live" else note
        yield needed("Kraken", f"{found.sentence}: look at the network and status.kraken.com")
        return
    yield ok("Kraken", found.sentence)
    behind = found.behind_seconds or 0.0
    if found.clock_agrees:
        yield ok("clock", f"agrees with Kraken's within {CLOCK_SECONDS_MAX:.0f} s")
    else:
        ahead = "behind" if behind > 0 else "ahead of"
        told = f"{abs(behind):.0f} s {ahead} Kraken's: orders would be refused"
        yield wrong("clock", f"{told}; switch time synchronisation (NTP) on")



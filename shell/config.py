"""Settings as frozen, typed objects, read once. Every duration carries its unit, every `_pct` is a fraction.

The defaults here are the shipped ones: `config/settings.toml` and `config/risk_limits.toml` spell them out. A field's
description is what a person is told when its value is wrong; its bounds are checked when the files are read and here.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

from pydantic import Field

from shell.config_ai import AiConfig
from shell.config_book import HostConfig, PairCosts, PaperConfig, RiskConfig, Section

__all__ = [
    "AccountConfig", "AiConfig", "ControlConfig", "GateConfig", "HostConfig", "KrakenConfig", "LogConfig", "LoopConfig",
    "OrchestratorConfig", "PageConfig", "PairCosts", "PaperConfig", "PrefectConfig", "RiskConfig", "Settings",
    "TelegramConfig",
]

_NO_TIME = timedelta(0)
_DAY = timedelta(days=1)
_COST_MAX = Decimal("0.1")
_HOUR = r"^((?:[01]\d|2[0-3]):[0-5]\d)?$"


class AccountConfig(Section):
    quote: str = Field(default="USD", pattern=r"^[A-Z][A-Z0-9]{1,9}$", description="the account currency, such as USD")
    starting_cash: Decimal = Field(
        default=Decimal(10_000), gt=0, le=Decimal(10**12), description="paper capital, in the account currency"
    )
    allocated_cash: Decimal = Field(
        default=Decimal(0), ge=0, le=Decimal(10**12),
        description="the part of a live account's cash that the system may use, 0 for starting_cash",
    )
    timezone: str = Field(default="America/New_York", description="IANA time zone of local days and of 23:55")
    symbols: tuple[str, ...] = Field(
        default=("BTC/USD", "ETH/USD", "SOL/USD"), min_length=1, max_length=50, description="the pairs to trade"
    )


class OrchestratorConfig(Section):
    """`search_evaluations` looks a night at the search segment, logged; `candidates_per_night` go on to selection."""

    candidates_per_night: int = Field(
        default=1, ge=0, le=10, description="candidates scored a night; 0 searches nothing"
    )
    nights_between_searches: int = Field(
        default=2, ge=0, le=365, description="nights the search rests after each"
    )
    search_evaluations: int = Field(default=4, ge=1, le=500, description="backtests of a night's search")
    search_days_max: int = Field(
        default=18, ge=5, le=3_650, description="newest days of the search segment that one search backtest covers"
    )
    revisions_max: int = Field(default=2, ge=0, le=10, description="revisions after a review's findings")
    approval: Literal["", "auto", "none", "ask"] = Field(
        default="", description="whether a candidate that passed everything waits for a person; empty: ask in live mode alone"
    )
    approval_expires: timedelta = Field(
        default=timedelta(days=7), gt=_NO_TIME, le=timedelta(days=90), description="time after which no answer is a no"
    )
    approval_form: Literal["", True, False] = Field(
        default="", description="whether an answer on Prefect's page, whose password names nobody, counts; "
        "empty: in paper mode alone",
    )
    first_capital_pct: Decimal = Field(
        default=Decimal("0.25"), gt=0, le=1, description="part of a live account's value that a new version begins on"
    )
    capital_earned_days: int = Field(
        default=20, ge=1, le=1_000, description="days of trading without a breach after which it has all of it"
    )
    paper_trials_max: int = Field(default=3, ge=1, le=3, description="paper trials at once")
    search_pct: Decimal = Field(
        default=Decimal("0.5"), gt=0, lt=1, description="part of history to search on, the oldest"
    )
    selection_pct: Decimal = Field(
        default=Decimal("0.35"), gt=0, lt=1, description="part of history candidates are scored on"
    )
    seed: int = Field(default=7, ge=0, le=2**32 - 1, description="seed of the local search")
    history_days_min: int = Field(
        default=60, ge=10, le=3_650, description="days of history below which nothing is tried"
    )
    history_days_max: int = Field(default=240, ge=10, le=3_650, description="days of history used at most")
    target_annual_sharpe: float = Field(
        default=2.0, gt=0, le=10, description="annual Sharpe ratio that luck must not be expected to reach; sets the budget"
    )


class GateConfig(Section):
    """Thresholds of the gate: every one must be met."""

    min_trades: int = Field(default=10, ge=1, le=100_000, description="closed trades on the selection segment")
    min_days: int = Field(default=20, ge=2, le=3_650, description="days of the selection segment")
    min_deflated_sharpe: float = Field(
        default=0.95, gt=0, lt=1, description="probability that the Sharpe ratio is above luck, given every trial"
    )
    max_drawdown_pct: float = Field(default=0.25, gt=0, le=1, description="fall from the highest value")
    cost_stress: float = Field(default=2.0, ge=1, le=20, description="factor on all costs in the stress run")
    max_overfitting_probability: float = Field(
        default=0.2, ge=0, le=1, description="probability of backtest overfitting (PBO) that is still allowed"
    )
    pbo_blocks: int = Field(default=10, ge=4, le=20, multiple_of=2, description="blocks of days the PBO is computed from, even")
    pbo_columns_min: int = Field(
        default=10, ge=6, le=100, description="columns of the PBO; placebos stand in for trials that were not made"
    )
    max_spa_p_value: float = Field(
        default=0.05, gt=0, le=1, description="p-value against incumbent and buy-and-hold that is still allowed"
    )
    bootstrap_draws: int = Field(default=2_000, ge=100, le=100_000, description="draws of a bootstrap")
    bootstrap_block_days: float = Field(default=3.0, ge=1, le=60, description="mean length of a bootstrap's blocks, in days")
    neighbour_score_kept: float = Field(
        default=0.5, gt=0, le=1, description="part of the daily Sharpe ratio that a setting one step away must keep"
    )
    min_neighbours_kept: float = Field(
        default=0.6, gt=0, le=1, description="part of the settings one step away that must keep it"
    )
    undeclared_numbers_max: int = Field(
        default=12, ge=0, le=1_000, description="numbers in a strategy's text that no parameter declares, at most"
    )


class TelegramConfig(Section):
    base_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="address of the Bot API, empty for Telegram's own"
    )
    owner_ids: tuple[int, ...] = Field(
        default=(), max_length=50, description="numeric ids of the people who may command"
    )
    muted: tuple[str, ...] = Field(
        default=(), max_length=50, description="kinds of messages nobody is told of; halts cannot be switched off"
    )
    quiet_from: str = Field(
        default="", pattern=_HOUR, description="when quiet hours begin, such as 22:00 in account.timezone, empty for none"
    )
    quiet_until: str = Field(default="", pattern=_HOUR, description="when quiet hours end, such as 07:00")
    messages_per_minute: int = Field(default=20, ge=1, le=60, description="messages sent in any 60 seconds")
    refusals_per_hour: int = Field(
        default=20, ge=1, le=10_000, description="refused signals within an hour above which a warning is sent"
    )


class KrakenConfig(Section):
    """Where Kraken is and what it allows this account. The key is a secret: KRAKEN_API_KEY, KRAKEN_API_SECRET."""

    rest_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="address of the REST interface, empty for Kraken's own"
    )
    ws_url: str = Field(
        default="", pattern=r"^(wss?://\S+)?$", description="address of the public socket, empty for Kraken's own"
    )
    ws_auth_url: str = Field(
        default="", pattern=r"^(wss?://\S+)?$", description="address of the private socket, empty for Kraken's own"
    )
    verification: Literal["starter", "intermediate", "pro"] = Field(
        default="starter", description="verification level of the account, which decides its rate limits"
    )
    reconcile_halt_pct: Decimal = Field(
        default=Decimal("0.001"), ge=0, le=1,
        description="difference between books and account, of total value, that halts openings",
    )


class PageConfig(Section):
    """The dashboard. Where it listens beyond this machine it asks for a password, the secret PAGE_TOKEN."""

    enabled: bool = Field(default=True, description="whether the shell serves the page")
    host: str = Field(
        default="127.0.0.1", pattern=r"^[0-9a-fA-F.:]{2,45}$", description="the address to listen on, in numbers"
    )
    port: int = Field(default=8787, ge=0, le=65_535, description="the port to listen on, 0 for any that is free")
    names: tuple[str, ...] = Field(
        default=(), max_length=20, description="host names under which a browser may ask for the page"
    )


class ControlConfig(Section):
    """The control API: always on a Unix socket of the home; on TCP only with a port here and the secret CONTROL_TOKEN."""

    tcp_port: int = Field(
        default=0, ge=0, le=65_535, description="TCP port of the control API for a worker elsewhere; 0: none"
    )
    tcp_host: str = Field(default="127.0.0.1", description="address that TCP port is bound to")


class PrefectConfig(Section):
    """What `brain up` starts beside the shell."""

    port: int = Field(default=4200, ge=1, le=65_535, description="port of the Prefect server and its pages, on 127.0.0.1")
    database: str = Field(
        default="embedded", pattern=r"^(embedded|sqlite|postgresql\+asyncpg://\S+)$",
        description="where run history is kept: embedded, sqlite, or the URL of a PostgreSQL (postgresql+asyncpg://...)",
    )
    keep_runs: timedelta = Field(
        default=timedelta(days=30), ge=timedelta(hours=2), le=timedelta(days=3_650), description="how long runs are kept"
    )
    keep_events: timedelta = Field(
        default=timedelta(days=3), ge=timedelta(hours=2), le=timedelta(days=365), description="how long events are kept"
    )


class LoopConfig(Section):
    """How the running shell keeps time."""

    bar_grace: timedelta = Field(
        default=timedelta(seconds=8), ge=_NO_TIME, le=timedelta(minutes=2),
        description="how long a scan waits for the last bars of its slot",
    )
    slot_lateness_max: timedelta = Field(
        default=timedelta(minutes=2), gt=_NO_TIME, lt=timedelta(minutes=5),
        description="lateness at which a slot is no longer scanned",
    )
    monitor_interval: timedelta = Field(
        default=timedelta(seconds=30), gt=_NO_TIME, le=timedelta(minutes=5), description="time between looks at every position"
    )
    fee_interval: timedelta = Field(
        default=_DAY, gt=_NO_TIME, le=timedelta(days=30), description="time between questions for the account's fees"
    )
    clock_difference_max: timedelta = Field(
        default=timedelta(seconds=30), gt=_NO_TIME, le=timedelta(minutes=10),
        description="difference from the exchange's clock beyond which nothing is scanned",
    )


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is written")
    file_bytes_max: int = Field(
        default=10_000_000, ge=10_000, le=10_000_000_000, description="size at which a log file is rotated, in bytes"
    )
    files_kept: int = Field(default=5, ge=1, le=1_000, description="rotated log files kept besides the current one")


class Settings(Section):
    """config/settings.toml, with the risk limits beside it."""

    mode: Literal["paper", "live"] = Field(default="paper", description="whose money")
    account: AccountConfig = AccountConfig()
    paper: PaperConfig = PaperConfig()
    host: HostConfig = HostConfig()
    orchestrator: OrchestratorConfig = OrchestratorConfig()
    gate: GateConfig = GateConfig()
    ai: AiConfig = AiConfig()
    kraken: KrakenConfig = KrakenConfig()
    telegram: TelegramConfig = TelegramConfig()
    page: PageConfig = PageConfig()
    control: ControlConfig = ControlConfig()
    prefect: PrefectConfig = PrefectConfig()
    loop: LoopConfig = LoopConfig()
    log: LogConfig = LogConfig()
    risk: RiskConfig = RiskConfig()

    @property
    def asks_approval(self) -> bool:
        """Whether a promotion waits for a person: as the settings say, and in live mode where they say nothing."""
        return self.orchestrator.approval == "ask" or (not self.orchestrator.approval and self.mode == "live")

    @property
    def form_counts(self) -> bool:
        """Whether an answer on Prefect's page counts: as the settings say, and on paper where they say nothing."""
        said = self.orchestrator.approval_form
        return self.mode == "paper" if said == "" else said

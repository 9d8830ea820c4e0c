"""The settings files: what ships equals the defaults, and every mistake is told at once, where, and what is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shell.config import RiskConfig, Settings
from shell.errors import Mistake, SettingsError
from shell.secrets import Secret, Secrets
from shell.settings_file import COMMAND_LINE, load_risk_limits, load_settings


def folder_with(tmp_path: Path, settings: str = "", limits: str = "") -> Path:
    folder = tmp_path / "config"
    folder.mkdir(exist_ok=True)
    (folder / "settings.toml").write_text(settings)
    (folder / "risk_limits.toml").write_text(limits)
    return folder


def load(tmp_path: Path, settings: str = "", limits: str = "", overrides: Mapping[str, Any] | None = None) -> Settings:
    return load_settings(folder_with(tmp_path, settings, limits), environ={}, overrides=overrides)


def mistakes(tmp_path: Path, settings: str = "", limits: str = "", **more: Any) -> list[Mistake]:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, settings, limits, **more)
    return list(refused.value.mistakes)


def one_mistake(tmp_path: Path, settings: str = "", limits: str = "", **more: Any) -> Mistake:
    (only,) = mistakes(tmp_path, settings, limits, **more)
    return only


# What ships


def test_the_shipped_files_are_the_defaults(project: Path) -> None:
    assert load_settings(project / "config", environ={}) == Settings()
    assert load_risk_limits(project / "config" / "risk_limits.toml") == RiskConfig()


def test_files_with_nothing_in_them_take_every_default(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()


def test_the_shipped_files_spell_out_every_key_each_under_a_comment(project: Path) -> None:
    config = project / "config"
    settings = tomllib.loads((config / "settings.toml").read_text())
    limits = tomllib.loads((config / "risk_limits.toml").read_text())
    assert keys_of(settings) == fields_of(Settings) - {"risk." + key for key in fields_of(RiskConfig)}
    assert keys_of(limits) == fields_of(RiskConfig)
    for name in ("settings.toml", "risk_limits.toml"):
        lines = (config / name).read_text().splitlines()
        for before, line in pairwise(lines):
            if re.match(r"\w+ = ", line):
                assert before.startswith("# "), f"{name}: {line} has no comment"


def keys_of(table: Mapping[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in table.items():
        found |= keys_of(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
    return found


def fields_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        found |= fields_of(kind, f"{prefix}{name}.") if is_section(kind) else {prefix + name}  # type: ignore[arg-type]
    return found


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


# What is read


def test_values_are_read_with_their_units_and_numbers_exactly(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [account]
        quote = "USDT"
        starting_cash = 0.1
        timezone = "Europe/Berlin"
        symbols = ["BTC/USDT"]
        [paper]
        taker_fee_pct = 0.0026
        limit_entry_expiry = "90m"
        [[paper.pairs]]
        symbol = "BTC/USDT"
        maker_fee_pct = 0
        [telegram]
        base_url = "http://localhost:8081"
        owner_ids = [12, 13]
        """,
        'max_positions = 2\nstale_price = "90s"\n',
    )
    assert settings.account.starting_cash == Decimal("0.1")
    assert settings.paper.limit_entry_expiry == timedelta(minutes=90)
    assert settings.paper.for_symbol("BTC/USDT").maker_fee_pct == Decimal(0)
    assert settings.paper.for_symbol("BTC/USDT").taker_fee_pct == Decimal("0.0026")
    assert settings.paper.for_symbol("ETH/USDT").maker_fee_pct == Decimal("0.0025")
    assert settings.telegram.owner_ids == (12, 13)
    assert (settings.risk.max_positions, settings.risk.stale_price) == (2, timedelta(seconds=90))
    with pytest.raises(ValidationError):
        settings.account.quote = "EUR"  # type: ignore[misc]


def test_the_command_line_goes_over_the_files_and_none_is_no_override(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "[account]\nstarting_cash = 5\n",
        "max_positions = 2\n",
        overrides={
            "account.starting_cash": 250.5,
            "account": {"quote": "USDT", "symbols": ("BTC/USDT",), "timezone": None},
            "paper.limit_entry_expiry": timedelta(hours=2),
            "host.call_timeout": "3s",
            "risk.max_positions": 7,
            "log.level": None,
        },
    )
    assert settings.account.starting_cash == Decimal("250.5")
    assert settings.account.symbols == ("BTC/USDT",)
    assert settings.paper.limit_entry_expiry == timedelta(hours=2)
    assert settings.host.call_timeout == timedelta(seconds=3)
    assert settings.risk.max_positions == 7
    assert settings.log.level == "info"


# What is refused


@pytest.mark.parametrize(
    ("settings", "key", "value", "allowed"),
    [
        ("[paper]\nslippage_pct = '5%'", "paper.slippage_pct", '"5%"', "a fraction: 0.05 is 5 %"),
        ("[paper]\ntaker_fee_pct = 5", "paper.taker_fee_pct", "5", "a fraction: 0.05 is 5 %"),
        ("[paper]\nspread_pct = nan", "paper.spread_pct", "NaN", "a fraction"),
        ("[host]\ncall_timeout = 10", "host.call_timeout", "10", "needs a unit"),
        ("[host]\ncall_timeout = '0s'", "host.call_timeout", '"0s"', "above 0s and at most 10m"),
        ("[host]\nmax_consecutive_faults = 2.5", "host.max_consecutive_faults", "2.5", "a whole number"),
        ("[host]\nmax_consecutive_faults = true", "host.max_consecutive_faults", "true", "a whole number"),
        ("[gate]\nmin_deflated_sharpe = 1", "gate.min_deflated_sharpe", "1", "above 0 and below 1"),
        ("[account]\nstarting_cash = -1", "account.starting_cash", "-1", "above 0"),
        ("[account]\nstarting_cash = inf", "account.starting_cash", "Infinity", "a number"),
        ("[account]\nstarting_cash = '10k'", "account.starting_cash", '"10k"', "a number"),
        ("[account]\nquote = 'usd'", "account.quote", '"usd"', "such as USD"),
        ("[account]\ntimezone = 'New York'", "account.timezone", '"New York"', 'such as "America/New_York"'),
        ("[account]\ntimezone = '../etc'", "account.timezone", '"../etc"', "IANA time zone"),
        ("[account]\nsymbols = 'BTC/USD'", "account.symbols", '"BTC/USD"', "a list"),
        ("[account]\nsymbols = []", "account.symbols", "[]", "at least 1"),
        ("[account]\nsymbols = ['BTC-USD']", "account.symbols", '"BTC-USD"', "BASE/QUOTE"),
        ("[account]\nsymbols = ['BTC/USDT']", "account.symbols", '"BTC/USDT"', 'account.quote, which is "USD"'),
        ("[account]\nsymbols = ['BTC/USD', 'BTC/USD']", "account.symbols", '"BTC/USD"', "once"),
        ("[telegram]\nowner_ids = ['me']", "telegram.owner_ids", '["me"]', "whole numbers"),
        ("[telegram]\nowner_ids = [-1]", "telegram.owner_ids", "[-1]", "above 0"),
        ("[telegram]\nbase_url = 'localhost'", "telegram.base_url", '"localhost"', "address"),
        ("[ai]\nprovider = 'openai'", "ai.provider", '"openai"', '"local", "anthropic", "vertex"'),
        ("[ai]\nprovider = 'vertex'", "ai.vertex.project_id", '""', "Google Cloud project"),
        ("[orchestrator]\nselection_pct = 0.5", "orchestrator.selection_pct", "0.5", "below 0.5"),
        ("[orchestrator]\nhistory_days_min = 300", "orchestrator.history_days_min", "300", "history_days_max (240)"),
        ("paper = 1", "paper", "1", "write [paper]"),
        ("[paper]\npairs = 'x'", "paper.pairs", '"x"', "[[paper.pairs]]"),
        ("[[paper.pairs]]\ntaker_fee_pct = 0.1", "paper.pairs[0].symbol", '""', "BASE/QUOTE"),
        ("[[paper.pairs]]\nsymbol = 'A/USD'\ntick = 1", "paper.pairs[0].tick", "1", "unknown"),
        ("[acount]\nquote = 'USD'", "acount", "a table", "did you mean account?"),
        ("[account]\nstart_cash = 1", "account.start_cash", "1", "did you mean starting_cash?"),
        ("max_positions = 1", "max_positions", "1", "it belongs in risk_limits.toml"),
        ("taker_fee_pct = 0", "taker_fee_pct", "0", "it belongs in [paper]"),
        ("[host]\nx = 1", "host.x", "1", "known here are call_timeout, max_consecutive_faults, start_timeout"),
        ("[risk]\nmax_positions = 1", "risk", "a table", "risk_limits.toml"),
    ],
)
def test_a_mistake_is_told_with_key_value_and_what_is_allowed(
    tmp_path: Path, settings: str, key: str, value: str, allowed: str
) -> None:
    mistake = one_mistake(tmp_path, settings)
    assert mistake.file == str(tmp_path / "config" / "settings.toml")
    assert (mistake.key, mistake.value) == (key, value)
    assert allowed in mistake.allowed


@pytest.mark.parametrize(
    ("limits", "key", "allowed"),
    [
        ("max_trade_pct = 5", "max_trade_pct", "a fraction: 0.05 is 5 %"),
        ("max_trade_pct = 0", "max_trade_pct", "above 0 and at most 1"),
        ("default_trade_pct = 0.2", "default_trade_pct", "must not be above max_trade_pct (0.1)"),
        ("max_position_pct = 0.09", "max_trade_pct", "must not be above max_position_pct (0.09)"),
        ("stale_price = 600", "stale_price", "needs a unit"),
        ("max_position = 3", "max_position", "did you mean max_positions?"),
    ],
)
def test_a_mistake_in_the_limits_names_their_file_and_their_flat_key(
    tmp_path: Path, limits: str, key: str, allowed: str
) -> None:
    together = one_mistake(tmp_path, "", limits)
    with pytest.raises(SettingsError) as refused:
        load_risk_limits(tmp_path / "config" / "risk_limits.toml")
    assert list(refused.value.mistakes) == [together]
    assert together.file == str(tmp_path / "config" / "risk_limits.toml")
    assert together.key == key
    assert allowed in together.allowed


def test_every_mistake_of_both_files_and_the_command_line_is_told_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        "[account]\ncurrency = 1\nquote = 5\n[log]\nlevel = 'loud'\n",
        "max_positions = 0\n",
        overrides={"risk.max_trade_pct": 3, "account.starting_cash": "lots", "nowhere.key": 1},
    )
    files = {mistake.key: Path(mistake.file).name for mistake in found}
    assert files == {
        "account.currency": "settings.toml",
        "account.quote": "settings.toml",
        "log.level": "settings.toml",
        "max_positions": "risk_limits.toml",
        "risk.max_trade_pct": COMMAND_LINE,
        "account.starting_cash": COMMAND_LINE,
        "nowhere": COMMAND_LINE,
    }


def test_a_refused_value_causes_no_second_mistake_by_its_default(tmp_path: Path) -> None:
    assert one_mistake(tmp_path, "", "max_trade_pct = 'all'\ndefault_trade_pct = 0.2\n").key == "max_trade_pct"


@pytest.mark.parametrize("key", ["kraken_api_key", "API_SECRET", "telegram_bot_token", "password", "private_key"])
def test_a_secret_in_a_file_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    mistake = one_mistake(tmp_path, f"[telegram]\n{key} = 'canary-123'\n")
    assert "KRAKEN_API_KEY" in mistake.allowed
    assert ".env" in mistake.allowed
    assert "canary" not in str(mistake)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[account\nquote = 1", "line 1"),
        (b"mode = 'paper'\nmode = 'live'\n", "line 2"),
        (b"mode = 'p\xe4per'", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    folder = folder_with(tmp_path)
    (folder / "settings.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=told) as refused:
        load_settings(folder, environ={})
    assert str(folder / "settings.toml") in str(refused.value)


def test_missing_files_are_both_named_with_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path / "nowhere", environ={})
    assert [Path(mistake.file).name for mistake in refused.value.mistakes] == ["settings.toml", "risk_limits.toml"]
    assert "git checkout -- config/settings.toml" in str(refused.value)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_risk_limits(tmp_path)


def test_hostile_text_in_a_value_is_shown_on_one_line(tmp_path: Path) -> None:
    mistake = one_mistake(tmp_path, '[ai]\nprovider = "\\u001b[31m\\n' + "x" * 500 + '"\n')
    assert mistake.value.isprintable()
    assert len(mistake.value) <= 80


# Live mode


def test_live_is_refused_with_everything_that_is_missing(tmp_path: Path) -> None:
    told = one_mistake(tmp_path, 'mode = "live"').allowed
    for missing in ("KRAKEN_API_KEY", "API_SECRET", "owner_ids"):
        assert missing in told


def test_live_is_possible_with_both_halves_of_a_key_and_somebody_who_may_stop_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KRAKEN_API_SECRET=canary-456\n")
    folder = folder_with(tmp_path, 'mode = "live"\n[telegram]\nowner_ids = [1]\n')
    assert load_settings(folder, environ={"KRAKEN_API_KEY": "canary-123"}).mode == "live"
    with pytest.raises(SettingsError) as refused:
        load_settings(folder, environ={}, secrets=Secrets(kraken_api_key=Secret("canary-123")))
    assert "KRAKEN_API_SECRET is not set" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_an_answer_on_prefects_page_counts_on_paper_and_in_live_mode_when_it_is_said_so(tmp_path: Path) -> None:
    said = {text: load(tmp_path, f"[orchestrator]\napproval_form = {text}\n") for text in ('""', "true", "false")}
    by_mode = {
        text: [settings.model_copy(update={"mode": mode}).form_counts for mode in ("paper", "live")]
        for text, settings in said.items()
    }
    assert by_mode == {'""': [True, False], "true": [True, True], "false": [False, False]}
    for text in ("1", "0", '"true"', '"yes"'):
        assert 'one of "", true, false' in str(mistakes(tmp_path, f"[orchestrator]\napproval_form = {text}\n")[0])


def test_every_field_says_what_it_is_about() -> None:
    undescribed = set()
    for name, section in Settings.model_fields.items():
        kind = section.annotation
        if is_section(kind):
            fields = kind.model_fields.items()  # type: ignore[union-attr]
            undescribed |= {f"{name}.{key}" for key, f in fields if not f.description and not is_section(f.annotation)}
    assert undescribed == set()

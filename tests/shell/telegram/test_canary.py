"""No secret leaves: planted ones are looked for, plain and encoded, in all a system writes and says, also when things fail."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from telegram.error import TelegramError

from deployments.telegram import telegram_for, write_report_apart
from shell import log as logs
from shell.clock import SystemClock
from shell.home import Home
from shell.log import configure, get_logger
from shell.secrets import Secret, Secrets
from shell.telegram.line import Trouble, trouble_of
from tests.shell.telegram.bot_server import TOKEN, BotServer
from tests.shell.telegram.kit import STEP, buy, opened_home, step, talking
from tests.thorough import thorough

CANARIES = {
    "kraken_api_key": "canaryKRAKENkey/5f3a+Zz9==",
    "kraken_api_secret": "Y2FuYXJ5LWtyYWtlbi1zZWNyZXQtMDEyMzQ1Njc4OQ==",
    "telegram_bot_token": TOKEN,
    "anthropic_api_key": "sk-ant-canary-0123456789abcdef",
}


def forms(secret: str) -> list[bytes]:
    """The secret as it is, and as others might write it. Base64 of it at each of the three places it may begin at."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode()}
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + raw)
        found.add(coded[4 if lead else 0 : len(coded) // 4 * 4 - 4])
    return sorted(found)


def leaks(places: dict[str, bytes]) -> list[str]:
    return [
        f"{name} in {place}" for name, secret in CANARIES.items() for form in forms(secret)
        for place, content in places.items() if form in content
    ]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_form_of_a_planted_secret_would_be_found() -> None:
    for name, secret in CANARIES.items():
        for written in (
            secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode(),
            base64.b64encode(f"key={secret}".encode()).decode(), base64.b64encode(f"a {secret} b".encode()).decode(),
        ):
            assert leaks({"a file": f"xx{written}yy".encode()}) != [], (name, written)
    assert leaks({"a file": b"nothing of the kind"}) == []


def test_no_secret_is_in_logs_database_or_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lived_through(tmp_path, monkeypatch, capfd, report=None)


@thorough
def test_nor_in_a_report_written_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lived_through(tmp_path, monkeypatch, capfd, report=write_report_apart)
    assert (tmp_path / "home" / "reports" / "report.html").is_file()


def lived_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    report: Callable[[Home], Path] | None,
) -> None:
    """A day with the bot, its failures and careless lines, searched for every secret that was about."""
    for name, text in CANARIES.items():
        monkeypatch.setenv(name.upper(), text)
    monkeypatch.setattr("shell.telegram.companion.BACKOFF_FIRST_SECONDS", 0.02)
    secrets = Secrets(**{name: Secret(text) for name, text in CANARIES.items()})
    bot, folder = BotServer(), tmp_path / "home"
    with opened_home(folder) as opened:
        configure(opened.home, "debug", console=True, secrets=secrets.known())
        logging.getLogger().setLevel(logging.DEBUG)
        try:
            (composed,), said = telegram_for(opened.shell, secrets, SystemClock(), tuple)
            assert (composed.name, said) == ("Telegram", "")
            buy(opened)
            bot.fail("getMe", 401, "Unauthorized")
            bot.fail("getUpdates", 409, "Conflict")
            bot.fail("sendMessage", 502, times=2)
            get_logger().info("a careless line", url=f"https://api.telegram.org/bot{TOKEN}/getMe", everything=CANARIES)
            for name, text in CANARIES.items():
                opened.shell.notify("link", "warning", f"{name} failed", opened.shell.now, key=name)
                assert text not in repr(secrets) + str(secrets) + f"{secrets}"
            monkeypatch.setattr("shell.telegram.line.trouble_of", without_waiting)
            with talking(opened, bot) as (telegram, _):
                for command in ("/status", "/health", "/positions", "/risk", "/strategy", "/costs", "/night"):
                    bot.ask(command, ".")
                bot.ask("/close btc", "Sell all")
                bot.press(bot.buttons()[0])
                bot.expect("on its way")
                assert leaks({"health": str(telegram.health()).encode()}) == []
            step(opened)
            opened.shell.step(opened.shell.now + STEP, origin="fallback")
            if report is not None:
                report(opened.home)
        finally:
            logging.getLogger().setLevel(logging.WARNING)
            logs.close()
    shown = capfd.readouterr()
    places = files_of(folder) | {"stdout": shown.out.encode(), "stderr": shown.err.encode()}
    places |= {f"message {number}": body for number, body in enumerate(bot.bodies)}
    assert len(bot.bodies) > 20 and len(places) > 25
    assert leaks(places) == []


def without_waiting(error: TelegramError) -> Trouble:
    found = trouble_of(error)
    return Trouble(found.sentence, lasting=found.lasting, about_token=found.about_token)

"""No secret leaves: planted ones are looked for, plain and encoded, in all a system writes and says, also when things fail."""

from __future__ import annotations

import base64
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pytest
from telegram.error import TelegramError

from deployments.opening import OpenHome
from deployments.telegram import telegram_for, write_report_apart
from shell import log as logs
from shell.calls import Calls
from shell.clock import SystemClock
from shell.control.server import ControlApi
from shell.home import Home
from shell.log import configure, get_logger
from shell.page.server import Page
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
    "control_token": "canary-control/7d1e+Qq4-0123456789",
    "cloudsdk_auth_access_token": "ya29.canary-cloud_0123456789-abcdef",
    "brain_database_url": "postgresql://brain:canary-database-0123@127.0.0.1:1/brain",
    "prefect_api_auth_string": "canary:prefect/0123456789+abcdef",
    "page_token": "canary page 0123456789 &=/ token",
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


def test_every_secret_there_is_has_a_canary() -> None:
    assert {each.name for each in fields(Secrets)} == CANARIES.keys()


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
        if name != "brain_database_url":  # it would move the books to a server that there is not
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
            with talking(opened, bot) as (telegram, calls), open_doors(opened, secrets, calls) as health:
                for command in ("/status", "/health", "/positions", "/risk", "/strategy", "/costs", "/night"):
                    bot.ask(command, ".")
                bot.ask("/close btc", "Sell all")
                bot.press(bot.buttons()[0])
                bot.expect("on its way")
                assert leaks({"health": f"{telegram.health()} {health()}".encode()}) == []
            step(opened)
            opened.shell.step(opened.shell.now + STEP, origin="fallback")
            if report is not None:
                # What the loop does after each step; a report reads the stored bars.
                opened.shell.keep_bars()
                report(opened.home)
        finally:
            logging.getLogger().setLevel(logging.WARNING)
            logs.close()
    shown = capfd.readouterr()
    places = files_of(folder) | {"stdout": shown.out.encode(), "stderr": shown.err.encode()}
    places |= {f"message {number}": body for number, body in enumerate(bot.bodies)}
    assert len(bot.bodies) > 20 and len(places) > 25
    assert leaks(places) == []


@contextmanager
def open_doors(opened: OpenHome, secrets: Secrets, calls: Calls) -> Iterator[Callable[[], str]]:
    """The page and the control API on ports of their own, with their tokens, and callers with right and wrong ones."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = opened.settings.control.model_copy(update={"tcp_port": port})
    page = Page(
        opened.home, opened.settings.model_copy(update={"page": opened.settings.page.model_copy(update={"port": 0})}),
        token=secrets.page_token, links=tuple,
    )
    control = ControlApi(opened.home.control_socket, config, secrets.control_token)
    for door in (page, control):
        door.start(calls)
    try:
        for token in (CANARIES["control_token"], "wrong"):
            headers = {"Authorization": f"Bearer {token}"}
            httpx.get(f"http://127.0.0.1:{config.tcp_port}/health", headers=headers, timeout=30)
        for password in (CANARIES["page_token"], "wrong"):
            httpx.get(page.url, auth=("anyone", password), timeout=30)
        yield lambda: f"{page.health()} {control.health()}"
    finally:
        for door in (control, page):
            door.stop()


def without_waiting(error: TelegramError) -> Trouble:
    found = trouble_of(error)
    return Trouble(found.sentence, lasting=found.lasting, about_token=found.about_token)

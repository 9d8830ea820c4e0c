"""The page over a real socket: news within two seconds of a fill, closed to others without a password, harmless to stop."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from shell.companion import LinkHealth
from shell.errors import NotNow, Rejected
from shell.home import Home
from shell.page.server import Page
from shell.secrets import Secret
from shell.store.store import Store
from tests.shell.page.homes import begin, buy, home_at, settings

PATIENCE_SECONDS = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home.database) as opened:
        begin(opened)
        yield opened


class Listener:
    """Reads the page's events on a thread of its own."""

    def __init__(self, url: str) -> None:
        self.views: list[dict[str, object]] = []
        self.arrived = Event()
        self._url = url
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            with httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS) as client, client.stream("GET", f"{self._url}data/events") as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        self.views.append(json.loads(line[6:]))
                        self.arrived.set()
        except httpx.HTTPError:
            pass

    def next(self) -> dict[str, object]:
        assert self.arrived.wait(PATIENCE_SECONDS), "no news"
        self.arrived.clear()
        return self.views[-1]


def test_a_fill_reaches_those_who_look_and_the_trading_thread_is_not_asked(home: Home, store: Store) -> None:
    page = Page(home, settings())
    page.start()
    try:
        listener = Listener(page.url)
        assert listener.next()["fills"]["rows"] == []  # type: ignore[index]
        buy(store, 1)
        while not (view := listener.next())["fills"]["rows"]:  # type: ignore[index]
            pass
        assert view["positions"]["rows"][0][0] == "BTC/USD"  # type: ignore[index]
        assert page.health() == LinkHealth(name="page", ok=True, sentence=page.url)
    finally:
        page.stop()
    page.stop()
    assert not page.health().ok


def test_a_link_that_hangs_does_not_hold_the_page_up(home: Home, store: Store) -> None:
    release = Event()

    def hanging() -> tuple[LinkHealth, ...]:
        release.wait(PATIENCE_SECONDS)
        return (LinkHealth(name="Kraken REST", ok=False, sentence="slow"),)

    page = Page(home, settings(), links=hanging)
    page.start()
    try:
        assert httpx.get(f"{page.url}data/view", trust_env=False, timeout=PATIENCE_SECONDS).json()["problem"] == ""
        release.set()
    finally:
        release.set()
        page.stop()


def test_beyond_this_machine_there_is_no_page_without_a_password(home: Home) -> None:
    with pytest.raises(Rejected, match="PAGE_TOKEN"):
        Page(home, settings(host="0.0.0.0")).start()
    with pytest.raises(Rejected, match="too short"):
        Page(home, settings(), token=Secret("short")).start()
    with pytest.raises(Rejected, match="no address"):
        Page(home, settings(host="999.1")).start()


def test_a_port_in_use_is_told_in_a_sentence(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        page = Page(home, settings(port=other.getsockname()[1]))
        with pytest.raises(NotNow, match="another program listens there"):
            page.start()
        page.stop()
        assert not page.health().ok

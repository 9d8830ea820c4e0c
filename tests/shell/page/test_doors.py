"""The page's doors: no other name, nothing but reading, no way in without the password, and a strict policy with it all."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from shell.page.doors import named_by
from shell.page.feed import Feed
from shell.page.links import no_links
from shell.page.reader import PageReader
from shell.page.site import site
from shell.secrets import Secret
from tests.shell.page.homes import home_at, settings

TOKEN = "correct horse battery"


def client(folder: Path, token: str | None = None, host: str = "127.0.0.1:8787") -> TestClient:
    feed = Feed(PageReader(home_at(folder), settings()), no_links)
    app = site(feed, names=("brain.lan",), token=Secret(token) if token else None)
    return TestClient(app, base_url=f"http://{host}", raise_server_exceptions=True)


@pytest.mark.parametrize(
    ("host", "welcome"),
    [
        ("127.0.0.1", True), ("127.0.0.1:8787", True), ("localhost:1", True), ("[::1]:8787", True), ("192.168.7.9:8787", True),
        ("brain.lan:8787", True), ("BRAIN.LAN", True), ("evil.example", False), ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8787", False), ("", False), ("brain.lan.evil.example", False), ("[evil]:1", False),
    ],
)
def test_only_an_address_or_a_known_name_is_answered(host: str, welcome: bool) -> None:
    assert named_by(host, {"localhost", "brain.lan"}) is welcome


def test_a_web_site_that_points_its_name_here_reads_nothing(tmp_path: Path) -> None:
    for path in ("/", "/data/view", "/data/curves", "/data/events"):
        answer = client(tmp_path, host="evil.example").get(path)
        assert answer.status_code == 421
        assert "{" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_the_page_can_only_be_read(method: str, tmp_path: Path) -> None:
    for path in ("/", "/data/view", "/nothing"):
        answer = client(tmp_path).request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"


def test_every_answer_forbids_foreign_scripts_frames_and_requests(tmp_path: Path) -> None:
    asked = client(tmp_path)
    for path in ("/", "/page.js", "/uPlot.js", "/data/view", "/nothing"):
        headers = asked.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';"), path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers
        assert "access-control-allow-origin" not in headers


def test_the_page_asks_for_nothing_outside_itself(tmp_path: Path) -> None:
    asked = client(tmp_path)
    for path in ("/", "/page.css", "/page.js", "/chart.js"):
        text = asked.get(path).text
        assert "//" not in text.replace("// ", ""), path
        assert "innerHTML" not in text


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, 401), ("Basic", 401), ("Basic ???", 401), ("Basic " + base64.b64encode(b"\xff:\xfe").decode(), 401),
        (_basic("me", "wrong"), 401), (_basic(TOKEN, ""), 401), (f"Digest {TOKEN}", 401), (f"Bearer {TOKEN}x", 401),
        ("Bearer ", 401), (_basic("anybody", TOKEN), 200), (f"Bearer {TOKEN}", 200),
    ],
)
def test_with_a_password_nothing_is_shown_without_it(header: str | None, code: int, tmp_path: Path) -> None:
    asked = client(tmp_path, TOKEN)
    for path in ("/", "/data/view"):
        answer = asked.get(path, headers={"Authorization": header} if header else {})
        assert answer.status_code == code
        assert TOKEN not in answer.text
        assert code == 200 or "Basic" in answer.headers["www-authenticate"]

"""A real browser without a window: the system's Chromium, driven over its own debugging protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

START_SECONDS = 60.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    """The browser's program; the test is skipped, saying so, where there is none."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed")
    return found


class Tab:
    """One page in the browser. `console` holds every error that the page or the browser reported."""

    def __init__(self, address: str) -> None:
        self._socket = connect(address, max_size=None, open_timeout=START_SECONDS)
        self._number = 0
        self.console: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._socket.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; what the browser reports meanwhile is kept."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=START_SECONDS))
            if message.get("id") == self._number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.console.append(str(told["exceptionDetails"].get("exception", {}).get("description", told)))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.console.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.console.append(told["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case _:
                pass

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str, seconds: float) -> float:
        """Wait until an expression is true; returns how long that took. Fails when it does not come true."""
        begun = time.monotonic()
        # Between two pages there is no document, and so no answer yet.
        tried = f"(() => {{ try {{ return Boolean({script.strip()}); }} catch {{ return false; }} }})()"
        while not self.evaluate(tried):
            assert time.monotonic() - begun < seconds, f"not true after {seconds} s: {script}; console: {self.console}"
            time.sleep(0.02)
        return time.monotonic() - begun

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Page.navigate", url=url)

    def press(self, key: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            code = {"Tab": 9, "ArrowLeft": 37, "Enter": 13, "End": 35}[key]
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browsing() -> Iterator[Tab]:
    """A browser with one empty tab and a profile of its own, gone afterwards."""
    program = chromium()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        flags = (
            "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-sandbox", "--disable-gpu",
            "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
            "--disable-dev-shm-usage", "--hide-scrollbars",
        )
        process = subprocess.Popen([program, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            tab = Tab(_address(Path(profile) / "DevToolsActivePort", process))
            try:
                yield tab
            finally:
                tab.close()
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _address(note: Path, process: subprocess.Popen[bytes]) -> str:
    """The socket of the first tab, once the browser has written down where it listens."""
    import httpx

    begun = time.monotonic()
    while time.monotonic() - begun < START_SECONDS:
        assert process.poll() is None, "the browser ended at once"
        lines = note.read_text().splitlines() if note.is_file() else []
        if lines:
            with httpx.Client(trust_env=False) as client:
                tabs = client.get(f"http://127.0.0.1:{lines[0]}/json/list", timeout=START_SECONDS).json()
            pages = [each for each in tabs if each["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise AssertionError("the browser did not start")

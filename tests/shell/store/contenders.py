"""Many processes start on one home at the same moment: who may trade? Run as a program; prints one line of JSON.

    python -m tests.shell.store.contenders FOLDER COUNT lock|fence

Forked from one process without threads, each waits for a common signal, tries, tells one letter, and holds on to what it got
until all have told: Trading or Refused.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from shell.errors import Fatal, NotNow
from shell.home import Home, HomeLock
from shell.store.store import Store
from tests.shell.store.examples import START, approved_order

TRADING, REFUSED = b"T", b"R"


def main(folder: str, count: int, how: str) -> None:
    """All contenders of one kind, and what became of them."""
    home = Home.private(Path(folder), project=Path(folder))
    contend = {"lock": by_lock, "fence": by_fence}[how]
    ready, go, told, stay = (os.pipe() for _ in range(4))
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            for writing in (go[1], stay[1]):
                os.close(writing)
            contend(home, number, lambda: step(ready[1], go[0]), lambda letter: hold(told[1], stay[0], letter))
            os._exit(0)
        children.append(child)
    received(ready[0], count)
    os.close(go[1])
    letters = received(told[0], count)
    os.close(stay[1])
    for child in children:
        os.waitpid(child, 0)
    print(json.dumps({letter: letters.count(letter) for letter in sorted(Counter(letters))}))


def by_lock(home: Home, number: int, wait: Callable[[], None], tell: Callable[[bytes], None]) -> None:
    """A start as the shell makes it: the home's lock first."""
    lock = HomeLock(home)
    wait()
    try:
        lock.acquire()
    except NotNow:
        tell(REFUSED)
    else:
        tell(TRADING)


def by_fence(home: Home, number: int, wait: Callable[[], None], tell: Callable[[bytes], None]) -> None:
    """A start where the file system locks nothing: everybody takes the fence, then everybody wants to write an order."""
    with Store.open(home.database) as store:
        patiently(lambda: store.fence.take(f"start {number}", START))
        wait()
        try:
            patiently(lambda: store.journal("main").write_ahead([approved_order(1000 + number)]))
        except Fatal:
            tell(REFUSED)
        else:
            tell(TRADING)


def patiently(write: Callable[[], object]) -> None:
    """Wait for one's turn: with so many writers it comes later than the database's own patience lasts."""
    while True:
        try:
            write()
        except NotNow:
            continue
        return


def step(ready: int, go: int) -> None:
    os.write(ready, b".")
    os.read(go, 1)


def hold(told: int, stay: int, letter: bytes) -> None:
    os.write(told, letter)
    os.read(stay, 1)


def received(pipe: int, count: int) -> str:
    text = b""
    while len(text) < count:
        text += os.read(pipe, count - len(text))
    return text.decode()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])

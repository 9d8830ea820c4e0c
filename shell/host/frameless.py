"""The process of a strategy that will touch no frame: `shell.host.child` without polars, behind the same walls.

Nothing in it may act differently for want of polars. So whatever code asks for a module that is not here, polars or any other
that polars would have brought along, ends the process on the spot: the parent reads its exit code, forgets the run and begins
it anew in a process that has everything (`shell.host.frames`). An exception would not do, because a strategy may catch it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from shell.host.child import serve_apart
from shell.host.frames import FRAMES_WANTED
from shell.host.lockdown import Enclosure
from shell.host.preload import keep, preload


def main(descriptor: int, enclosure: Enclosure, lane: Sequence[int] = ()) -> None:
    """Serve on `descriptor`, then exit; with FRAMES_WANTED as soon as something is to be imported that is not here."""
    serve_apart(descriptor, enclosure, lane, prepare)


class Tripwire:
    """Asked for a module by whoever imports one that was not imported before."""

    def find_spec(self, *_: object) -> NoReturn:
        os._exit(FRAMES_WANTED)


def prepare() -> None:
    """Everything but polars, and nothing more from here on."""
    preload()
    shut()


def shut() -> None:
    """Nothing more is imported from here on."""
    keep()
    sys.meta_path.insert(0, Tripwire())

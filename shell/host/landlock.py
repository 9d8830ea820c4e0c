"""Which files a thread may read, by Linux' Landlock (linux/landlock.h). Writing, renaming, TCP and signals outward: never.

The rules bind the calling thread and every thread it starts later, no other. So the first ruleset is put on while the
process has one thread, before numpy and polars start their own.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable

from shell.host.kernel import system_call

_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights that each version of the interface knows: all up to MAKE_SYM, then REFER, TRUNCATE and IOCTL_DEV.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK_FROM, _TCP_BIND_AND_CONNECT = 4, 0b11
_SCOPES_FROM, _ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The version of Landlock's interface (its "ABI"), 0 where there is none."""
    try:
        return system_call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str]) -> int:
    """Let this thread read `readable` (folders with everything below them, or files) and touch nothing else.

    Paths that do not exist are left out. Returns the interface's version, 0 where there is none and nothing was done.
    Raises OSError if the kernel has Landlock and refuses. Needs PR_SET_NO_NEW_PRIVS.
    """
    abi = version()
    if not abi:
        return 0
    attributes = _Ruleset(
        _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= abi)],
        _TCP_BIND_AND_CONNECT if abi >= _NETWORK_FROM else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= _SCOPES_FROM else 0,
    )
    ruleset = system_call("landlock_create_ruleset", ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    try:
        for path in readable:
            _allow(ruleset, path)
        system_call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _allow(ruleset: int, path: str) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
            return
        raise
    try:
        rule = _PathBeneath(_READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE, parent)
        system_call("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(parent)

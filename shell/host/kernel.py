"""The few kernel calls that Python has no function for, through ctypes. Nothing here decides anything.

Every function raises OSError with the kernel's reason. On other systems than Linux they raise OSError(ENOSYS).
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from typing import Final

from shell.host.syscalls import Machine, this_machine

PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
# linux/capability.h
_CAPABILITY_VERSION_3: Final = 0x20080522

LINUX = sys.platform.startswith("linux")
MACHINE: Machine | None = this_machine()
_LIBC = ctypes.CDLL(None, use_errno=True)
_ULONG = ctypes.c_ulong


def system_call(name: str, *arguments: object) -> int:
    """The kernel's answer to the call `name` of shell.host.syscalls. Arguments are whole numbers, ctypes values or None."""
    if MACHINE is None:
        raise _refusal(name, errno.ENOSYS)
    values = [_ULONG(value) if isinstance(value, int) else value for value in arguments]
    return _checked(name, _LIBC.syscall(ctypes.c_long(MACHINE.numbers[name]), *values))


def set_process(option: int, value: int) -> None:
    """prctl(option, value): one of the PR_* above."""
    if not LINUX:
        raise _refusal("prctl", errno.ENOSYS)
    _checked("prctl", _LIBC.prctl(ctypes.c_int(option), _ULONG(value), _ULONG(0), _ULONG(0), _ULONG(0)))


def leave_namespaces(flags: int) -> None:
    """unshare(flags). Only while this process has one thread, if CLONE_NEWUSER is among them."""
    if not LINUX:
        raise _refusal("unshare", errno.ENOSYS)
    _checked("unshare", _LIBC.unshare(ctypes.c_int(flags)))


def drop_capabilities() -> None:
    """Give up every capability of this thread, those in a user namespace of its own included."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    system_call("capset", ctypes.byref(header), ctypes.byref(none))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; exit if `parent` is gone already.

    A change of user forgets the order, so it is given again after one."""
    if LINUX:
        set_process(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def _checked(name: str, result: int) -> int:
    if result < 0:
        raise _refusal(name, ctypes.get_errno())
    return result


def _refusal(name: str, number: int) -> OSError:
    return OSError(number, os.strerror(number), name)

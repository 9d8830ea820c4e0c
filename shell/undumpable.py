"""Keeping other processes of the same user out of this one: the shell holds keys, and strategies may run as its user."""

from __future__ import annotations

import ctypes
import os
import sys

# linux/prctl.h
_PR_SET_DUMPABLE = 4


def make_undumpable() -> None:
    """No core dumps of this process, and no process of its user may read its memory, environment or descriptors.

    Its folder under /proc then belongs to root. Children that run another program are not affected. Does nothing where there
    is no such switch; raises OSError if the kernel refuses.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        zero = ctypes.c_ulong(0)
        if libc.prctl(_PR_SET_DUMPABLE, zero, zero, zero, zero) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl: {os.strerror(number)}")

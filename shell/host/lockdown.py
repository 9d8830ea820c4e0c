"""The operating system's wall around a strategy, in the order that makes it hold.

`enclose`, before numpy and polars are imported and while the process has one thread: die with the parent, leave the
network, read nothing but code. `lock_down`, after everything is imported and used once: no open files but the given
ones, bounded memory, another user, and the system call filter over all threads. Each wall that cannot be had is told, never
passed over: `shell.host.isolation` judges, and live mode refuses what is incomplete.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
from collections.abc import Collection
from typing import Any, NamedTuple

from shell.host import kernel, landlock, probes, seccomp
from shell.undumpable import make_undumpable

NOBODY = 65534
# Above the address space in use after warm-up: polars and OpenBLAS reserve far more than they touch.
ADDRESS_SPACE_BUDGET_BYTES = 2 << 30
# poll refuses to watch more descriptors than may be open. The only number below this one is taken.
OPEN_FILES = 1
ERROR_STREAM = 2
INNER = ("anon_inode:[eventfd]", "anon_inode:[eventpoll]")

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/nix/store", "/gnu/store")
_ZONES = ("/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo", "/etc/localtime")
# What libraries ask about processors and memory to size themselves.
_MACHINE = (
    *("/proc/self", "/proc/meminfo", "/proc/stat", "/proc/cpuinfo", "/proc/sys/vm/overcommit_memory"),
    *("/sys/devices/system/cpu", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage", "/dev/null", "/dev/urandom"),
)


class Enclosure(NamedTuple):
    """What `enclose` found and achieved: the process that started this one, the user it runs as, Landlock's version (0 without
    it), whether it has a network namespace of its own, and a sentence for what is absent."""

    parent: int
    uid: int
    landlock_abi: int
    network_namespace: bool
    absent: tuple[str, ...]


def enclose(root: str, parent: int) -> Enclosure:
    """The walls that must stand before libraries are imported. `root` is the folder of the `shell` package.

    Raises RuntimeError if there is more than one thread, because others would stay outside.
    """
    uid = os.geteuid()
    if not kernel.LINUX:
        return Enclosure(parent, uid, 0, False, (f"{sys.platform} has neither seccomp nor Landlock",))
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"the strategy's process has {threads} threads before its walls stand; it must have one")
    kernel.die_with_parent(parent)
    _be_first_to_go()
    network_namespace = _leave_network(uid)
    kernel.set_process(kernel.PR_SET_NO_NEW_PRIVS, 1)
    try:
        abi, absent = landlock.restrict(_readable(root)), "this kernel has no Landlock"
    except OSError as error:
        abi, absent = 0, f"Landlock could not be used ({error.strerror})"
    return Enclosure(parent, uid, abi, network_namespace, () if abi else (absent,))


def lock_down(enclosure: Enclosure, descriptors: Collection[int]) -> dict[str, Any]:
    """Give up everything that computing does not need, and say what now holds (the keys of `shell.host.isolation`).

    Called in the thread that the strategy will run in; all others are filtered with it. `descriptors` stay readable and
    writable, the error stream writable; of the rest only what polars waits on inside itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    told: dict[str, Any] = {
        "seccomp": False,
        "landlock_abi": enclosure.landlock_abi,
        "network_namespace": enclosure.network_namespace,
        "uid": enclosure.uid,
        "memory_limit": False,
        "core_dumps": False,
        "filter_length": 0,
        "probes": {},
        "absent": "; ".join(enclosure.absent),
    }
    if not kernel.LINUX:
        return told
    told["memory_limit"] = _limit_memory()
    open_to_polars = _inner_descriptors()
    told["uid"] = _become_nobody(enclosure)
    if enclosure.landlock_abi:
        # Code is loaded and nothing is left to be read. Binds this thread, which is the strategy's.
        landlock.restrict(())
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    readable = {*descriptors, *open_to_polars}
    return told | _filter_calls(enclosure, readable, readable | {ERROR_STREAM})


def _filter_calls(enclosure: Enclosure, readable: Collection[int], writable: Collection[int]) -> dict[str, Any]:
    """Both filters, with the probes between them; what is to be told of it."""
    machine, pid = kernel.MACHINE, os.getpid()
    length, absent = 0, list(enclosure.absent)
    if machine is None:
        absent.append(f"the system call filter is not made for {platform.machine()} processors")
    else:
        try:
            deny, kill = seccomp.deny_program(machine, pid, readable, writable), seccomp.kill_program(machine, pid)
            seccomp.install(deny)
            length = len(deny)
        except OSError as error:
            absent.append(f"seccomp could not be used ({error.strerror})")
    if not length:
        # The limit on open files would answer for walls that are not there; it leaves room for one.
        os.close(0)
    outcomes = probes.run(enclosure.parent)
    if length:
        seccomp.install(kill)
        length += len(kill)
    return {
        "seccomp": length > 0 and probes.ALLOWED not in outcomes.values(),
        "filter_length": length,
        "probes": outcomes,
        "absent": "; ".join(absent),
    }


def _leave_network(uid: int) -> bool:
    """A network namespace without any interface. Who is not root needs a user namespace for it, where that is permitted;
    root does not take that way, because inside it there is no other user to become."""
    try:
        kernel.leave_namespaces(kernel.CLONE_NEWNET if uid == 0 else kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET)
        if uid != 0:
            # Whoever makes a user namespace is its master.
            kernel.drop_capabilities()
    except OSError:
        return False
    return True


def _be_first_to_go() -> None:
    """When the machine runs out of memory, the kernel shall end this process and not the shell."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")


def _readable(root: str) -> list[str]:
    """Code and what libraries ask about the machine; of the project only its `shell` package, nothing beside it."""
    code = [path for path in sys.path if path and path != root]
    standard = [os.path.dirname(os.__file__), *(os.path.join(base, "lib") for base in (sys.base_prefix, sys.base_exec_prefix))]
    return [*standard, *code, os.path.join(root, "shell"), *_LIBRARIES, *_ZONES, *_MACHINE]


def _limit_memory() -> bool:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[0])
    except OSError:
        return False
    budget = pages * resource.getpagesize() + ADDRESS_SPACE_BUDGET_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (budget, budget))
    return True


def _inner_descriptors() -> set[int]:
    """The event descriptors by which threads of polars wake each other: they lead nowhere outside this process."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            # The one that this listing used.
            continue
        if target in INNER:
            found.add(int(name))
    return found


def _become_nobody(enclosure: Enclosure) -> int:
    """Stop being root, in all threads; the user's number now. Also: no core dumps, and nobody reads this memory."""
    uid = enclosure.uid
    if uid == 0:
        # Where it is not permitted, the number tells it: a wall judged incomplete, not a reason to refuse a test.
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        uid = os.geteuid()
    make_undumpable()
    kernel.die_with_parent(enclosure.parent)
    return uid

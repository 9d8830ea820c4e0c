"""What hostile modules share; goes into the child as the skill `kit`, so it may import nothing of the tests.

A module is a file of functions marked `@attack(...)`. The class `Strategy` here runs those that its state names, one a scan,
and says what each returned. Without a wall around it, every function really does what it tries.
"""

import errno
import sys
from types import SimpleNamespace

from shell.contract import Action, Signal

REASONING_CHARS = 480
ATTACKS = {}

# Numbers of system calls: x86_64, aarch64. None: that machine has no such call.
CALLS = {
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "creat": (85, None),
    "mkdirat": (258, 34),
    "unlinkat": (263, 35),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "pkey_mprotect": (329, 288),
    "socket": (41, 198),
    "connect": (42, 203),
    "sendto": (44, 206),
    "sendmmsg": (307, 269),
    "clone": (56, 220),
    "clone3": (435, 435),
    "vfork": (58, None),
    "execve": (59, 221),
    "exit": (60, 93),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "prlimit64": (302, 261),
    "setpriority": (140, 140),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "fsopen": (430, 430),
    "open_tree": (428, 428),
    "chroot": (161, 51),
    "setresuid": (117, 147),
    "personality": (135, 92),
    "prctl": (157, 167),
    "seccomp": (317, 277),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "timerfd_create": (283, 85),
    "eventfd2": (290, 19),
    "epoll_create1": (291, 20),
    "signalfd4": (289, 74),
    "socketpair": (53, 199),
    "pipe2": (293, 59),
    "dup": (32, 23),
    "kcmp": (312, 272),
    "syslog": (103, 116),
    "landlock_create_ruleset": (444, 444),
    "process_madvise": (440, 440),
}
AT_FDCWD = -100


class Raw:
    """Returned by an attack whose own value is to be what `analyze` (or `get_state`) returns."""

    def __init__(self, value):
        self.value = value


def attack(prize, *, steps=1, loose=False, **_):
    """Marks an attack. `prize` names what can be seen from outside when it succeeds (see tests/hostile/prizes.py); `steps` is
    how many scans it takes; with `loose` its exceptions reach the host. The rest is for the tests."""

    def keep(function):
        ATTACKS[function.__name__] = (function, steps, loose)
        return function

    return keep


class Strategy:
    """Runs the attacks of `state["plan"]` one after another."""

    def initialize(self, risk_limits, symbols):
        self.symbols, self.plan, self.at, self.step, self.world, self.reply = list(symbols), [], 0, 0, {}, None

    def load_state(self, state):
        self.plan, self.world = list(state["plan"]), dict(state["world"])

    def analyze(self, markets, portfolio, timestamp):
        if self.at >= len(self.plan):
            return []
        function, steps, loose = ATTACKS[self.plan[self.at]]
        self.step += 1
        scene = SimpleNamespace(
            **self.world, markets=markets, portfolio=portfolio, now=timestamp, step=self.step, strategy=self,
            symbols=self.symbols,
        )  # fmt: skip
        if self.step >= steps:
            self.at, self.step = self.at + 1, 0
        if loose:
            result = function(scene)
        else:
            try:
                result = function(scene)
            except Exception as error:  # noqa: BLE001  # a refused system call; what it is called is told below
                result = f"failed: {type(error).__name__}: {error}"
        return self.said(result)

    def said(self, result):
        if isinstance(result, Raw):
            return result.value
        if result is None:
            return []
        return [Signal(self.symbols[0], Action.BUY, reasoning=printable(result))]

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return self.reply.value if isinstance(self.reply, Raw) else {}


def printable(value):
    """A short text of anything, as a signal may carry it."""
    text = value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)
    return "".join(char if char.isprintable() else " " for char in text)[:REASONING_CHARS]


def libc():
    """The C library this process already has; no file is opened for it."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """A system call by its number, past every wrapper. Raises OSError; NotImplementedError where it has no number."""
    import ctypes

    number = CALLS[name]["aarch64" in sys.implementation._multiarch]
    if number is None:
        raise OSError(errno.ENOSYS, f"{name}: this machine has no such call")
    return call_number(number, *arguments, name=name, library=ctypes)


def call_number(number, *arguments, name="call", library=None):
    import ctypes

    syscall = libc().syscall
    syscall.restype = ctypes.c_long
    plain = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result = syscall(ctypes.c_long(number), *plain)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {errno.errorcode.get(code, code)}")
    return result


def drained(descriptor, count=4096):
    """Bytes read from a descriptor by the C library, past Python's os module."""
    import ctypes

    buffer = ctypes.create_string_buffer(count)
    got = libc().read(descriptor, buffer, count)
    if got < 0:
        raise OSError(ctypes.get_errno(), "read")
    return buffer.raw[:got]

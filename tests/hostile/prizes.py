"""What a hostile strategy can win, each visible from outside of its process."""

from __future__ import annotations

from enum import StrEnum


class Prize(StrEnum):
    """One kind of damage. `Observer` and the runners look for all of them after every attack, whatever it was after."""

    TOLD = "told"
    """Something only the test knows (a file's text, the parent's memory, a future price) came back in an answer."""
    FILES = "files"
    """A file or folder of the prize's folder was made, changed or removed."""
    RECEIVED = "received"
    """A listening socket of the test got bytes."""
    PROCESS = "process"
    """A process besides the strategy's own descends from it, or its own became another program."""
    THREAD = "thread"
    """The strategy's process has more threads than before."""
    VICTIM = "victim"
    """A bystander process was killed, stopped, traced, or got other limits or another priority."""
    SIGNALLED = "signalled"
    """The parent received a signal."""
    MEMORY_OF_OTHERS = "memory of others"
    """A buffer in the parent's memory changed."""
    CODE = "code"
    """The strategy's process has executable memory that it had not."""
    DESCRIPTOR = "descriptor"
    """The strategy's process holds a kind of file descriptor that it did not hold."""
    STANDING = "standing"
    """Its user, root folder, name spaces, limits, priority, personality or signal-proofness changed."""
    KERNEL_OBJECT = "kernel object"
    """Something outlives it in the kernel: shared memory, a queue, a semaphore, a key."""
    BYTES = "bytes"
    """It holds more memory than it may."""
    CONTRACT = "contract"
    """An answer that breaks the contract was taken for good."""
    FORGED = "forged"
    """An answer was taken that belongs to another request."""
    LATE = "late"
    """The caller waited longer than its deadline."""
    CRASH = "crash"
    """The process that ran the strategy died; seen only without the walls, where that is the caller's own process."""

"""The compiler's run, in a process of its own: `python extension.py MODULE...`, in the folder of the rewritten tree.

One group of C files, because only within one do modules call one another directly.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

GROUP = "core"
# What mypy says of rewritten text that is no mistake of it: a dataclass without its generated constructor, and what
# follows from it.
_NOT_ASKED = tuple(f"--disable-error-code={name}" for name in ("misc", "override", "unreachable"))


def main(modules: Sequence[str]) -> None:
    """Compile `modules` in place. Raises SystemExit where mypy, mypyc or the C compiler refuses."""
    from mypyc.build import mypycify
    from setuptools import setup

    extensions = mypycify([*_NOT_ASKED, *modules], opt_level="3", debug_level="0", multi_file=True, group_name=GROUP)
    for extension in extensions:
        # mypyc makes warnings errors. Compilers warn of different things in what it writes, none of them ours.
        extension.extra_compile_args.append("-Wno-error")
        # What only this library calls is called directly. Nothing that may change a float's last bit: no flag for this machine.
        extension.extra_compile_args.append("-fvisibility=hidden")
    setup(name=GROUP, packages=[], ext_modules=extensions, script_args=["-q", "build_ext", "--inplace"])


if __name__ == "__main__":
    main(sys.argv[1:])

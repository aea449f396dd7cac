"""Run a benchmark that ends with its parent: `python -m benchmarks.rig.tied PARENT MODULE [OPTION…]`.

It ends as by Ctrl-C, and so does one that gets SIGTERM: what it started is ended, what it wrote is gone.
"""

import ctypes
import os
import runpy
import signal
import sys

from streampoll.embedded.launch import PR_SET_PDEATHSIG


def main(parent: str, module: str) -> None:
    """Tie this process to its parent, and become the module."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    _, *named = sys.argv
    del sys.argv[1:3]
    main(*named[:2])

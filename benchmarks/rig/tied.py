"""Run a benchmark that ends with its parent: `python -m benchmarks.rig.tied PARENT MODULE [OPTION…]`.

It ends as by Ctrl-C, and so does one that gets SIGTERM: what it started is ended, what it wrote is gone.
"""

import runpy
import signal
import sys

from streampoll.embedded.fleet.process import die_with


def main(parent: str, module: str) -> None:
    """Tie this process to its parent, and become the module.

    SIGTERM is made a SIGINT, for which asyncio has a handler of its own: an exception in the middle of its loop may
    lose what that was about to wake, and its end waits for ever.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in what it starts with `&`
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    die_with(int(parent))
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    _, *named = sys.argv
    del sys.argv[1:3]
    main(*named[:2])

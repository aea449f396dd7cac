"""A secret from a program (a vault's command line): no shell, bounded in time and output, its output shown nowhere.

It blocks: on an event loop, call it in a thread.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 10.0
LIMIT_BYTES: Final = 65_536


class CommandFailed(Exception):  # noqa: N818 - reads as the state it is; `keeping` makes a ConfigError of it
    """The program brought no secret. The text has its name and how it ended, nothing that it wrote."""


def run_for_secret(
    words: Sequence[str], environ: Mapping[str, str], directory: Path, timeout_s: float = TIMEOUT_S
) -> bytes:
    """Run a program in `directory` and return what it wrote to stdout.

    Its stderr goes nowhere, since a vault's complaint may quote what it was given.

    Raises:
        CommandFailed: it can't be run, failed, took too long, or wrote more than 64 KiB.
    """
    program = Path(words[0]).name
    try:
        process = subprocess.Popen(
            list(words), env=dict(environ), cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise CommandFailed(f"{program} can't be run: {error.strerror or error}") from None
    with process:
        try:
            return _output(process, program, time.monotonic() + timeout_s, timeout_s)
        finally:
            if process.returncode is None:  # not waited for, so its number is still its own
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _output(process: "subprocess.Popen[bytes]", program: str, deadline: float, timeout_s: float) -> bytes:
    """Read to the end of stdout and wait for the end of the program."""
    assert process.stdout is not None
    ready, output = select.poll(), b""
    ready.register(process.stdout, select.POLLIN)
    while True:
        if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise CommandFailed(f"{program} took longer than {timeout_s:g} s")
        part = os.read(process.stdout.fileno(), LIMIT_BYTES + 1)
        if not part:
            break
        output += part
        if len(output) > LIMIT_BYTES:
            raise CommandFailed(f"{program} wrote more than {LIMIT_BYTES // 1024} KiB")
    try:
        code = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"{program} took longer than {timeout_s:g} s") from None
    if code:
        raise CommandFailed(
            f"{program} ended with exit code {code}" if code > 0 else f"{program} died of signal {-code}"
        )
    return output

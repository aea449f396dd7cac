"""The harness's side of the proxy: links between hosts and servers, and what is done to them."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos.proxy import Mode

TOP = Path(__file__).parents[2]


class Network:
    """The proxy process; every order is answered before the next."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.proxy"], cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def link(self, name: str, port: int) -> int:
        """Make a way to the server on `port`; return the port that stands for it."""
        answer: int = self._order("link", name=name, port=port)["port"]
        return answer

    def moved(self, kind: str, port: int) -> None:
        """Lead every way to a server of this kind ("redis", "postgres") to another port."""
        self._order("upstream", kind=kind, port=port)

    def turn(self, name: str, mode: Mode) -> None:
        """Change what a link does with data."""
        self._order("mode", name=name, mode=mode)

    def delay(self, name: str, seconds: float) -> None:
        """Hold each piece of data up."""
        self._order("delay", name=name, seconds=seconds)

    def reset(self, name: str) -> None:
        """End every connection of a link with RST."""
        self._order("reset", name=name)

    def half_open(self, name: str) -> None:
        """Take the server away from a link's connections without a word to the clients."""
        self._order("half_open", name=name)

    def lose(self, name: str, pattern: bytes, count: int, least: int = 0) -> None:
        """Lose the replies, of `least` bytes, of the next `count` requests that have `pattern` in them."""
        self._order("lose", name=name, pattern=pattern.hex(), count=count, least=least)

    def lost(self, name: str) -> int:
        """Return how many replies were lost on a link."""
        answer: int = self._order("lost", name=name)["lost"]
        return answer

    def _order(self, do: str, **more: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

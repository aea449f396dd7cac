"""Custom pollers for tests: packages made in a directory, and an imitation of a UPS daemon."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def install(directory: Path, name: str, module: str, text: str = "") -> None:
    """Lay out a package as an installer does: a module, and metadata with its entry point."""
    info = directory / f"{module}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[streampoll.pollers]\n{name} = {module}:poll\n")
    (directory / f"{module}.py").write_text(text)


def serve_pollers(directory: Path, monkeypatch: pytest.MonkeyPatch, pollers: Mapping[str, Callable[..., Any]]) -> None:
    """Have functions found as custom pollers, each in a package of its own."""
    monkeypatch.syspath_prepend(str(directory))
    for name, poll in pollers.items():
        module = f"poller_of_{name.replace('-', '_')}"
        install(directory, name, module)
        made = ModuleType(module)
        made.poll = poll  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module, made)


UPS = {"battery.charge": "98", "ups.status": "OL", "ups.model": "Smart 3000"}


@asynccontextmanager
async def ups_daemon(user: str = "monitor", password: str = "") -> AsyncIterator[int]:
    """Run a daemon of one UPS that may want a password; yield its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said: dict[str, str] = {}
        while line := (await reader.readline()).decode().split():
            said[line[0]] = line[-1]
            if line[0] != "LIST":
                writer.write(b"OK\n")
            elif password and (said.get("USERNAME"), said.get("PASSWORD")) != (user, password):
                writer.write(b"ERR ACCESS-DENIED\n")
            else:
                lines = [f'VAR {line[-1]} {name} "{value}"' for name, value in UPS.items()]
                writer.write("\n".join(["BEGIN LIST VAR", *lines, "END LIST VAR", ""]).encode())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]

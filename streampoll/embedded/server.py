"""What the embedded servers have in common: begun by `start`, ended in order, by force, or with a `with` block."""

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from streampoll.embedded.process import ServerProcess


class EmbeddedServer(ABC):
    """A server that lives as long as this object; its data live as long as the directory."""

    NAME: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server: ServerProcess | None = None
        self.port = 0

    @abstractmethod
    def start(self) -> None:
        """Start the server and return once it answers; UnfitServerError or UnavailableError if it can't."""

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._server is None:
            raise RuntimeError(f"{self.NAME} is not started")
        return self._server.pid

    def stop(self) -> None:
        """End in order: everything is written down."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def kill(self) -> None:
        """End at once, as a crash would; for tests."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

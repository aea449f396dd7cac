"""A TCP proxy that holds each piece of data up: Redis as it is a few racks away. A process of its own.

    python -m benchmarks.rig.delay HOST PORT SECONDS     prints the port that stands for the server

The delay is of one way; timers have a resolution of a millisecond, so who uses it measures the round trip it gets.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.rig.environments import TOP


class End(asyncio.Protocol):
    """One end of a connection; what comes in goes out at the other end, later."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._early: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; send what came before it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        for data in self._early:
            transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Pass data on; timers of one length fire in the order in which they were set."""
        assert self.other is not None
        asyncio.get_running_loop().call_later(self._delay_s, self.other.send, data)

    def send(self, data: bytes) -> None:
        """Send what the other end was given."""
        if self.transport is None:
            self._early.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end too."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


async def serve(host: str, port: int, delay_s: float) -> None:
    """Accept connections for ever."""
    loop = asyncio.get_running_loop()

    def accept() -> End:
        near, far = End(delay_s), End(delay_s)
        near.other, far.other = far, near
        loop.create_task(loop.create_connection(lambda: far, host, port))  # noqa: RUF006 - it lives as its connection
        return near

    server = await loop.create_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def delayed(port: int, one_way_s: float) -> Iterator[int]:
    """Run the proxy before a port of this machine as long as the block; yield its own port."""
    command = [sys.executable, "-m", "benchmarks.rig.delay", "127.0.0.1", str(port), str(one_way_s)]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))

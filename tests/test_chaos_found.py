"""Bugs that the fault harness found, each at its smallest."""

import asyncio
import socket
import struct

import pytest
import uvloop

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.errors import RedisUnavailable
from streampoll.shards.connection import connect, guarded
from streampoll.shards.open import open_topology
from streampoll.shards.topology import Command
from tests.chaos.proxy import Link
from tests.waiting import eventually_async


def test_a_connection_that_was_reset_while_idle_is_an_outage_and_not_a_bug() -> None:
    """uvloop says RuntimeError there; it ended every worker and coordinator at once when Redis was killed."""

    async def use_a_reset_connection() -> None:
        ends: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ends.append(writer)
            while await reader.read(1000):
                writer.write(b"+OK\r\n")

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = connect(Secret(f"redis://127.0.0.1:{port}/0"), 1.0, 1.0)
            await guarded(client.execute_command("PING"))
            ends[0].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ends[0].transport.abort()
            end = client.connection_pool._available_connections[0]._writer
            await eventually_async(end.is_closing)  # the client's loop has seen the reset, the client has not
            try:
                await guarded(client.execute_command("PING"))
            except RedisUnavailable:
                return
            finally:
                await client.aclose()
            raise AssertionError("the reset connection answered")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(use_a_reset_connection())


async def test_connections_that_are_half_open_cost_one_time_out_and_not_one_each(fresh_redis: str) -> None:
    """With four connections in the pool polling stood still for four time-outs of 6 s."""
    link = Link(int(fresh_redis.rpartition(":")[2].partition("/")[0]))
    port = await link.open()
    url = Secret(fresh_redis.replace(f":{link.upstream}/", f":{port}/"))
    topology = open_topology(RedisSettings(url=url), read_timeout_s=0.3)
    ping = [Command("k", ("ECHO", "k"))]

    async def at_once() -> list[object]:
        return await asyncio.gather(*(topology.run(ping) for _ in range(4)))

    await at_once()
    link.half_open()

    with pytest.raises(RedisUnavailable):
        await topology.run(ping)
    assert await at_once() == [[b"k"]] * 4
    await topology.close()
    link.close()
    await eventually_async(lambda: not link.lines)

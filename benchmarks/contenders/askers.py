"""One request after the other from one process: streampoll's engines, gufo_snmp and pysnmp, each as its users call it.

An asker sends one request from a numbered place (an address of the agent) and checks that all values came. gufo_snmp
takes one column a GETBULK; so it asks for as many values of one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any

import uvloop

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.snmp.ber import encode_oid
from streampoll.snmp.client import WireEngine
from streampoll.snmp.credential import AuthProtocol, Community, Credential, PrivProtocol, UsmUser
from streampoll.snmp.engine import Agent, Engine, Limits, Reply
from streampoll.snmp.engines import make_pysnmp_engine
from streampoll.snmp.message import PduType, Request

Ask = Callable[[int], Awaitable[None]]
"""Sends one request from the caller's numbered place and checks the reply."""

_IF, _IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
GET_10 = ("1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0", *(f"{_IF}.{n}.1" for n in (10, 11, 13, 14, 16, 17, 19, 20)))
COLUMNS = tuple(f"{_IFX}.{n}" for n in (6, 7, 10, 11))
REPETITIONS = 10  # of four columns: forty values
PLACES = 40


class Case(StrEnum):
    """What is asked, and how."""

    GET10 = "get10"  # v2c GET of ten values
    BULK40 = "getbulk40"  # v2c GETBULK of forty
    V3 = "v3"  # the GET with SHA-256 and AES-128


@dataclass(frozen=True, slots=True)
class Where:
    """An agent."""

    prefix: str  # of its addresses: "127.0.0."
    port: int
    user: str  # v3
    passphrase: str
    bulk_oid: str  # under which it has forty values, one after the other

    def address(self, place: int) -> str:
        """Return the address of a place."""
        return str(IPv4Address(f"{self.prefix}1") + place)


@dataclass(frozen=True, slots=True)
class Round:
    """What one peer did in one round."""

    requests: int
    wall_s: float
    cpu_s: float


async def run_round(ask: Ask, seconds: float, in_flight: int) -> Round:
    """Ask without a pause from `in_flight` places."""
    done = 0
    end = time.perf_counter() + seconds

    async def place(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await ask(number)
            done += 1

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(in_flight):
            group.create_task(place(number), name=f"place {number}")
    return Round(done, time.perf_counter() - wall, time.process_time() - cpu)


def bare_us(agent: Where, case: Case, places: int, seconds: float) -> float:
    """Return the CPU microseconds that a request takes the wire engine alone, in this process."""

    async def ask() -> Round:
        async with AsyncExitStack() as stack:
            asker = await streampoll_asker(case, agent, stack, places)
            await run_round(asker, seconds / 4, places)  # warm
            return await run_round(asker, seconds, places)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        done = runner.run(ask())
    return 1e6 * done.cpu_s / max(done.requests, 1)


def engine_asker(engine: Engine, case: Case, agent: Where, places: int = PLACES) -> Ask:
    """Ask through an engine of streampoll."""
    credential: Credential = Community(Secret("public"))
    if case is Case.V3:
        key = Secret(agent.passphrase)
        credential = UsmUser(agent.user, AuthProtocol.SHA256, key, PrivProtocol.AES128, key)
    request = Request(PduType.GET, _encoded(GET_10))
    if case is Case.BULK40:
        request = Request(PduType.GETBULK, _encoded(COLUMNS), max_repetitions=REPETITIONS)
    wanted = 40 if case is Case.BULK40 else 10
    agents = [Agent((agent.address(place), agent.port), credential, Limits()) for place in range(places)]
    loop = asyncio.get_running_loop()

    async def ask(place: int) -> None:
        reply = await engine.request(agents[place], request, loop.time() + 10)
        assert isinstance(reply, Reply), reply
        assert len(reply.varbinds) == wanted

    return ask


def _encoded(oids: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(encode_oid(tuple(map(int, oid.split(".")))) for oid in oids)


async def streampoll_asker(case: Case, agent: Where, stack: AsyncExitStack, places: int = PLACES) -> Ask:
    """Ask through the wire engine."""
    engine = WireEngine(SnmpSettings(packets_per_s=0))
    stack.push_async_callback(engine.close)
    return engine_asker(engine, case, agent, places)


async def second_asker(case: Case, agent: Where, stack: AsyncExitStack) -> Ask:
    """Ask through streampoll's second engine, which is pysnmp."""
    engine = make_pysnmp_engine(SnmpSettings(packets_per_s=0))
    stack.push_async_callback(engine.close)
    return engine_asker(engine, case, agent)


async def gufo_asker(case: Case, agent: Where, stack: AsyncExitStack) -> Ask:
    """Ask through gufo_snmp, a session a place."""
    from gufo.snmp import Aes128Key, Sha256Key, SnmpVersion, User
    from gufo.snmp.aio import SnmpSession

    def session(place: int) -> SnmpSession:
        if case is not Case.V3:
            return SnmpSession(addr=agent.address(place), port=agent.port, community="public")
        key = agent.passphrase.encode()
        user = User(agent.user, auth_key=Sha256Key(key), priv_key=Aes128Key(key))
        return SnmpSession(addr=agent.address(place), port=agent.port, user=user, version=SnmpVersion.v3)

    sessions = [await stack.enter_async_context(session(place)) for place in range(PLACES)]

    async def get(place: int) -> None:
        assert len(await sessions[place].get_many(list(GET_10))) == 10

    async def bulk(place: int) -> None:
        found = 0
        async for _ in sessions[place].getbulk(agent.bulk_oid, max_repetitions=40):
            found += 1
            if found == 40:
                return
        raise AssertionError(f"{found} values")

    return bulk if case is Case.BULK40 else get


async def pysnmp_asker(case: Case, agent: Where, stack: AsyncExitStack) -> Ask:
    """Ask through pysnmp's high-level API: one engine, MIB look-ups off."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    engine, context = hlapi.SnmpEngine(), hlapi.ContextData()
    stack.callback(engine.close_dispatcher)
    auth: Any = hlapi.CommunityData("public")
    if case is Case.V3:
        keys = {"authProtocol": hlapi.usmHMAC192SHA256AuthProtocol, "privProtocol": hlapi.usmAesCfb128Protocol}
        auth = hlapi.UsmUserData(agent.user, agent.passphrase, agent.passphrase, **keys)
    targets = [
        await hlapi.UdpTransportTarget.create((agent.address(place), agent.port), timeout=10) for place in range(PLACES)
    ]

    async def ask(place: int) -> None:
        if case is Case.BULK40:
            asked = [hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in COLUMNS]
            answer = await hlapi.bulk_cmd(
                engine, auth, targets[place], context, 0, REPETITIONS, *asked, lookupMib=False
            )
        else:
            asked = [hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in GET_10]
            answer = await hlapi.get_cmd(engine, auth, targets[place], context, *asked, lookupMib=False)
        error, status, _, found = answer
        assert not error, error
        assert not status
        assert len(found) == (40 if case is Case.BULK40 else 10)

    return ask


ASKERS: dict[str, Callable[[Case, Where, AsyncExitStack], Awaitable[Ask]]] = {
    "streampoll": streampoll_asker,
    "gufo_snmp": gufo_asker,
    "pysnmp": pysnmp_asker,
    "streampoll's pysnmp engine": second_asker,
}

"""Polls a UPS through the daemon of Network UPS Tools (RFC 9271), as a custom poller of streampoll.

A profile:                            Its credential, which a daemon may not want:

    protocol = "nut-ups"                  [credentials.ups]
                                          protocol = "nut-ups"
    [options]                             user = "monitor"
    ups = "rack1"                         password = { env = "UPS_PASSWORD" }
"""

import asyncio
import re

from streampoll.custom import Clients, Credentials, CustomTarget, Outcome, PollFailed, Status

NUMBERS = ("battery.charge", "battery.runtime", "input.voltage", "output.voltage", "ups.load", "ups.temperature")


async def poll(target: CustomTarget, credentials: Credentials, clients: Clients) -> Outcome:
    """Return the variables of one UPS; numbers as numbers."""
    ups = target.options.get("ups", "ups")
    try:
        reader, writer = await asyncio.open_connection(target.address, target.port or 3493)
    except OSError as error:
        return Outcome(Status.UNREACHABLE, f"no connection: {error.strerror or error}")
    try:
        if credentials.own:
            await ask(reader, writer, f"USERNAME {credentials.own.values['user']}")
            await ask(reader, writer, f"PASSWORD {credentials.own.secrets['password'].reveal()}")
        await ask(reader, writer, f"LIST VAR {ups}")
        values = {}
        while not (line := await answer(reader)).startswith("END LIST"):
            if match := re.match(r'VAR \S+ (\S+) "(.*)"$', line):
                values[match[1]] = float(match[2]) if match[1] in NUMBERS else match[2]
    finally:
        writer.close()
    clients.log.debug("%d variables of %s", len(values), ups)
    return Outcome(Status.OK, values=values, requests=1)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> str:
    """Send a line and return the answer."""
    writer.write(f"{line}\n".encode())
    await writer.drain()
    return await answer(reader)


async def answer(reader: asyncio.StreamReader) -> str:
    """Return a line of the daemon; an error of its ends the poll."""
    line = (await reader.readline()).decode(errors="replace").strip()
    if line.startswith(("ERR ACCESS-DENIED", "ERR INVALID-PASSWORD", "ERR INVALID-USERNAME")):
        raise PollFailed(Status.AUTH, line)
    if line.startswith("ERR") or not line:
        raise PollFailed(Status.REFUSED, line or "the daemon closed the connection")
    return line

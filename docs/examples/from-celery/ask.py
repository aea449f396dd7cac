"""A program that sends tasks: `python ask.py DIRECTORY`, the directory being that of streampoll.toml."""

import asyncio
import sys

from streampoll import Client, call


async def main(config: str) -> None:
    """Send one task, a chain and a chord, and print what comes back."""
    async with Client(config) as client:
        await client.send("reports.fetch", "berlin", delay="10s", expires="5m")

        page = await client.chain(call("reports.fetch", "berlin"), call("reports.render"))
        print((await client.result(page, within="20s")).value)

        sites = [(call("reports.fetch", site), call("reports.render")) for site in ("berlin", "oslo")]
        report = await client.chord(sites, call("reports.publish"))
        print((await client.result(report, within="20s")).value)


asyncio.run(main(sys.argv[1]))

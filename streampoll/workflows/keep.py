"""Versions of what workflows keep, in PostgreSQL: a new one only if it differs from the one before."""

from typing import Any, Final

from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries
from streampoll.workflows.port import Kept
from streampoll.workflows.versions import difference, steady

_QUERIES: Final = load_queries("workflows.sql")


async def keep_version(connection: Connection, kept: Kept, run: str) -> dict[str, Any]:
    """Keep a text if it is new or has changed; return {changed, version, diff}."""
    await connection.execute(_QUERIES["lock_config"], kept.device, kept.name)
    last = await connection.fetchrow(_QUERIES["last_config"], kept.device, kept.name)
    if last is not None and steady(last["text"]) == steady(kept.text):
        return {"changed": False, "version": last["version"], "diff": ""}
    version = last["version"] + 1 if last else 1
    labels = f"{kept.name} {version - 1}", f"{kept.name} {version}"
    diff = difference(steady(last["text"]), steady(kept.text), labels) if last else ""
    await connection.execute(_QUERIES["keep_config"], kept.device, kept.name, version, run, diff, kept.text)
    return {"changed": last is not None, "version": version, "diff": diff}

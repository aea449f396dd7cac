"""streampoll itself in `peers`: coordinator, worker processes, Redis, PostgreSQL, every guarantee on."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.contenders.ground import Ground, Runner
from benchmarks.rig.deployment import SHORT, Deployment, Shape, deployed
from benchmarks.rig.roles import Roles
from benchmarks.rig.servers import server_versions
from streampoll import __version__
from streampoll.results.codec import decode_payload

INTERVAL_S = 10


@contextmanager
def streampoll(ground: Ground) -> Iterator[Runner]:
    """Run a deployment on the servers and the fleet that the others use too."""
    shape = Shape(devices=ground.per_s * INTERVAL_S, interval_s=INTERVAL_S, profile=ground.asked.profile)
    with deployed(shape, ground.where, ground.servers, ground.port) as running:
        roles = Roles(
            {
                "coordinator": [each.pid for each in running.coordinators],
                "worker": [each.pid for each in running.workers],
                **ground.servers.roles,
            }
        )
        versions = {"streampoll": __version__, **server_versions(ground.servers)}
        yield Runner(
            roles, running.answered, lambda: map(values_of, running.payloads()), versions,
            [*running.coordinators, *running.workers], lambda since: _failed(running, int(since)),
        )  # fmt: skip


def _failed(running: Deployment, since: int) -> int:
    """Count what audit finds of the slots since then that are finished, and is not polled well."""
    audit = running.audit(since)
    return sum(audit[term] for term in SHORT)


def values_of(payload: bytes) -> int:
    """Count the values of a poll; a table's first column is its index."""
    outcome, _ = decode_payload(payload)
    cells = [value for table in outcome.tables.values() for row in table.rows for value in row[1:]]
    return sum(value is not None for value in (*outcome.values.values(), *cells))

"""Everything that the OpenAPI document allows is asked: no answer is a bug, and each is as it is described."""

import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import checks

from streampoll.model import Status
from tests.api_server_support import configured, serving
from tests.results_support import bench, dispatched, ledger_entry, result_entry
from tests.servers_support import run_now

_EXAMPLES = 6  # of each operation and kind: wrong and right
_CHECKS = [
    checks.not_a_server_error,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


async def _store(dsn: str) -> None:
    """Store a few polls, so that answers have something in them."""
    slot = int(time.time()) // 60 * 60
    async with bench(dsn, now=slot + 2.5) as b:
        devices = ("r1", "r2", "r3")
        entries = [result_entry(name, slot, Status(n)) for n, name in enumerate(devices)]
        await b.handle(*entries, ledger_entry(dispatched(*devices, tick=slot)))


@pytest.fixture
def url(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[str]:
    """An API with something in its servers."""
    run_now(_store(fresh_database))
    with serving(configured(open_directory), fresh_redis, fresh_database) as served:
        yield served


def test_every_operation_answers_as_it_is_described(url: str) -> None:
    described = _with_names(httpx.get(f"{url}/api/v1/openapi.json").json())
    operations = [found.ok() for found in schemathesis.openapi.from_dict(described).get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        _ask(operation, url)


def _with_names(described: Any) -> Any:
    """Say in a document which devices and jobs there are, so that some of those that are asked for exist."""
    known = {"device": ["r1", "r20", "none"], "job": ["interfaces", "nightly", "none"]}
    for methods in described["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and parameter["name"] in known:
                    parameter["schema"]["enum"] = known[parameter["name"]]
    return described


def _ask(operation: Any, url: str) -> None:
    """Ask one operation what its description allows, and what it does not."""
    kinds = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    wanted = operation.as_strategy(generation_mode=kinds[0])
    if operation.body or operation.query:
        wanted |= operation.as_strategy(generation_mode=kinds[1])

    @hypothesis.settings(
        max_examples=_EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=wanted)
    def ask(case: Any) -> None:
        answer = case.call(base_url=url)
        if answer.status_code != 503 or operation.path != "/readyz":
            # a body that is too long is refused before it is read, which schemathesis has not among the refusals
            too_long = answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            case.validate_response(answer, checks=_CHECKS[:-1] if too_long else _CHECKS)

    ask()

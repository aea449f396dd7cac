"""The contract of the stream operations holds on a Redis Cluster as it does on one server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import (
    shards_contract_dispatch,
    shards_contract_lease,
    shards_contract_letters,
    shards_contract_recover,
    shards_contract_settle,
)
from tests.shards_support import Check, checks_of
from tests.topology_support import ClusterBench, TestCluster, redis_cluster

CHECKS = [
    check
    for module in (
        shards_contract_dispatch,
        shards_contract_settle,
        shards_contract_recover,
        shards_contract_lease,
        shards_contract_letters,
    )
    for check in checks_of(module)
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    directory: Path = tmp_path_factory.mktemp("cluster")
    with redis_cluster(directory) as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_on_a_cluster(check: Check, cluster: TestCluster) -> None:
    for server in cluster.masters:
        server.do("FLUSHALL")

    async with ClusterBench(cluster.url) as bench:
        await check(bench)

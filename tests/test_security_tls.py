"""Redis over TLS: verified by default, with a certificate of ours where the server asks for one, in a Cluster too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings, ShardsSettings
from streampoll.errors import RedisUnavailable
from streampoll.shards.server import settle
from tests.security_support import Authority, authority
from tests.shards_support import RedisBench, dispatch, part_of, read
from tests.topology_support import Server, TestCluster, redis_cluster, servers


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = authority(tmp_path_factory.mktemp("certificates"))
    made.issue("redis", hosts="IP:127.0.0.1")
    made.issue("client")
    return made


def tls_of(certificates: Authority) -> dict[str, str]:
    """The settings of a client that has everything."""
    at = certificates.directory
    return {"tls_ca": str(at / "ca.pem"), "tls_cert": str(at / "client.pem"), "tls_key": str(at / "client.key")}


def options(certificates: Authority, port: int) -> list[str]:
    at = certificates.directory
    return [
        "port 0", f"tls-port {port}", f"tls-cert-file {at}/redis.pem", f"tls-key-file {at}/redis.key",
        f"tls-ca-cert-file {at}/ca.pem", "tls-auth-clients yes", "tls-replication yes",
    ]  # fmt: skip


def client_options(certificates: Authority) -> dict[str, object]:
    """How the test's own client connects."""
    at = certificates.directory
    files = {"ssl_ca_certs": at / "ca.pem", "ssl_certfile": at / "client.pem", "ssl_keyfile": at / "client.key"}
    return {"ssl": True, **{name: str(file) for name, file in files.items()}}


@pytest.fixture(scope="module")
def server(certificates: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(
        tmp_path_factory.mktemp("redis"), "save ''", tls=client_options(certificates),
        tls_lines=lambda port: options(certificates, port),
    ) as [made]:  # fmt: skip
        yield made


def url_of(server: Server, host: str = "127.0.0.1") -> str:
    return f"rediss://{host}:{server.port}/0"


async def test_work_goes_over_tls_with_both_sides_verified(server: Server, certificates: Authority) -> None:
    async with RedisBench(url_of(server), **tls_of(certificates)) as bench:
        assert [one.answer for one in await dispatch(bench, part_of(2))] == ["ok"]
        assert len(await read(bench)) == 2
        await settle(bench.settings, ShardsSettings())


async def refused(url: str, **changes: str) -> str:
    with pytest.raises(RedisUnavailable) as caught:
        await settle(RedisSettings(url=Secret(url), **changes), ShardsSettings())  # type: ignore[arg-type]
    return str(caught.value)


async def test_a_server_that_nobody_vouches_for_is_refused(
    server: Server, certificates: Authority, tmp_path: Path
) -> None:
    theirs = tls_of(certificates) | {"tls_ca": str(authority(tmp_path).certificate)}

    assert "certificate verify failed" in await refused(url_of(server), **theirs)
    assert "certificate verify failed" in await refused(url_of(server), **(theirs | {"tls_verify": "chain"}))
    assert "certificate verify failed" in await refused(url_of(server), **(tls_of(certificates) | {"tls_ca": ""}))
    await settle(RedisSettings(url=Secret(url_of(server)), **(theirs | {"tls_verify": "none"})), ShardsSettings())  # type: ignore[arg-type]


async def test_a_certificate_for_another_host_is_refused_unless_only_the_chain_counts(
    server: Server, certificates: Authority
) -> None:
    url, ours = url_of(server, "localhost"), tls_of(certificates)

    assert "localhost" in await refused(url, **ours)
    await settle(RedisSettings(url=Secret(url), **(ours | {"tls_verify": "chain"})), ShardsSettings())  # type: ignore[arg-type]


async def test_without_our_certificate_the_server_refuses_us(server: Server, certificates: Authority) -> None:
    await refused(url_of(server), tls_ca=str(certificates.certificate))


async def test_without_tls_a_tls_port_is_no_redis(server: Server) -> None:
    await refused(f"redis://127.0.0.1:{server.port}/0")


@pytest.fixture
def cluster(certificates: Authority, tmp_path: Path) -> Iterator[TestCluster]:
    def lines(port: int) -> list[str]:
        return [*options(certificates, port), "tls-cluster yes"]

    with redis_cluster(tmp_path, tls=client_options(certificates), tls_lines=lines) as made:
        yield made


async def test_a_cluster_is_spoken_to_over_tls_on_every_node(cluster: TestCluster, certificates: Authority) -> None:
    async with RedisBench(cluster.url.replace("cluster://", "clusters://"), **tls_of(certificates)) as bench:
        parts = [part_of(1, shard=shard) for shard in range(12)]
        assert [one.answer for one in await dispatch(bench, *parts)] == ["ok"] * 12

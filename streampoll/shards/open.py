"""From settings to a topology."""

from streampoll.config.redis_url import Kind
from streampoll.config.settings import RedisSettings
from streampoll.shards.cluster import Cluster
from streampoll.shards.connection import dialer_of
from streampoll.shards.sentinel import SentinelLink, Sentinels
from streampoll.shards.topology import FixedLink, Single, Topology


def open_topology(settings: RedisSettings, read_timeout_s: float) -> Topology:
    """Return where the keys are; nothing is connected before the first command.

    `read_timeout_s` must be above the longest block of a read.

    Raises:
        ConfigError: redis.url is none.
    """
    dialer = dialer_of(settings, read_timeout_s)
    if dialer.address.kind is Kind.CLUSTER:
        return Cluster(dialer)
    if dialer.address.kind is Kind.SENTINEL:
        sentinels = Sentinels(dialer)
        return Single(lambda: SentinelLink(sentinels, dialer.client))
    return Single(lambda: FixedLink(dialer.client(dialer.address.nodes[0])))

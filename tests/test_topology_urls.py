"""redis.url taken apart, slots worked out, and which commands are sent again: the pure parts."""

from pathlib import Path

import pytest

from streampoll.config.load import load_settings
from streampoll.config.redis_url import Kind, RedisAddress, RedisUrlError, parse_redis_url
from streampoll.config.secret import Secret
from streampoll.errors import ConfigError
from streampoll.shards.slots import SLOTS, SlotMap, read_slots, slot_of
from streampoll.shards.topology import to_repeat


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", RedisAddress(Kind.SERVER, (("h", 6379),))),
        ("redis://h:7000/3", RedisAddress(Kind.SERVER, (("h", 7000),), db=3)),
        ("redis://h?db=3", RedisAddress(Kind.SERVER, (("h", 6379),), db=3)),
        ("redis://[::1]:7000/0", RedisAddress(Kind.SERVER, (("::1", 7000),))),
        ("redis://[fe80::1]", RedisAddress(Kind.SERVER, (("fe80::1", 6379),))),
        ("rediss://u:p%40%2F@h/0", RedisAddress(Kind.SERVER, (("h", 6379),), True, "u", Secret("p@/"))),
        ("redis://:p@h", RedisAddress(Kind.SERVER, (("h", 6379),), password=Secret("p"))),
        ("unix:///run/r.sock?db=2", RedisAddress(Kind.SERVER, (("/run/r.sock", 0),), db=2)),
        ("unix://:p@/run/r.sock", RedisAddress(Kind.SERVER, (("/run/r.sock", 0),), password=Secret("p"))),
        (
            "sentinel://u:p@a:1,b/svc?db=1",
            RedisAddress(Kind.SENTINEL, (("a", 1), ("b", 26379)), False, "u", Secret("p"), 1, "svc"),
        ),
        ("sentinels://a/svc", RedisAddress(Kind.SENTINEL, (("a", 26379),), True, service="svc")),
        ("cluster://a:7000,b:7001", RedisAddress(Kind.CLUSTER, (("a", 7000), ("b", 7001)))),
        ("clusters://u:p@a/0", RedisAddress(Kind.CLUSTER, (("a", 6379),), True, "u", Secret("p"))),
    ],
)
def test_a_url_is_taken_apart(url: str, address: RedisAddress) -> None:
    assert parse_redis_url(Secret(url)) == address


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://hidden@h", "not a URL of Redis"),
        ("hidden", "not a URL of Redis"),
        ("redis://u:hidden@h:port", "host or port"),
        ("redis://u:hidden@:6379", "host or port"),
        ("redis://u:hidden@h:99999", "host or port"),
        ("redis://u:hidden@a,b", "several servers"),
        ("redis://u:hidden@h/x", "not a number"),
        ("redis://u:hidden@h?ssl=1", "unknown parameter 'ssl'"),
        ("sentinel://u:hidden@h", "no service"),
        ("sentinel://u:hidden@h/a/b", "no service"),
        ("cluster://u:hidden@h/2", "only 0"),
    ],
)
def test_what_is_no_url_is_refused_without_its_secret(url: str, what: str) -> None:
    with pytest.raises(RedisUrlError, match=what) as caught:
        parse_redis_url(Secret(url))

    assert "hidden" not in str(caught.value)


def settings_with(directory: Path, toml: str) -> str:
    (directory / "streampoll.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load_settings(directory, {})
    return str(caught.value)


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("url = 'redis://a,b'", "streampoll.toml:2: redis.url: names several servers; write sentinel://"),
        ("url = 'rediss://a'\ntls_ca = 'ca.pem'", "ca.pem can't be read"),
        ("url = 'rediss://a'\ntls_cert = 'streampoll.toml'", "tls_cert and tls_key go together"),
        ("url = 'redis://a'\ntls_ca = 'streampoll.toml'", "the URL asks for no TLS; write rediss://"),
        ("url = 'redis://a'\nsentinel_password = 'x'", "the URL names no Sentinels"),
        ("url = 'rediss://a'\ntls_verify = 'no'", "redis.tls_verify: 'no' is not allowed"),
        ("[postgres]\ndsn = 'postgresql://a/b?sslrootcert=/not/there'", "its sslrootcert can't be read (/not/there)"),
    ],
)
def test_settings_that_can_not_work_are_refused(tmp_path: Path, toml: str, fault: str) -> None:
    assert fault in settings_with(tmp_path, f"[redis]\n{toml}\n")


def test_files_of_tls_are_found_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    (tmp_path / "streampoll.toml").write_text("[redis]\nurl = 'rediss://a'\ntls_ca = 'ca.pem'\n")

    assert load_settings(tmp_path, {}).redis.tls_ca == str(tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("key", "slot"),
    [("123456789", 0x31C3), ("foo{bar}x", 5061), ("bar", 5061), ("{", 4092)],
)
def test_a_key_has_the_slot_that_redis_gives_it(key: str, slot: int) -> None:
    assert slot_of(key) == slot


def test_all_keys_of_a_shard_are_in_one_slot() -> None:
    assert slot_of("sp:{07}:polling") == slot_of("other:{07}:results:dead") == slot_of("07")


def test_a_map_of_slots_is_read_and_corrected() -> None:
    slots = read_slots([[0, 100, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.9", 7009, b"id"]], [101, 200, [b"", 7001]]],
                       ("seed", 1))  # fmt: skip

    assert slots.nodes == {("10.0.0.1", 7000), ("seed", 7001)}
    assert SlotMap([(0, SLOTS - 1, ("a", 1))]).owner("x") == ("a", 1)
    assert SlotMap([(0, 0, ("a", 1))]).owner("bar") is None
    slots.move(slot_of("bar"), ("b", 2))
    assert slots.owner("foo{bar}") == ("b", 2)


@pytest.mark.parametrize(
    ("keys", "failed", "again"),
    [
        ("aab", [], []),
        ("aab", [0], [0, 1]),
        ("aab", [1], [1]),
        ("abab", [1], [1, 3]),
        ("abcabc", [0, 5], [0, 3, 5]),
    ],
)
def test_what_came_after_a_failed_command_on_its_key_is_sent_again_too(
    keys: str, failed: list[int], again: list[int]
) -> None:
    assert to_repeat(list(keys), failed) == again

"""What only shows when the parts of a configuration are seen together.

A mistake is a fault; what works and is likely not meant is a notice.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from streampoll.config.convert import Place
from streampoll.config.credentials import Credentials, names_of
from streampoll.config.jobs import Job
from streampoll.config.profile_port import PollPlan
from streampoll.config.redis_url import Kind, RedisUrlError, parse_redis_url
from streampoll.config.report import SHOWN, nearest
from streampoll.config.settings import (
    HttpSettings,
    OutputSettings,
    QueueSettings,
    RedisSettings,
    Settings,
    SnmpSettings,
    SshSettings,
)
from streampoll.model import SERVED, Device, QueueClass
from streampoll.ssh.plan import SshPlan

_POSTGRES_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_POSTGRES = ("postgresql://", "postgres://")


def check_settings(place: Place, settings: Settings) -> None:
    """Check the settings against each other."""
    _check_redis(place.at("redis"), settings.redis)
    _check_postgres(place.at("postgres", "dsn"), settings.postgres.dsn.reveal())
    _check_http(place.at("http"), settings.http)
    _check_outputs(place.at("outputs"), settings)
    worker = settings.worker
    if worker.dead_after_s < 2 * worker.heartbeat_s:
        place.at("worker", "dead_after_s").fault(
            f"{worker.dead_after_s:g} s is not two heartbeats of {worker.heartbeat_s:g} s",
            f"set at least {2 * worker.heartbeat_s:g}, so that one lost beat costs no shard",
        )
    for queue, limits in settings.queues.items():
        _check_queue(place.at("queues", queue.value), limits)
    served = {queue for pool in settings.pools.values() for queue in pool.queues}
    for queue in SERVED:
        if queue not in served:
            place.at("pools").notice(f"no pool serves '{queue}'", "its work waits until a worker elsewhere does")
    pollers = sum(pool.processes for pool in settings.pools.values() if QueueClass.POLLING in pool.queues)
    if pollers > settings.shards.count:
        place.at("shards", "count").notice(
            f"{pollers} processes would poll {settings.shards.count} shards, and a shard is polled by one",
            f"set shards.count to at least {pollers}, or fewer processes (each polls many devices at a time)",
        )
    for name, pool in settings.pools.items():
        for queue in filter(lambda queue: queue.internal, pool.queues):
            place.at("pools", name, "queues").fault(
                f"'{queue}' is served by every pool that serves tasks",
                "leave it out; its limits are in [queues.urgent]",
            )
        for queue, times in Counter(pool.queues).items():
            if times > 1:
                place.at("pools", name, "queues").fault(f"'{queue}' is there {times} times", "name it once")


def _check_outputs(place: Place, settings: Settings) -> None:
    """Check what each kind of output needs."""
    for name, output in settings.outputs.items():
        _check_output(place.at(name), output)
    served = [name for name, pool in settings.pools.items() if pool.outputs]
    if settings.outputs and not served:
        place.notice("no pool serves outputs", "set outputs = true in one of [pools.NAME]")


def _check_output(place: Place, output: OutputSettings) -> None:
    begins = {"jsonl": (), "redis": ("redis://", "rediss://", "unix://")}.get(output.kind, ("http://", "https://"))
    if output.kind == "jsonl" and not output.path:
        place.at("path").fault("is missing", "name a file, or - for stdout")
    if begins and not output.url.startswith(begins):
        place.at("url").fault(f"not a URL of a {output.kind} server", f"it begins with {', '.join(begins)}")
    if urlsplit(output.url).password or urlsplit(output.url).username:
        place.at("url").fault("has a user or password in it", "name a credential of credentials.toml: credential = …")
    if output.credential and output.url.startswith(("http://", "redis://")):
        place.at("url").notice("the credential crosses the network in plain text", "write https:// or rediss://")
    if output.tls_ca and not os.access(output.tls_ca, os.R_OK):
        place.at("tls_ca").fault(
            f"{output.tls_ca} can't be read", "name a file that exists and that this user may read"
        )


def _check_http(place: Place, http: HttpSettings) -> None:
    if http.tls_ca and not os.access(http.tls_ca, os.R_OK):
        place.at("tls_ca").fault(f"{http.tls_ca} can't be read", "name a file that exists and that this user may read")
    if http.tls_verify == "none":
        place.at("tls_verify").notice(
            "anybody may pose as a device", "write full or chain, and http.tls_fingerprint for those that need it"
        )


def _check_postgres(place: Place, dsn: str) -> None:
    if not dsn.startswith(_POSTGRES):
        place.fault("not a DSN of PostgreSQL", f"it begins with {', '.join(_POSTGRES)}")
    for name, file in parse_qsl(dsn.partition("?")[2]):
        if name in _POSTGRES_FILES and not os.access(Path(file).expanduser(), os.R_OK):
            place.fault(f"its {name} can't be read ({file})", "name a file that exists and that this user may read")


def _check_redis(place: Place, redis: RedisSettings) -> None:
    try:
        address = parse_redis_url(redis.url)
    except RedisUrlError as error:
        place.at("url").fault(error.what, error.instead)
        return
    files = {"tls_ca": redis.tls_ca, "tls_cert": redis.tls_cert, "tls_key": redis.tls_key}
    for name, file in files.items():
        if file and not address.tls:
            place.at(name).fault(
                "has no effect: the URL asks for no TLS", "write rediss://, sentinels:// or clusters://"
            )
        elif file and not os.access(file, os.R_OK):
            place.at(name).fault(f"{file} can't be read", "name a file that exists and that this user may read")
    if bool(redis.tls_cert) != bool(redis.tls_key):
        place.at("tls_key").fault("tls_cert and tls_key go together", "set both, or neither")
    if address.tls and redis.tls_verify == "none":
        place.at("tls_verify").notice("anybody may pose as the server", "write full, with its authority in tls_ca")
    if address.kind is not Kind.SENTINEL and (redis.sentinel_user or redis.sentinel_password):
        place.at("sentinel_password").fault("has no effect: the URL names no Sentinels", "write sentinel://…/SERVICE")


def _check_queue(place: Place, limits: QueueSettings) -> None:
    soft, hard = limits.soft_limit_s, limits.hard_limit_s
    if hard and soft >= hard:
        place.at("hard_limit_s").fault(
            f"{hard:g} s is not above soft_limit_s ({soft:g} s)",
            "an attempt is cancelled first, its process killed later",
        )


def check_whole(
    place: Place,
    settings: Settings,
    jobs: Sequence[Job],
    devices: Sequence[Device],
    profiles: Mapping[str, PollPlan],
    credentials: Credentials,
) -> None:
    """Check that what is named exists, and that every job polls something."""
    if not jobs:
        place.at("jobs").notice("no job: nothing will be polled", "write [jobs.NAME] with every and profile")
    for job in jobs:
        _check_job(place.at("jobs", job.name), job, devices, profiles)
        _check_interval(place.at("jobs", job.name), job, settings.snmp)
        _check_grace(place.at("jobs", job.name), job, settings.coordinator.grace_s)
        if isinstance(profiles.get(job.profile), SshPlan):
            _check_idle(place.at("jobs", job.name), job, settings.ssh)
    _check_names("profile", Counter(device.profile for device in devices), profiles, place)
    names: Counter[str] = Counter()
    for credential, count in Counter(device.credential for device in devices).items():
        names.update(dict.fromkeys(names_of(credential), count))
    _check_names("credential", names, credentials, place)
    for name, output in settings.outputs.items():
        if output.credential and output.credential not in credentials:
            hint = nearest(output.credential, credentials)
            place.at("outputs", name, "credential").fault(f"no credential '{output.credential}'", hint)


def _check_job(place: Place, job: Job, devices: Sequence[Device], profiles: Mapping[str, PollPlan]) -> None:
    """Check a job's profile and what it selects."""
    if job.profile and job.profile not in profiles:
        place.at("profile").fault(f"no profile '{job.profile}'", nearest(job.profile, profiles))
    selected = [device for device in devices if device.enabled and job.selector.matches(device)]
    for key, text, hint in job.selector.strangers(devices)[:SHOWN]:
        place.at("select", key).notice(f"no device has '{text}'", hint)
    if not selected and job.enabled:
        place.notice("selects no device that is enabled, so it polls nothing", "change select, or set enabled = false")
    without = [device.name for device in selected if not device.profile]
    if without and not job.profile:
        place.fault(f"names no profile, and neither do {_some(without)}", "set profile here or in the inventory")


def _check_interval(place: Place, job: Job, snmp: SnmpSettings) -> None:
    """Note an interval that a silent device's time-outs fill."""
    silent_s = snmp.timeout_s * (1 + snmp.retries)
    if job.every_s and silent_s >= job.every_s:
        place.at("every").notice(
            f"a silent device takes {silent_s:g} s (snmp.timeout_s x tries), the whole interval of {job.every_s} s",
            "lengthen every, or shorten snmp.timeout_s",
        )


def _check_grace(place: Place, job: Job, grace_s: float) -> None:
    """Note a grace in which a device would be due again: what is dispatched so late has its next slot begun."""
    if job.every_s and grace_s > job.every_s:
        place.at("every").notice(
            f"after an outage polls up to {grace_s:g} s late are dispatched (coordinator.grace_s), and those that are"
            f" later than the interval of {job.every_s} s only expire",
            f"set coordinator.grace_s to at most {job.every_s}, so that they are skipped",
        )


def _check_idle(place: Place, job: Job, ssh: SshSettings) -> None:
    """Note an interval that no SSH session outlives."""
    if job.every_s and ssh.max_sessions and ssh.max_kept and ssh.idle_s <= job.every_s:
        place.at("every").notice(
            f"an SSH session is closed after {ssh.idle_s:g} s without a poll, so each poll logs in anew",
            "set ssh.idle_s above the interval, or ssh.max_sessions = 0 if that is meant",
        )


def _check_names(what: str, counts: Mapping[str, int], known: Iterable[str], place: Place) -> None:
    """Refuse names of the inventory that are defined nowhere, each once with how many devices use it."""
    names = {*known, ""}
    for name in [name for name in counts if name not in names][:SHOWN]:
        many = f"{counts[name]:,} device{'s' if counts[name] > 1 else ''}"
        place.report.fault("inventory", f"no {what} '{name}', which {many} should use", nearest(name, names - {""}))


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more devices"

"""The variables of the Celery deployment: taken over and said so, or refused with the name to use."""

from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.model import QueueClass
from tests.config_support import faults_of, settings_with


def test_what_fits_is_taken_over_and_reported(tmp_path: Path) -> None:
    environ = {
        "CELERY_BROKER_URL": "redis://:pw@broker:6379/2",
        "CELERY_RESULT_BACKEND": "db+postgresql+psycopg2://u:pw@db/polls",
        "CELERY_PREFETCH_MULTIPLIER": "4",
        "CELERY_TASK_SOFT_LIMIT": "240",
        "CELERY_TASK_HARD_LIMIT": "300",
    }
    configuration = settings_with(tmp_path, "[pools.a]\n[pools.b]\nprefetch = 9", environ)
    settings, notices = configuration.settings, "\n".join(map(str, configuration.notices))

    assert settings.redis.url == Secret("redis://:pw@broker:6379/2")
    assert settings.postgres.dsn == Secret("postgresql://u:pw@db/polls")
    assert (settings.pools["a"].prefetch, settings.pools["b"].prefetch) == (4, 9)
    polling = settings.queues[QueueClass.POLLING]
    assert (polling.soft_limit_s, polling.hard_limit_s) == (240, 300)
    assert "CELERY_BROKER_URL: taken over as redis.url" in notices
    assert "CELERY_PREFETCH_MULTIPLIER: not used: pools.b.prefetch is set" in notices
    assert "pw" not in notices


def test_a_broker_on_a_socket_keeps_its_database(tmp_path: Path) -> None:
    environ = {"CELERY_BROKER_URL": "redis+socket:///run/redis.sock?virtual_host=2"}

    assert settings_with(tmp_path, "", environ).settings.redis.url == Secret("unix:///run/redis.sock?db=2")


def test_our_own_settings_win(tmp_path: Path) -> None:
    environ = {
        "CELERY_BROKER_URL": "amqp://broker",
        "STREAMPOLL_REDIS_URL": "redis://ours",
        "CELERY_RESULT_BACKEND": "redis://results",
    }
    configuration = settings_with(tmp_path, "[postgres]\ndsn = 'postgresql://ours/x'", environ)

    assert configuration.settings.redis.url == Secret("redis://ours")
    assert [str(notice) for notice in configuration.notices if "CELERY" in notice.where] == [
        "CELERY_BROKER_URL: not used: redis.url is set",
        "CELERY_RESULT_BACKEND: not used: postgres.dsn is set",
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "CELERY_BROKER_URL",
            "amqp://u:pw@h",
            "amqp is not a broker that streampoll can use; set STREAMPOLL_REDIS_URL",
        ),
        ("CELERY_BROKER_URL", "redis://a;redis://b", "set STREAMPOLL_REDIS_URL to one Redis"),
        ("CELERY_RESULT_BACKEND", "redis://u:pw@h", "results are not kept in redis; set STREAMPOLL_POSTGRES_DSN"),
        ("CELERY_PREFETCH_MULTIPLIER", "0", "set pools.NAME.prefetch"),
        ("CELERY_PREFETCH_MULTIPLIER", "many", "'many' is not allowed"),
        ("CELERY_TASK_SOFT_LIMIT", "soon", "'soon' is not allowed"),
        ("CELERY_BROKER_POOL_LIMIT", "10", "one connection for each blocking reader"),
        ("CELERY_VISIBILITY_TIMEOUT", "3600", "queues.polling.claim_idle_s (30 s)"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (fault,) = faults_of(lambda: settings_with(tmp_path, "", {name: text}))

    assert fault.startswith(f"{name}: ")
    assert words in fault
    assert "pw" not in fault

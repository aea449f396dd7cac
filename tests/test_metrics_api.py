"""`/metrics` in the API: behind its gate, and with what the API itself counts."""

from pathlib import Path

import httpx

from tests.api_server_support import configured, serving
from tests.test_metrics_pages import samples
from tests.waiting import eventually


def test_the_api_answers_prometheus_and_counts_its_requests(
    open_directory: Path, fresh_redis: str, fresh_database: str
) -> None:
    with serving(configured(open_directory), fresh_redis, fresh_database) as url, httpx.Client(base_url=url) as client:
        assert samples(client.get("/metrics").content)["streampoll_redis_up{}"] == 1
        assert client.get("/metrics/device").status_code == 400
        assert client.get("/metrics/device?target=r1").status_code == 404  # nothing was stored of it yet

        def counted(code: str) -> bool:
            found = samples(client.get("/metrics").content)
            return found.get(f"streampoll_api_requests_total{{code={code}}}", 0) >= 1

        eventually(lambda: counted("2xx") and counted("4xx"))


def test_who_may_not_read_gets_no_figures(open_directory: Path, fresh_redis: str, fresh_database: str) -> None:
    gated = {"STREAMPOLL_API_TRUST_LOOPBACK": "false"}
    with serving(configured(open_directory), fresh_redis, fresh_database, **gated) as url:
        for path in ("/metrics", "/metrics/device?target=r1"):
            answer = httpx.get(url + path)
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")

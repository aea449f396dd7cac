"""A real Prometheus for tests: Debian's package `prometheus`."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streampoll.embedded.places import free_port
from tests.waiting import eventually


def program(name: str) -> str:
    """Return the path of prometheus or promtool; the test fails, and says what to install, where it isn't there."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: apt-get install prometheus")
    return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression is now: labels as `metric`, [time, value] as `value`."""
        return self._ask("query", query=expression)["result"]

    def _ask(self, what: str, **parameters: str) -> Any:
        with urllib.request.urlopen(
            f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}", timeout=10
        ) as answer:
            return json.loads(answer.read())["data"]

    def ready(self) -> bool:
        """Tell whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False


@contextmanager
def running_prometheus(where: Path, config: str = "global: {}\n") -> Iterator[Prometheus]:
    """Run one in a directory, ready to be written to; it ends with the block."""
    (where / "prometheus.yml").write_text(config)
    port = free_port()
    with (where / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [program("prometheus"), f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        eventually(lambda: process.poll() is not None or prometheus.ready(), 30.0)
        assert process.poll() is None, (where / "prometheus.log").read_text()
        yield prometheus
    finally:
        process.terminate()
        process.wait()

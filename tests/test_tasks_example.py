"""The example of docs/from-celery.md: what the page shows is what lies there, and it runs."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs_support import TOP, blocks, text_of
from tests.e2e_support import Deployment, deployment_of
from tests.servers_support import run_now
from tests.tasks_support import client_of
from tests.waiting import eventually

EXAMPLE = TOP / "docs/examples/from-celery"


def test_the_page_shows_the_files_of_the_example() -> None:
    shown = blocks(text_of("docs/from-celery.md"), "python", "toml")
    files = [EXAMPLE / name for name in ("reports.py", "workflows/nightly.toml", "ask.py")]
    assert shown == [file.read_text() for file in files]


def test_the_example_runs(tmp_path: Path, fresh_redis: str, fresh_database: str) -> None:
    where = shutil.copytree(EXAMPLE, tmp_path / "example")

    async def nightly(deployment: Deployment) -> str:
        async with client_of(deployment) as client:
            return await client.send("reports.nightly", ["berlin", "rome"], key="of a test")

    with deployment_of(where, fresh_redis, fresh_database) as deployment:
        worker = deployment.start("worker", "--pool", "tasks")
        command, env = [sys.executable, "ask.py", "."], deployment.environ
        done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "berlin: 6 devices\nberlin: 6 devices\noslo: 4 devices\n", done.stderr + worker.said
        run_now(nightly(deployment))
        eventually(
            lambda: "rome: 4 devices" in deployment.run("task", "list", "--name", "reports.publish", "--json").stdout
        )

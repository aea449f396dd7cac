"""A short run of the fault harness; `bin/chaos` is the long one. What is timed is not judged: a machine may be busy."""

import json
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
FAULTS = ("worker-killed", "segfault", "leader-killed", "redis-killed", "redis-flushed", "reply-lost-finish")


def test_under_faults_no_poll_is_missing_none_doubled_and_no_process_ends_unasked() -> None:
    arguments = [
        "--once",
        "--seed",
        "1",
        "--devices",
        "200",
        "--processes",
        "1",
        "--faults",
        ",".join(FAULTS),
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments], cwd=TOP, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert sorted(each["name"] for each in found["faults"]) == sorted(FAULTS)
    assert found["wrong"] == [], done.stderr
    assert (found["audit"]["missing"], found["audit"]["duplicates"]) == (0, 0)
    assert found["audit"]["ok"] > 1_000

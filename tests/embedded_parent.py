"""A parent of embedded servers for tests to kill: `embedded_parent.py DIRECTORY`; prints their pids, then waits."""

import signal
import sys
from pathlib import Path

from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis

if __name__ == "__main__":
    directory = Path(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `up` does: it notes the wish and stops the servers in order
    with EmbeddedRedis(directory / "redis") as redis, EmbeddedPostgres(directory / "postgres") as postgres:
        print(redis.pid, postgres.pid, flush=True)
        sys.stdin.read()

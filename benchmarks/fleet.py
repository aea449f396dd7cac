"""What the simulated fleet costs: CPU a request, in microseconds, system calls and timers included.

The fleet runs as its own process, as in the demo, with its latencies. Requests go to many devices, a window of them at
a time; the CPU time that the process used for them is divided by their number. A figure is the median of the rounds.
Beside it stands what this script spends a request: next to the least that any poller in Python can.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import psutil

from benchmarks.rig.report import Report, Table, emit, parser_of
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.embedded.fleet.ber import NULL, OCTETS, SEQUENCE, Oid, encode, encode_integer, encode_oid
from streampoll.embedded.fleet.process import spawn

SYSTEM, IF, IFX = (1, 3, 6, 1, 2, 1, 1), (1, 3, 6, 1, 2, 1, 2, 2, 1), (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
GET, GETBULK = 0xA0, 0xA5
WINDOW = 2048  # requests in flight


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request."""

    name: str
    pdu: int
    max_repetitions: int
    oids: tuple[Oid, ...]

    def encode(self, request_id: int) -> bytes:
        """Make a v2c request."""
        varbinds = b"".join(encode(SEQUENCE, encode_oid(oid) + encode(NULL, b"")) for oid in self.oids)
        numbers = encode_integer(request_id) + encode_integer(0) + encode_integer(self.max_repetitions)
        pdu = encode(self.pdu, numbers + encode(SEQUENCE, varbinds))
        return encode(SEQUENCE, encode_integer(1) + encode(OCTETS, b"public") + pdu)


CASES = (
    Case("get_10_status", GET, 0, (*((*SYSTEM, n, 0) for n in range(1, 9)), (*IF, 8, 2), (*IFX, 15, 2))),
    Case("get_10_counters", GET, 0, ((*SYSTEM, 3, 0), *((*IFX, n, port) for port in (2, 3, 4) for n in (6, 10, 15)))),
    Case("getbulk_40_counters", GETBULK, 10, tuple((*IFX, n) for n in (6, 10, 7, 11))),
    Case("getbulk_40_wrapping", GETBULK, 10, tuple((*IF, n) for n in (10, 16, 11, 17))),
)  # fmt: skip


def measure(case: Case, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the median CPU microseconds a request, the fleet's and ours, and the bytes of the last reply."""
    how = spawn(FleetSettings(devices=arguments.devices, interfaces=(16, 24)))
    child = subprocess.Popen(how.arguments, env=os.environ | how.environment, stdout=subprocess.PIPE)
    try:
        port = json.loads(child.stdout.readline())["port"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poller:
            poller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            poller.settimeout(5)
            targets = [(device_address(index), port) for index in range(arguments.devices)]
            rounds = [
                one_round(case, poller, targets, arguments.requests, child.pid) for _ in range(arguments.rounds + 1)
            ]
    finally:
        child.terminate()
        child.wait(10)
    warm = rounds[1:]
    fleet_us, ours_us = (round(statistics.median(column), 1) for column in list(zip(*warm, strict=True))[:2])
    return {"fleet_cpu_us": fleet_us, "client_cpu_us": ours_us, "reply_bytes": warm[-1][2]}


def one_round(
    case: Case, poller: socket.socket, targets: list[tuple[str, int]], requests: int, pid: int
) -> tuple[float, float, int]:
    """Ask `requests` times, a window at a time; return the fleet's CPU us a request, ours, and a reply's bytes."""
    fleet = psutil.Process(pid)
    template, reply = case.encode(1 << 24), b""
    place = template.index((1 << 24).to_bytes(4, "big"))
    before, our_before = sum(fleet.cpu_times()[:2]), time.process_time()
    for number in range(requests + WINDOW):
        if number < requests:
            request = template[:place] + (1 << 24 | number).to_bytes(4, "big") + template[place + 4 :]
            poller.sendto(request, targets[number % len(targets)])
        if number >= WINDOW:
            reply = poller.recv(65_535)
    ours_s = time.process_time() - our_before
    return (sum(fleet.cpu_times()[:2]) - before) / requests * 1e6, ours_s / requests * 1e6, len(reply)


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    parser = parser_of(__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="a round (default 20000)")
    parser.add_argument("--rounds", type=int, default=3, help="beside one to warm up (default 3)")
    parser.add_argument("--devices", type=int, default=1414, help="(default 1414)")
    arguments = parser.parse_args(argv)
    figures = {case.name: measure(case, arguments) for case in CASES}
    columns = ("", "us of the fleet", "us of this script", "bytes of a reply")
    table = Table("CPU of a request", columns, [(name, *figure.values()) for name, figure in figures.items()])
    emit(Report("fleet", figures, [table]), arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

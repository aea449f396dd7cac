"""What analysis adds to the CPU of a poll: 48 interfaces with 8 counters each, decoding included; and 20 rules on it.

One process polls a simulated fleet over SNMP and packs each outcome, then analyses the same results; CPU by the
process's clock, rounds in turns, a figure is the median round. Redis' scripts and the store are left out on both sides:
a finish carries one entry and one record more. `--rounds N` makes the figures steadier.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence

import uvloop

from benchmarks.rig.deployment import fleet_of
from benchmarks.rig.figures import median, ratio
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from streampoll.analysis.counters import Counters
from streampoll.analysis.expression import parse
from streampoll.analysis.handler import AnalysisHandler, AnalysisPorts
from streampoll.analysis.judge import RuleJudge
from streampoll.analysis.port import Judge, Judgement, Sample
from streampoll.analysis.rule import Rule, RuleSet
from streampoll.config.secret import Secret
from streampoll.config.settings import Settings, SnmpSettings
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.model import Outcome, QueueClass, Result, Target, Trace
from streampoll.pollers.protocols import make_router
from streampoll.pollers.router import Router
from streampoll.results.codec import encode_payload
from streampoll.shards.entries import Delivered, encode_analyze, encode_result
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.snmp.credential import Community
from streampoll.snmp.plan import CollectPlan, Kind, Metric, TableSpec
from streampoll.worker.port import Disposition, Finish

INTERFACES, DEVICES, MOST_SHARE = 48, 60, 0.60
MOST_BY_RULES = 0.25
IFX, IF = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1), (1, 3, 6, 1, 2, 1, 2, 2, 1)
COUNTERS = (
    ("ifHCInOctets", (*IFX, 6)), ("ifHCInUcastPkts", (*IFX, 7)), ("ifInDiscards", (*IF, 13)), ("ifInErrors", (*IF, 14)),
    ("ifHCOutOctets", (*IFX, 10)), ("ifHCOutUcastPkts", (*IFX, 11)), ("ifOutDiscards", (*IF, 19)),
    ("ifOutErrors", (*IF, 20)),
)  # fmt: skip
PLAN = CollectPlan(
    "ports",
    (Metric("sysUpTime", (1, 3, 6, 1, 2, 1, 1, 3, 0), Kind.TICKS),),
    (
        TableSpec(
            "interfaces",
            (
                Metric("ifName", (*IFX, 1), Kind.TEXT),
                Metric("ifHighSpeed", (*IFX, 15), Kind.INTEGER),
                *(Metric(name, oid, Kind.COUNTER) for name, oid in COUNTERS),
            ),
            key="ifName",
        ),
    ),
)


RULES = tuple(
    Rule(f"rule-{number}", parse(text), "interfaces")
    for number, text in enumerate(
        [f"percent({name}) > 99.9" for name, _ in COUNTERS[:1]] * 2
        + [f"rate({name}) > 1e15" for name, _ in COUNTERS]
        + [
            f"rate({first[0]}) + rate({second[0]}) > 1e15"
            for first, second in zip(COUNTERS, COUNTERS[4:], strict=False)
        ]
        + ["ifHighSpeed == 1 and rate(ifHCInOctets) > 5", "not (ifHighSpeed > 0)", "missing(ifName)"] * 2
    )
)
assert len(RULES) == 20


class NoRules:
    """Judges by no rules."""

    def judge(self, sample: Sample, state: object) -> Judgement:
        """Keep nothing."""
        return Judgement({})


async def poll_round(router: Router, slot: int) -> tuple[float, list[bytes]]:
    """Poll every device once; return CPU seconds and the payloads."""
    loop = asyncio.get_running_loop()
    began = time.process_time()

    async def one(number: int) -> bytes:
        target = Target(f"sim-{number:04}", device_address(number), 0, "ports", "default", {})
        outcome: Outcome = await router.poll(target, loop.time() + 30)
        assert outcome.status == 0, outcome.error
        return encode_payload(outcome, Trace(slot, slot, slot, slot, slot, 1, "w"))

    payloads = await asyncio.gather(*map(one, range(DEVICES)))
    return time.process_time() - began, payloads


async def analyse_round(handler: AnalysisHandler, payloads: Sequence[bytes], slot: int, rated: bool) -> float:
    """Analyse what a round of polls brought, all of it `rated` or none; return CPU seconds."""
    batch = []
    for number, payload in enumerate(payloads):
        result = encode_result(Result("ports", f"sim-{number:04}", slot, 0, 5, payload))  # type: ignore[arg-type]
        entry_id = b"%d-%d" % (slot * 1000, number)
        batch.append(Delivered(QueueClass.ANALYSIS, 0, entry_id, encode_analyze(result), 1, 0.0))
    said: list[Disposition] = []
    began = time.process_time()
    for first in range(0, len(batch), 16):
        said += await handler.handle(batch[first : first + 16])
    cpu_s = time.process_time() - began
    assert all(isinstance(each, Finish) and each.writes for each in said), "a result was not analysed"
    assert all(len(each.emits) == rated for each in said if isinstance(each, Finish)), "a result brought no rates"
    return cpu_s


async def measure(port: int, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Return CPU microseconds a poll, an analysis, and one with rules, of each round but the first two."""
    settings = Settings(snmp=SnmpSettings(port=port))
    router = make_router(settings, {"ports": PLAN}, OneCommunity())
    streams = MemoryStreams(MemoryServer(lambda: int(time.time() * 1000)))

    async def facts(names: object) -> dict[tuple[int, str], object]:
        return {}

    def handler_of(judge: Judge) -> AnalysisHandler:
        ports = AnalysisPorts(streams, facts, Counters({"ports": PLAN}), judge, time.time, 64 << 20)  # type: ignore[arg-type]
        return AnalysisHandler(ports)

    plain, ruled = handler_of(NoRules()), handler_of(RuleJudge(RuleSet(RULES)))
    polls, analyses, judged = [], [], []
    try:
        for number in range(rounds + 2):
            progress(f"round {number} of {rounds + 1}")
            slot = int(time.time()) + number
            cpu_s, payloads = await poll_round(router, slot)
            polls.append(1e6 * cpu_s / DEVICES)
            analyses.append(1e6 * await analyse_round(plain, payloads, slot, number > 0) / DEVICES)
            judged.append(1e6 * await analyse_round(ruled, payloads, slot, number > 0) / DEVICES)
            await asyncio.sleep(0.2)  # counters move on
    finally:
        await router.close()
    return polls[2:], analyses[2:], judged[2:]


class OneCommunity:
    """Credentials of which there is one, whatever it is called."""

    revision = 0
    _one = Community(Secret("public"))

    def __getitem__(self, name: str) -> Community:
        return self._one

    def held(self, name: str) -> Community:
        """Return it."""
        return self._one

    async def fetch(self, name: str) -> Community:
        """Return it."""
        return self._one

    async def look_again(self, names: Iterable[str]) -> None:
        """It never changes."""

    def protocol(self, name: str) -> str:
        """Say what it is for."""
        return "snmp"

    def names(self) -> Sequence[str]:
        """Name it."""
        return ("default",)


def main(argv: list[str]) -> int:
    """Measure and show; 1 if analysis costs more than it may."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(argv)
    with fleet_of(FleetSettings(interfaces=(INTERFACES, INTERFACES), latency_ms=(0, 0)), DEVICES) as (_, port):
        polls, analyses, judged = uvloop.run(measure(port, options.rounds))
    poll_us, analysis_us, judged_us = median(polls), median(analyses), median(judged)
    share, rules = ratio(analysis_us, poll_us) or 0.0, ratio(judged_us - analysis_us, poll_us) or 0.0
    metrics = {
        "poll_us": poll_us, "analysis_us": analysis_us, "added": share, "most": MOST_SHARE, "judged_us": judged_us,
        "added_by_rules": rules, "most_by_rules": MOST_BY_RULES,
    }  # fmt: skip
    table = Table("a poll of 48 interfaces with 8 counters each", ["", "CPU us"], [["poll", poll_us],
                  ["analysis", analysis_us], ["added", f"{100 * share:.0f} %"],
                  ["with 20 rules", judged_us], ["added by them", f"{100 * rules:.0f} %"]])  # fmt: skip
    emit(Report("analysis", metrics, [table]), options)
    return int(share > MOST_SHARE or rules > MOST_BY_RULES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

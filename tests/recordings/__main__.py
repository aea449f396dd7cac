"""`bin/recordings`: the built-in profiles against 116 recordings of real devices.

bin/recordings                                        all of them, by our fleet; about half of them by snmpsim, too
bin/recordings --recording cisco --profile cisco      those whose name has "cisco", one profile
bin/recordings --whole --recording mx960-16           as they are, however large
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from streampoll.config.profile_port import PollPlan
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report as ConfigReport
from tests.recordings import agents
from tests.recordings.catalogue import Recording, recordings
from tests.recordings.choice import plans_for
from tests.recordings.polls import Report, examine

WHOLE = ("network/router/juniper-mx960-16-1r6-7-b", "network/appliance/cisco-ucs-6100-k9")  # served whole in any case
SNMPSIM_LINES = 20_000  # a file with more takes snmpsim minutes


def main() -> int:
    """Run; 0 if nothing is wrong, 1 if something is."""
    arguments = _parser().parse_args()
    profiles = read_profiles(Path("/nonexistent"), "profiles", ConfigReport())
    if unknown := sorted(set(arguments.profile) - profiles.keys()):
        _parser().error(f"no built-in profile {', '.join(unknown)}; there are {', '.join(sorted(profiles))}")
    chosen = [each for each in recordings() if not arguments.recording or _is_named(each, arguments.recording)]
    if not chosen:
        _parser().error("no such recording (the package snmpsim-data has them)")
    work = partial(_examine, profiles=profiles, names=arguments.profile, whole=arguments.whole, by=arguments.by)
    reports = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for found in pool.map(work, chosen):
            for report in found:
                reports.append(report)
                print(_line(report), file=sys.stderr, flush=True)
    print(json.dumps([asdict(each) for each in reports]) if arguments.json else _summary(reports))
    wrong = [each for report in reports for each in report.wrong]
    for each in wrong:
        print(f"WRONG: {each}", file=sys.stderr)
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bin/recordings",
        description="Poll recordings of real devices with the built-in profiles that are for them, and compare"
        " every value with what net-snmp's tools read from the same agent.",
    )
    parser.add_argument("--profile", action="append", default=[], metavar="P", help="only this one (repeatable)")
    parser.add_argument("--recording", action="append", default=[], metavar="R", help="those whose name has this")
    parser.add_argument("--by", choices=["fleet", "snmpsim", "both"], default="both", help="who serves them  [both]")
    parser.add_argument("--whole", action="store_true", help="also large ones whole, not only what is asked for")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="recordings at a time  [default: 2]")
    parser.add_argument("--json", action="store_true", help="everything that was found, for programs")
    return parser


def _is_named(recording: Recording, words: Sequence[str]) -> bool:
    return any(word in recording.name for word in words)


def _examine(
    recording: Recording, profiles: Mapping[str, PollPlan], names: Sequence[str], *, whole: bool, by: str
) -> list[Report]:
    plans = [plan for plan in plans_for(recording, profiles) if not names or plan.profile in names]
    return list(_examined(recording, plans, whole or recording.name in WHOLE, by)) if plans else []


def _examined(recording: Recording, plans: Sequence, whole: bool, by: str) -> Iterator[Report]:  # type: ignore[type-arg]
    """Yield a report for each of those that serve it; snmpsim serves small ones, and never more than is asked for."""
    report = None
    if by != "snmpsim":
        report = examine(recording, plans, agents.fleet, whole=whole, compare=True)
        yield report
    if by != "fleet" and (report is None or whole or report.lines <= SNMPSIM_LINES):
        yield examine(recording, plans, agents.snmpsim, whole=False, compare=True)


def _line(report: Report) -> str:
    found = ", ".join(f"{poll.profile} {poll.values}" for poll in report.polls if poll.values)
    verdict = f"{len(report.wrong)} WRONG" if report.wrong else "ok"
    spoilt = f" and {report.spoilt:,} spoilt" if report.spoilt else ""
    return (
        f"{verdict:8} {report.recording} ({report.served_by}, {report.lines:,} lines{spoilt},"
        f" {report.load_s:.1f} + {report.took_s - report.load_s:.1f} s, {report.peak_mb} MB): {found or 'nothing'}"
    )


def _summary(reports: Sequence[Report]) -> str:
    polls = [poll for report in reports for poll in report.polls]
    fleets = {report.recording for report in reports if report.served_by == "fleet"}
    simulated = {report.recording for report in reports if report.served_by == "snmpsim"}
    used = ", ".join(sorted({poll.profile for poll in polls if poll.values}))
    return (
        f"{len(fleets)} recordings by the fleet, {len(simulated)} by snmpsim; {len(polls):,} polls,"
        f" {sum(poll.values for poll in polls):,} values, {sum(len(poll.wrong) for poll in polls)} wrong;"
        f" the largest agent had {max(report.peak_mb for report in reports)} MB\nprofiles that found something: {used}"
    )


if __name__ == "__main__":
    sys.exit(main())

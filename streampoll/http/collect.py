"""A plan collected from one device, whatever happens: an `Outcome`.

    each request: fill in -> ask (page by page) -> judge -> read

A request that the device refuses costs what it is for; the others go on. What concerns the device as a whole (no
connection, credentials refused before anything was answered) ends the poll: it is not asked the rest.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from streampoll.http import prometheus
from streampoll.http.extract import extract
from streampoll.http.findings import Findings
from streampoll.http.judge import check, read_json, wanted
from streampoll.http.pages import elsewhere, first_page, next_page
from streampoll.http.plan import Format, HttpPlan, Paging, Request
from streampoll.http.port import Answer, Ask, Failure
from streampoll.http.session import Kept, Session, Visit
from streampoll.http.template import Unfilled, fill_body, fill_path, fill_text, is_place
from streampoll.logs import about
from streampoll.model import Outcome, Status, Value

log = logging.getLogger(__name__)

NOT_MODIFIED: Final = "http.not_modified"  # the scalar that names the requests whose values are as before
_LARGE: Final = 1 << 16  # bytes of a body that is read in a thread, so that the loop goes on meanwhile


@dataclass(slots=True)
class Harvest:
    """What one poll has so far; complete or not, it is what the outcome is made of."""

    findings: list[Findings] = field(default_factory=list)
    known: dict[str, Value] = field(default_factory=dict)  # what templates may use
    missing: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)  # requests answered with 304
    answered: int = 0  # requests that brought data


async def collect(
    session: Session, plan: HttpPlan, known: Mapping[str, Value], device: str, deadline: float
) -> Outcome:
    """Return what a device answers until `deadline` (the loop's time). `known` is what templates may use."""
    visit, harvest = Visit(deadline), Harvest(known=dict(known))
    asked = iter(plan.requests)
    try:
        async with asyncio.timeout_at(deadline):
            for request in asked:
                if not await _serve(session, plan.profile, request, visit, harvest):
                    break
    except TimeoutError:
        harvest.failures.append(Failure(Status.TIMEOUT, f"{request.name}: not whole when the poll's time was over"))
        _give_up(request, "timeout", harvest)
    for request in asked:
        _give_up(request, f"not asked after {harvest.failures[-1].status.word}", harvest)
    for failure in harvest.failures:
        log.debug("device %s: %s", device, failure.cause, extra=about(device=device))
    return _outcome(plan, visit, harvest)


async def _serve(session: Session, profile: str, request: Request, visit: Visit, harvest: Harvest) -> bool:
    """Collect one request; False if the device is not to be asked the rest."""
    try:
        findings = await _found(session, profile, request, visit, harvest)
    except Unfilled as why:
        _give_up(request, f"not asked: {why}", harvest)
        harvest.failures.append(Failure(Status.DECODE, f"{request.name}: not asked: {why}"))
        return True
    except Failure as failure:
        ends = failure.ends_poll or (failure.status is Status.AUTH and not harvest.answered)
        harvest.failures.append(Failure(failure.status, f"{request.name}: {failure.cause}", ends, failure.step))
        _give_up(request, failure.cause, harvest)
        return not ends
    harvest.answered += 1
    harvest.findings.append(findings)
    harvest.known.update(findings.extracts)
    return True


async def _found(session: Session, profile: str, request: Request, visit: Visit, harvest: Harvest) -> Findings:
    """Return what a request finds: anew, or what was found before where the device says that nothing changed."""
    ask = fill_in(request, harvest.known)
    kept = session.kept.get((profile, ask))
    if kept is None or kept.request != request:
        return await _asked(session, profile, request, ask, visit)
    answer = await session.ask(replace(ask, headers=(*ask.headers, *kept.validators)), visit)
    if answer.status != 304:
        return await _read(session, profile, request, ask, answer, visit)
    visit.tally.at = answer.at
    harvest.unchanged.append(request.name)
    for rows in kept.findings.tables.values():
        rows.as_of(answer.at)
    return kept.findings


async def _asked(session: Session, profile: str, request: Request, ask: Ask, visit: Visit) -> Findings:
    start = first_page(ask, request.paging) if request.paging else ask
    return await _read(session, profile, request, start, await session.ask(start, visit), visit)


async def _read(session: Session, profile: str, request: Request, ask: Ask, answer: Answer, visit: Visit) -> Findings:
    """Read an answer and the pages behind it."""
    answer = await _followed(session, request, ask, answer, visit)
    check(answer, request)
    findings = Findings()
    document = await _parse(request, answer, findings, True)
    visit.tally.at = answer.at
    if request.paging:
        await _read_pages(session, request, request.paging, (ask, answer, document), findings, visit)
    if not findings.found():
        raise Failure(Status.DECODE, "its answer has nothing of what the profile asks for")
    if request.conditional and (validators := _validators(answer)):
        session.keep(profile, ask, Kept(request, validators, findings))
    return findings


async def _read_pages(
    session: Session, request: Request, paging: Paging, page: tuple[Ask, Answer, Any], findings: Findings, visit: Visit
) -> None:
    """Read the pages after the first; a page that fails leaves the tables incomplete."""
    seen = {page[0]}
    try:
        while following := next_page(page[0], paging, page[2], page[1], findings.page_rows):
            if len(seen) >= paging.most or following in seen:
                _cut(findings, "its pages go in a circle" if following in seen else f"more than {paging.most} pages")
                return
            seen.add(following)
            answer = await session.ask(following, visit)
            check(answer, request)
            page = following, answer, await _parse(request, answer, findings, False)
            if all(rows.is_full for rows in findings.tables.values()):
                return
    except Failure as failure:
        _cut(findings, f"page {len(seen)}: {failure.cause}")


def _cut(findings: Findings, reason: str) -> None:
    for rows in findings.tables.values():
        rows.stopped = rows.stopped or reason


async def _followed(session: Session, request: Request, ask: Ask, answer: Answer, visit: Visit) -> Answer:
    """Follow redirects as far as the request allows, always on the same device."""
    for _ in range(request.redirects):
        if answer.status not in (301, 302, 303, 307, 308) or request.method != "GET":
            break
        ask = elsewhere(ask, answer.headers.get("location", ""))
        answer = await session.ask(ask, visit)
    return answer


async def _parse(request: Request, answer: Answer, findings: Findings, first: bool) -> Any:
    """Read a body into `findings`; return the document."""
    if len(answer.body) > _LARGE:
        return await asyncio.to_thread(_parse_now, request, answer, findings, first)
    return _parse_now(request, answer, findings, first)


def _parse_now(request: Request, answer: Answer, findings: Findings, first: bool) -> Any:
    if request.format is Format.JSON:
        document = read_json(answer.body)
        extract(document, request, findings, answer.at, first)
        return document
    text = answer.body.decode("utf-8", "replace")
    prometheus.read(text, answer.content_type, request, findings, answer.at)
    return None


def fill_in(request: Request, known: Mapping[str, Value]) -> Ask:
    """Return a request with the values of earlier ones in its places.

    Raises:
        Unfilled: one is missing.
        Failure: the path is an address that an earlier answer named, and it is none.
    """
    content, kind = fill_body(request.body, known) if request.body else (b"", "")
    headers = [("Accept", wanted(request)), *request.headers, *((("Content-Type", kind),) if kind else ())]
    query = tuple((name, fill_text(value, known)) for name, value in request.query)
    if not is_place(request.path):
        return Ask(request.method, fill_path(request.path, known), query, tuple(headers), content)
    named = elsewhere(Ask(request.method, "/", (), tuple(headers), content), fill_text(request.path, known))
    return replace(named, query=(*named.query, *query))


def _validators(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask whether an answer is still good (RFC 9110, 13.1); none if it can't be told."""
    pairs = (("If-None-Match", answer.headers.get("etag")), ("If-Modified-Since", answer.headers.get("last-modified")))
    return tuple((name, value) for name, value in pairs if value and value.isascii() and value.isprintable())


def _give_up(request: Request, reason: str, harvest: Harvest) -> None:
    """Say of all that a request is for why it is missing."""
    harvest.missing.update(dict.fromkeys(request.gives or (request.name,), reason))


def _outcome(plan: HttpPlan, visit: Visit, harvest: Harvest) -> Outcome:
    tables = {name: rows for each in harvest.findings for name, rows in each.tables.items()}
    cut = {name: rows.stopped for name, rows in tables.items() if rows.stopped}
    outcome = Outcome(
        Status.OK,
        values={name: value for each in harvest.findings for name, value in each.values.items()},
        tables={name: rows.table() for name, rows in tables.items()},
        missing=harvest.missing | {name: why for each in harvest.findings for name, why in each.missing.items()} | cut,
        at=visit.tally.at,
        first_reply=visit.tally.first_reply,
        requests=visit.tally.requests,
        asked=visit.tally.asked,
    )
    if harvest.answered and any(request.conditional for request in plan.requests):
        outcome.values = {**outcome.values, NOT_MODIFIED: ", ".join(harvest.unchanged)}
    if harvest.failures:
        outcome.status = Status.PARTIAL if harvest.answered else harvest.failures[0].status
        outcome.error, outcome.step = harvest.failures[0].cause, harvest.failures[0].step
    elif cut:
        name, why = next(iter(cut.items()))
        outcome.status, outcome.error = Status.PARTIAL, f"{name} is cut: {why}"
    return outcome

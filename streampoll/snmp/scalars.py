"""GET: many values in few requests; what an agent refuses is isolated, and costs only itself.

A request that fails as a whole is taken apart: one too large is halved; one that stumbles over a varbind (v1's
noSuchName, genErr) is asked again without it. Each step makes a request smaller, so it ends.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Generic

import msgspec

from streampoll.model import Value
from streampoll.snmp.ber import COUNTER32, encode_oid
from streampoll.snmp.compiled import Chunk, Key, Want, make_chunk, split
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.convert import NONEXISTENT, convert
from streampoll.snmp.engine import Failure, Reply
from streampoll.snmp.message import ErrorStatus, Varbind
from streampoll.snmp.plain_values import PlainValues


class Answers(msgspec.Struct, Generic[Key], gc=False):
    """What became of a set of wants, by their keys."""

    values: dict[Key, Value] = msgspec.field(default_factory=dict)  # in the order of the wants
    reasons: dict[Key, str] = msgspec.field(default_factory=dict)  # why there is no value
    counter32: dict[Key, None] = msgspec.field(default_factory=dict)  # those that came as a Counter32
    at: float = 0.0  # wall clock of the first reply with values
    failure: Failure | None = None  # what ended the talk early


async def get(
    talk: Conversation, chunks: Sequence[Chunk[Key]], first: Reply | Failure | None = None
) -> Answers[Key]:  # fmt: skip
    """Ask for all wants of `chunks`; each has a value or a reason when it returns.

    `first` is what came of the first chunk's request, if that was asked before.
    """
    answers: Answers[Key] = Answers()
    line = [*reversed(chunks)]  # the next one last
    while line:
        chunk = line.pop()
        wants = chunk.wants
        if len(wants) > talk.limit:  # an earlier request showed what the agent can answer
            line.extend(map(make_chunk, reversed(split(wants, talk.limit, talk.agent.limits.max_reply_bytes))))
            continue
        result, first = first or talk.note(await talk.send(chunk.request)), None
        if isinstance(result, Reply) and result.error_status == 0:
            _take(answers, chunk, result)
            continue
        again = _take_apart(talk, answers, wants, result)
        if again is None:
            assert isinstance(result, Failure)
            answers.failure = result
            _miss(answers, wants, result.status.word)
            for rest in reversed(line):
                _miss(answers, rest.wants, f"not asked after {result.status.word}")
            break
        line.extend(map(make_chunk, reversed(again)))
    return answers


async def get_wants(talk: Conversation, wants: Sequence[Want[Key]]) -> Answers[Key]:
    """Ask for wants that were not known beforehand."""
    limits = talk.agent.limits
    runs = split(wants, min(talk.limit, limits.max_varbinds), limits.max_reply_bytes)
    return await get(talk, [make_chunk(run) for run in runs])


async def get_fallbacks(talk: Conversation, wants: Sequence[Want[Key]], answers: Answers[Key]) -> None:
    """Ask for the fallbacks of wants that don't exist; an answer counts as that of the want."""
    if answers.failure is not None or not answers.reasons:
        return
    instead = [
        Want.of(want.key, want.metric, encode_oid(want.metric.fallback))
        for want in wants
        if want.metric.fallback is not None and answers.reasons.get(want.key) in NONEXISTENT
    ]
    if not instead:
        return
    others = await get_wants(talk, instead)
    answers.failure = others.failure
    answers.at = answers.at or others.at
    answers.counter32 |= others.counter32
    values = answers.values | others.values
    answers.values = {want.key: values[want.key] for want in wants if want.key in values}
    for key in others.values:
        del answers.reasons[key]


def _take(answers: Answers[Key], chunk: Chunk[Key], reply: Reply) -> None:
    """Note a reply's values."""
    if not answers.at:
        answers.at = reply.at
    if isinstance(reply.plain, PlainValues):
        _take_plain(answers, chunk.keys, reply.plain)
    else:
        _take_varbinds(answers, chunk.wants, reply.varbinds)


def _take_plain(answers: Answers[Key], keys: Sequence[Key], plain: PlainValues) -> None:
    """Note values of the form that was expected: one for each key."""
    answers.values.update(zip(keys, plain.values, strict=True))
    for key in narrow(keys, plain):
        answers.counter32[key] = None


def narrow(keys: Sequence[Key], plain: PlainValues) -> tuple[Key, ...]:
    """Return which values came as a Counter32."""
    return tuple([keys[place] for place in _narrow(plain.tags)]) if COUNTER32 in plain.tags else ()


@lru_cache(maxsize=1024)
def _narrow(tags: bytes) -> tuple[int, ...]:
    """Return the places of Counter32s; remembered, since devices of a kind have the same."""
    return tuple(place for place, tag in enumerate(tags) if tag == COUNTER32)


def _take_varbinds(answers: Answers[Key], wants: Sequence[Want[Key]], varbinds: Sequence[Varbind]) -> None:
    """Note what came, whatever it is."""
    if len(varbinds) != len(wants):
        _miss(answers, wants, f"{len(varbinds)} values in answer to {len(wants)}")
        return
    for want, (oid, tag, wire) in zip(wants, varbinds, strict=True):
        if oid != want.oid:
            answers.reasons[want.key] = "another OID in answer"
            continue
        plain = want.plain
        if type(wire) is plain and (plain is not int or wire >= 0):  # type: ignore[operator]
            answers.values[want.key] = wire  # type: ignore[assignment]  # none of PLAIN is Absent
            if tag == COUNTER32:
                answers.counter32[want.key] = None
            continue
        value, reason = convert(want.metric.kind, tag, wire)
        if reason:
            answers.reasons[want.key] = reason
        else:
            answers.values[want.key] = value
            if tag == COUNTER32:
                answers.counter32[want.key] = None


def _take_apart(
    talk: Conversation, answers: Answers[Key], wants: Sequence[Want[Key]], result: Reply | Failure
) -> list[Sequence[Want[Key]]] | None:
    """Decide what to ask again after a refusal; None ends the talk."""
    middle = len(wants) // 2
    if talk.too_large(len(wants), result):
        return [wants[:middle], wants[middle:]]
    if isinstance(result, Failure):
        return None
    name = ErrorStatus.name_of(result.error_status)
    at = result.error_index - 1
    if 0 <= at < len(wants):
        answers.reasons[wants[at].key] = name
        rest = [*wants[:at], *wants[at + 1 :]]
        return [rest] if rest else []
    if len(wants) > 1:
        return [wants[:middle], wants[middle:]]
    answers.reasons[wants[0].key] = name
    return []


def _miss(answers: Answers[Key], wants: Sequence[Want[Key]], reason: str) -> None:
    """Note the same reason for several wants."""
    for want in wants:
        answers.reasons[want.key] = reason

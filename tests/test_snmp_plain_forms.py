"""What is compiled for replies, and when: little at a time, for what comes often, never in place of another."""

from collections.abc import Iterator

import pytest

from streampoll.snmp import ber, plain_forms
from streampoll.snmp.compiled import CompiledPlan
from streampoll.snmp.engine import Limits
from streampoll.snmp.plain_cells import INTEGERS, SORTS, Sort
from streampoll.snmp.plain_forms import FORMS, NEVER, Forms, PiecedForm
from streampoll.snmp.plain_rows import RowsForm
from streampoll.snmp.plan import CollectPlan, Kind, Metric
from tests.snmp_model_support import forms_at_once

TEXTS = SORTS[Kind.TEXT]


class Compiler:
    """Makes expressions, and remembers of what."""

    def __init__(self) -> None:
        self.made: list[tuple[int, int]] = []

    def make(self, start: int, stop: int) -> bytes:
        self.made.append((start, stop))
        return b"x"


@pytest.fixture
def compiler() -> Compiler:
    return Compiler()


def test_a_form_is_compiled_once_it_came_often(compiler: Compiler) -> None:
    forms = Forms(patience=3, every=1)
    form = forms.add("table", [INTEGERS], compiler.make)

    assert [bool(forms.want(form)) for _ in range(5)] == [False, False, False, True, True]
    assert compiler.made == [(0, 1)]
    assert forms.add("table", [INTEGERS], compiler.make) is form


def test_what_comes_seldom_is_not_compiled_however_many_they_are(compiler: Compiler) -> None:
    forms = Forms(patience=3, every=1)
    for _ in range(3):
        for number in range(500):
            forms.want(forms.add(number, [INTEGERS], compiler.make))

    assert compiler.made == []


def test_between_two_pieces_are_many_replies(compiler: Compiler) -> None:
    forms = Forms(patience=0, every=100)
    made = []
    for number in range(500):
        forms.want(forms.add(number % 7, [TEXTS] * 3, compiler.make))
        made.append(len(compiler.made))

    assert made == [number // 100 for number in range(1, 501)]


def test_a_form_is_used_once_all_its_pieces_are_compiled(compiler: Compiler) -> None:
    forms = Forms(patience=0, every=1)
    form = forms.add("table", [TEXTS] * 5, compiler.make)

    assert [len(forms.want(form)) for _ in range(3)] == [0, 0, 3]
    assert compiler.made == [(0, 2), (2, 4), (4, 5)]


def test_none_is_compiled_in_place_of_another(compiler: Compiler) -> None:
    forms = Forms(patience=0, every=0, pieces=2)
    first, second, third = [forms.add(number, [INTEGERS], compiler.make) for number in range(3)]

    assert [bool(forms.want(form)) for form in (first, second, third, third, first)] == [True, True, False, False, True]
    assert len(compiler.made) == 2


def test_no_form_is_begun_that_can_not_be_finished(compiler: Compiler) -> None:
    forms = Forms(patience=0, every=1, pieces=3)
    first, second = [forms.add(number, [TEXTS] * 3, compiler.make) for number in range(2)]
    for _ in range(3):
        forms.want(first)
        forms.want(second)

    assert (len(first.pieces), len(second.pieces)) == (2, 0)
    assert len(compiler.made) == 2


def test_no_more_than_so_many_are_known(compiler: Compiler) -> None:
    forms = Forms(patience=0, every=0, most=2)
    kept = [forms.add(number, [INTEGERS], compiler.make) for number in range(2)]
    more = forms.add(2, [INTEGERS], compiler.make)

    assert more is NEVER
    assert not forms.want(more)
    assert [forms.add(number, [INTEGERS], compiler.make) for number in range(2)] == kept


def test_a_large_form_is_not_compiled(compiler: Compiler) -> None:
    forms = Forms(patience=0, every=0)

    assert forms.want(forms.add("large", [TEXTS] * 20, compiler.make))
    compiler.made.clear()
    assert not forms.want(forms.add("too large", [TEXTS] * 21, compiler.make))
    assert compiler.made == []


@pytest.mark.parametrize("sorts", [[TEXTS] * 20, [INTEGERS] * 60, [SORTS[Kind.OID], TEXTS, INTEGERS] * 6])
def test_no_piece_takes_long_to_compile(sorts: list[Sort]) -> None:
    form = PiecedForm(sorts, lambda start, stop: b"")

    assert [place for start, stop in form.cuts for place in range(start, stop)] == [*range(len(sorts))]
    for start, stop in form.cuts:
        branches = sum(len(sort.sizes) for sort in sorts[start:stop])
        assert branches <= 130, "5 ms, by measurement: 38 us a branch of texts, 55 of an integer"
        assert stop - start <= 10


def rows(table: int, index: bytes) -> tuple[RowsForm, bytes]:
    """Return a table of six columns, and a reply with a row of it."""
    kinds = [Kind.TEXT, Kind.TEXT, Kind.COUNTER, Kind.COUNTER, Kind.INTEGER, Kind.INTEGER]
    prefixes = tuple([ber.encode_oid((1, 3, 6, 1, 4, 1, table, 1, column)) for column in range(1, 7)])
    cells = [
        ber.encode_tlv(ber.OBJECT_IDENTIFIER, prefix + index)
        + ber.encode_tlv(ber.OCTET_STRING if kind is Kind.TEXT else ber.INTEGER, b"\x05")
        for prefix, kind in zip(prefixes, kinds, strict=True)
    ]
    data = ber.encode_tlv(ber.SEQUENCE, b"".join(ber.encode_tlv(ber.SEQUENCE, cell) for cell in cells))
    return RowsForm(prefixes, tuple([SORTS[kind] for kind in kinds]), 0), data


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PiecedForm]]:
    """Have the forms of a new process; returns those of which a piece was compiled, as they are."""
    found: list[PiecedForm] = []
    compile_one = PiecedForm.compile_one

    def compile_noted(form: PiecedForm) -> None:
        found.append(form)
        compile_one(form)

    monkeypatch.setattr(PiecedForm, "compile_one", compile_noted)
    with forms_at_once(plain_forms._PIECE):
        usual = Forms()
        for name in ("patience", "every", "left", "most"):
            monkeypatch.setattr(FORMS, name, getattr(usual, name))
        monkeypatch.setattr(FORMS, "_since", 0)
        yield found


def test_a_fleet_of_many_tables_is_read_without_compiling_again_and_again(compiled: list[PiecedForm]) -> None:
    """540 forms shared 256 places: each reply compiled its own, in 7 ms, and drove another's out."""
    replies = [rows(table, bytes(size)) for table in range(180) for size in (1, 2, 3)]
    read = 0
    for _ in range(200):
        read = sum(form.read(data, 0) is not None for form, data in replies)

    assert len(compiled) == 512
    assert read == 256, "those that have a form keep it"


def scalars(kind: Kind, count: int) -> CompiledPlan:
    metrics = [Metric(f"m{number}", (1, 3, 6, 1, 4, 1, 9, number, 0), kind) for number in range(count)]
    return CompiledPlan(CollectPlan("p", tuple(metrics)))


def test_making_requests_compiles_nothing(compiled: list[PiecedForm]) -> None:
    """The forms of all requests of a plan were compiled at once: 300 ms for 200 texts."""
    chunks = scalars(Kind.TEXT, 200).chunks(Limits(), 10_000)

    assert len(chunks) > 1
    assert compiled == []


def test_an_agent_whose_requests_grow_again_has_no_forms_until_they_are_as_usual() -> None:
    """Each limit had its own, 26 times 70 ms."""
    plan, most = scalars(Kind.COUNTER, 60), Limits().max_varbinds

    assert {chunk.request.form for limit in range(1, most) for chunk in plan.chunks(Limits(), limit)} == {None}
    assert None not in {chunk.request.form for chunk in plan.chunks(Limits(), most)}
    small = Limits(max_varbinds=most // 2)
    assert None not in {chunk.request.form for chunk in plan.chunks(small, 10_000)}, "as usual there"
    large = Limits(max_varbinds=most * 2)
    assert {chunk.request.form for chunk in plan.chunks(large, most)} == {None}, (
        "though others' usual requests are such"
    )

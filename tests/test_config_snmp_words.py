"""The words of SNMP profiles: what they compile to, and one clear line for each that is wrong."""

from pathlib import Path

import pytest

from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.snmp.plan import Change, CollectPlan, Condition, Form, IndexPart, Kind, Metric, PartKind

A = 'a = { oid = "1.3.6.1.4.1.99.1", type = "integer" }'
TABLE = f"[tables.t.columns]\n{A}\n"


def read(directory: Path, **files: str) -> tuple[CollectPlan | None, list[str]]:
    """Compile the profile `mine`; returns it with the faults."""
    for name, text in files.items():
        (directory / f"{name}.toml").write_text(text)
    report = Report()
    plan = read_profiles(directory, "profiles", report).get("mine")
    assert plan is None or isinstance(plan, CollectPlan)
    return plan, list(map(str, report.faults))


def compiled(directory: Path, **files: str) -> CollectPlan:
    plan, faults = read(directory, **files)
    assert not faults
    assert plan is not None
    return plan


def test_transforms_and_display(tmp_path: Path) -> None:
    text = """
        [scalars]
        a = { oid = "1.3.6.1.4.1.99.1.0", type = "integer", divide = 10, scale = 2, offset = -1.5, unit = "C" }
        b = { oid = "1.3.6.1.4.1.99.2.0", type = "text", extract = '(.)', as = "number", display = "d-1", keep = false }
        c = { from = "b", null = "-", extract = [{ match = "x", value = "1" }], times = "a" }
        d = { oid = "1.3.6.1.4.1.99.3.0", sensor = { scale = "a", precision = "c" } }
    """
    a, b, c, d = compiled(tmp_path, mine=text).scalars
    assert (a.change, a.unit) == (Change(divide=10, scale=2, offset=-1.5), "C")
    assert (b.change, b.display, b.keep) == (Change(extract=(("(.)", ""),), form=Form.NUMBER), "d-1", False)
    assert (c.source, c.oid, c.kind) == ("b", (), Kind.TEXT)  # the type of what it is made from
    assert c.change == Change(null=("-",), extract=(("x", "1"),), times="a")
    assert d.change == Change(sensor_scale="a", sensor_precision="c")


def test_an_index_and_a_look_up(tmp_path: Path) -> None:
    text = """
        [tables.t]
        key = "name"
        index = [
          { name = "i", type = "integer", enum = { 1 = "one" } },
          { name = "m", type = "mac" }, { name = "f", type = "bytes", size = 8 }, { name = "n", type = "inet" },
          { name = "l", type = "text", implied = true, keep = false },
        ]
        [tables.t.columns]
        a = { oid = "1.3.6.1.4.1.99.1" }
        name = { oid = "1.3.6.1.4.1.99.2", type = "text", by = ["i", 0, "a"] }
        full = { oid = "1.3.6.1.4.1.99.2", type = "text", by = "index" }
    """
    (table,) = compiled(tmp_path, mine=text).tables
    assert table.index == (
        IndexPart(Metric("i", (), Kind.INTEGER, enum=((1, "one"),)), PartKind.INTEGER),
        IndexPart(Metric("m", (), Kind.MAC), PartKind.BYTES, 6),
        IndexPart(Metric("f", (), Kind.BYTES), PartKind.BYTES, 8),
        IndexPart(Metric("n", (), Kind.IP), PartKind.INET),
        IndexPart(Metric("l", (), Kind.TEXT, keep=False), PartKind.TEXT, 0, True),
    )
    assert [column.by for column in table.columns] == [(), ("i", 0, "a"), ("index",)]


def test_conditions(tmp_path: Path) -> None:
    text = """
        when = { sysObjectID = { under = ".1.3.6.1.4.1.9" } }
        [scalars]
        s = { oid = "1.3.6.1.4.1.99.1.0", when = { sysDescr = { match = "x" } } }
        [tables.t]
        where = { a = [1, "up"], i = { is_not = 3, exists = true } }
        index = [{ name = "i", type = "integer" }]
        [tables.t.columns]
        a = { oid = "1.3.6.1.4.1.99.1" }
    """
    plan = compiled(tmp_path, mine=text)
    cisco = Condition("sysObjectID", under=("1.3.6.1.4.1.9",))
    assert plan.scalars[0].when == (cisco, Condition("sysDescr", match="x"))
    assert plan.tables[0].columns[0].when == (cisco,)
    assert plan.tables[0].where == (Condition("a", equals=(1, "up")), Condition("i", differs=(3,), exists=True))


def test_a_condition_of_a_file_is_not_that_of_what_it_extends(tmp_path: Path) -> None:
    base = f"[tables.t.columns]\n{A}"
    mine = 'extends = ["base"]\nwhen = { sysDescr = "x" }\n[tables.t.columns]\nb = { oid = "1.3.6.1.4.1.99.2" }'
    (table,) = compiled(tmp_path, base=base, mine=mine).tables
    assert [bool(column.when) for column in table.columns] == [False, True]


def test_what_is_extended_can_be_left_out(tmp_path: Path) -> None:
    mine = 'extends = ["interfaces"]\nwithout = ["ifNumber", "interfaces.ifAlias", "interfaces.ifName"]\n'
    plan = compiled(tmp_path, mine=mine + 'suits = ["1.3.6.1.4.1.9.1"]')
    (table,) = plan.tables
    assert "ifNumber" not in {metric.name for metric in plan.scalars}
    assert not {"ifAlias", "ifName"} & {metric.name for metric in table.columns}
    assert (table.key, plan.suits) == ("", ((1, 3, 6, 1, 4, 1, 9, 1),))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "a = { oid = 'IF-MIB::ifInOctets' }",
            "a.oid: 'IF-MIB::ifInOctets' is a name, not an OID; compile it: streampoll",
        ),
        ("a = { type = 'text' }", "a: 'oid' is missing"),
        ("a = { oid = '1.3.6', from = 'b' }", "a.from: it has an OID already; write oid or from"),
        ("a = { from = 3 }", "a.from: 3 is not allowed; expected the name"),
        ("a = { from = 'b' }", "a.from: 'b' is not there"),
        ("a = { oid = '1.3.6', times = 'A' }", "a.times: 'A' is not there; did you mean 'a'?"),
        ("a = { oid = '1.3.6', as = 'numbr' }", "a.as: 'numbr' is not allowed; did you mean 'number'?"),
        (
            "a = { oid = '1.3.6', as = 'epoch' }",
            "a.as: 'epoch' does not fit: not for type auto; it is for bytes, datetime",
        ),
        (
            "a = { oid = '1.3.6', type = 'text', as = 'mac', extract = 'x' }",
            "a.as: 'mac' does not fit: what was extracted",
        ),
        ("a = { oid = '1.3.6', type = 'counter', divide = 8 }", "a.divide: a counter is kept exact; scale its rate"),
        ("a = { oid = '1.3.6', divide = 0 }", "a.divide: 0 is not allowed; expected a number other than 0"),
        ("a = { oid = '1.3.6', scale = '2' }", "a.scale: '2' is not allowed; expected a number"),
        ("a = { oid = '1.3.6', extract = '(' }", "a.extract: '(' is not a regular expression"),
        ("a = { oid = '1.3.6', extract = [{ value = 'x' }] }", "a.extract:"),
        ("a = { oid = '1.3.6', extract = [{ match = 'x', value = '$1' }] }", "a.extract: 'x' has no group 1"),
        ("a = { oid = '1.3.6', display = '2z' }", "a.display: '2z' is not a DISPLAY-HINT"),
        ("a = { oid = '1.3.6', null = [] }", "a.null: [] is not allowed"),
        ("a = { oid = '1.3.6', by = 'index' }", "a.by: a scalar has no row to look up"),
        ("a = { oid = '1.3.6', when = { b = 1 } }", "a.when.b: 'b' is no scalar that is asked of every device"),
        ("a = { oid = '1.3.6', when = { sysDescr = {} } }", "a.when.sysDescr: no condition"),
        ("a = { oid = '1.3.6', when = { sysDescr = { like = 'x' } } }", "a.when.sysDescr.like: unknown key"),
        ("a = { oid = '1.3.6', when = { sysDescr = { match = '(' } } }", "a.when.sysDescr.match: '(' is not a regular"),
        ("a = { oid = '1.3.6', when = { sysObjectID = { under = 'x.' } } }", "sysObjectID.under: 'x.' is not an OID"),
        ("a = { oid = '1.3.6', sensor = { factor = 'a' } }", "a.sensor.factor: unknown key"),
        (
            "a = { oid = '1.3.6', times = 'b' }\nb = { oid = '1.3.7', times = 'a' }",
            "'a' needs itself; break the circle",
        ),
    ],
)
def test_a_scalar_that_is_wrong_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    _, (line,) = read(tmp_path, mine=f"[scalars]\n{text}\n")
    assert line.startswith("profiles/mine.toml:")
    assert fault in line


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[tables.t]\nindex = 'i'\n" + TABLE, "tables.t.index: 'i' is not a list"),
        ("[tables.t]\nindex = [{ name = 'i' }]\n" + TABLE, "tables.t.index[0]: 'type' is missing"),
        ("[tables.t]\nindex = [{ name = 'i', type = 'int' }]\n" + TABLE, "did you mean 'inet'?"),
        ("[tables.t]\nindex = [{ name = 'i', type = 'oid', size = 3 }]\n" + TABLE, "size: type oid has no size"),
        (
            "[tables.t]\nindex = [{ name = 'i', type = 'integer', implied = true }]\n" + TABLE,
            "implied: its length is known",
        ),
        (
            "[tables.t]\nindex = [{ name = 'i', type = 'text', implied = true }, { name = 'j', type = 'text' }]\n"
            + TABLE,
            "index[0]: 'i' is implied, and not the last",
        ),
        ("[tables.t]\nindex = [{ name = 'a', type = 'text' }]\n" + TABLE, "tables.t.index: 'a' is there twice"),
        ("[tables.t]\nindex = [{ name = 'index', type = 'text' }]\n" + TABLE, "'index' has another meaning in rows"),
        ("[tables.t.columns]\na = { oid = '1.3.6', by = 'index' }\n", "tables.t: has no column that is walked"),
        (TABLE + "b = { oid = '1.3.7', by = 'c' }\n", "columns.b.by: 'c' is not there"),
        (TABLE + "b = { oid = '1.3.7', by = [] }\n", "columns.b.by: [] is not allowed"),
        (TABLE + "b = { oid = '1.3.7', by = 'c' }\nc = { oid = '1.3.8', by = 'b' }\n", "'b' needs itself"),
        (TABLE + "[tables.t.where]\nb = 1\n", "tables.t.where.b: is no column; known: a"),
        (TABLE + "[tables.t.where]\na = { match = '*' }\n", "tables.t.where.a.match: '*' is not a regular"),
        (TABLE + "b = { oid = '1.3.6.1.4.1.99.1' }\n", "has the OID of 'a'; leave one out, or write from = \"a\""),
        ("[tables.t]\nkey = 'b'\n" + TABLE + "b = { oid = '1.3.7', keep = false }\n", "tables.t.key: 'b' is not kept"),
        ("without = ['b']\n[tables.t]\n" + TABLE, "without: nothing that is extended has 'b'"),
        ("suits = ['cisco']\n" + TABLE, "suits: 'cisco' is a name, not an OID"),
    ],
)
def test_a_table_that_is_wrong_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    _, (line,) = read(tmp_path, mine=text)
    assert line.startswith("profiles/mine.toml:")
    assert fault in line

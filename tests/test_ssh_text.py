"""The pure parts: screens, prompts, the allow-list, parsing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streampoll.model import Table
from streampoll.ssh.allow import why_refused
from streampoll.ssh.parse import MAX_ROWS, REGEX_LIMIT, parse_all
from streampoll.ssh.plan import Command, Field, Format, Type
from streampoll.ssh.platforms import PLATFORMS
from streampoll.ssh.prompt import learn, may_be_prompt
from streampoll.ssh.screen import shown
from streampoll.ssh.templates import _index

# -- screens


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"one\r\ntwo\r\r\nthree\nfour", ["one", "two", "three", "four"]),
        (b"\x1b[1;32mgreen\x1b[0m \x1b]0;title\x07text\x1b(B", ["green text"]),
        (b"--More--\r        \rnext", ["next"]),
        (b"  ---- More ----\x1b[16D                \x1b[16Dnext", ["next"]),
        (b"--More--\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\bnext", ["next"]),
        (b"lines 1-23\r\x1b[Knext", ["next"]),
        (b"\x1b[2J\x1b[HMenu", ["Menu"]),
        (b"show vresion\b\b\b\b\b\bersion", ["show version"]),
        (b"\x07bell\x00 \x0bform\x0c", ["bell form"]),
        ("Zürich \xff".encode("latin-1"), ["Z\ufffdrich \ufffd"]),
        (b"cut in an escape \x1b", ["cut in an escape"]),
        (b"\x1b[999999999Dx", ["x"]),
        (b"trailing   \r\n", ["trailing", ""]),
    ],
)
def test_a_screen_shows_what_a_terminal_would(data: bytes, lines: list[str]) -> None:
    assert shown(data) == lines


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from([b"\x1b[", b"\x1b]", b"\x1b", b"9", b"D", b"K", b"\r", b"\n", b"\b", b"x", b"\x0e", b"\xff"])
    )
)
def test_no_bytes_are_too_much_for_a_screen(parts: list[bytes]) -> None:
    data = b"".join(parts)
    lines = shown(data)

    assert sum(map(len, lines)) <= len(data)
    assert not any(set(line) & set("\r\b\x0b\x0e\x1b") for line in lines)


def test_a_cursor_that_is_sent_far_to_the_left_takes_no_memory() -> None:
    assert shown(b"x" + b"\x1b[999999999999D" * 50_000 + b"y") == ["y"]


# -- prompts


@pytest.mark.parametrize(
    ("prompt", "also", "not_this"),
    [
        ("R1>", ["R1#", "R1(config)#", "R1(config-if)#"], ["R2>", "R1", "xR1>", "R1> show"]),
        ("<HUAWEI>", [], ["<HUAWEI2>", "HUAWEI>"]),
        ("poller@mx960>", ["poller@mx960#"], ["mx960>"]),
        ("A:bras#", ["*A:bras#"], ["B:bras#"]),
        ("[admin@MikroTik] >", [], ["[admin] >"]),
        ("(Cisco Controller) >", [], [">", "#"]),
        ("user@host:~$", [], ["user@host:~$ ls"]),
        (">", [], ["#", "x>"]),
    ],
)
def test_a_prompt_allows_for_what_varies_of_it(prompt: str, also: list[str], not_this: list[str]) -> None:
    learned = learn(prompt, prompt)

    assert learned is not None
    assert all(learned.fullmatch(each) for each in [prompt, *also])
    assert not any(learned.fullmatch(each) for each in not_this)


def test_a_prompt_is_seen_twice_and_may_count() -> None:
    counted = learn("* X440.1 #", "* X440.2 #")

    assert learn("Keep out!>", "R1>") is None
    assert counted is not None
    assert counted.fullmatch("X440.173 #")


@pytest.mark.parametrize("line", ["Password:", "login as:", "User:", "Continue? [y/n]:", "", "plain text", "PIN:"])
def test_a_question_is_no_prompt(line: str) -> None:
    assert not may_be_prompt(line)


# -- platforms


@pytest.mark.parametrize("name", sorted(PLATFORMS.keys() - {"apc_aos", "menu"}))
def test_a_platform_is_named_as_in_ntc_templates(name: str) -> None:
    assert any(row["Platform"].fullmatch(name) for row in _index().compiled)


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_patterns_of_a_platform_are_regular_expressions(name: str) -> None:
    platform = PLATFORMS[name]

    assert all(map(re.compile, (*platform.errors, platform.noise)))
    assert not any(re.search(error, "GigabitEthernet0/1 is up") for error in platform.errors)


# -- what only reads


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("cisco_ios", "show version"),
        ("cisco_ios", "show running-config | include ^interface|^ description"),
        ("cisco_nxos", "show interface | json | no-more"),
        ("juniper_junos", 'show interfaces | match "up|down" | no-more'),
        ("juniper_junos", "show version | display json"),
        ("huawei_vrp", "display interface brief"),
        ("mikrotik_routeros", "/interface print stats"),
        ("linux", "df -P | tail -n +2"),
        ("linux", "ip -j addr show dev eth0"),
        ("linux", "hostname"),
        ("apc_aos", "detstatus -all"),
        ("menu", "12"),
        ("menu", "\x1b"),
    ],
)
def test_commands_that_only_read_are_allowed(platform: str, line: str) -> None:
    assert why_refused(PLATFORMS[platform], line) == ""


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("cisco_ios", "configure terminal"),
        ("cisco_ios", "sh version"),
        ("cisco_ios", "showx"),
        ("cisco_ios", "clear counters"),
        ("cisco_ios", "show version\nreload"),
        ("cisco_ios", "show running-config | redirect flash:x"),
        ("cisco_ios", "show running-config | red flash:x"),
        ("cisco_ios", "show running-config | tee flash:x"),
        ("cisco_ios", "show running-config | include a|append flash:x"),
        ("cisco_ios", "show running-config |"),
        ("cisco_nxos", "show clock ; conf t"),
        ("cisco_nxos", "show running-config > bootflash:x"),
        ("arista_eos", "show version | include a|awk BEGIN{system(1)}"),
        ("arista_eos", "show version | bash"),
        ("juniper_junos", "show configuration | save /tmp/x"),
        ("juniper_junos", "request system reboot"),
        ("huawei_vrp", "system-view"),
        ("fortinet", "diagnose sys kill 9 1"),
        ("mikrotik_routeros", "/interface print file=x"),
        ("mikrotik_routeros", "/system reboot"),
        ("linux", "rm -rf /"),
        ("linux", "hostname other"),
        ("linux", "date -s 12:00"),
        ("linux", "ip link set eth0 down"),
        ("linux", "cat /etc/hosts && reboot"),
        ("linux", "cat $(reboot)"),
        ("linux", "cat `reboot`"),
        ("linux", "ps | xargs kill"),
        ("linux", "ss -K dst 192.0.2.1"),
        ("apc_aos", "ups -c off"),
        ("menu", "reboot"),
    ],
)
def test_commands_that_may_change_something_are_not(platform: str, line: str) -> None:
    assert why_refused(PLATFORMS[platform], line) != ""


# -- parsing

INTERFACES = """Interface              IP-Address      OK? Method Status                Protocol
GigabitEthernet0/1     192.0.2.1       YES NVRAM  up                    up
GigabitEthernet0/2     unassigned      YES NVRAM  administratively down down
"""


def test_a_template_of_ntc_templates_makes_a_table() -> None:
    command = Command("interfaces", "show ip interface brief", Format.TEXTFSM, tabular=True, key="interface")
    parsed = parse_all("cisco_ios", [(command, INTERFACES)])

    table = parsed.tables["interfaces"]
    assert table.columns == ("interface", "ip_address", "status", "proto")
    second = "GigabitEthernet0/2"
    assert table.rows[1] == [second, second, "unassigned", "administratively down", "down"]
    assert (table.key, table.complete, parsed.done) == ("interface", True, 1)


def test_columns_are_chosen_and_values_taken_of_the_first_row() -> None:
    command = Command(
        "interfaces", "show ip interface brief", Format.TEXTFSM, tabular=True,
        columns=(Field("name", "interface"), Field("oper", "proto")), values=(Field("first", "ip_address"),),
    )  # fmt: skip
    parsed = parse_all("cisco_ios", [(command, INTERFACES)])

    assert parsed.values == {"first": "192.0.2.1"}
    assert parsed.tables["interfaces"].rows[0] == ["1", "GigabitEthernet0/1", "up"]


TEMPLATE = "Value NAME (\\S+)\nValue List TAGS (\\w+)\n\nStart\n  ^${NAME}: -> Continue\n  ^\\S+: ${TAGS} -> Continue\n"
STRICT = "Value NAME (\\w+)\n\nStart\n  ^${NAME}$$ -> Record\n  ^. -> Error\n"


def test_a_template_of_the_profile_itself() -> None:
    command = Command("tags", "show tags", Format.TEXTFSM, TEMPLATE, tabular=True)
    parsed = parse_all("cisco_ios", [(command, "a: x\n")])

    assert parsed.tables["tags"] == Table(("name", "tags"), [["1", "a", "x"]])


def test_what_a_template_does_not_expect_keeps_its_text() -> None:
    command = Command("names", "show names", Format.TEXTFSM, STRICT, tabular=True)
    parsed = parse_all("cisco_ios", [(command, "one\ntwo words\n")])

    assert parsed.values == {"names.raw": "one\ntwo words\n"}
    assert (parsed.done, parsed.tables) == (0, {})
    assert parsed.missing["names"].startswith("the template stopped")


def test_an_empty_table_is_no_failure() -> None:
    command = Command("interfaces", "show ip interface brief", Format.TEXTFSM, tabular=True)
    parsed = parse_all("cisco_ios", [(command, "")])

    assert (parsed.tables["interfaces"].rows, parsed.missing) == ([], {"interfaces": "no rows"})
    assert (parsed.tables["interfaces"].columns, parsed.troubles) == (
        ("interface", "ip_address", "status", "proto"),
        [],
    )


MEMORY = (Field("total", "t", Type.INTEGER), Field("share", "s", Type.NUMBER), Field("word", "w"))


def regex(pattern: str, **more: object) -> Command:
    return Command("memory", "show memory", Format.REGEX, pattern, **more)  # type: ignore[arg-type]


def test_groups_become_values_of_their_types() -> None:
    command = regex(r"^total (?P<t>[\d,]+) share (?P<s>\S+) (?P<w>\w+)$", values=MEMORY)
    parsed = parse_all("cisco_ios", [(command, "head\ntotal 1,234 share 0.5 used\n")])

    assert parsed.values == {"total": 1234, "share": 0.5, "word": "used"}


@pytest.mark.parametrize(
    ("text", "reason"), [("total x", "'x' is not an integer"), (f"total {1 << 70}", "is not an integer of 64 bits")]
)
def test_what_is_not_of_its_type_is_missing_with_the_reason(text: str, reason: str) -> None:
    command = regex(r"total (?P<t>\S+)", values=(Field("total", "t", Type.INTEGER),))
    parsed = parse_all("cisco_ios", [(command, text)])

    assert (parsed.values, reason in parsed.missing["total"]) == ({"total": None}, True)


@pytest.mark.parametrize("text", ["nan", "-Infinity", "1,5", "1_000"])
def test_what_a_number_might_be_is_none(text: str) -> None:
    command = regex(r"total (?P<t>\S+)", values=(Field("total", "t", Type.NUMBER),))
    parsed = parse_all("cisco_ios", [(command, f"total {text}")])

    assert (parsed.values, parsed.missing) == ({"total": None}, {"total": f"{text!r} is not a number"})


def test_each_row_has_an_index_of_its_own() -> None:
    command = regex(r"^(?P<p>\w+)?;", tabular=True, key="p", columns=(Field("p", "p"),))
    parsed = parse_all("cisco_ios", [(command, "eth0;\neth0;\n;\n3;\neth0;\n")])

    assert [row[0] for row in parsed.tables["memory"].rows] == ["eth0", "eth0#2", "#3", "3", "eth0#3"]


def test_a_group_that_did_not_take_part_is_missing() -> None:
    parsed = parse_all("cisco_ios", [(regex(r"a(?P<t>\d)?", values=(Field("t", "t"),)), "a")])

    assert (parsed.values, parsed.missing) == ({"t": None}, {"t": "not in the output"})


def test_no_match_keeps_the_text() -> None:
    parsed = parse_all("cisco_ios", [(regex(r"total (?P<t>\d+)", values=MEMORY[:1]), "nothing here")])

    assert (parsed.values, parsed.done) == ({"memory.raw": "nothing here"}, 0)


def test_each_match_is_a_row() -> None:
    command = regex(
        r"^(?P<p>\w+) (?P<n>\d+)$", tabular=True, key="p", columns=(Field("p", "p"), Field("n", "n", Type.INTEGER))
    )
    parsed = parse_all("cisco_ios", [(command, "a 1\nb 2\n")])

    assert parsed.tables["memory"].rows == [["a", "a", 1], ["b", "b", 2]]


def test_a_regex_is_run_over_so_much_and_makes_so_many_rows() -> None:
    rows = parse_all("cisco_ios", [(regex(r"(?P<a>x)", tabular=True, columns=(Field("a", "a"),)), "x" * 20_000)])
    long = parse_all("cisco_ios", [(regex(r"(?P<a>x)", values=(Field("a", "a"),)), "x" * (REGEX_LIMIT + 1))])

    assert (len(rows.tables["memory"].rows), rows.tables["memory"].complete) == (MAX_ROWS, False)
    assert "more than a regex is run over" in long.missing["memory"]
    assert len(str(long.values["memory.raw"])) == 65_536


JSON = '{"host": {"name": "r1", "up": 7}, "ports": [{"id": 1, "lane": ["a", "b"]}, {"id": 2}]}'


def test_paths_reach_into_json() -> None:
    values = (Field("name", "host.name"), Field("up", "host.up", Type.INTEGER), Field("lane", "ports[0].lane[1]"))
    scalars = Command("state", "show state", Format.JSON, values=values)
    ports = Command("ports", "show ports", Format.JSON, rows="ports", tabular=True, key="id",
                    columns=(Field("id", "id", Type.INTEGER), Field("lane", "lane")))  # fmt: skip
    parsed = parse_all("arista_eos", [(scalars, JSON), (ports, JSON)])

    assert parsed.values == {"name": "r1", "up": 7, "lane": "b"}
    assert parsed.tables["ports"].rows == [["1", 1, "a, b"], ["2", 2, None]]


@pytest.mark.parametrize("text", ["<html>", "[" * 100_000, '{"ports": 1}'])
def test_what_is_not_the_json_that_was_meant_keeps_its_text(text: str) -> None:
    ports = Command("ports", "show ports", Format.JSON, rows="ports", tabular=True, columns=(Field("id", "id"),))
    parsed = parse_all("arista_eos", [(ports, text)])

    assert (parsed.done, parsed.values["ports.raw"]) == (0, text[:65_536])

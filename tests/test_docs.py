"""README and docs/ against the code: commands, settings, links, messages and pictures."""

import importlib.util
import json
import re
import time
import tomllib
from collections.abc import Iterator
from html import unescape
from types import ModuleType

import click
import pytest

from streampoll.config.overrides import overridable
from streampoll.model import QueueClass
from streampoll.shards.keys import Keys, ShardKeys
from streampoll.ssh.platforms import PLATFORMS
from streampoll.tasks.client import TaskClient
from streampoll.tasks.port import Options
from tests.docs_support import (
    NAMES,
    TOP,
    anchors,
    blocks,
    help_examples,
    inline_commands,
    options_of,
    resolve,
    setting_keys,
    setting_paths,
    setting_variables,
    shell_commands,
    spans,
    text_of,
)

IMAGES = TOP / "docs/images"
POOLS = [*tomllib.loads(text_of("conf/streampoll.toml"))["pools"], "NAME"]
NOT_SETTINGS = {  # in snake case, and of something else
    "executed_twice", "lateness_one_of", "duration_ms", "max_rows", "retries",
    "auth_protocol", "auth_key", "priv_protocol", "priv_key",
    "for_each", "at_once", "allow_failure", "object_id",  # steps of workflows
    "content_types", "token_header", "allow_config",
    "clear_hold", "down_after", "up_after", "flap_changes", "flap_window",
    "rmem_max", "api_key", "remote_write", "streampoll_poll",
}  # fmt: skip


# -- commands


@pytest.mark.parametrize("name", NAMES)
def test_every_command_in_a_code_block_can_be_given_so(name: str) -> None:
    for block in blocks(text_of(name), "sh", "console"):
        for arguments in shell_commands(block):
            parse(arguments)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_in_the_text_exists_with_its_options(name: str) -> None:
    for arguments in inline_commands(text_of(name)):
        command, rest = resolve(arguments)
        options = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert options <= options_of(command), f"streampoll {' '.join(arguments)}"


def test_the_examples_of_every_help_can_be_given_so() -> None:
    given = [arguments for line in help_examples() for arguments in shell_commands(line)]
    for arguments in given:
        parse(arguments)
    assert len(given) > 20


def parse(arguments: list[str]) -> None:
    """Parse a command line without running it."""
    command, rest = resolve(arguments)
    try:
        command.make_context("streampoll", rest)
    except click.exceptions.Exit:
        pass  # --help, --version
    except click.ClickException as error:
        pytest.fail(f"streampoll {' '.join(arguments)}: {error.format_message()}")


# -- settings


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_that_is_named_exists(name: str) -> None:
    paths = setting_paths() | overridable().keys()
    sections = {path.partition(".")[0] for path in paths}
    named = re.compile(rf"^({'|'.join(sections)})\.[a-zA-Z_.]+$")
    unknown = [
        span
        for span in spans(text_of(name))
        if named.match(span) and span not in paths and not span.endswith((".conf", ".NAME"))
    ]
    assert unknown == []


OTHERS_WORDS = {"docs/protocol.md", "docs/api.md", "docs/from-celery.md"}  # bytes, JSON, and Celery's
NAMING_TESTS = {"docs/guarantees.md", "docs/notifications.md"}  # looked up in tests of their own


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NAMING_TESTS | OTHERS_WORDS])
def test_every_key_that_is_named_by_its_last_part_exists(name: str) -> None:
    keys = setting_keys() | NOT_SETTINGS | PLATFORMS.keys() | {*Options.__slots__, *vars(TaskClient), "send_sync"}
    keys |= {span for span in spans(text_of("docs/metrics.md")) if span.startswith("streampoll_")}  # tested beside them
    shaped = [re.match(r"^([a-z]+(?:_[a-z]+)+)(?: = .*)?$", span) for span in spans(text_of(name))]
    assert [match[1] for match in shaped if match and match[1] not in keys] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_that_is_named_sets_something(name: str) -> None:
    known = setting_variables([*POOLS, *(pool.upper() for pool in POOLS)])
    known |= {re.sub("_QUEUES_[A-Z]+_", "_QUEUES_CLASS_", each) for each in known} | {"STREAMPOLL_CONFIG"}
    named = set(re.findall(r"\bSTREAMPOLL_[A-Z][A-Z_]*[A-Z]\b", text_of(name)))
    assert named - known == set()


@pytest.mark.parametrize("name", NAMES)
def test_configurations_that_are_shown_are_toml(name: str) -> None:
    for block in blocks(text_of(name), "toml"):
        tomllib.loads(block)


# -- pages


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(name)):
        path, _, anchor = target.partition("#")
        file = (TOP / name).parent / path if path else TOP / name
        if (
            target.startswith(("http:", "https:"))
            or not file.exists()
            or (anchor and anchor not in anchors(file.read_text()))
        ):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("name", NAMES)
def test_files_of_the_checkout_that_are_named_exist(name: str) -> None:
    named = [span for span in spans(text_of(name)) if re.match(r"^(bin|conf|docs|tests|streampoll)/[\w./@-]+$", span)]
    assert [span for span in named if not (TOP / span).exists()] == []


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) < 150


def test_every_page_of_docs_is_in_the_readme() -> None:
    pages = [name for name in NAMES if name.startswith("docs/")]
    assert [name for name in pages if f"({name})" not in text_of("README.md")] == []


# -- keys, scripts, messages


def test_every_key_of_redis_is_described() -> None:
    shard, queue = Keys().shard(7), QueueClass.POLLING
    made = [
        getattr(shard, name) if isinstance(value, property) else getattr(shard, name)(queue)
        for name, value in vars(ShardKeys).items()
        if isinstance(value, property) or (callable(value) and not name.startswith("_"))
    ]
    made += [
        Keys().leader,
        Keys().workers,
        Keys().worker("<id>"),
        Keys().paused,
        Keys().meta,
        Keys().totals,
        Keys().told("<id>"),
    ]
    made += [Keys().tasks, Keys().cancelled]
    named = re.findall(r"^\| `(sp:\S+)` \|", protocol(), re.M)
    described = {re.sub("<class>|<space>", "polling", key) for key in named}
    assert described == set(made)


def test_every_script_is_described() -> None:
    scripts = {path.stem for path in (TOP / "streampoll/shards/lua").glob("*.lua")}
    table = protocol().partition("## Scripts")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == scripts


def protocol() -> str:
    return text_of("docs/protocol.md")


def test_every_message_that_is_explained_is_in_the_code() -> None:
    code = re.sub(r'"\s+f?"', "", "\n".join(path.read_text() for path in (TOP / "streampoll").rglob("*.py")))
    page = text_of("docs/troubleshooting.md")
    table = page.partition("## Workers don't start")[2].partition("\n\nThey start")[0]
    messages = [span for cell in re.findall(r"^\| ([^|]*) \|", table, re.M) for span in spans(cell)]
    messages += [span for span in spans(page) if "…" in span and not re.match(r"SNMP=|snmpget", span)]
    parts = [part.strip(" ,") for message in messages for part in re.split(r"…|\d+|'|nobody|/root", message)]
    assert len(parts) > 20
    assert [part for part in parts if len(part) > 7 and part not in code] == []


# -- pictures


def test_the_pictures_show_what_the_program_draws(make: ModuleType) -> None:
    drawn = make.pictures(json.loads((IMAGES / "run.json").read_text()))
    stale = [
        name
        for name, (title, shown) in drawn.items()
        if words_in(make.draw(name, title, shown)) != words_in((IMAGES / f"{name}.svg").read_text())
    ]
    assert stale == [], "run: python docs/images/make.py"


def words_in(svg: str) -> list[str]:
    """Return what a picture says, as far as it does not depend on the release of the library that drew it."""
    return unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))).split()


def test_no_picture_fetches_anything() -> None:
    outside = re.compile(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)\S+")
    assert [path.name for path in IMAGES.glob("*.svg") if outside.search(path.read_text())] == []


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """docs/images/make.py, in the time zone that the pictures were drawn in."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    spec = importlib.util.spec_from_file_location("make", IMAGES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    monkeypatch.undo()
    time.tzset()

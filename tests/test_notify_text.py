"""What people read: the built-in text, templates and their bounds."""

import time

import pytest

from streampoll.model import Change, Severity
from streampoll.notifications.channel import Style
from streampoll.notifications.compose import compose, facts
from streampoll.notifications.message import Message, decode_message, encode_message, messages
from streampoll.notifications.policy import Reason
from streampoll.notifications.routes import Route
from streampoll.notifications.template import Template, TemplateFails
from tests.notify_support import MONDAY_NOON, Story, event

STYLE = Style(link="https://poll.example.com/{device}/events/{id}")


def told(story: Story) -> Message:
    assert story.group
    return messages(story.group, story.told[-1][1], story.now)[0]


def of(*events: object) -> Message:
    return told(Story().happens(*events).until(60))


def test_one_event_is_told_by_its_rule() -> None:
    text = compose(of(event()), STYLE)

    assert text.title == "[ERROR] sw1: if-down Gi0/1"
    assert text.body == (
        "error sw1 Gi0/1, if-down: interface is down (since 2026-01-05T12:00:00+00:00) "
        "https://poll.example.com/sw1/events/1"
    )


def test_many_are_told_by_their_number_and_not_all_listed() -> None:
    text = compose(of(*(event(number) for number in range(100))), STYLE)

    assert text.title == "[ERROR] sw1: 100 new, 100 open"
    assert text.body.splitlines()[-1] == "… and 80 more"
    assert len(text.body.splitlines()) == 21


def test_reminders_and_recoveries_say_what_they_are() -> None:
    repeated = told(Story().happens(event()).until(3700))
    over = Story(Route("ops", ("mail",), interval_s=60.0)).happens(event(), event(2)).until(31)
    over.happens(event(1, Change.CLOSED, MONDAY_NOON + 60)).until(100)

    assert compose(repeated, STYLE).title == "[still ERROR] sw1: if-down Gi0/1"
    assert compose(told(over), STYLE).title == "[ERROR] sw1: 1 over, 1 open"
    assert compose(told(over), STYLE).body.splitlines()[1].startswith("OK error sw1 Gi0/1")


def test_what_a_device_says_can_not_make_lines_or_colours() -> None:
    text = compose(of(event(text="up\x1b[31m\r\nBcc: all@example.com\u202egnp")), STYLE)

    assert "\x1b" not in text.body
    assert "\u202e" not in text.body
    assert len(text.body.splitlines()) == 1


def test_a_message_comes_out_of_its_entry_as_it_went_in() -> None:
    message = of(event(labels={"site": "Zürich"}, value=3.5), event(2, severity=Severity.CRITICAL))

    assert decode_message(encode_message(message)) == message


def test_templates_have_the_facts() -> None:
    source = (
        "{{ severity|upper }} {{ group }}{% for each in events %} {{ each.row }}={{ each.labels.site }}{% endfor %}"
    )

    assert Template(source).render(facts(of(event(), event(2)), STYLE)) == "ERROR sw1 Gi0/1=zurich Gi0/2=zurich"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ title.__init__.__globals__ }}",
        "{{ 'x' * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ 9 ** 9 ** 9 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}xxxxxxxxxxxxxxxx{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ range(90000)|join('x' ~ range(9000)|join('y')) }}",
        "{% set x = 'x' %}" + "{% set x = x ~ x %}" * 60 + "{{ x|length }}",
        "{% set x = 9 %}" + "{% set x = x * x %}" * 60 + "{{ x }}",
        "{{ nothing.at.all }}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_template_that_goes_too_far_is_stopped_at_once(source: str) -> None:
    began = time.monotonic()

    with pytest.raises(TemplateFails):
        Template(source).render(facts(of(event()), STYLE))
    assert time.monotonic() - began < 3.0


@pytest.mark.parametrize(
    "source",
    ["{% include 'a' %}{% endfor %}", "{{ x|nosuch }}", "{% for a in b recursive %}{% endfor %}", "{{ (" * 500],
)
def test_a_template_that_can_not_be_read_says_why(source: str) -> None:
    with pytest.raises(TemplateFails):
        Template(source)


def test_templates_from_files_are_not_read() -> None:
    with pytest.raises(TemplateFails):
        Template("{% include '/etc/passwd' %}").render({})


def test_a_notice_is_sent_as_it_is() -> None:
    text = compose(Message("mail", "k", Reason.NOTICE, 0.0, title="backup", text="two\nlines"), STYLE)

    assert (text.title, text.body) == ("backup", "two\nlines")


def test_a_message_has_the_same_key_however_often_it_is_made() -> None:
    later = told(Story().happens(event()).until(3700))

    assert of(event()).key == of(event()).key
    assert of(event()).key != later.key

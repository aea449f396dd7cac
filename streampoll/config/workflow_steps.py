"""One step of a workflow, and what only shows when all steps are seen together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest, shorten
from streampoll.config.selector import read_selector
from streampoll.config.units import parse_duration
from streampoll.workflows.plan import (
    DEVICES,
    LONGEST_STEP_S,
    LONGEST_WAIT_S,
    MOST_AT_ONCE,
    Does,
    Step,
)
from streampoll.workflows.reference import check_expression, expressions_in, fill, steps_in
from streampoll.workflows.requests import fill_http, http_plan, ssh_plan

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEPT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_ACTIONS: Final = tuple(each.value for each in Does)


@dataclass(frozen=True, slots=True)
class _StepTable:
    poll: Any = None
    ssh: Any = None
    http: Any = None
    wait: Any = None
    condition: Any = None
    notify: Any = None
    task: Any = None
    rediscover: Any = None
    needs: tuple[str, ...] = ()
    device: str = ""
    credential: str = ""
    for_each: Any = None
    at_once: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)] = 10
    timeout: Annotated[float, Meta(gt=0, le=LONGEST_STEP_S, extra={"unit": "s"})] = 60.0
    retries: Annotated[int, Meta(ge=0, le=20)] = 0
    backoff: Annotated[float, Meta(gt=0, le=3600, extra={"unit": "s"})] = 5.0
    once: bool = False
    undo: str = ""
    allow_failure: bool = False
    keep: str = ""


@dataclass(frozen=True, slots=True)
class _NotifyTable:
    text: str
    severity: str = "warning"
    labels: Any = None


@dataclass(frozen=True, slots=True)
class _TaskTable:
    name: str
    args: Any = None
    kwargs: Any = None


def read_step(name: str, data: Any, inputs: Mapping[str, Any], place: Place) -> Step | None:
    """Return one step, or None with faults."""
    before = len(place.report.faults)
    if not _NAME.fullmatch(name):
        place.fault(f"{shorten(name)} is not a step's name", "small letters, digits and _, a letter first")
    table = read_table(_StepTable, data, place)
    if table is None:
        return None
    does = [word for word in _ACTIONS if word in data]
    if len(does) != 1:
        what = f"does {' and '.join(does)}" if does else "does nothing"
        place.fault(what, f"write exactly one of {', '.join(_ACTIONS)}")
        return None
    action = Does(does[0])
    for_each, select = _for_each(table.for_each, place.at("for_each"))
    _check_references(data, place)
    if len(place.report.faults) == before:
        _CHECKS[action](getattr(table, action), inputs, place.at(action.value))
        _check_options(table, action, place)
    if len(place.report.faults) > before:
        return None
    common = {each.name: getattr(table, each.name) for each in fields(_StepTable) if each.name in _COMMON}
    return Step(
        name, action, getattr(table, action), for_each=for_each, select=select, timeout_s=table.timeout,
        backoff_s=table.backoff, **common,
    )  # fmt: skip


_COMMON: Final = frozenset(
    ("needs", "device", "credential", "at_once", "retries", "once", "undo", "allow_failure", "keep")
)


def check_steps(steps: Mapping[str, Step], inputs: Mapping[str, Any], place: Place) -> None:
    """Check what steps say of one another: names, circles, references to what is not there yet."""
    before = len(place.report.faults)
    for step in steps.values():
        for key, names in (("needs", step.needs), ("undo", (step.undo,) if step.undo else ())):
            for name in names:
                if name not in steps:
                    place.at(step.name, key).fault(f"no step {shorten(name)}", nearest(name, steps))
    if len(place.report.faults) > before:
        return
    undoing = {step.undo: step.name for step in steps.values() if step.undo}
    _check_undo(steps, undoing, place)
    if circle := _circle(steps):
        place.at(circle[0], "needs").fault(f"needs itself: {' -> '.join(circle)}", "break the circle")
        return
    for step in steps.values():
        owner = undoing.get(step.name)
        known = _before(owner, steps) | {owner} if owner else _before(step.name, steps)
        _check_known(step, known, steps, inputs, place.at(step.name))


def _check_undo(steps: Mapping[str, Step], undoing: Mapping[str, str], place: Place) -> None:
    for name, owner in undoing.items():
        step = steps[name]
        if step.needs or step.undo:
            place.at(name).fault(
                f"makes up for '{owner}', so it needs nothing and is not undone", "leave those keys out"
            )
        if any(name in other.needs for other in steps.values()):
            place.at(name).fault(f"makes up for '{owner}', so nothing can need it", "let it be needed by no step")


def _circle(steps: Mapping[str, Step]) -> list[str]:
    """Return the steps of a circle in `needs`, the first again at the end; none: []."""
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> list[str]:
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return []
        for need in steps[name].needs:
            if circle := visit(need, (*above, name)):
                return circle
        done.add(name)
        return []

    return next((circle for name in steps if (circle := visit(name, ()))), [])


def _before(name: str, steps: Mapping[str, Step]) -> set[str]:
    """Return every step that has ended before one begins."""
    found: set[str] = set()
    todo = list(steps[name].needs)
    while todo:
        need = todo.pop()
        if need not in found:
            found.add(need)
            todo += steps[need].needs
    return found


def _check_known(
    step: Step, known: set[str], steps: Mapping[str, Step], inputs: Mapping[str, Any], place: Place
) -> None:
    """Refuse references to steps that need not have ended, and to inputs that are not declared."""
    expressions = list(expressions_in([step.spec, step.device, step.credential]))
    if step.does is Does.CONDITION:
        expressions.append(step.spec)
    if step.for_each and step.for_each != DEVICES:
        expressions.append(step.for_each)
    for expression in expressions:
        for name in sorted(steps_in(expression) - known):
            hint = f'write needs = ["{name}"]' if name in steps else nearest(name, known)
            place.fault(f"refers to step '{name}', which need not have ended then", hint)
        for name in sorted(set(re.findall(r"(?<![\w.])inputs\.(\w+)", expression)) - inputs.keys()):
            place.fault(f"refers to input '{name}', which is not declared", f'write [inputs] and {name} = "…"')


def _for_each(data: Any, place: Place) -> tuple[str, Any]:
    """Return (expression, None), or ("", selector)."""
    if data is None:
        return "", None
    if isinstance(data, Mapping):
        table = dict(data)
        if set(table) == {"select"}:
            return "", read_selector(table["select"], place.at("select"))
        place.fault("is neither a list nor a selector", 'write "devices", an expression, or { select = { … } }')
    elif isinstance(data, str):
        if data != DEVICES:
            _expression(data, place)
        return data, None
    else:
        place.fault(f"{shorten(data)} is not an expression", 'write "devices", "steps.NAME.rows.TABLE" …')
    return "", None


def _check_references(data: Mapping[str, Any], place: Place) -> None:
    """Refuse `{{ … }}` that can't be read."""
    for key, value in data.items():
        try:
            found = list(expressions_in(value))
        except ValueError as error:
            place.at(key).fault(str(error), "write {{ inputs.name }}")
            continue
        for expression in found:
            _expression(expression, place.at(key))


def _expression(text: str, place: Place) -> None:
    try:
        check_expression(text)
    except ValueError as error:
        place.fault(f"{shorten(text)} is not an expression: {error}", "write JMESPath, as steps.look.values.uptime")


def _check_options(table: _StepTable, action: Does, place: Place) -> None:
    if table.once and table.retries:
        place.at("retries").fault("a step that runs once is not tried again", "leave out retries, or once")
    if table.keep and action is not Does.SSH:
        place.at("keep").fault("only what an SSH step read is kept", "leave it out")
    if table.keep and not _KEPT.fullmatch(table.keep):
        place.at("keep").fault(f"{shorten(table.keep)} is not a name", "letters, digits, _ . - only, at most 63")
    if action in (Does.WAIT, Does.CONDITION) and table.for_each is not None:
        place.at("for_each").fault(f"a {action} is not done for each of a list", "leave it out")


# -- what each kind of step says


def _check_poll(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    if not isinstance(spec, str) or not spec:
        place.fault(f"{shorten(spec)} is not a profile's name", 'write one as poll = "interfaces"')


def _check_ssh(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    ssh_plan("ssh", fill(_tried(spec, inputs), {}), place)


def _check_http(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    http_plan("http", fill_http(_tried(spec, inputs), {}), place)


def _check_wait(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    if isinstance(spec, str) and "{{" in spec:
        return
    try:
        seconds = parse_duration(str(spec)) if isinstance(spec, str | int | float) else -1.0
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= LONGEST_WAIT_S:
        place.fault(f"{shorten(spec)} is not a time to wait", 'write one as "30s", at most 30 days')


def _check_condition(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    if isinstance(spec, str):
        _expression(spec, place)
    else:
        place.fault(f"{shorten(spec)} is not an expression", "write JMESPath as text")


def _check_notify(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    table = read_table(_NotifyTable, spec, place)
    if table is None:
        return
    if table.severity not in ("info", "warning", "error", "critical") and "{{" not in table.severity:
        place.at("severity").fault(f"{shorten(table.severity)} is none", "write info, warning, error or critical")
    for name, value in place.at("labels").table(table.labels or {}).items():
        if not isinstance(value, str):
            place.at("labels", name).fault(f"{shorten(value)} is not a text", "put it in quotes")


def _check_task(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    table = read_table(_TaskTable, {"name": spec} if isinstance(spec, str) else spec, place)
    if table is None:
        return
    if not (table.args is None or isinstance(table.args, list)):
        place.at("args").fault("is not a list", "write args = [1, 2]")
    place.at("kwargs").table(table.kwargs or {})


def _check_rediscover(spec: Any, inputs: Mapping[str, Any], place: Place) -> None:
    if spec is not True:
        place.fault(f"{shorten(spec)} is not allowed", "write rediscover = true")


_CHECKS: Final = {
    Does.POLL: _check_poll, Does.SSH: _check_ssh, Does.HTTP: _check_http, Does.WAIT: _check_wait,
    Does.CONDITION: _check_condition, Does.NOTIFY: _check_notify, Does.TASK: _check_task,
    Does.REDISCOVER: _check_rediscover,
}  # fmt: skip


def _tried(spec: Any, inputs: Mapping[str, Any]) -> Any:
    """Return a step's words as they may look once filled in: inputs by their defaults, anything else as "1"."""
    if isinstance(spec, Mapping):
        return {key: _tried(each, inputs) for key, each in spec.items()}
    if isinstance(spec, list):
        return [_tried(each, inputs) for each in spec]
    if not isinstance(spec, str):
        return spec
    whole = re.fullmatch(r"\{\{\s*inputs\.(\w+)\s*\}\}", spec.strip())
    if whole and whole[1] in inputs:
        return inputs[whole[1]]
    return re.sub(r"\{\{\s*(?:inputs\.(\w+))?.*?\}\}", lambda found: str(inputs.get(found[1] or "", "1")), spec)

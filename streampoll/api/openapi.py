"""The OpenAPI document, made from the routes' declarations: what is not declared is neither served nor described."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from streampoll.api.problem import MEDIA_TYPE, ProblemDetails
from streampoll.api.route import JSON, Route
from streampoll.results.control import Role
from streampoll.version import VERSION

_REF = "#/components/schemas/{name}"
_CONVERTOR = re.compile(r":\w+\}")


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document of some routes."""
    types = [*dict.fromkeys(each for route in routes for each in _types(route)), ProblemDetails]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    made = _Schemas(dict(zip(map(repr, types), schemas, strict=True)), dict(components))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(plain_path(route.path), {})[route.method.lower()] = _operation(route, made)
    used = {route.parameters.__name__ for route in routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streampoll",
            "version": VERSION,
            "description": "What is polled, what is late and why; and actions. Times are seconds since the epoch, or "
            "ISO 8601 in UTC where they are text.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in used},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def plain_path(path: str) -> str:
    """Return a path as OpenAPI writes it, without Starlette's convertors."""
    return _CONVERTOR.sub("}", path)


class _Schemas:
    """The schemas of all types of a document."""

    def __init__(self, by_type: dict[str, Any], components: dict[str, Any]) -> None:
        self._by_type = by_type
        self._components = components

    def of(self, described: Any) -> Any:
        """Return a type's schema, or where it is."""
        return self._by_type[repr(described)]

    def fields(self, described: type[Any]) -> tuple[dict[str, Any], frozenset[str]]:
        """Return the schemas of a dataclass's fields, and which it can't do without."""
        whole = self._components.get(described.__name__, {})
        return whole.get("properties", {}), frozenset(whole.get("required", ()))


def _types(route: Route) -> Iterable[Any]:
    yield route.answers
    yield route.parameters
    if route.body is not None:
        yield route.body


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _identifier(route),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": list(_parameters(route, schemas)),
        "responses": {
            str(route.status): {
                "description": "What was asked for.",
                "content": _content(JSON, route.answers, schemas),
            },
            "default": {
                "description": "A problem (RFC 9457).",
                "content": _content(MEDIA_TYPE, ProblemDetails, schemas),
            },
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(JSON, route.body, schemas)}
    if route.role is Role.OPERATOR:
        operation["description"] = "Needs the role operator."
    return operation


def _content(media_type: str, described: Any, schemas: _Schemas) -> dict[str, Any]:
    return {media_type: {"schema": schemas.of(described)}}


def _parameters(route: Route, schemas: _Schemas) -> Iterable[dict[str, Any]]:
    fields, required = schemas.fields(route.parameters)
    for name, schema in fields.items():
        in_path = f"{{{name}}}" in plain_path(route.path)
        schema = dict(schema)
        said = schema.pop("description", "")
        yield {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path or name in required,
            "description": said,
            "schema": schema,
        }


def _identifier(route: Route) -> str:
    words = re.sub(r"\W+", "_", plain_path(route.path).removeprefix("/api/").removeprefix("v1/"))
    return f"{route.method.lower()}_{words.strip('_')}"

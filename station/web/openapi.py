# SPDX-License-Identifier: Apache-2.0
"""The API's description in OpenAPI 3.1, made from its routes and models. Pure."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from pydantic import BaseModel, TypeAdapter

from station.adapters.ledger.lot_counts import LotCounts
from station.adapters.ledger.outbox import Entry
from station.adapters.ledger.reader import EventRecord, UnitSummary
from station.adapters.ledger.records import PLACES
from station.adapters.ledger.samples import SampleRecord
from station.adapters.ledger.selection import AttemptRecord
from station.domain.numbers import ENDS, Seconds
from station.domain.people import Role
from station.line.status import LineStatus
from station.web.central import SharedView
from station.web.models import Board, Line, Problem, Slot

Schema = Mapping[str, object]

_MODELS: Mapping[str, type] = {
    "Board": Board,
    "Line": Line,
    "Slot": Slot,
    "Unit": UnitSummary,
    "Attempt": AttemptRecord,
    "Event": EventRecord,
    "Seconds": Seconds,
    "LotCounts": LotCounts,
    "Message": Entry,
    "Sample": SampleRecord,
    "SharedView": SharedView,
    "LineStatus": LineStatus,
    "Problem": Problem,
}
_REFERENCE = "#/components/schemas/{model}"

# What each status means wherever it comes; every route may answer 421 and 403 to a page of another site.
_PROBLEMS = {
    400: "The request is none that can be answered.",
    401: "This changes something, and needs a token.",
    403: "Another site's page asks, or this person or PIN may not.",
    404: "There is no such thing.",
    409: "The daemon refuses it; the detail says why.",
    413: "The body is too large.",
    421: "The station does not go by this name.",
    429: "After wrong PINs this address has to wait.",
    503: "The ledger or the file of people cannot be read now, or the centre does not answer.",
}


class Described(Protocol):
    """What the description needs of a route."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def answers(self) -> Schema: ...
    @property
    def role(self) -> Role | None: ...
    @property
    def asked(self) -> type[BaseModel]: ...
    @property
    def also(self) -> tuple[str, ...]: ...


def named(component: str) -> Schema:
    """A reference to one of the components."""
    return {"$ref": _REFERENCE.format(model=component)}


def table(**fields: Schema) -> Schema:
    """An object that has all these fields."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def picture(media: str) -> Schema:
    """A picture, which is text."""
    return {"type": "string", "contentMediaType": media}


def listed(name: str, component: str) -> Schema:
    """A page of a list."""
    entries: Schema = {"type": "array", "items": named(component)}
    return table(**{name: entries, "next": {"type": ["integer", "null"], "description": "`after` of the next page."}})


def described(routes: Iterable[Described]) -> dict[str, object]:
    """The whole description."""
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The provisioning station's API",
            "version": "1",
            "description": "Times are UTC, durations seconds. No answer has a secret, but a label.",
        },
        "paths": paths,
        "components": {
            "schemas": _components(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Described) -> dict[str, object]:
    media = str(route.answers.get("contentMediaType", "application/json"))
    said: dict[str, object] = {
        "summary": route.what,
        "operationId": "_".join((route.method, *route.path.strip("/").split("/")[2:]))
        .replace("{", "")
        .replace("}", ""),
        "parameters": [*_in_path(route.path), *(_in_query(route.asked) if route.method == "GET" else ())],
        "responses": {
            "200": {
                "description": "Done.",
                "content": {media: {"schema": route.answers}}
                | {media_type: {"schema": {"type": "string"}} for media_type in route.also},
            },
            **{str(status): _problem(text) for status, text in _PROBLEMS.items()},
        },
    }
    if route.method == "GET" and route.role is None:
        said["responses"] |= {"304": {"description": "The asker's copy is still right."}}  # type: ignore[operator]
    elif route.method != "GET":
        schema = route.asked.model_json_schema(ref_template=_REFERENCE)
        said["requestBody"] = {
            "required": "required" in schema,
            "content": {"application/json": {"schema": schema}},
        }
    if route.role is not None:
        said["security"] = [{"token": []}]
        said["description"] = f"For {route.role.named}, or somebody who may do more."
    return said


def _problem(text: str) -> dict[str, object]:
    return {"description": text, "content": {"application/problem+json": {"schema": named("Problem")}}}


def _in_path(path: str) -> list[dict[str, object]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(model: type[BaseModel]) -> list[dict[str, object]]:
    properties = model.model_json_schema()["properties"] if model.model_fields else {}
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in properties.items()]


def _components() -> dict[str, object]:
    adapters = [(name, "serialization", TypeAdapter[object](model)) for name, model in _MODELS.items()]
    references, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)  # type: ignore[arg-type]
    components: dict[str, object] = dict(definitions.get("$defs", {}))
    for (name, _), schema in references.items():
        if schema.get("$ref") != _REFERENCE.format(model=name):
            components[str(name)] = schema
    number, text, flag = {"type": "number"}, {"type": "string"}, {"type": "boolean"}
    entries: Schema = {"type": "array", "items": {"type": "object"}}
    unit: Schema = {"anyOf": [named("Unit"), {"type": "null"}]}
    story = table(
        uid=text,
        unit=unit,
        forgotten={"type": "boolean"},
        labels=entries,
        secrets=entries,
        releases=entries,
        decisions=entries,
        certificates=entries,
        attempts=entries,
    )
    return components | {
        "Story": story,
        "Numbers": _numbers(),
        "Session": table(token=text, name=text, role=text, seconds=number),
        "Print": table(uid=text, copy={"type": "integer"}, unproven={"type": ["string", "null"]}),
        "Scanned": table(uid=text, serial_number=text, slot={"type": ["string", "null"]}, bound=flag),
        "Held": table(held=text, recorded=flag),
        "ChangedLot": table(lot=text, state=text),
        "Released": table(released={"type": "array", "items": text}, line=named("LineStatus"), recorded=flag),
    }


def _numbers() -> Schema:
    count, number = {"type": "integer"}, {"type": "number"}
    text, share = {"type": ["string", "null"]}, {"type": ["number", "null"]}
    bar = {"fail": count, "void": count, "of_all_fails": number, "cumulative": number}
    place = bar | {"judged": count, "not_chance": {"type": "boolean"}}
    bars: dict[str, Schema] = {
        name: {"type": "array", "items": table(**{name: text}, **(place if name in PLACES else bar))}
        for name in ("fault", "slot", "probe", "step")
    }
    hour = table(begin={"type": "string"}, units=count, **dict.fromkeys(ENDS, count))
    return table(
        since=text,
        until=text,
        lot=text,
        slot=text,
        judged=count,
        passed_first=count,
        first_pass_yield=share,
        first_pass_interval={"type": "array", "items": number, "minItems": 2, "maxItems": 2},
        attempts=count,
        laboratory=count,
        **dict.fromkeys(ENDS, count),
        by=table(**bars),
        steps={"type": "object", "additionalProperties": named("Seconds")},
        whole_attempt={"anyOf": [named("Seconds"), {"type": "null"}]},
        hours={"type": "array", "items": hour},
        units=count,
        units_an_hour=share,
        worked_seconds=number,
    )

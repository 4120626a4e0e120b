"""The API's description: OpenAPI 3.1, its schemas generated from the records."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from agents.http.answers import Alerts, BrandNow, Brands, JudgedMention
from agents.http.paging import MOST, USUAL
from agents.http.problems import PROBLEM_JSON, Problem
from streams.records import Alert

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

ANSWERS = (Brands, BrandNow, Alerts, Alert, JudgedMention, Problem)
SCHEMAS = "#/components/schemas/"

_LATER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_REFUSALS: dict[str, tuple[str, Json]] = {
    "400": ("A parameter is unknown, given twice, or has no such value.", {}),
    "401": ("A bearer token is wanted.", {"WWW-Authenticate": {"schema": {"type": "string"}}}),
    "403": ("Without a token only loopback is answered.", {}),
    "404": ("There is no such thing; `reason` says why.", {}),
    "410": ("The mention is gone, and nothing of it is told; `reason` says why.", {}),
    "503": ("Not now: the worker is getting ready, or partitions are changing hands.", _LATER),
}
_ALWAYS = ("400", "401", "403", "503")


@cache
def document() -> Json:
    """Return the OpenAPI document, as plain values."""
    _, schemas = msgspec.json.schema_components(ANSWERS, ref_template=SCHEMAS + "{name}")
    schemas = msgspec.json.decode(msgspec.json.encode(schemas))  # defaults may be tuples, which JSON has not
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Groundswell",
            "version": "1",
            "description": "What a worker knows, read only. Any worker may be asked. Fields are only ever added. "
            "Texts are what strangers wrote: escape them wherever they are shown.",
        },
        "security": [{}, {"bearer": []}],
        "paths": {
            "/v1/brands": {
                "get": _operation("listBrands", "Every brand, with its current figures.", Brands, parameters=_PAGE)
            },
            "/v1/brands/{brand}": {
                "get": _operation(
                    "getBrand",
                    "One brand. Its figures are told once a minute of event time.",
                    BrandNow,
                    "404",
                    parameters=[_in_path("brand", "The id that the rules give it.")],
                )
            },
            "/v1/alerts": {
                "get": _operation(
                    "listAlerts",
                    "Alerts with their evidence, the latest to have started first.",
                    Alerts,
                    parameters=[
                        _in_query("status", {"type": "string", "enum": ["firing", "resolved"]}, "Only these."),
                        _in_query("brand", {"type": "string"}, "Only this brand's."),
                        *_PAGE,
                    ],
                )
            },
            "/v1/alerts/{id}": {
                "get": _operation(
                    "getAlert",
                    "One alert. Resolved ones are kept for 30 days.",
                    Alert,
                    "404",
                    parameters=[_in_path("id", "The alert's id.")],
                )
            },
            "/v1/mentions/{id}": {
                "get": _operation(
                    "getMention",
                    "One mention that matched: its score, and why. A worker that has not got it redirects to the one that has.",
                    JudgedMention,
                    "307",
                    "404",
                    "410",
                    parameters=[_in_path("id", "The mention's id, percent-encoded, slashes too.")],
                )
            },
            "/v1/openapi.json": {
                "get": {
                    "operationId": "getDescription",
                    "summary": "This document.",
                    "responses": {
                        "200": {
                            "description": "OpenAPI 3.1.",
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        },
                        **{status: _refusal(status) for status in ("401", "403")},
                    },
                }
            },
        },
        "components": {"schemas": schemas, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(name: str, summary: str, answer: type, *others: str, parameters: Sequence[Json]) -> Json:
    told: Json = {"200": {"description": "The answer.", "content": {"application/json": {"schema": _ref(answer)}}}}
    told |= {status: _refusal(status) for status in sorted({*others, *_ALWAYS})}
    return {"operationId": name, "summary": summary, "parameters": list(parameters), "responses": told}


def _refusal(status: str) -> Json:
    if status == "307":
        location = {"Location": {"description": "Ask there, with the token.", "schema": {"type": "string"}}}
        return {"description": "Another worker has it.", "headers": location}
    description, headers = _REFUSALS[status]
    answer: Json = {"description": description, "content": {PROBLEM_JSON: {"schema": _ref(Problem)}}}
    return {**answer, "headers": headers} if headers else answer


def _ref(kind: type) -> Json:
    return {"$ref": SCHEMAS + kind.__name__}


def _in_path(name: str, says: str) -> Json:
    return {"name": name, "in": "path", "required": True, "description": says, "schema": {"type": "string"}}


def _in_query(name: str, schema: Json, says: str) -> Json:
    return {"name": name, "in": "query", "description": says, "schema": schema}


_PAGE = [
    _in_query("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}, "At most so many."),
    _in_query("after", {"type": "string"}, "Go on after a page: its `next`."),
]

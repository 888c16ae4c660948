"""openapi.json, made of the routes and their models."""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot import api_models as models

if TYPE_CHECKING:
    from bot.api_routes import Route

_REF = "#/components/schemas/{model}"
_PROBLEMS = {
    "401": "No token, or a wrong one",
    "404": "It does not exist",
    "409": "It exists, and its state does not allow this",
    "422": "The request can't be understood; the sentence says why",
}


def describe_api(routes: "Sequence[Route]", name: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    used = {model for route in routes for model in (route.answer, route.body) if model is not None} | {models.Problem}
    ordered = sorted(used, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(f"/api/v1{route.path}", {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{name}: API of Carillon", "version": _version()},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: "Route") -> dict[str, Any]:
    problem = _content(_ref(models.Problem))
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z]+', '_', route.path)}".rstrip("_"),
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query or {})],
        "responses": {
            str(route.status): {"description": "Done", "content": _content(_answer(route))},
            **{code: {"description": words, "content": problem} for code, words in _PROBLEMS.items()},
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(_ref(route.body))}
    return operation


def _answer(route: "Route") -> Mapping[str, Any]:
    if route.answer is None:
        return {"type": "object"}
    return {"type": "array", "items": _ref(route.answer)} if route.many else _ref(route.answer)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if name == "id" else "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(query: Mapping[str, str]) -> list[dict[str, Any]]:
    numbers = ("limit", "after", "offset")
    return [
        {
            "name": name,
            "in": "query",
            "description": words,
            "schema": {"type": "integer" if name in numbers else "string"},
        }
        for name, words in query.items()
    ]


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _version() -> str:
    try:
        return version("carillon")
    except PackageNotFoundError:
        return "0"

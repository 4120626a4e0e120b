"""Whether an answer is what the description says."""

from __future__ import annotations

import re
from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker

from agents.http.openapi import document


def check(status: str, path: str, answer: Any) -> None:
    """Raise where an answer differs from its description."""
    described = document()
    [operation] = [
        one["get"]
        for template, one in described["paths"].items()
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path.partition("?")[0])
    ]
    [content] = operation["responses"][status]["content"].values()
    schema = {**content["schema"], "components": described["components"]}
    OAS31Validator(schema, format_checker=oas31_format_checker).validate(answer)

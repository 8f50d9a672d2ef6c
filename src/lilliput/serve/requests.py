"""What all requests with a JSON body have in common."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, model_validator


class JsonRequest(BaseModel):
    """A request whose texts are whole: in JSON, a text may have half of a surrogate pair, which is no character."""

    @model_validator(mode="before")
    @classmethod
    def _has_whole_characters(cls, body: Any) -> Any:
        for name, value in body.items() if isinstance(body, dict) else ():
            if any(_HALF.search(text) for text in _texts([name, value])):
                raise ValueError(f"{name}: has half of a surrogate pair, which is no character: send it as UTF-8")
        return body


_HALF = re.compile("[\ud800-\udfff]")


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a JSON value, however deep."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            left += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            left += part

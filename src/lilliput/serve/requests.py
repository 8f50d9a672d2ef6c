"""What all requests with a JSON body have in common."""

from typing import Any

from pydantic import BaseModel, model_validator


class JsonRequest(BaseModel):
    """A request whose texts are whole: in JSON, a text may have half of a surrogate pair, which is no character."""

    @model_validator(mode="before")
    @classmethod
    def _has_whole_characters(cls, body: Any) -> Any:
        for name, value in body.items() if isinstance(body, dict) else ():
            if not _is_whole(value):
                raise ValueError(f"{name}: has half of a surrogate pair, which is no character")
        return body


def _is_whole(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_whole(key) and _is_whole(part) for key, part in value.items())
    return not isinstance(value, list) or all(map(_is_whole, value))

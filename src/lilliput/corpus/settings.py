"""How files are read: the `data` keys of a recipe that say what is in them."""

import codecs

from pydantic import field_validator

from lilliput.settings import Settings


class ReadSettings(Settings):
    """Say what cannot be found out from the files, or should be taken otherwise."""

    encoding: str | None = None
    """The encoding of the files, by its name in Python ("koi8-r", "cp1251", "big5"); by default it is found out."""

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            codec = codecs.lookup(value)
        except (LookupError, ValueError):
            codec = None
        if codec is None or not codec._is_text_encoding:
            raise ValueError(f"there is no encoding {value!r}; Python's documentation lists them under codecs")
        return codec.name


AUTOMATIC = ReadSettings()
"""All is found out."""

"""Numbers in messages."""


def counted(number: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun: "1 record", "2,000 records"; `several` is an irregular plural."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"

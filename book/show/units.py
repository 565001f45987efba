"""Quantities in words and digits, for tables, sentences and lines of progress."""


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 35 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def number(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """`0.583`, with a minus sign rather than a hyphen; with `signed`, a plus sign too; nothing of None."""
    return "" if value is None else f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def with_interval(
    value: float | None, interval: tuple[float, float] | None, digits: int = 3, signed: bool = False
) -> str:
    """`0.583 [0.566, 0.600]`; of what is exact, and has no interval, `0.583`."""
    between = ", ".join(number(end, digits, signed) for end in interval or ())
    return number(value, digits, signed) + (f" [{between}]" if between else "")

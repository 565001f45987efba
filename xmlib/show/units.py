"""Quantities in words, for tables and for lines of progress."""


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 35 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

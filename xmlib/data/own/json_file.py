"""JSON files from elsewhere, read with one clear sentence for each fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xmlib.data.own import given
from xmlib.errors import InputError


def read(file: Path, what: str, kind: type = dict) -> Any:
    """The content of a JSON file, a `kind`. `what` says in messages which file was wanted.

    Raises InputError for a file that is missing, is no JSON, or holds something else.
    """
    given.check_plain(file, what)
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); give the path of {what}.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON ({error}); give the path of {what}.") from None
    if not isinstance(content, kind):
        raise InputError(f"{file} holds something of type {type(content).__name__}; {what} holds a {kind.__name__}.")
    return content


def part(thing: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """`thing[key]`, which must be there and of a kind; `where` names `thing` in the message."""
    found = thing.get(key) if isinstance(thing, dict) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        wanted = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        said = "nothing" if found is None else f"something of type {type(found).__name__}"
        raise InputError(f"{where} has {said} under {key!r}; a {wanted} was wanted.")
    return found

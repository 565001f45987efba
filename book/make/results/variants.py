"""Runs on sheet music and sound that differ from their profile in one thing or several: what, and what came of it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from book.make.results.runs import with_variants
from book.make.results.tables import WAYS
from xmlib.data import audio_score
from xmlib.profiles import Settings, settings

SILENT = {"curve_n", "patience", "refinements", "refine_patience"}  # nothing to see of them in an annealed run


def variants(found: Sequence[dict]) -> dict:
    """The runs of each variant and method, the usual ones of the profile above; none where there is no variant."""
    return {"runs": [(run, differences(run.first)) for run in with_variants(found)], **WAYS}


def differences(record: dict) -> dict[str, Any]:
    """What the run had otherwise than its profile has today: settings, pairs, renderings, corpus."""
    today, made = asdict(settings(record["profile"])), asdict(Settings()) | record["settings"]
    size = audio_score.PROFILES[record["profile"]]
    return {
        "settings": {name: made[name] for name in today if name not in SILENT and made[name] != today[name]},
        "pairs": None if record["data"]["train"] == size.train else record["data"]["train"],
        "renderings": record["data"].get("settings", {}).get("renderings", 1),
        "corpus": "" if record["parameters"].get("corpus", "tunes") == "tunes" else record["parameters"]["corpus"],
    }

"""What the home page and the page *What stands* say: every claim with its verdict, and how to cite."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

import yaml

from book.make.results import choose, claims, evidence, evidence_terms, findings
from book.make.results.claims import NOT_TESTED, UNTESTED, Claim
from book.make.results.evidence_training import PICTURES
from book.make.results.findings import Finding
from book.make.results.tables import filled
from book.show import summaries
from xmlib import paths


def fragments(found: Sequence[dict], tried: dict[str, dict]) -> dict[str, str]:
    """File name → Markdown: the table of claims and a section on each, the answer in short, what to use, how to cite.

    `tried`: the trials on validation pairs.
    """
    asked = verdicts(found)
    made = {"stands": filled("stands", told, asked), "stands_details": filled("stands_details", told(asked))}
    made |= {f"stands_{one['claim'].name}": filled("stands_claim", told, [one]) for one in asked}
    made["answer"] = filled("answer", answer(found) | told(asked))
    made["choose"] = filled("choose", choose.table, choose.tested(summaries.one_linear_cca(found)), tried)
    made["cite"] = filled("cite", citation())
    return {f"{name}.md": text for name, text in made.items()}


def told(asked: Sequence[dict]) -> dict:
    """What fills the templates of the claims."""
    return {"claims": asked, "untested": UNTESTED}


def verdicts(found: Sequence[dict]) -> list[dict]:
    """All that the page says of each claim, in the order of the plan."""
    return [row(claim, evidence.finding(claim.name, found)) for claim in claims.asked()]


def row(claim: Claim, found: Finding) -> dict:
    """A claim with what was found, its verdict, the seeds that the plan asks for, and its records."""
    return {
        "claim": claim,
        "found": found,
        "verdict": found.verdict(claim.name) if claim.tested else NOT_TESTED,
        "planned": findings.SEEDS.get(claim.name, 0),
        "comparisons": claims.comparisons(found.gaps),
        "records": findings.linked(found.records),
    }


def answer(found: Sequence[dict]) -> dict:
    """The numbers of the sentences that come first: sheet music, pictures and words, neighbourhoods, verdicts."""
    return {
        "sheet": choose.sheet(found),
        "pictures": [one for one in (choose.pictures(found, name) for name in PICTURES) if one],
        "terms": evidence_terms.terms(found).gaps,
        "counts": Counter(one["verdict"] for one in verdicts(found)),
    }


def citation() -> dict:
    """What CITATION.cff says of this code."""
    told = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return {
        "title": told["title"],
        "authors": [
            author.get("name") or f"{author['family-names']}, {author['given-names']}" for author in told["authors"]
        ],
        "version": told["version"],
        "released": date.fromisoformat(str(told["date-released"])),
        "license": told["license"],
    }

"""Entries of the bibliography begin as people cite them."""

from pybtex.database import parse_file

from book.make.bibliography_style import AuthorYear, label
from xmlib import paths

ENTRIES = parse_file(str(paths.ROOT / "book" / "references.bib")).entries


def test_one_two_and_several_authors_are_named():
    told = [label(ENTRIES[key]) for key in ("hotelling1936", "thomas2020", "andrew2013", "schonemann1966")]
    assert told == ["Hotelling, 1936", "Thomas and Kovashka, 2020", "Andrew et al., 2013", "Schönemann, 1966"]
    assert label(ENTRIES["vandenoord2018"]) == "van den Oord et al., 2018"


def test_entries_of_the_same_people_and_year_differ_by_a_letter():
    labels = list(AuthorYear().format_labels([ENTRIES[key] for key in ("dorfer2018end", "dorfer2018learning")]))
    assert labels == ["Dorfer et al., 2018a", "Dorfer et al., 2018b"]
    every = list(AuthorYear().format_labels(list(ENTRIES.values())))
    assert len(set(every)) == len(every)

"""Captions in the form of COCO: several for each picture.

Two forms are read: COCO's own (`images` and `annotations`), and dataset_coco.json by Karpathy (`images`, each with
`sentences` and a `split`), whose 5,000 test pictures most published numbers are on.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from xmlib.data.own import given, json_file
from xmlib.data.own.items import Items, Row, gather
from xmlib.errors import InputError

WHAT = "a file of captions like COCO's captions_val2014.json, or Karpathy's dataset_coco.json"


def read(
    dataset_file: str | Path,
    *,
    test_file: str | Path = "",
    image_folder: str | Path = "",
    missing: str = "stop",
    captions_per_image: int = 0,
) -> Items:
    """The pictures in the order of the file, each with its captions in the order of the file.

    `test_file`: a second file of captions, whose pictures are the test. `image_folder`: where the pictures are,
    by default the folder of the file. `captions_per_image`: only the first few of each picture (the usual protocol
    takes five), 0 for all. Equal captions do not tie pictures into a group, because short ones are often equal; equal
    pictures do. Raises InputError for a file of another form, a caption of no known picture, or a picture that is
    named but not there (`missing`: "stop" or "skip").
    """
    if isinstance(captions_per_image, bool) or not isinstance(captions_per_image, int) or captions_per_image < 0:
        raise InputError(f"captions_per_image {captions_per_image!r} is not a count; give a whole number, 0 for all.")
    source = given.path(dataset_file)
    rows = _rows(source, captions_per_image)
    if test_file:
        test = _rows(given.path(test_file), captions_per_image)
        rows = [row._replace(split="train") for row in rows] + [row._replace(split="test") for row in test]
    return gather(rows, image_folder, source, missing, same_text_groups=False)


def _rows(file: Path, most: int) -> list[Row]:
    """One row for each caption, the captions of a picture together."""
    content = json_file.read(file, WHAT)
    images = json_file.part(content, "images", list, str(file))
    if images and isinstance(images[0], dict) and "sentences" in images[0]:
        return [row for i, image in enumerate(images) for row in _of_karpathy(image, f"image {i} in {file}", most)]
    captions = _captions(json_file.part(content, "annotations", list, str(file)), file)
    rows, known = [], {}
    for i, image in enumerate(images):
        where = f"image {i} in {file}"
        name, id = json_file.part(image, "file_name", str, where), json_file.part(image, "id", (int, str), where)
        if known.setdefault(id, name) != name:
            raise InputError(f"{file} gives the id {id!r} to {known[id]} and to {name}; give each picture its own.")
        found = captions.pop(id, [])
        rows += [Row(name, caption) for caption in (found[:most] if most else found)]
    if captions:
        first = ", ".join(map(str, list(captions)[:3]))
        raise InputError(f"{file} has captions of {len(captions)} images that it does not list (image_id {first}).")
    return rows


def _captions(annotations: list[Any], file: Path) -> dict[int | str, list[str]]:
    """The captions of each image id."""
    captions: dict[int | str, list[str]] = defaultdict(list)
    for i, annotation in enumerate(annotations):
        where = f"annotation {i} in {file}"
        image = json_file.part(annotation, "image_id", (int, str), where)
        captions[image].append(json_file.part(annotation, "caption", str, where))
    return captions


def _of_karpathy(image: Any, where: str, most: int) -> list[Row]:
    name = json_file.part(image, "filename", str, where)
    below = image.get("filepath", "")
    sentences = json_file.part(image, "sentences", list, where)
    return [
        Row((Path(str(below)) / name).as_posix(), json_file.part(sentence, "raw", str, where),
            split=json_file.part(image, "split", str, where))
        for sentence in (sentences[:most] if most else sentences)
    ]  # fmt: skip

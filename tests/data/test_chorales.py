"""The pairs of chorales: four voices on two staves, the melody in the middle, settings of a melody together."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from xmlib.data import cache, load
from xmlib.data.audio_score import chorales, engrave, folk_tunes, synthesize
from xmlib.data.audio_score.choose import below, context
from xmlib.data.audio_score.chorales import parse
from xmlib.data.audio_score.relatives import CHORALES
from xmlib.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_helpers")
SPLITS = ("train", "valid", "test")
STAVES = {0: 4 * 7 + 6, 1: 3 * 7 + 1}  # the middle lines, B4 and D3, in scale steps from C0


def chorale(number):
    return parse(next(source for source in chorales.sources() if source.id == f"bach/bwv{number}"))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return load("audio_score", "toy", corpus="chorales", cache_folder=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def parsed(toy):
    """Every chorale of the toy, with its split."""
    folder = next(toy.folder.parent.glob("tunes-*"))
    stored = {tune["id"]: tune for tune in toy.train.tunes}
    return {
        id: (tune["split"], folk_tunes.from_json(cache.read_json(folder / f"{id}.json")["tune"]))
        for id, tune in stored.items()
    }


def shared(one, other):
    """Shared runs of two melodies, as a part of those of the one that has fewer."""
    a, b = (CHORALES.runs(tune.notes()) for tune in (one, other))
    return len(a & b) / min(len(a), len(b))


@pytest.mark.parametrize("number", ["269", "244.46", "379"])
def test_the_sounding_notes_are_those_that_music21_gives_for_the_four_parts(number):
    from music21 import converter

    source = next(source for source in chorales.sources() if source.id == f"bach/bwv{number}")
    score = converter.parseData(chorales._music_xml(source.score), format="musicxml").stripTies()
    theirs = Counter(
        (float(note.offset), float(note.quarterLength), note.pitch.midi)
        for part in score.parts
        for note in part.flatten().notes
    )
    ours = Counter((n.onset / folk_tunes.TICKS, n.length / folk_tunes.TICKS, n.pitch) for n in parse(source).sounding())
    assert ours == theirs


def test_every_notehead_of_every_voice_is_drawn_at_the_height_of_its_pitch(parsed):
    for _, tune in list(parsed.values())[:6]:
        heads, _ = engrave.positions(engrave.draw(engrave.mei(tune), 2), 2)
        for staff, voices in enumerate(engrave.staves(tune)):
            places = [
                (heads[f"n{voice}-{bar}-{e}"][1], 7 * event.octave + "CDEFGAB".index(event.step) - STAVES[staff])
                for voice in voices
                for bar, content in enumerate(tune.voices[voice])
                for e, event in enumerate(content.events)
                if event.step
            ]
            rows, heights = np.array(places).T
            np.testing.assert_allclose(rows + 2 * heights, (rows + 2 * heights)[0])  # lines are 4 pixels apart


def test_no_more_heads_are_drawn_than_there_are_notes(parsed):
    _, tune = next(iter(parsed.values()))
    heads, _ = engrave.positions(engrave.draw(engrave.mei(tune), 2), 2)
    notes = sum(bool(event.step) for voice in tune.voices for bar in voice for event in bar.events)
    assert len(heads) == notes


def test_an_accidental_of_one_voice_holds_for_the_other_on_its_staff():
    quarter = folk_tunes.TICKS
    events = [folk_tunes.Event("F", 4, alter, quarter, "4", 0, None, "", False) for alter in (1, 1, 0)]
    signs = engrave._accidentals(0, {0: [events[0], events[1]], 1: [events[1], events[2]]})
    assert signs == {(0, 0): "s", (1, 1): "n"}


def test_the_middle_of_every_picture_is_the_head_of_its_melody_note(toy, parsed):
    for id, row in zip(toy.test.ids, toy.test.rows, strict=True):
        name, number = id.split("#")
        tune = parsed[name][1]
        note = tune.notes()[int(number)]
        strip = toy.test.tunes[row["tune"]]["strip"]
        middle = row["column"] - toy.test.tunes[row["tune"]]["first_column"] + engrave.WIDTH // 2
        upper = 40 - engrave.LOWER - 8  # at most here is the lowest line of the upper staff
        head = strip[:upper, middle - 2 : middle + 3]
        assert head.min() < 100, (id, note)


def test_the_sound_rises_within_a_frame_of_every_onset_that_stands_alone(toy, parsed):
    late = []
    for i, (id, row) in enumerate(zip(toy.train.ids, toy.train.rows, strict=True)):
        name, number = id.split("#")
        tune = parsed[name][1]
        note = tune.notes()[int(number)]
        frames_per_tick = 20 * 60 / (toy.train.tunes[row["tune"]]["quarters_per_minute"] * folk_tunes.TICKS)
        gaps = [abs(other.onset - note.onset) * frames_per_tick for other in tune.sounding()]
        if any(0 < gap < 4 for gap in gaps):
            continue  # another onset is near
        rise = np.diff(toy.train.view2[i][0, :, 18:24]).clip(0).sum(axis=0)
        late.append(19 + rise.argmax() - row["onset_column"])
    assert len(late) >= 20
    assert np.max(np.abs(late)) <= 1


def test_all_voices_sound(parsed):
    _, tune = next(iter(parsed.values()))
    alone, all_four = (synthesize.spectrogram(notes, 0, 4e-5) for notes in (tune.notes(), tune.sounding()))
    bass = slice(0, 25)  # below 130 Hz, where no melody is
    assert alone.astype(float)[:, bass].sum() < 0.2 * all_four.astype(float)[:, bass].sum()


@pytest.mark.parametrize(("one", "other"), list(combinations(("244.46", "244.3", "245.17"), 2)))
def test_settings_of_a_melody_in_other_keys_and_with_other_passing_notes_are_relatives(one, other):
    assert shared(chorale(one), chorale(other)) >= CHORALES.share


def test_other_melodies_are_no_relatives():
    assert shared(chorale("244.46"), chorale("434")) < CHORALES.share


def test_no_melody_is_in_two_splits(parsed):
    for (split, one), (other_split, other) in combinations(parsed.values(), 2):
        assert split == other_split or shared(one, other) < CHORALES.share


def test_no_two_queries_of_a_split_show_the_same_notes_of_all_voices(toy, parsed):
    for split in SPLITS:
        shown = []
        for id in getattr(toy, split).ids:
            name, number = id.split("#")
            tune, i = parsed[name][1], int(number)
            shown.append(context(tune.notes(), i) + below(tune, tune.notes(), i))
        assert len(set(shown)) == len(shown)


def test_chorales_are_other_data_than_tunes(toy):
    assert toy.settings["corpus"] == "chorales"
    assert all(id.startswith("bach/") for id in toy.train.ids)


def test_an_unknown_corpus_is_refused():
    with pytest.raises(InputError, match="corpus 'hymns' is unknown; choose one of: tunes, chorales"):
        load("audio_score", "toy", corpus="hymns")


def test_a_system_that_would_be_cut_off_is_refused():
    low = chorale("269")
    bars = [bar._replace(events=[e._replace(octave=1) if e.step else e for e in bar.events]) for bar in low.lower[-1]]
    with pytest.raises(ValueError, match="beyond the picture"):
        engrave.strip(low._replace(lower=(*low.lower[:-1], bars)))


@pytest.mark.faults  # reads the whole collection
def test_settings_with_the_same_title_share_their_melody_or_have_quite_another_one():
    from music21.corpus.chorales import ChoraleListRKBWV

    titles = {f"bach/bwv{row['bwv']}": row["title"] for row in ChoraleListRKBWV().byRiemenschneider.values()}
    tunes = {}
    for source in (source for source in chorales.sources() if source.id in titles):
        try:
            tunes[source.id] = parse(source)
        except folk_tunes.NotPlain:
            continue
    alike = [shared(tunes[a], tunes[b]) for a, b in combinations(tunes, 2) if titles[a] == titles[b]]
    assert len(alike) > 100
    unrelated = [part for part in alike if part < CHORALES.share]
    assert len(unrelated) <= 10
    assert max(unrelated) < 0.1

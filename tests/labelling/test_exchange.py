"""Segments survive the way out and back in every format, files of other programs are read, bad lines are named."""

from __future__ import annotations

import contextlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flora_engine.datasets.pku import parse_label, read_labels
from flora_engine.errors import FloraError
from flora_engine.labelling.exchange import FORMATS, Recording, read_segments, write_segments
from flora_engine.labelling.segments import Annotation, Segment

# 30 frames per second: frame 10 begins at 1/3 s
SEGMENTS = (
    Segment("bow", 0, 9, 0.75),
    Segment("drink water", 10, 40, 0.5),
    Segment("bow", 41, 41, 0.25),
    Segment("throw", 80, 99, None),
)
ANNOTATION = Annotation("a, b.skeleton", 30.0, 100, SEGMENTS)
RECORDING = Recording(30.0, 100)
KEEPS_SCORES = ("csv", "json", "boris")


def without_scores(segments: tuple[Segment, ...]) -> list[tuple[str, int, int]]:
    return [(s.name, s.start, s.end) for s in segments]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("told", [True, False])
def test_out_and_back(name: str, told: bool, tmp_path: Path) -> None:
    path = tmp_path / f"x{FORMATS[name].suffix}"
    write_segments(path, ANNOTATION, name)
    found = read_segments(path, RECORDING, name if told else None)
    assert without_scores(found) == without_scores(SEGMENTS)
    scores = [s.score for s in SEGMENTS] if name in KEEPS_SCORES else [None] * 4
    assert [s.score for s in found] == scores
    assert [form.name for form in FORMATS.values() if form.claims(path.read_text())] == [name]


@pytest.mark.parametrize("name", FORMATS)
@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30
)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6),
    label=st.text(min_size=1).filter(lambda text: text.isprintable() and text == " ".join(text.split()) and text),
    fps=st.sampled_from([15.0, 25.0, 29.97, 30.0, 59.94, 240.0]),
)
def test_any_names_and_frame_rates_come_back(
    name: str, drawn: list[tuple[int, int]], label: str, fps: float, tmp_path: Path
) -> None:
    label = "bow" if name == "pku" else label
    segments, end = [], 10_000
    for gap, length in drawn:
        segments.append(Segment(label, end + 1 + gap, end + 1 + gap + length))
        end = segments[-1].end
    path = tmp_path / "x"
    write_segments(path, Annotation("x", fps, end + 1, tuple(segments)), name)
    if path.read_text().strip():
        assert read_segments(path, Recording(fps, end + 1), name) == tuple(segments)


def test_times_are_edges_of_frames(tmp_path: Path) -> None:
    """Frames 10 to 40 at 30 frames per second last from 1/3 s to 41/30 s."""
    csv, audacity, elan = (FORMATS[name].write(ANNOTATION) for name in ("csv", "audacity", "elan"))
    assert csv.splitlines()[2] == '"a, b.skeleton",drink water,10,40,0.333333,1.366667,0.5'
    assert audacity.splitlines()[1] == "0.333333\t1.366667\tdrink water"
    assert 'TIME_VALUE="333"' in elan and 'TIME_VALUE="1367"' in elan
    assert FORMATS["pku"].write(ANNOTATION).splitlines()[:2] == ["1,1,10,0.75", "8,11,41,0.5"]
    assert FORMATS["boris"].write(ANNOTATION).splitlines()[:4] == [
        *("time,subject,code,modifier,comment", "0.000000,,bow,,score 0.75"),
        *("0.333333,,bow,,", "0.333333,,drink water,,score 0.5"),
    ]


def test_json_is_the_documented_object() -> None:
    data = json.loads(FORMATS["json"].write(ANNOTATION))
    assert (data["format"], data["version"], data["fps"], data["frames"]) == ("flora-segments", 1, 30.0, 100)
    assert data["segments"][1] == {"name": "drink water", "start": 10, "end": 40, "score": 0.5}


def test_elan_documents_have_what_elan_asks_for() -> None:
    """Two segments at one time stand in two tiers, time slots rise, all references lead somewhere."""
    both = Annotation("x", 30.0, 100, (Segment("a & <b>", 0, 50), Segment("c", 20, 60), Segment("d", 51, 70)))
    root = ET.fromstring(FORMATS["elan"].write(both).encode())
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert [child.tag for child in root] == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    times = [int(slot.get("TIME_VALUE", "")) for slot in root.iter("TIME_SLOT")]
    slots = {slot.get("TIME_SLOT_ID") for slot in root.iter("TIME_SLOT")}
    assert times == sorted(times) and len(slots) == 6
    for annotation in root.iter("ALIGNABLE_ANNOTATION"):
        assert {annotation.get("TIME_SLOT_REF1"), annotation.get("TIME_SLOT_REF2")} <= slots
    types = {kind.get("LINGUISTIC_TYPE_ID") for kind in root.iter("LINGUISTIC_TYPE")}
    assert {tier.get("LINGUISTIC_TYPE_REF") for tier in root.iter("TIER")} == types
    in_tiers = [[value.text for value in tier.iter("ANNOTATION_VALUE")] for tier in root.iter("TIER")]
    assert in_tiers == [["a & <b>", "d"], ["c"]]


def test_elan_documents_of_other_hands_are_read(tmp_path: Path) -> None:
    """Tiers of translations refer to annotations and have no time of their own: they are passed over."""
    path = tmp_path / "x.eaf"
    path.write_text(
        """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+01:00" FORMAT="3.0" VERSION="3.0">
 <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///a.mp4" MIME_TYPE="video/mp4"/>
 </HEADER>
 <TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/>
  <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1010"/></TIME_ORDER>
 <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="hands"><ANNOTATION>
  <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
   <ANNOTATION_VALUE>wave
   twice</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
 <TIER LINGUISTIC_TYPE_REF="tr" TIER_ID="english" PARENT_REF="hands"><ANNOTATION>
  <REF_ANNOTATION ANNOTATION_ID="a2" ANNOTATION_REF="a1"><ANNOTATION_VALUE>hello</ANNOTATION_VALUE></REF_ANNOTATION>
 </ANNOTATION></TIER>
 <LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>"""
    )
    assert read_segments(path, RECORDING) == (Segment("wave twice", 0, 29),)


def test_tables_that_boris_exports_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "Observation id,Subject,Behavior,Behavior type,Start (s),Stop (s),Duration (s)\n"
        "o1,dog,sit,STATE,0.500,1.500,1.000\n"
    )
    assert read_segments(path, RECORDING) == (Segment("sit", 15, 44),)
    path.write_text("Observation id,Subject,Behavior,Behavior type,Time\no1,A,sit,START,0.5\no1,B,sit,START,1\n"
                    "o1,A,sit,STOP,1.5\no1,B,sit,STOP,2\n")  # fmt: skip
    assert read_segments(path, RECORDING) == (Segment("sit", 15, 44), Segment("sit", 30, 59))
    path.write_text("time,code\n0.5,sit\n1.5,sit\n2,bark\n")
    with pytest.raises(FloraError, match=r"“bark” begins and never ends \(line 4\)"):
        read_segments(path, RECORDING)
    path.write_text("Behavior,Behavior type,Time\nbark,POINT,0.5\n")
    with pytest.raises(FloraError, match=r"point event.*\(line 2\)"):
        read_segments(path, RECORDING)


def test_audacity_frequencies_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("0,5\t1,5\tsit down\n\\\t200.0\t4000.0\n")
    assert read_segments(path, RECORDING) == (Segment("sit down", 15, 44),)


def test_pku_labels_are_those_of_the_data_set(tmp_path: Path) -> None:
    path = tmp_path / "0002-L.txt"
    path.write_text("8,11,41,2\n")
    label = read_labels(path)[0]
    assert read_segments(path, RECORDING) == (Segment("drink water", label.begin, label.end - 1),)
    assert isinstance(parse_label("52,1,2,1"), str) and isinstance(parse_label("1,5,4,1"), str)
    with pytest.raises(FloraError, match="“juggle” is not one of their names"):
        write_segments(path, Annotation("x", 30, 9, (Segment("juggle", 0, 1),)), "pku")
    assert path.read_text() == "8,11,41,2\n"


def test_boris_cannot_hold_one_class_twice_at_a_time() -> None:
    with pytest.raises(FloraError, match="two segments of “a” at the same time"):
        FORMATS["boris"].write(Annotation("x", 30, 99, (Segment("a", 0, 9), Segment("a", 5, 12))))


HEAD = "file,class,start_frame,end_frame,start_seconds,end_seconds,score\n"
EAF = """<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"/>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2"/></TIME_ORDER><TIER>
<ANNOTATION><ALIGNABLE_ANNOTATION TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>a</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""
BOMB = '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>\n<ANNOTATION_DOCUMENT>&b;</ANNOTATION_DOCUMENT>'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("hello", "not segments in a known format"),
        (HEAD + "x,a,0,9,,,\nx,a,5,x,,,\n", r"not two frame numbers \(line 3\)"),
        (HEAD + "x,a,5,4,,,\n\nx,a,-1,4,,,\nx,a,0,100,,,\n", r"ends before it begins \(line 2\).*line 4, line 5 too"),
        (HEAD + "x,a,0,100,,,\n", r"ends at frame 100, and the last one is 99 \(line 2\)"),
        (HEAD + "x,a,0,4,,,nan\n", r"the score .* is not a number \(line 2\)"),
        (HEAD + "x, ,0,4,,,\n", r"no class \(line 2\)"),
        (HEAD + "x,a,0\n", r"3 fields and the header 7 \(line 2\)"),
        (HEAD + "x,a," + "9" * 5000 + ",1,,,\n", r"not two frame numbers \(line 2\)"),
        ('{"format": "flora-segments",\n "version"', r"not readable as JSON.*\(line 2\)"),
        ('{"format": "other"}', "no format “flora-segments”"),
        ('{"format": "flora-segments", "version": 2}', "reads version 1, and the file has 2"),
        ('{"format": "flora-segments", "version": 1}', "no list of segments"),
        ('{"format": "flora-segments", "version": 1, "fps": 25, "segments": []}', "25 frames per second.*30"),
        (
            '{"format": "flora-segments", "version": 1, "segments": [{"name": "a", "start": 0.5, "end": 1}]}',
            r"whole numbers \(segment 1\)",
        ),
        ("[" * 100_000, "not segments in a known format"),
        ("{" + '"a":[' * 100_000, "not readable as JSON"),
        ("0\t1\ta\n1\tinf\tb\n", r"not finite \(line 2\)"),
        ("0\t1\ta\n1\t2\n", r"with tabs between \(line 2\)"),
        ("1\t1\ta\n", r"shorter than one frame \(line 1\)"),
        ("1\t0\ta\n", r"ends before it begins \(line 1\)"),
        ("1,1,9,1\n99,1,9,1\n", r"class 99.*\(line 2\)"),
        ("1,1,9,1\n1,x,9,1\n", r"not a line of class,start,end,confidence \(line 2\)"),
        (EAF, r"the annotation “a” has no time.*\(line 3\)"),
        (EAF.replace("milliseconds", "PAL-frames"), "times in PAL-frames are not read"),
        (EAF.replace("</TIER>", ""), r"not readable as XML: mismatched tag \(line 4\)"),
        (EAF.replace('"t2"/>', '"t2" TIME_VALUE="1e9"/>'), "not two times in milliseconds"),
        (EAF.replace('"t2"/>', f'"t2" TIME_VALUE="{"9" * 5000}"/>'), "not finite"),
        (BOMB, "declares entities of its own"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(FloraError, match=problem) as caught:
        read_segments(path, RECORDING)
    assert caught.value.path == path


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=200
)
@given(form=st.sampled_from([*FORMATS]), at=st.integers(0, 700), junk=st.text(max_size=5), cut=st.integers(0, 60))
def test_broken_files_are_read_or_refused_in_one_sentence(
    form: str, at: int, junk: str, cut: int, tmp_path: Path
) -> None:
    text = FORMATS[form].write(ANNOTATION)
    path = tmp_path / "x"
    path.write_bytes((text[:at] + junk + text[at + cut :]).encode("utf-8", "surrogatepass"))
    with contextlib.suppress(FloraError):
        assert all(0 <= s.start <= s.end < 100 for s in read_segments(path, RECORDING, form))

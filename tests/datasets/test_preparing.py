"""`flora prepare` and `flora export` end to end: real and made-up raw folders, bad files, stopping, continuing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flora_engine.cli import main
from flora_engine.datasets import ntu, pku, preparing
from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.preparing import Report, Result, Task
from flora_engine.datasets.published_files import SPLIT_SIZES, import_split, read_split
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.preprocessing import ctrgcn
from flora_engine.preprocessing import prepare as prepare_recording
from flora_engine.project import Project, Span
from flora_engine.readers import write_ntu
from flora_engine.recipes.preparing import Request, prepare
from flora_engine.skeleton import SkeletonSequence


def recording(seed: int, frames: int = 20, persons: int = 1) -> SkeletonSequence:
    joints = np.random.default_rng(seed).normal(0, 1, (frames, persons, 25, 3)) * [0.3, 1, 1] + [0, 0, 3]
    return SkeletonSequence(joints.astype(np.float32), 30.0)


def ntu_folder(folder: Path, names: list[str]) -> Path:
    """A raw folder in the published layout."""
    for number, name in enumerate(names):
        half = "nturgb+d_skeletons" + ("120" if name >= "S018" else "")
        write_ntu(recording(number, persons=1 + number % 2), folder / "nturgbd_raw" / half / f"{name}.skeleton")
    return folder / "nturgbd_raw"


NAMES = [
    "S001C001P001R001A001",
    "S001C002P003R001A002",
    "S001C003P008R001A060",
    "S017C001P007R002A050",
    "S018C001P008R001A061",
    "S019C002P106R001A120",
]


def project_names(folder: Path) -> list[str]:
    with Project.open(folder, "read") as project:
        return sorted(project.table.names)


def test_the_published_folder_layout_is_walked(tmp_path: Path) -> None:
    raw = ntu_folder(tmp_path, NAMES)
    sixty = prepare(Job(), "ntu60", raw, tmp_path / "p60")
    assert (sixty.found, sixty.prepared, sixty.finished) == (4, 4, True)
    assert prepare(Job(), "ntu120", raw, tmp_path / "p120").prepared == 6
    with Project.open(tmp_path / "p120", "read") as project:
        table = project.table
        assert len(table.class_names) == 120
        row = table.names.index("S019C002P106R001A120")
        assert [table.numbers[key][row] for key in ("setup", "camera", "subject")] == [19, 2, 106]
        assert table.classes[row] == 119


def test_a_bad_file_never_stops_the_rest(tmp_path: Path) -> None:
    raw = ntu_folder(tmp_path, NAMES[:3])
    good = (raw / "nturgb+d_skeletons" / f"{NAMES[0]}.skeleton").read_bytes()
    (raw / "S002C001P001R001A001.skeleton").write_bytes(good[: len(good) // 2])
    (raw / "S002C001P001R001A002.skeleton").write_bytes(b"")
    (raw / "S002C001P001R001A003.skeleton").write_bytes(os.urandom(3000))
    (raw / "copy of something.skeleton").write_bytes(good)
    shutil.copy(raw / "nturgb+d_skeletons" / f"{NAMES[1]}.skeleton", raw)
    write_ntu(recording(9, 8, persons=2), raw / "S002C001P001R001A004.skeleton")
    report = prepare(Job(), "ntu60", raw, tmp_path / "p")
    assert report.prepared == 3
    reasons = {Path(name).name: why for name, why in report.skipped.items()}
    assert "middle of frame" in reasons["S002C001P001R001A001"]
    assert "empty" in reasons["S002C001P001R001A002"]
    assert "not an NTU" in reasons["S002C001P001R001A003"]
    assert "at most 11 frames" in reasons["S002C001P001R001A004"]
    assert "form Ssss" in reasons["copy of something.skeleton"]
    assert "as well" in reasons[f"{NAMES[1]}.skeleton"]
    saved = json.loads(preparing.report_path(tmp_path / "p", "ntu60").read_text())
    assert saved["skipped"] == report.skipped and saved["prepared"] == 3
    text = preparing.report_path(tmp_path / "p", "ntu60").with_suffix(".txt").read_text()
    assert all(name in text for name in report.skipped)


def test_lists_of_missing_skeletons_are_found_and_obeyed(tmp_path: Path) -> None:
    raw = ntu_folder(tmp_path, NAMES)
    lists = tmp_path / "ntu120" / "statistics"
    lists.mkdir(parents=True)
    (lists / "NTU_RGBD120_samples_with_missing_skeletons.txt").write_text(f"Names:\r\n{NAMES[2]}\r\n{NAMES[4]}\r\n")
    report = prepare(Job(), "ntu120", raw, tmp_path / "p")
    assert report.excluded == [NAMES[2], NAMES[4]]
    assert project_names(tmp_path / "p") == [NAMES[0], NAMES[1], NAMES[3], NAMES[5]]
    own = tmp_path / "own.txt"
    own.write_text(NAMES[0])
    assert prepare(Job(), "ntu120", raw, tmp_path / "q", own).excluded == [NAMES[0]]
    own.write_text("nothing here")
    with pytest.raises(FloraError, match="names no recording"):
        prepare(Job(), "ntu120", raw, tmp_path / "r", own)


def test_published_lists(shared_data: Path) -> None:
    """The 302 and 535 names of the published lists are all understood."""
    for file, count in (("ntu60_statistics_samples", 302), ("ntu120_statistics_NTU_RGBD120_samples", 535)):
        path = shared_data / "missing" / f"{file}_with_missing_skeletons.txt"
        assert len(preparing.missing_names(shared_data, path, ntu.NAME)) == count
    for part, count in ((1, 4), (2, 47)):
        path = shared_data / "missing" / f"pkummd_part{part}_samples_with_missing_skeletons.txt"
        assert len(preparing.missing_names(shared_data, path, pku.CLIP)) == count


def stop_after(count: int) -> Job:
    """A job that its user stops when `count` files are done."""

    def listen(event: Event) -> None:
        if event["kind"] == "progress" and event["done"] >= count:
            job.stop()

    job = Job(listen)
    return job


def test_stopped_and_continued_equals_never_stopped(tmp_path: Path) -> None:
    raw = ntu_folder(tmp_path, NAMES)
    with pytest.raises(Cancelled):
        prepare(stop_after(2), "ntu120", raw, tmp_path / "p")
    assert project_names(tmp_path / "p") == sorted(NAMES)[:2]
    assert not json.loads(preparing.report_path(tmp_path / "p", "ntu120").read_text())["finished"]
    report = prepare(Job(), "ntu120", raw, tmp_path / "p")
    assert (report.prepared, report.already, report.finished) == (4, 2, True)
    prepare(Job(), "ntu120", raw, tmp_path / "q")
    with Project.open(tmp_path / "p", "read") as one, Project.open(tmp_path / "q", "read") as two:
        assert sorted(h.hex() for h in one.recordings.hashes().values()) == sorted(
            h.hex() for h in two.recordings.hashes().values()
        )
    again = prepare(Job(), "ntu120", raw, tmp_path / "p")
    assert (again.prepared, again.already) == (0, 6)


def test_dropped_bodies_are_remembered_by_later_runs(tmp_path: Path) -> None:
    sequence = recording(0, 30, 2)
    sequence.joints[5:, 1] = 0  # five frames only
    write_ntu(sequence, tmp_path / "raw" / f"{NAMES[0]}.skeleton")
    first = prepare(Job(), "ntu60", tmp_path / "raw", tmp_path / "p")
    assert list(first.dropped) == [NAMES[0]] and "only 5 frames" in first.dropped[NAMES[0]][0]
    assert prepare(Job(), "ntu60", tmp_path / "raw", tmp_path / "p").dropped == first.dropped


def die(task: Task) -> Result:
    os._exit(3)


def measure(task: Task) -> Result:
    return Result(problems=((task.name, str(os.getpid())),))


def test_work_is_spread_and_stays_in_order() -> None:
    tasks = [Task(Path("x"), f"{number}") for number in range(40)]
    found = list(preparing.results(tasks, measure, 2, 2))
    assert [result.problems[0][0] for result in found] == [task.name for task in tasks]
    processes = {result.problems[0][1] for result in found}
    assert str(os.getpid()) not in processes and 1 <= len(processes) <= 2


def test_a_process_that_dies_is_one_clear_error() -> None:
    tasks = [Task(Path("x"), f"{number}") for number in range(40)]
    with pytest.raises(FloraError, match="ended from outside"):
        list(preparing.results(tasks, die, 2, 2))


def test_nothing_to_prepare_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="no such folder"):
        prepare(Job(), "ntu60", tmp_path / "nowhere", tmp_path / "p")
    with pytest.raises(FloraError, match="no recording of pku2"):
        prepare(Job(), "pku2", tmp_path, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_real_recordings_through_the_command_line(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Raw files in, project, published split file out: equal to the published arrays, sample by sample."""
    arguments = ["--raw", str(shared_data / "ntu"), "--project", str(tmp_path / "p"), "--jobs", "2"]
    assert main(["prepare", "ntu60", *arguments, "--write-missing", str(tmp_path / "missing.txt")]) == 0
    assert "31 recordings prepared" in capsys.readouterr().out
    assert main(["export", "NTU60_CS", "--project", str(tmp_path / "p"), "--out", str(tmp_path / "NTU60_CS.npz")]) == 0
    golden = np.load(shared_data / "ntu/golden_denoised_translated.npz", allow_pickle=False)
    names = sorted(name[11:] for name in golden.files if name.startswith("translated/") and name[11:] < "S018")
    found = np.load(tmp_path / "NTU60_CS.npz", allow_pickle=False)
    for side, subjects in (("train", ntu.EXPORTS["NTU60_CS"].train), ("test", ntu.EXPORTS["NTU60_CS"].test)):
        order = [name for subject in subjects for name in names if int(name[9:12]) == subject]
        assert found[f"x_{side}"].shape == (len(order), 300, 150) and found[f"x_{side}"].dtype == np.float32
        assert found[f"y_{side}"].shape == (len(order), 60)
        for x, y, name in zip(found[f"x_{side}"], found[f"y_{side}"], order, strict=True):
            expected = golden[f"translated/{name}"]
            np.testing.assert_array_equal(x[: len(expected), : expected.shape[1]], expected)
            assert not x[len(expected) :].any() and not x[:, expected.shape[1] :].any()
            assert y.argmax() == int(name[-3:]) - 1 and y.sum() == 1


def test_ntu120_copies_a_single_person_unless_told_otherwise(tmp_path: Path) -> None:
    prepare(Job(), "ntu120", ntu_folder(tmp_path, NAMES), tmp_path / "p")
    with Project.open(tmp_path / "p", "read") as project:
        sizes = ntu.export_split(Job(), project, "NTU120_CSet", tmp_path / "a.npz")
        assert sizes == {"train": 1, "test": 5}
        ntu.export_split(Job(), project, "NTU120_CSet", tmp_path / "b.npz", copy_single=False)
    published, plain = read_split(tmp_path / "a.npz").train[0], read_split(tmp_path / "b.npz").train[0]
    np.testing.assert_array_equal(published[:, :75], plain[:, :75])
    np.testing.assert_array_equal(published[:, 75:], published[:, :75])
    assert not plain[:, 75:].any()


def test_published_order_and_sizes_of_the_whole_data_set(shared_data: Path) -> None:
    """Every recording of NTU RGB+D that exists is in one part; without the missing ones the published sizes come out.

    Which combinations of set-up, subject and replication were recorded is not written anywhere here, so the whole
    list cannot be made; what can be checked is that each rule splits all values and takes what it should.
    """
    for name, export in ntu.EXPORTS.items():
        top = {"subject": {"ntu60": 40, "ntu120": 106}, "camera": {"ntu60": 3}, "setup": {"ntu120": 32}}
        assert sorted(export.train + export.test) == list(range(1, top[export.by][export.dataset] + 1))
        part = ntu.PARTS[export.dataset]
        assert sum(SPLIT_SIZES[name]) == part.with_skeletons
    missing = preparing.missing_names(
        shared_data, shared_data / "missing/ntu120_statistics_NTU_RGBD120_samples_with_missing_skeletons.txt", ntu.NAME
    )
    for dataset, part in ntu.PARTS.items():
        count = sum(ntu.numbers(name)["setup"] <= part.setups for name in missing)
        assert part.recordings - count == part.with_skeletons, dataset


def test_samples_lie_by_id_and_then_by_name() -> None:
    names = ["S002C001P002R001A001", "S001C003P001R001A002", "S001C001P002R001A001", "S001C002P003R001A001"]
    order = ntu.export_order([*names, "something else"], ntu.EXPORTS["NTU60_CS"])
    assert [names[i] for i in order["train"]] == [names[1], names[2], names[0]]
    assert order["test"].tolist() == [3]
    assert [names[i] for i in ntu.export_order(names, ntu.EXPORTS["NTU60_CV"])["train"]] == [names[3], names[1]]


def test_sizes_other_than_published_are_told(tmp_path: Path) -> None:
    prepare(Job(), "ntu60", ntu_folder(tmp_path, NAMES), tmp_path / "p")
    told: list[str] = []
    job = Job(lambda event: told.append(event["text"]) if event["kind"] == "warning" else None)
    with Project.open(tmp_path / "p", "read") as project:
        ntu.export_split(job, project, "NTU60_CV", tmp_path / "a.npz")
    assert told[0] == "NTU60_CV: the train part has 2 recordings, published are 37646"


def test_a_raw_project_exports_the_same_as_a_prepared_one(tmp_path: Path) -> None:
    raw = ntu_folder(tmp_path, NAMES)
    prepare(Job(), "ntu60", raw, tmp_path / "p")
    assert main(["import", str(raw), "--project", str(tmp_path / "q")]) == 0
    for name in ("p", "q"):
        with Project.open(tmp_path / name, "read") as project:
            ntu.export_split(Job(), project, "NTU60_CS", tmp_path / f"{name}.npz")
    np.testing.assert_array_equal(read_split(tmp_path / "p.npz").train, read_split(tmp_path / "q.npz").train)


def test_a_split_file_comes_back_as_a_project(tmp_path: Path) -> None:
    raw = ntu_folder(tmp_path, NAMES)
    prepare(Job(), "ntu60", raw, tmp_path / "p")
    with Project.open(tmp_path / "p", "read") as project:
        ntu.export_split(Job(), project, "NTU60_CS", tmp_path / "NTU60_CS.npz")
    arguments = ["--from", str(tmp_path / "NTU60_CS.npz"), "--project", str(tmp_path / "q")]
    assert main(["prepare", "ntu60", *arguments]) == 0
    with Project.open(tmp_path / "p", "read") as one, Project.open(tmp_path / "q", "read") as two:
        first, second = one.table, two.table
        assert len(first) == len(second) == 4
        hashes = {one.recordings.hashes()[int(id)]: first.class_of(row) for row, id in enumerate(first.ids)}
        for row, id in enumerate(second.ids):
            assert hashes[two.recordings.hashes()[int(id)]] == second.class_of(row)
            assert second.numbers["setup"][row] == (1 if "-train-" in second.names[row] else 2)
        sequence = two.recordings.read(int(second.ids[0]))
        expected = ctrgcn.as_input(np.asarray(read_split(tmp_path / "NTU60_CS.npz").train[0]))
        np.testing.assert_array_equal(prepare_recording(sequence, "ctrgcn", 300), expected)
        with pytest.raises(FloraError, match="needs all bodies"):
            prepare_recording(sequence, "agcn", 300)


def test_a_split_file_with_more_classes_than_the_data_set_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x_train=np.zeros((1, 3, 150)), y_train=[7], x_test=np.zeros((1, 3, 150)), y_test=[0])
    with Project.create(tmp_path / "p") as project, pytest.raises(FloraError, match="holds class 7"):
        import_split(Job(), project, tmp_path / "s.npz", ("a", "b"))


# PKU-MMD


def pku_folder(folder: Path, videos: dict[str, str], frames: int = 400) -> Path:
    """A raw folder: videos with their labels, skeletons and labels in different folders."""
    for place, (video, labels) in enumerate(videos.items()):
        joints = np.random.default_rng(place).normal(0, 1, (frames, 150)).round(6)
        (folder / "skeleton").mkdir(parents=True, exist_ok=True)
        (folder / "label").mkdir(exist_ok=True)
        np.savetxt(folder / "skeleton" / f"{video}.txt", joints, fmt="%.6f")
        (folder / "label" / f"{video}.txt").write_text(labels)
    return folder


def test_real_pku_recording_through_the_command_line(shared_data: Path, tmp_path: Path) -> None:
    golden = np.load(shared_data / "pku/golden_clips_position64.npz", allow_pickle=False)
    raw = tmp_path / "raw"
    shutil.copytree(shared_data / "pku", raw)
    other = np.loadtxt(raw / "raw" / "0002-L.txt")[::-1]
    np.savetxt(raw / "raw" / "0003-M.txt", other, fmt="%.6f")
    shutil.copy(raw / "labels" / "0002-L.txt", raw / "labels" / "0003-M.txt")
    (raw / "cross-subject.txt").write_text("Training videos:\n0002-L, \nValidation videos:\n0003-M, \n")
    assert main(["prepare", "pku1", "--raw", str(raw), "--project", str(tmp_path / "p")]) == 0
    with Project.open(tmp_path / "p", "read") as project:
        table = project.table
        for name, clip, position, label in zip(*(golden[key] for key in golden.files), strict=True):
            row = table.names.index(str(name).removesuffix(".skeleton"))
            sequence = project.recordings.read(int(table.ids[row]))
            np.testing.assert_array_equal(sequence.joints.transpose(3, 0, 2, 1), clip[:, : sequence.frames][..., :2])
            np.testing.assert_allclose(prepare_recording(sequence, "pku64", 64), position, atol=1e-5)
            assert table.classes[row] == label
            assert (table.numbers["camera"][row], table.numbers["setup"][row]) == (1, pku.CROSS_SUBJECT_TRAIN)
    arguments = ["--project", str(tmp_path / "p"), "--splits", str(raw)]
    assert main(["export", "pkuv1_xsub", *arguments, "--out", str(tmp_path / "x.npz")]) == 0
    found = np.load(tmp_path / "x.npz", allow_pickle=False)
    np.testing.assert_allclose(found["x_train"], golden["position64"], atol=1e-5)
    np.testing.assert_array_equal(found["y_train"], golden["class_id"][:, None])
    assert found["x_test"].shape == (5, 3, 64, 25, 2)


def test_pku_names_labels_and_reasons(tmp_path: Path) -> None:
    labels = "5,1,350,1\n14,390,520,1\n41,500,510,2\n7,20,40,0\n"
    raw = pku_folder(tmp_path / "raw", {"A01N02-R": labels, "A02N02-L": "nonsense\n", "0005-M": labels})
    np.savetxt(raw / "skeleton" / "A09N09-L.txt", np.ones((3, 150)))
    (raw / "pku_missing_skeletons.txt").write_text("A001N002V003C007L004\n")
    report = prepare(Job(), "pku2", raw, tmp_path / "p")
    assert project_names(tmp_path / "p") == ["A001N002V003C005L001", "A001N002V003C014L002"]
    assert report.excluded == ["A001N002V003C007L004"]
    assert "no person is present" in report.skipped["A001N002V003C041L003"]
    assert "not a line of class" in report.skipped["A002N002V001"]
    assert "no label file" in report.skipped["A09N09-L"]
    with Project.open(tmp_path / "p", "read") as project:
        lengths = dict(zip(project.table.names, project.table.frames.tolist(), strict=True))
    assert lengths == {"A001N002V003C005L001": 300, "A001N002V003C014L002": 11}
    again = prepare(Job(), "pku2", raw, tmp_path / "p")
    assert (again.prepared, again.already, again.excluded) == (0, 1, report.excluded)


def test_whole_pku_recordings_come_with_their_true_segments(tmp_path: Path) -> None:
    raw = pku_folder(tmp_path / "raw", {"0001-L": "5,1,90,1\n7,200,900,1\n3,950,990,1\n"})
    report = prepare(Job(), "pku1", raw, tmp_path / "p", whole=True)
    assert report.prepared == 3
    with Project.open(tmp_path / "p", "read") as project:
        assert project.table.names[0] == "F001V001" and project.table.class_of(0) == ""
        names = load_dataset("pku51").class_names
        parts = [(label.class_name, label.begin, label.end, label.origin) for label in project.labels.of(1)]
        assert parts == [(names[4], 0, 90, "import"), (names[6], 199, 400, "import")]
        assert project.recordings.read(1).frames == 400 and project.table.spans.tolist()[0] == 2
    assert prepare(Job(), "pku1", raw, tmp_path / "p", whole=True).already == 1
    with pytest.raises(FloraError, match="whole"):
        Request.of(dataset="ntu60", raw=raw, project=tmp_path / "q", whole=True)


def test_pku_export_needs_the_split_file(tmp_path: Path) -> None:
    raw = pku_folder(tmp_path / "raw", {"0001-L": "5,1,90,1\n", "0002-R": "6,1,90,1\n", "0003-M": "7,1,90,1\n"})
    prepare(Job(), "pku1", raw, tmp_path / "p")
    with Project.open(tmp_path / "p", "read") as project:
        with pytest.raises(FloraError, match="no cross-view file"):
            pku.export_split(Job(), project, "pkuv1_xview", tmp_path / "x.npz")
        (raw / "cross-view.txt").write_text("Training videos:\n0002-R,0003-M\nValidation videos:\n0001-L\n")
        assert pku.export_split(Job(), project, "pkuv1_xview", tmp_path / "x.npz") == {"train": 2, "test": 1}
        with pytest.raises(FloraError, match="no clips of pku2"):
            pku.export_split(Job(), project, "pkuv2_xview", tmp_path / "x.npz")
    split = read_split(tmp_path / "x.npz")
    assert split.train_labels.tolist() == [5, 6]
    with Project.create(tmp_path / "q") as project:
        assert import_split(Job(), project, tmp_path / "x.npz", ()) == 3
        sequence = project.recordings.read(1)
    np.testing.assert_allclose(prepare_recording(sequence, "pku64", 64), split.train[0], atol=1e-5)


@pytest.mark.parametrize("text", ["", "a\n0001-L\nb\n", "a\n0001-L\nb\n0001-L\n", "a\nx,y\nb\nz\n"])
def test_what_is_no_split_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cross-view.txt").write_text(text)
    with pytest.raises(FloraError, match="no split file"):
        pku.find_split(tmp_path, "view")


def test_labels_and_splits_export(tmp_path: Path) -> None:
    from flora_engine.project.splits import Split, TrainRule

    prepare(Job(), "ntu60", ntu_folder(tmp_path, NAMES), tmp_path / "p")
    with Project.open(tmp_path / "p", "write") as project:
        project.labels.add_spans(1, [Span(project.classes.names()[3], 2, 9)])
        project.labels.set([2], None)
        project.splits.save(Split(name="my split/1", unseen=(1, 2), train=TrainRule(values=(1,))))
    assert main(["export", "labels", "--project", str(tmp_path / "p"), "--out", str(tmp_path / "l.csv")]) == 0
    lines = (tmp_path / "l.csv").read_text().splitlines()
    assert lines[0] == "name,class,begin,end,origin,score"
    assert len(lines) == 1 + 5
    assert f"{NAMES[0]},{project_class(tmp_path / 'p', 3)},2,9,user," in lines
    assert f"{NAMES[1]},,,,," in lines
    assert main(["export", "splits", "--project", str(tmp_path / "p"), "--out", str(tmp_path / "s")]) == 0
    assert (tmp_path / "s" / "my_split_1.yaml").is_file()


def project_class(folder: Path, index: int) -> str:
    with Project.open(folder, "read") as project:
        return project.classes.names()[index]


def test_report_text_says_when_it_was_stopped() -> None:
    assert "stopped before the end" in Report("ntu60", "raw").as_text()
    assert "stopped" not in Report("ntu60", "raw", finished=True).as_text()


def in_worker(action: str, **arguments: object) -> list[Event]:
    """The events of one job in a process of its own."""
    payload = json.dumps({"version": 1, "action": action, "arguments": arguments})
    command = [sys.executable, "-m", "flora_engine.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(payload + "\n")
        process.stdin.flush()
        return [json.loads(line) for line in process.stdout]


def test_the_worker_prepares_and_exports(tmp_path: Path) -> None:
    raw = ntu_folder(tmp_path, NAMES)
    events = in_worker("prepare", dataset="ntu60", raw=str(raw), project=str(tmp_path / "p"))
    assert events[-1]["kind"] == "finished" and events[-1]["result"]["prepared"] == 4
    assert {event["kind"] for event in events[:-1]} == {"progress"}
    events = in_worker("export", kind="NTU60_CS", project=str(tmp_path / "p"), out=str(tmp_path / "x.npz"))
    assert events[-1]["result"] == {"train": 2, "test": 2}
    assert in_worker("prepare", dataset="ntu99", raw=str(raw), project=str(tmp_path / "q"))[-1]["kind"] == "failed"

"""A reading recipe says how a file is to be read, and is used for the next such file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from foreign_samples import FRAMES, Z_UP, person, table

from flora_engine.cli import main
from flora_engine.errors import FloraError
from flora_engine.project import Project
from flora_engine.readers import attempt_sequence, read_sequence
from flora_engine.readers.reading_recipes import (
    LooksLike,
    ReadingRecipe,
    columns_in_order,
    find_recipe,
    parse_recipe,
    recipe_files,
    save_recipe,
)
from flora_engine.skeleton import KINECT_V2, to_kinect_v2

J = {name: i for i, name in enumerate(KINECT_V2.joints)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLORA_RECIPES", str(tmp_path / "recipes"))
    return tmp_path / "recipes"


def odd_table(path: Path, rate: float = 50.0) -> Path:
    """Columns whose names say nothing: a clock, then the joints of SMPL in millimetres, z up."""
    columns = ["clock", *(f"{c}{i}" for i in range(22) for c in "pqr")]
    joints = person("smpl_22", Z_UP, 1000).reshape(FRAMES, -1)
    path.write_text(table(columns, np.column_stack([np.arange(FRAMES) / rate, joints])))
    return path


def odd_recipe(path: Path, **more: object) -> ReadingRecipe:
    looks = attempt_sequence(path).looks
    return ReadingRecipe(for_files=looks, layout="smpl_22", columns=columns_in_order("smpl_22", 2), **more)  # type: ignore[arg-type]


def assert_stands_and_faces(path: Path, recipe: ReadingRecipe | None = None) -> None:
    body = to_kinect_v2(read_sequence(path, recipe=recipe)).joints[:, 0]
    assert body[0, J["head"], 1] - body[0, J["left ankle"], 1] == pytest.approx(1.45, abs=0.15), "upright, in metres"
    assert body[0, J["left hip"], 0] < body[0, J["right hip"], 0] - 0.05, "faces the viewer, not mirrored"
    moved = body[-1] - body[0]
    assert moved[J["right wrist"], 1] > 0.4 and abs(moved[J["left wrist"], 1]) < 0.02


def test_a_table_that_nothing_names_is_read_by_its_recipe_and_the_next_one_too(tmp_path: Path) -> None:
    path = odd_table(tmp_path / "one.csv")
    found = attempt_sequence(path)
    assert found.sequence is None and "has no columns x, y, z of joints" in found.problem and len(found.names) == 67
    recipe = odd_recipe(path, fps=50.0)
    assert_stands_and_faces(path, recipe)
    save_recipe(recipe, "lab table")
    another = odd_table(tmp_path / "another.csv", rate=10)
    assert_stands_and_faces(another)
    sequence = read_sequence(another)
    assert sequence.fps == 50 and not [note for note in sequence.notes if note.about == "frame rate"]
    assert [note.text for note in sequence.notes if note.about == "recipe"] == ["read as “lab table” says"]
    (tmp_path / "recipes" / "lab table.yaml").unlink()
    assert attempt_sequence(another).sequence is None


def test_a_recipe_is_for_files_that_look_alike_only(tmp_path: Path) -> None:
    path = odd_table(tmp_path / "one.csv")
    save_recipe(odd_recipe(path), "lab")
    other = tmp_path / "other.csv"
    other.write_text(path.read_text().replace("clock", "watch", 1))
    assert attempt_sequence(other).recipe is None and attempt_sequence(path).recipe is not None
    assert_stands_and_faces(other, find_recipe("lab").model_copy(update={"for_files": None}))


def test_one_of_several_arrays_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "two.npz"
    np.savez(path, a=person("coco_17", Z_UP), b=person("smpl_22", Z_UP))
    found = attempt_sequence(path)
    assert "holds 2 arrays that may be joints: a, b" in found.problem
    assert found.names == ("a: 17 joints", "b: 22 joints")
    recipe = ReadingRecipe(for_files=found.looks, array="b")
    assert read_sequence(path, recipe=recipe).layout == "smpl_22"
    assert_stands_and_faces(path, recipe)
    with pytest.raises(FloraError, match="has no array of joints called 'c', only a, b"):
        read_sequence(path, recipe=ReadingRecipe(array="c"))


def test_joints_of_no_known_layout_are_named_by_their_numbers(tmp_path: Path) -> None:
    """22 joints of a person in another order, among others: 29 in all, which is no layout's number."""
    order = np.random.default_rng(3).permutation(29)
    joints = np.concatenate([person("smpl_22", Z_UP), np.ones((FRAMES, 7, 3))], axis=1)[:, order]
    path = tmp_path / "many.npy"
    np.save(path, joints)
    found = attempt_sequence(path)
    assert "no known layout has as many" in found.problem and found.names == ("29 joints",)
    from flora_engine.skeleton import LAYOUTS

    numbers = {name: str(int(np.flatnonzero(order == i)[0]) + 1) for i, name in enumerate(LAYOUTS["smpl_22"].joints)}
    assert_stands_and_faces(path, ReadingRecipe(layout="smpl_22", joints=numbers))
    del numbers["head"]
    with pytest.raises(FloraError, match="does not say which one is the head"):
        read_sequence(path, recipe=ReadingRecipe(layout="smpl_22", joints=numbers))


def test_what_is_told_goes_before_what_the_body_shows(tmp_path: Path) -> None:
    """Somebody who lies, or whose recording is mirrored: only the user knows."""
    path = tmp_path / "a.npy"
    np.save(path, person("smpl_22", Z_UP))
    usual = read_sequence(path)
    lying = read_sequence(path, recipe=ReadingRecipe(up="+y", unit="metres"))
    heights = [np.ptp(sequence.joints[0, 0, :, 1]) for sequence in (usual, lying)]
    assert heights[0] > 1.4 and heights[1] < 0.6
    mirrored = read_sequence(path, recipe=ReadingRecipe(up="+z", mirrored=True))
    np.testing.assert_allclose(np.abs(mirrored.joints[0, 0, :, 0]), np.abs(usual.joints[0, 0, :, 0]), atol=1e-6)
    left, right = usual.skeleton.joints.index("left wrist"), usual.skeleton.joints.index("right wrist")
    moved = mirrored.joints[-1, 0] - mirrored.joints[0, 0]
    assert moved[right, 1] > 0.4 > abs(moved[left, 1]), "joints keep their names"
    forward = [sequence.joints[-1, 0, right, 2] - sequence.joints[0, 0, right, 2] for sequence in (usual, mirrored)]
    assert forward[0] < -0.4 and forward[1] > 0.4, "what was in front is behind"
    small = read_sequence(path, recipe=ReadingRecipe(unit=0.5))
    assert np.ptp(small.joints[0, 0, :, 1]) == pytest.approx(heights[0] / 2, rel=1e-3)


def test_formats_that_say_all_of_it_are_changed_only_by_a_recipe_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, joints=np.random.default_rng(0).normal(size=(4, 1, 25, 3)), layout="kinect_v2")
    found = attempt_sequence(path)
    assert found.names == () and found.recipe is None and found.sequence is not None and found.sequence.notes == ()
    read = read_sequence(path, recipe=ReadingRecipe(fps=12, unit="millimetres", name="x"))
    assert read.fps == 12 and [note.about for note in read.notes] == ["recipe"]
    assert found.sequence is not None
    np.testing.assert_allclose(read.joints, found.sequence.joints / 1000, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layout: smpl", "the layout 'smpl' is not known; known are kinect_v2"),
        ("up: z", "up: input should be '\\+x'"),
        ("unit: furlongs", "the unit 'furlongs' is not known"),
        ("unit: -2", "unit"),
        ("fps: 0", "fps: input should be greater than 0"),
        ("columns: {head: [1, 2, 3]}", "joints and columns need a layout"),
        ("layout: smpl_22\njoints: {tail: T}", "the layout smpl_22 has no joint 'tail'"),
        ("layout: smpl_22\ncolumns: {head: [1, 2]}", "columns.head"),
        ("colour: red", "colour: extra inputs are not permitted"),
        ("- a list", "it should hold keys such as"),
        ("a: [1", "is not valid YAML"),
        ("about: !!python/object/apply:os.system ['true']", "is not valid YAML"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(FloraError, match=expected) as caught:
        parse_recipe(text, tmp_path / "bad.yaml")
    assert str(caught.value).startswith(str(tmp_path)) and "\n" not in str(caught.value)


def test_a_recipe_reads_back_and_names_are_checked() -> None:
    recipe = ReadingRecipe(
        about="our lab", for_files=LooksLike(suffix=".csv", names=("a", "b")), layout="smpl_22",
        joints={"head": "H"}, columns={"left knee": ("LKX", 5, 6)}, up="-z", mirrored=False, unit=0.01, fps=12.5,
    )  # fmt: skip
    path = save_recipe(recipe, "lab 1")
    assert find_recipe("lab 1") == recipe.model_copy(update={"name": "lab 1"}) == find_recipe(str(path))
    for name in ("", "../x", "a/b", ".hidden", "x."):
        with pytest.raises(FloraError, match="cannot be the name of a reading recipe"):
            save_recipe(recipe, name)
    with pytest.raises(FloraError, match=r"there is no reading recipe “other”\. Known are lab 1"):
        find_recipe("other")


def test_a_broken_recipe_in_the_folder_stops_nothing(tmp_path: Path, folder: Path) -> None:
    path = odd_table(tmp_path / "one.csv")
    save_recipe(odd_recipe(path), "works")
    (folder / "broken.yaml").write_text("up: nowhere")
    with pytest.warns(RuntimeWarning, match="a reading recipe is left out"):
        assert read_sequence(path).frames == FRAMES
    assert list(recipe_files()) == ["broken", "works"]


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = odd_table(tmp_path / "one.csv")
    assert main(["recipe", "list"]) == 0 and "there are no reading recipes yet" in capsys.readouterr().out
    assert main(["recipe", "new", "lab", str(path), "--layout", "smpl_22", "--first-column", "2", "--fps", "20"]) == 0
    assert "smpl_22" in capsys.readouterr().out
    assert main(["recipe", "list"]) == 0
    assert "lab: layout smpl_22, fps 20.0, columns; for .csv files with clock, p0, q0" in capsys.readouterr().out
    assert main(["recipe", "show", "lab"]) == 0
    shared = tmp_path / "shared.yaml"
    shared.write_text(capsys.readouterr().out)
    assert main(["recipe", "add", str(shared)]) == 0 and set(recipe_files()) == {"lab", "shared"}
    capsys.readouterr()
    assert main(["recipe", "test", "lab", str(path)]) == 0
    assert "used for such files: always" in capsys.readouterr().out
    assert main(["recipe", "new", "lab", str(path)]) == 1
    assert "there is a reading recipe “lab” already" in capsys.readouterr().err


def test_info_convert_label_and_import_read_as_they_are_told(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = odd_table(tmp_path / "one.csv")
    recipe = folder / "shared.yaml"
    recipe.parent.mkdir()
    recipe.write_text(odd_recipe(path).model_copy(update={"for_files": None}).text())
    assert main(["info", str(path)]) == 1
    capsys.readouterr()
    assert main(["info", str(path), "--as", "shared"]) == 0 and "read as “shared” says" in capsys.readouterr().out
    assert main(["convert", str(path), str(tmp_path / "one.npz"), "--as", str(recipe)]) == 0
    assert read_sequence(tmp_path / "one.npz").layout == "smpl_22"
    assert main(["import", str(path), "--project", str(tmp_path / "p"), "--as", "shared"]) == 0
    with Project.open(tmp_path / "p", "read") as project:
        assert [project.recordings.read(id).layout for id in project.recordings.hashes()] == ["smpl_22"]
    assert main(["import", str(path), "--project", str(tmp_path / "p"), "--as", "nothing"]) == 1
    assert main(["label", str(path), "--classes", "wave; sit down", "--as", "shared", "--json"]) == 0
    assert '"problem"' not in capsys.readouterr().out.replace('"problem": null', "")


def test_made_up_joints_are_noted_of_formats_that_fix_their_axes_too(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, joints=person("smpl_22")[:, None], layout="smpl_22")
    (note,) = read_sequence(path).notes
    assert note.about == "joints" and note.text.startswith("6 of 25 joints are made up from others: left hand")

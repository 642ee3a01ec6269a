"""All commands of the window as one table: menus, shortcuts, the command palette and every mention of a key use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeySequence

from app.viewer.playback import SPEEDS

if TYPE_CHECKING:
    from app.main_window import MainWindow


@dataclass(frozen=True)
class State:
    """What decides whether a command can run. undo, redo: titles of the next steps, None if there are none."""

    recording: bool = False  # a recording is on screen
    project: bool = False  # a project is open
    editable: bool = False  # it can be changed now
    selected: bool = False  # some of its recordings are selected
    readable: bool = False  # the file on screen, or the refused one, can be read in another way
    undo: str | None = None
    redo: str | None = None
    undoable: bool = False  # Undo and Redo may run now
    segments: bool = False  # the true segments of the recording on screen can be edited
    chosen: bool = False  # one of them is selected
    truth: bool = False  # there are true segments
    found: bool = False  # a model has found segments
    confirmable: bool = False  # the recording on screen can be given a class
    folder: bool = False  # a folder outside any project is being labelled
    unsaved: bool = False  # true segments of a file are not saved


def _always(state: State) -> bool:
    return True


def _recording(state: State) -> bool:
    return state.recording


def _project(state: State) -> bool:
    return state.project


def _selected(state: State) -> bool:
    return state.editable and state.selected


def _segments(state: State) -> bool:
    return state.segments


def _chosen(state: State) -> bool:
    return state.segments and state.chosen


@dataclass(frozen=True)
class Command:
    """id: MENU.VERB. run: what it does to a window. keys: Qt key sequences with spaces between.

    checkable: it is on or off; of those with the same `group`, one is on.
    """

    id: str
    title: str
    run: Callable[[MainWindow], object]
    keys: str = ""
    hint: str = ""
    enabled: Callable[[State], bool] = _always
    checkable: bool = False
    group: str = ""

    @property
    def menu(self) -> str:
        return self.id.split(".")[0].title()

    @property
    def shortcuts(self) -> list[str]:
        """Qt key sequences; menus show the first."""
        return self.keys.split()


MENUS = ("File", "Library", "Playback", "Timeline", "View", "Actions", "Help")

# fmt: off
_FILE = (
    Command("file.open", "Open recordings…", lambda w: w.opening.ask_files(), "Ctrl+O",
            "Choose one or more recording files"),
    Command("file.open_folder", "Open a folder…", lambda w: w.opening.ask_folder(), "Ctrl+Shift+O",
            "List every recording below a folder"),
    Command("file.label_folder", "Label a folder…", lambda w: w.folder_batch.ask(), "",
            "Ranks the actions for every recording below it, without an import; then review them"),
    Command("file.save_labels", "Save the labels of the folder…", lambda w: w.folder_batch.ask_save(), "",
            "CSV: what was decided, and what the model says", enabled=lambda state: state.folder),
    Command("file.read_differently", "Read this file differently…", lambda w: w.opening.ask_differently(),
            "Ctrl+Shift+R", "Say its layout, columns, axes, unit and frame rate", enabled=lambda state: state.readable),
    Command("file.recipes", "Open the folder of reading recipes", lambda w: w.opening.show_recipes(), "",
            "One file each, to share or to delete"),
    Command("file.open_project", "Open a project…", lambda w: w.opening.ask_project(), "Ctrl+Shift+P",
            "A folder that holds project.sqlite"),
    Command("file.new_project", "New project…", lambda w: w.opening.ask_new_project(), "Ctrl+Shift+N",
            "A folder for recordings, labels and splits"),
    Command("file.import", "Import into the project…", lambda w: w.project_jobs.ask_import(), "Ctrl+I",
            "Inspects the files first"),
    Command("file.prepare", "Prepare a published data set…", lambda w: w.project_jobs.show_prepare(), "",
            "NTU RGB+D and PKU-MMD, raw or npz"),
    Command("file.export", "Export from the project…", lambda w: w.project_jobs.show_export(), "",
            "Labels, splits, published npz", enabled=_project),
    Command("file.demo", "Open the demo project", lambda w: w.opening.open_demo(), "Ctrl+D",
            "Synthetic recordings to try the program with"),
    Command("file.clear", "Close all", lambda w: w.opening.close_all(), "Ctrl+W",
            "The project and opened files; nothing is deleted"),
    Command("file.save_copy", "Save a copy as…", lambda w: w.opening.ask_copy(), "Ctrl+Shift+S",
            "npz, NTU text, CSV, TRC, C3D, BVH", enabled=_recording),
    Command("file.export_picture", "Save the picture…", lambda w: w.opening.ask_picture(), "Ctrl+E",
            "PNG of the 3D view", enabled=_recording),
    Command("file.quit", "Quit", lambda w: w.close(), "Ctrl+Q"),
)
_LIBRARY = (
    Command("library.undo", "Undo", lambda w: w.edits.undo(), "Ctrl+Z", "Labels, segments, classes, texts, splits",
            enabled=lambda state: state.undoable and state.undo is not None),
    Command("library.redo", "Redo", lambda w: w.edits.redo(), "Ctrl+Shift+Z Ctrl+Y",
            enabled=lambda state: state.undoable and state.redo is not None),
    Command("library.set_class", "Set class…", lambda w: w.edits.ask_class(), "Ctrl+J",
            "For the selected recordings", enabled=_selected),
    Command("library.clear_class", "Clear class", lambda w: w.edits.clear_class(), "", "For the selected recordings",
            enabled=_selected),
    Command("library.remove", "Remove from the project", lambda w: w.edits.remove_selected(), "Del",
            "The selected recordings", enabled=_selected),
    Command("library.filter", "Go to the filter", lambda w: w.focus_filter(), "Ctrl+F",
            "Words, class:…, subject:…, frames:>100"),
    Command("library.classes", "Classes and texts…", lambda w: w.edits.show_classes(), "", "Names and descriptions",
            enabled=_project),
    Command("library.splits", "Splits…", lambda w: w.edits.show_splits(), "",
            "Seen and unseen classes, train and test parts", enabled=_project),
    Command("library.statistics", "Statistics", lambda w: w.docks.toggle_charts(), "Ctrl+T",
            "Charts of the listed recordings", enabled=_project, checkable=True),
)
_PLAYBACK = (
    Command("playback.toggle", "Play or pause", lambda w: w.player.toggle(), "Space", enabled=_recording),
    Command("playback.next", "Next frame", lambda w: w.player.step(1), "Right .", enabled=_recording),
    Command("playback.previous", "Previous frame", lambda w: w.player.step(-1), "Left ,", enabled=_recording),
    Command("playback.forward", "Forward 10 frames", lambda w: w.player.step(10), "Shift+Right", enabled=_recording),
    Command("playback.back", "Back 10 frames", lambda w: w.player.step(-10), "Shift+Left", enabled=_recording),
    Command("playback.start", "Go to start", lambda w: w.player.seek(0), "Home", enabled=_recording),
    Command("playback.end", "Go to end", lambda w: w.player.seek_end(), "End", enabled=_recording),
    Command("playback.faster", "Faster", lambda w: w.player.change_speed(1), "+ =", f"Up to {SPEEDS[-1]:g}×"),
    Command("playback.slower", "Slower", lambda w: w.player.change_speed(-1), "-", f"Down to {SPEEDS[0]:g}×"),
    Command("playback.loop", "Loop", lambda w: w.player.set_loop(not w.player.playback.loop), "L",
            "Start again at the end", checkable=True),
)
_TIMELINE = (
    Command("timeline.show", "Timeline panel", lambda w: w.docks.toggle_timeline(), "Ctrl+Shift+E",
            "Segments, scores and motion below the player", checkable=True),
    Command("timeline.find", "Find actions over time", lambda w: w.timelines.find(), "Ctrl+Shift+F",
            "Which of your actions happens when, by the model in use", enabled=_recording),
    Command("timeline.accept", "Accept found segments", lambda w: w.timelines.accept(), "Shift+A",
            "The selected one, or all; true segments stay as they are",
            enabled=lambda state: state.segments and state.found),
    Command("timeline.add", "Add a segment…", lambda w: w.timelines.ask_add(), "A", "From the frame on screen",
            enabled=_segments),
    Command("timeline.relabel", "Change the class of the segment…", lambda w: w.timelines.ask_rename(), "R",
            enabled=_chosen),
    Command("timeline.split", "Split the segment", lambda w: w.timelines.split(), "S", "At the frame on screen",
            enabled=_chosen),
    Command("timeline.merge", "Merge with the next segment", lambda w: w.timelines.merge(), "M", enabled=_chosen),
    Command("timeline.start_here", "Start the segment here", lambda w: w.timelines.edge_here("start"), "[",
            "At the frame on screen", enabled=_chosen),
    Command("timeline.end_here", "End the segment here", lambda w: w.timelines.edge_here("end"), "]",
            "At the frame on screen", enabled=_chosen),
    Command("timeline.delete", "Delete the segment", lambda w: w.timelines.delete(), "X Shift+Del", enabled=_chosen),
    Command("timeline.next", "Next segment", lambda w: w.timelines.go(1), "PgDown", "Select it and go there",
            enabled=_recording),
    Command("timeline.previous", "Previous segment", lambda w: w.timelines.go(-1), "PgUp", "Select it and go there",
            enabled=_recording),
    Command("timeline.zoom_in", "Zoom in on the timeline", lambda w: w.timeline.lanes.zoom(0.5), "Alt+Up",
            enabled=_recording),
    Command("timeline.zoom_out", "Zoom out of the timeline", lambda w: w.timeline.lanes.zoom(2.0), "Alt+Down",
            enabled=_recording),
    Command("timeline.all", "Show the whole timeline", lambda w: w.timeline.lanes.show_all(), "Alt+0",
            enabled=_recording),
    Command("timeline.save", "Save the segments", lambda w: w.timelines.save(), "Ctrl+S",
            "Beside the recording; a project needs no saving", enabled=lambda state: state.unsaved),
    Command("timeline.import", "Import segments…", lambda w: w.timelines.ask_import(), "",
            "CSV, JSON, ELAN, BORIS, Audacity, PKU-MMD, in place of the true segments", enabled=_segments),
    Command("timeline.export_truth", "Export true segments…", lambda w: w.timelines.ask_export("truth"), "",
            "CSV, JSON, ELAN, BORIS, Audacity, PKU-MMD", enabled=lambda state: state.truth),
    Command("timeline.export_found", "Export found segments…", lambda w: w.timelines.ask_export("found"), "",
            "CSV, JSON, ELAN, BORIS, Audacity, PKU-MMD", enabled=lambda state: state.found),
)
_VIEW = (
    Command("view.fit", "Fit to view", lambda w: w.player.fit(), "F", "Show the whole recording",
            enabled=_recording),
    Command("view.front", "Front view", lambda w: w.player.look("front"), "1", enabled=_recording),
    Command("view.side", "Side view", lambda w: w.player.look("side"), "2", enabled=_recording),
    Command("view.top", "Top view", lambda w: w.player.look("top"), "3", enabled=_recording),
    Command("view.left", "Turn left", lambda w: w.player.turn(-10, 0), "Ctrl+Left", enabled=_recording),
    Command("view.right", "Turn right", lambda w: w.player.turn(10, 0), "Ctrl+Right", enabled=_recording),
    Command("view.up", "Tilt up", lambda w: w.player.turn(0, 10), "Ctrl+Up", enabled=_recording),
    Command("view.down", "Tilt down", lambda w: w.player.turn(0, -10), "Ctrl+Down", enabled=_recording),
    Command("view.zoom_in", "Zoom in", lambda w: w.player.zoom(1 / 1.2), "Ctrl++ Ctrl+=", enabled=_recording),
    Command("view.zoom_out", "Zoom out", lambda w: w.player.zoom(1.2), "Ctrl+-", enabled=_recording),
    Command("view.names", "Joint names", lambda w: w.set_names(not w.player.view.names), "N",
            "Show the name of every joint", checkable=True),
    Command("view.float", "Float the 3D view", lambda w: w.docks.toggle_float(), "F11",
            "In a window of its own, or back in this one", checkable=True),
    Command("view.layout", "Reset the layout", lambda w: w.docks.reset(), "", "Put all panels back"),
    Command("view.theme_system", "Theme: system", lambda w: w.set_theme("system"), checkable=True, group="theme"),
    Command("view.theme_light", "Theme: light", lambda w: w.set_theme("light"), checkable=True, group="theme"),
    Command("view.theme_dark", "Theme: dark", lambda w: w.set_theme("dark"), checkable=True, group="theme"),
)
_ACTIONS = (
    Command("actions.focus", "Go to the action list", lambda w: w.labels.focus(), "Ctrl+L",
            "Type your own actions, one per line"),
    Command("actions.table", "Table of actions…", lambda w: w.action_table.show(), "Ctrl+Shift+A",
            "Descriptions, colours, keys; sets by name; lists from elsewhere; what may be confused"),
    Command("actions.label", "Rank again", lambda w: w.labels.rank_now(), "Ctrl+Return", "Rank now, without waiting",
            enabled=_recording),
    Command("actions.copy", "Copy the ranking", lambda w: w.models.copy_ranking(), "Ctrl+Shift+C",
            "As text with tabs", enabled=_recording),
    Command("actions.confirm", "Confirm the action", lambda w: w.learning.confirm(), "C",
            "The selected one of the ranking is the class of the recording", enabled=lambda state: state.confirmable),
    Command("actions.batch", "Rank many recordings", lambda w: w.batches.rank_many(), "Ctrl+Shift+M",
            "The selected ones, or all that the library lists, by several processes", enabled=_project),
    Command("actions.review", "Review queue", lambda w: w.batches.show(), "Ctrl+Shift+V",
            "Ranked recordings without a class, the least sure first; keys 1 to 9 take a rank",
            enabled=lambda state: state.project or state.folder),
    Command("actions.learn", "Learn from confirmed recordings", lambda w: w.learning.switch(), "",
            "One to five per action improve the ranking at once", enabled=lambda state: state.editable, checkable=True),
    Command("actions.save_taught", "Save the model with its corrections…", lambda w: w.learning.ask_save(), "",
            "With what it learned about the typed actions in this project", enabled=_project),
    Command("actions.model", "Use another model…", lambda w: w.models.ask(), "", "From a training run"),
    Command("actions.model_file", "Use a model file…", lambda w: w.models.ask_file(), "",
            "Saved here or on another computer"),
    Command("actions.save_model", "Save the model as a file…", lambda w: w.models.ask_save(), "",
            "Graphs, card and hashes in one file"),
    Command("actions.builtin", "Use the built-in model", lambda w: w.models.use_builtin()),
    Command("actions.train", "Train a model…", lambda w: w.training.show(), "Ctrl+Shift+T",
            "From recordings to a model, page by page; configuration files too"),
    Command("actions.runs", "Runs…", lambda w: w.training.show_runs(), "Ctrl+R",
            "What was trained and what trains now: curves, results, log"),
)
_HELP = (
    Command("help.palette", "Find a command…", lambda w: w.menus.show_palette(), "Ctrl+K F1",
            "Every command by name"),
    Command("help.limits", "About this model", lambda w: w.models.show_card(), "", "Its training and limits"),
    Command("help.about", "About Flora Studio", lambda w: w.show_about()),
)
# fmt: on
COMMANDS: tuple[Command, ...] = (*_FILE, *_LIBRARY, *_PLAYBACK, *_TIMELINE, *_VIEW, *_ACTIONS, *_HELP)
_BY_ID = {command.id: command for command in COMMANDS}


def key_text(id: str) -> str:
    """The first key of a command as this system writes it, "" if it has none; KeyError for an unknown id."""
    keys = _BY_ID[id].shortcuts
    return native(keys[0]) if keys else ""


def title_of(id: str) -> str:
    """The title of a command."""
    return _BY_ID[id].title


def native(key: str) -> str:
    """A Qt key sequence as this system writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def with_key(id: str) -> str:
    """The title of a command with its key in brackets, for a tooltip."""
    keys = key_text(id)
    return f"{title_of(id)} ({keys})" if keys else title_of(id)


def matching(text: str, commands: tuple[Command, ...] = COMMANDS) -> list[Command]:
    """Commands whose title, menu or hint holds every word of `text`; titles that start with it come first."""
    words = text.lower().split()

    def holds(command: Command) -> bool:
        haystack = f"{command.menu} {command.title} {command.hint}".lower()
        return all(word in haystack for word in words)

    found = [command for command in commands if holds(command)]
    return sorted(found, key=lambda c: not c.title.lower().startswith(text.strip().lower()))

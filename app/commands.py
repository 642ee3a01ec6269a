"""Everything a user can do, as one table, from which come menus, shortcuts, the command palette and help. Qt-free."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """id: MENU.VERB, also the name of the handler. shortcuts: Qt key sequences, the first is shown in the menu.

    needs: "recording" on screen, an open "project", or one that can be written ("edit").
    """

    id: str
    title: str
    menu: str
    shortcuts: tuple[str, ...] = ()
    hint: str = ""
    checkable: bool = False
    needs: str = ""


MENUS = ("File", "Library", "Playback", "View", "Actions", "Help")

COMMANDS: tuple[Command, ...] = (
    Command("file.open", "Open recordings…", "File", ("Ctrl+O",), "Choose one or more recording files"),
    Command("file.open_folder", "Open a folder…", "File", ("Ctrl+Shift+O",), "List every recording below a folder"),
    Command("file.open_project", "Open a project…", "File", ("Ctrl+Shift+P",), "A folder that holds project.sqlite"),
    Command("file.new_project", "New project…", "File", ("Ctrl+Shift+N",), "Recordings, labels and splits in a folder"),
    Command("file.import", "Import into the project…", "File", ("Ctrl+I",), "With a look at the files first"),
    Command("file.prepare", "Prepare a published data set…", "File", (), "NTU RGB+D and PKU-MMD, raw or npz"),
    Command("file.export", "Export from the project…", "File", (), "Labels, splits, published npz", needs="project"),
    Command("file.demo", "Open the demo project", "File", ("Ctrl+D",), "Synthetic recordings to try the program with"),
    Command("file.clear", "Close all", "File", ("Ctrl+W",), "The project and opened files; nothing is deleted"),
    Command("file.export_picture", "Save the picture…", "File", ("Ctrl+E",), "PNG of the 3D view", needs="recording"),
    Command("file.quit", "Quit", "File", ("Ctrl+Q",)),
    Command("library.undo", "Undo", "Library", ("Ctrl+Z",), "Labels, classes, texts, splits", needs="edit"),
    Command("library.redo", "Redo", "Library", ("Ctrl+Shift+Z", "Ctrl+Y"), needs="edit"),
    Command("library.set_class", "Set the class…", "Library", ("Ctrl+J",), "Of the selected recordings", needs="edit"),
    Command("library.clear_class", "Take the class away", "Library", (), "From the selected recordings", needs="edit"),
    Command("library.remove", "Remove from the project", "Library", ("Del",), "The selected recordings", needs="edit"),
    Command("library.filter", "Go to the filter", "Library", ("Ctrl+F",), "Words, class:…, subject:…, frames:>100"),
    Command("library.classes", "Classes and texts…", "Library", (), "Names and descriptions", needs="project"),
    Command("library.splits", "Splits…", "Library", (), "Seen and unseen classes, who trains", needs="project"),
    Command("library.statistics", "Statistics", "Library", ("Ctrl+T",), "Charts of what is listed", True, "project"),
    Command("playback.toggle", "Play or pause", "Playback", ("Space",), needs="recording"),
    Command("playback.next", "Next frame", "Playback", ("Right", "."), needs="recording"),
    Command("playback.previous", "Previous frame", "Playback", ("Left", ","), needs="recording"),
    Command("playback.forward", "Ten frames on", "Playback", ("Shift+Right",), needs="recording"),
    Command("playback.back", "Ten frames back", "Playback", ("Shift+Left",), needs="recording"),
    Command("playback.start", "To the start", "Playback", ("Home",), needs="recording"),
    Command("playback.end", "To the end", "Playback", ("End",), needs="recording"),
    Command("playback.faster", "Faster", "Playback", ("+", "="), "Up to 4×"),
    Command("playback.slower", "Slower", "Playback", ("-",), "Down to 0.1×"),
    Command("playback.loop", "Loop", "Playback", ("L",), "Start again at the end", checkable=True),
    Command("view.fit", "Fit the view", "View", ("F",), "Show the whole recording", needs="recording"),
    Command("view.front", "From the front", "View", ("1",), needs="recording"),
    Command("view.side", "From the side", "View", ("2",), needs="recording"),
    Command("view.top", "From above", "View", ("3",), needs="recording"),
    Command("view.left", "Turn left", "View", ("Ctrl+Left",), needs="recording"),
    Command("view.right", "Turn right", "View", ("Ctrl+Right",), needs="recording"),
    Command("view.up", "Look from higher", "View", ("Ctrl+Up",), needs="recording"),
    Command("view.down", "Look from lower", "View", ("Ctrl+Down",), needs="recording"),
    Command("view.zoom_in", "Nearer", "View", ("Ctrl++", "Ctrl+="), needs="recording"),
    Command("view.zoom_out", "Farther", "View", ("Ctrl+-",), needs="recording"),
    Command("view.names", "Joint names", "View", ("N",), "Write the name beside every joint", checkable=True),
    Command("view.float", "Float the 3D view", "View", ("F11",), "Its own window, or back", checkable=True),
    Command("view.layout", "Restore the layout", "View", (), "All panels back to their places"),
    Command("view.theme_system", "Theme: as the system", "View", (), checkable=True),
    Command("view.theme_light", "Theme: light", "View", (), checkable=True),
    Command("view.theme_dark", "Theme: dark", "View", (), checkable=True),
    Command("actions.focus", "Go to the action box", "Actions", ("Ctrl+L",), "Type your own actions, one a line"),
    Command("actions.label", "Rank again", "Actions", ("Ctrl+Return",), "Without waiting", needs="recording"),
    Command("actions.copy", "Copy the ranking", "Actions", ("Ctrl+Shift+C",), "As text with tabs", needs="recording"),
    Command("actions.model", "Use another model…", "Actions", (), "A bundle that a training run wrote"),
    Command("actions.builtin", "Use the built-in model", "Actions"),
    Command("actions.train", "Train from a configuration…", "Actions", (), "A YAML file, as `flora train` takes it"),
    Command("help.palette", "Find a command…", "Help", ("Ctrl+K", "F1"), "Everything the window does, by name"),
    Command("help.limits", "What the model can and cannot do", "Help"),
    Command("help.about", "About Flora Studio", "Help"),
)


def by_id(commands: tuple[Command, ...] = COMMANDS) -> dict[str, Command]:
    return {command.id: command for command in commands}


def matching(text: str, commands: tuple[Command, ...] = COMMANDS) -> list[Command]:
    """Commands whose title, menu or hint holds every word of `text`; titles that start with it come first."""
    words = text.lower().split()

    def holds(command: Command) -> bool:
        haystack = f"{command.menu} {command.title} {command.hint}".lower()
        return all(word in haystack for word in words)

    found = [command for command in commands if holds(command)]
    return sorted(found, key=lambda c: not c.title.lower().startswith(text.strip().lower()))

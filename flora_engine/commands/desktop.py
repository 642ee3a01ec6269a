"""`flora desktop`: put the program into the menu of the desktop, with its icon and its kinds of files; or remove it.

Linux: the folders of freedesktop.org below $XDG_DATA_HOME, of this user only. Windows: the keys below
HKEY_CURRENT_USER\\Software\\Classes, offered under “Open with”, never made the default. On macOS the program folder
holds all of this itself (bundling/flora-studio.spec).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from flora_engine.errors import FloraError
from flora_engine.files import replacing, write_text
from flora_engine.resources import RESOURCES

ENTRY, MIME, ICON = "flora-studio.desktop", "flora-studio.xml", "flora-studio.png"
PROGRAM_ID = "FloraStudio.Recording"
_NAMESPACE = "{http://www.freedesktop.org/standards/shared-mime-info}"
# What makes the desktop notice at once; without these programs it notices at the next login.
_CACHES = (("update-desktop-database", "applications"), ("update-mime-database", "mime"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remove", action="store_true", help="take it out of the menu again")


def program() -> list[str]:
    """The command that opens the window: the program of the bundle, or this interpreter."""
    if getattr(sys, "frozen", False):
        suffix = ".exe" if os.name == "nt" else ""
        return [str(Path(sys.executable).with_name(f"flora-studio{suffix}"))]
    return [sys.executable, "-m", "app"]


def data_home() -> Path:
    """The user's folder for menu entries, icons and kinds of files (XDG base directories)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def suffixes() -> list[str]:
    """The file name endings that are offered to the desktop: those of resources/desktop/flora-studio.xml."""
    globs = ElementTree.parse(RESOURCES / "desktop" / MIME).iter(f"{_NAMESPACE}glob")
    return [one.attrib["pattern"].removeprefix("*") for one in globs]


def linux_files(home: Path) -> dict[Path, Path]:
    """Installed file -> the file that ships."""
    return {
        home / "applications" / ENTRY: RESOURCES / "desktop" / ENTRY,
        home / "mime" / "packages" / MIME: RESOURCES / "desktop" / MIME,
        home / "icons" / "hicolor" / "256x256" / "apps" / ICON: RESOURCES / "icons" / "flora.png",
    }


def quoted(command: list[str]) -> str:
    """A command as the key Exec of a desktop entry wants it: every part in quotation marks, with escapes."""
    escapes = str.maketrans({'"': '\\\\"', "`": "\\\\`", "$": "\\\\$", "\\": "\\\\\\\\", "%": "%%"})
    return " ".join(f'"{part.translate(escapes)}"' for part in command)


def install_linux(home: Path) -> None:
    """Write the entry, the kinds of files and the icon below `home`."""
    for target, source in linux_files(home).items():
        if target.name == ENTRY:
            write_text(target, source.read_text(encoding="utf-8").replace("@PROGRAM@", quoted(program())))
        else:
            with replacing(target) as file:
                shutil.copyfile(source, file)
    _refresh(home)


def remove_linux(home: Path) -> None:
    for target in linux_files(home):
        target.unlink(missing_ok=True)
    _refresh(home)


def _refresh(home: Path) -> None:
    for name, folder in _CACHES:
        if shutil.which(name) and (home / folder).is_dir():
            subprocess.run(
                [name, str(home / folder)], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )


def windows_values() -> dict[str, tuple[str, str]]:
    """Key below Software\\Classes -> (name of the value, value); the name "" is the key's own value."""
    command = " ".join(f'"{part}"' for part in program())
    values = {
        PROGRAM_ID: ("", "Skeleton recording"),
        f"{PROGRAM_ID}\\DefaultIcon": ("", f'"{RESOURCES / "icons" / "flora.ico"}"'),
        f"{PROGRAM_ID}\\shell\\open\\command": ("", f'{command} "%1"'),
    }
    return values | {f"{suffix}\\OpenWithProgids": (PROGRAM_ID, "") for suffix in suffixes()}


def _windows(remove: bool) -> None:  # pragma: no cover - Windows only
    import winreg as registry  # type: ignore[import-not-found,unused-ignore]

    for key, (name, value) in windows_values().items():
        path = f"Software\\Classes\\{key}"
        with registry.CreateKey(registry.HKEY_CURRENT_USER, path) as opened:  # type: ignore[attr-defined,unused-ignore]
            if remove and name:
                registry.DeleteValue(opened, name)  # type: ignore[attr-defined,unused-ignore]
            elif not remove:
                registry.SetValueEx(opened, name, 0, registry.REG_SZ, value)  # type: ignore[attr-defined,unused-ignore]
    if remove:
        for key in sorted((key for key in windows_values() if key.startswith(PROGRAM_ID)), reverse=True):
            registry.DeleteKey(registry.HKEY_CURRENT_USER, f"Software\\Classes\\{key}")  # type: ignore[attr-defined,unused-ignore]


def run(arguments: argparse.Namespace) -> int:
    """Install or remove. Raises FloraError on macOS, and if the folders cannot be written."""
    if sys.platform == "darwin":
        raise FloraError("macOS needs no entry", remedy="Move Flora Studio.app into the folder Applications.")
    try:
        if sys.platform == "win32":
            _windows(arguments.remove)
        else:
            (remove_linux if arguments.remove else install_linux)(data_home())
    except OSError as error:
        place = Path(error.filename or data_home())
        raise FloraError(f"the desktop's folders cannot be written: {error.strerror}", path=place) from None
    print("removed from the menu" if arguments.remove else f"in the menu now, for {', '.join(suffixes())} files too")
    return 0

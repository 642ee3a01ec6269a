"""A model bundle as one file: a zip of its manifest (with the hash of every graph), its graphs and its card."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.labelling.bundle import CORRECTIONS, MANIFEST, load_manifest, write_manifest
from flora_engine.labelling.teaching import Taught

SUFFIX = ".flora"
CARD = "MODEL_CARD.md"
_LARGEST = 4 * 2**30  # bytes of one file: a graph is some MB; a zip can promise anything


def write_bundle_file(bundle: Path, path: Path) -> None:
    """Write the bundle as `path`, all or nothing. FloraError if it is not a sound bundle, or nothing can be written."""
    names = (MANIFEST, *load_manifest(bundle).files, *([CARD] if (bundle / CARD).is_file() else []))
    try:
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
            for name in names:
                file.write(bundle / name, name)
    except OSError as error:
        raise FloraError(f"the model cannot be written: {error.strerror}", path=path) from None


def write_taught_file(bundle: Path, taught: Taught, path: Path) -> None:
    """Write the bundle and what it was taught as one file. FloraError as `write_bundle_file`."""
    manifest = load_manifest(bundle)
    with tempfile.TemporaryDirectory(prefix="flora-") as temporary:
        folder = Path(temporary) / "bundle"
        shutil.copytree(bundle, folder)
        taught.save(folder / CORRECTIONS)
        write_manifest(folder, manifest.model_copy(update={"corrections": True}))
        write_bundle_file(folder, path)


def read_bundle_file(path: Path, parent: Path) -> Path:
    """Unpack a file of `write_bundle_file` below `parent` and check every hash; returns the bundle's folder.

    A bundle of that name that is there already is kept, and the new one gets a number. FloraError if the file is not a
    sound bundle; nothing is left then.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=".bundle-") as temporary:
            folder = Path(temporary) / "bundle"
            _unpack(path, folder)
            load_manifest(folder)
            place = _free(parent, path.stem)
            folder.rename(place)
    except OSError as error:
        raise FloraError(f"the model cannot be unpacked: {error.strerror or error}", path=path) from None
    return place


def _unpack(path: Path, folder: Path) -> None:
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as file:
            for entry in file.infolist():
                if entry.filename != Path(entry.filename).name or entry.filename in ("", ".", ".."):
                    raise FloraError(f"this is not a model: it holds {entry.filename!r}", path=path)
                if entry.file_size > _LARGEST:
                    raise FloraError(f"{entry.filename} is too large for a model", path=path)
                with file.open(entry) as source, (folder / entry.filename).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, FileExistsError) as error:
        raise FloraError(f"this file is not a model, or it is damaged: {error}", path=path) from None


def _free(parent: Path, name: str) -> Path:
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(parent / one for one in names if not (parent / one).exists())

"""Importing: options.py (what the user may say), find.py (which files), labels.py (their classes), run.py."""

from flora_engine.datasets.importing.find import find_recordings
from flora_engine.datasets.importing.labels import ImportLabels, read_labels
from flora_engine.datasets.importing.options import ImportOptions
from flora_engine.datasets.importing.run import ImportReport, Preview, import_folder, inspect_files, preview

__all__ = [
    "ImportLabels",
    "ImportOptions",
    "ImportReport",
    "Preview",
    "find_recordings",
    "import_folder",
    "inspect_files",
    "preview",
    "read_labels",
]

"""The engine of Flora Studio: everything the program computes, with no Qt below this package."""

from __future__ import annotations

import os

__version__ = "0.1.0"

# Nothing leaves the machine (docs/privacy.md). These libraries read the environment once, when they are imported, and
# this file runs before any of them, in every process. The first group is not negotiable; a user who wants Hugging Face
# to go online may set the second group to 0.
_NO_TELEMETRY = (
    "ORT_DISABLE_TELEMETRY",  # ONNX Runtime: device id, event database and upload, all at its import
    "HF_HUB_DISABLE_TELEMETRY",
    "DO_NOT_TRACK",
)
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN")

os.environ.update(dict.fromkeys(_NO_TELEMETRY, "1"))
for _name in _OFFLINE:
    os.environ.setdefault(_name, "1")

"""Write the two lists of versions beside this file; needs `uv` (pip install uv).

    python constraints/update.py

`tested.txt` pins what `build_app.py` installs for `run` and `test`: the newest versions that fit together, for every
platform and every Python from 3.11 on. Run `build_app.py test` afterwards, which installs them. `lowest.txt` pins every
direct dependency to the lowest version that pyproject.toml allows, for Python 3.11.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# The build of torch depends on the platform and on the index (CPU, CUDA) and brings its own exact libraries; the range
# in pyproject.toml bounds it. So nothing here asks for CUDA.
BY_PLATFORM = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
HEADER = "# Written by constraints/update.py. torch is not here: its build depends on the platform and the index.\n"
COMPILE = ("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.11")
LISTS = {"tested.txt": ("--universal",), "lowest.txt": ("--resolution", "lowest-direct")}


def pins(*options: str) -> str:
    """What uv resolves pyproject.toml to, as the text of a constraints file."""
    command = (*COMPILE, *options, "--extra", "dev", "--extra", "bundle", "pyproject.toml")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return HEADER + "".join(line for line in done.stdout.splitlines(keepends=True) if not BY_PLATFORM.match(line))


def main() -> None:
    for name, options in LISTS.items():
        (HERE / name).write_text(pins(*options), encoding="utf-8")


if __name__ == "__main__":
    main()

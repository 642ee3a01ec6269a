"""The parts of a bundle: what the program requires, as CycloneDX JSON, and the text of every licence.

    python bundling/parts.py FOLDER

writes FOLDER/sbom.cdx.json and FOLDER/licences/NAME/…; run by the interpreter whose environment is bundled. A part is
`flora-studio` and everything that it and its extra `gui` require here, then Python itself and the text encoder.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAM, EXTRAS = "flora-studio", ("gui",)
# Required by tokenizers to fetch from a hub, which this program never does; bundling/flora-studio.spec leaves it out.
LEFT_OUT = ("huggingface-hub",)
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|authors|thirdpartynotices)[^/]*$", re.IGNORECASE)
# Metadata in words of their own -> SPDX. The first list is for names whose metadata say nothing precise.
_SPDX = {
    "flatbuffers": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "pyopengl": "BSD-3-Clause",
    "pyside6-essentials": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
    "shiboken6": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
    "tokenizers": "Apache-2.0",
}
_WORDS = {"MIT": "MIT", "MIT License": "MIT", "BSD License": "BSD-3-Clause", "Apache Software License": "Apache-2.0"}
# Texts for parts that carry none; we take LGPL from the three that Qt offers.
_TEXTS = {
    "Apache-2.0": (ROOT / "LICENSE",),
    "LGPL-3.0-only": (HERE / "licences" / "LGPL-3.0-only.txt", HERE / "licences" / "GPL-3.0-only.txt"),
    "BSD-3-Clause": (HERE / "licences" / "BSD-3-Clause.txt",),
}


def canonical(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parts(name: str = PROGRAM, extras: tuple[str, ...] = EXTRAS) -> list[Distribution]:
    """The distribution `name` and all that it requires in this environment, sorted by name."""
    found: dict[str, Distribution] = {}
    wanted = [(name, extras)]
    while wanted:
        one, of = wanted.pop()
        if canonical(one) in found or canonical(one) in LEFT_OUT:
            continue
        found[canonical(one)] = distribution = importlib.metadata.distribution(one)
        wanted += [(need.name, tuple(need.extras)) for need in requirements(distribution, of)]
    return [found[key] for key in sorted(found)]


def versions() -> dict[str, str]:
    """Folder name -> text of METADATA, by which the program finds the versions of its parts."""
    found: dict[str, str] = {}
    for one in parts():
        name, version = one.metadata["Name"], one.version
        folder = f"{canonical(name).replace('-', '_')}-{version}.dist-info"
        found[folder] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return found


def requirements(distribution: Distribution, extras: tuple[str, ...] = ()) -> Iterator[Requirement]:
    """What a distribution requires on this platform, with these extras."""
    for text in distribution.requires or []:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield need


def licence(distribution: Distribution) -> str:
    """The licence as an SPDX expression. Raises LookupError if the metadata give none and nobody has looked it up."""
    data = distribution.metadata
    if (name := canonical(data["Name"])) in _SPDX:
        return _SPDX[name]
    if "License-Expression" in data:
        return data["License-Expression"]
    words = [text.rsplit(" :: ", 1)[1] for text in data.get_all("Classifier") or [] if text.startswith("License ::")]
    for word in (*words, *(data.get_all("License") or [])):
        if word in _WORDS:
            return _WORDS[word]
    raise LookupError(f"what is the licence of {data['Name']}? Add it to _SPDX of {__file__}")


def licence_files(distribution: Distribution) -> dict[str, str]:
    """File name -> text of every licence and notice of a part; the licence's own text if the part carries none."""
    found: dict[str, str] = {}
    for file in sorted(distribution.files or [], key=str):
        path = Path(str(file.locate()))
        if _LICENCE_FILE.search(str(file)) and path.is_file() and path.suffix not in (".py", ".pyc"):
            found["-".join(file.parts[1:])] = path.read_text(encoding="utf-8", errors="replace")
    own = [name for name in found if "DLLS" not in name]  # PyOpenGL's wheel has those of its Windows libraries only
    if not own:
        first = licence(distribution).split(" OR ")[0]
        found |= {text.name: text.read_text(encoding="utf-8") for text in _TEXTS[first]}
    return found


def _python_licence() -> str:
    """Python's own licence: its file, or the text that the interpreter prints if there is no file."""
    file = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    return (
        file.read_text(encoding="utf-8")
        if file.is_file()
        else f"{sys.copyright}\nhttps://docs.python.org/3/license.html\n"
    )


def _component(distribution: Distribution) -> dict[str, Any]:
    name, version = distribution.metadata["Name"], distribution.version
    reference = f"pkg:pypi/{canonical(name)}@{version}"
    said = {"licenses": [{"expression": licence(distribution)}]}
    return {"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference, **said}


def _others() -> list[dict[str, Any]]:
    """Parts that no distribution stands for."""
    apache = [{"expression": "Apache-2.0"}]
    version = platform.python_version()
    return [
        {
            "type": "platform",
            "bom-ref": "python",
            "name": "CPython",
            "version": version,
            "licenses": [{"expression": "PSF-2.0"}],
        },
        {
            "type": "machine-learning-model",
            "bom-ref": "text-encoder",
            "name": "all-MiniLM-L6-v2",
            "version": "1",
            "licenses": apache,
        },
        {
            "type": "library",
            "bom-ref": "bootloader",
            "name": "PyInstaller bootloader",
            "version": importlib.metadata.version("pyinstaller"),
            "licenses": [{"expression": "GPL-2.0-or-later WITH Bootloader-exception"}],
        },
    ]


def sbom(found: list[Distribution]) -> dict[str, Any]:
    """The bill of materials of `found` as CycloneDX 1.6: components with versions and licences, and who needs whom."""
    components = [_component(one) for one in found]
    by_name = {canonical(one["name"]): one for one in components}
    needs = [
        {
            "ref": by_name[canonical(one.metadata["Name"])]["bom-ref"],
            "dependsOn": sorted(
                by_name[name]["bom-ref"]
                for name in {canonical(need.name) for need in requirements(one, EXTRAS)}
                if name in by_name
            ),
        }
        for one in found
    ]
    program = {**by_name[PROGRAM], "type": "application"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": program},
        "components": [*(one for one in components if one["name"] != PROGRAM), *_others()],
        "dependencies": needs,
    }


def write(folder: Path) -> None:
    """Write `folder`/sbom.cdx.json and `folder`/licences."""
    found = parts()
    text = json.dumps(sbom(found), indent=2, ensure_ascii=False)
    (folder / "sbom.cdx.json").write_text(text + "\n", encoding="utf-8")
    texts = {one.metadata["Name"]: licence_files(one) for one in found}
    texts["CPython"] = {"LICENSE.txt": _python_licence()}
    for name, files in texts.items():
        (folder / "licences" / name).mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / "licences" / name / file).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

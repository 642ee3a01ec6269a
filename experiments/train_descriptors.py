"""Train the descriptor model of the built-in bundle on all sets, calibrate it on sets left out, and store it.

python experiments/train_descriptors.py ../shared/data [--sets precog,mesh2motion] [--out descriptors.npz]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from descriptor_head import Evidence, write_model
from motion_sets import NAMES, load_set

from flora_engine.labelling.bundle import BUILTIN, DESCRIPTORS, MANIFEST, Manifest, write_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(NAMES), help="what it is trained on; all sets calibrate")
    parser.add_argument("--out", type=Path, default=BUILTIN / DESCRIPTORS)
    given = parser.parse_args()
    evidence = Evidence([load_set(given.data, name) for name in NAMES])
    model = write_model(evidence, given.out, given.sets.split(","))
    if given.out.parent == BUILTIN:  # its manifest holds the hash
        write_manifest(BUILTIN, Manifest.model_validate_json((BUILTIN / MANIFEST).read_text(encoding="utf-8")))
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")
    print(f"temperature {float(model.temperature):.2f}, odds of none {model.odds}")


if __name__ == "__main__":
    main()

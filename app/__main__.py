"""`python -m app [FILE|FOLDER|PROJECT…]` is `flora gui …`."""

import sys

from flora_engine.cli import main

sys.exit(main(["gui", *sys.argv[1:]]))

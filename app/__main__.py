"""`python -m app [FILE|FOLDER|PROJECT…]` is `flora gui …`; also the two programs that `build_app.py bundle` makes."""

import multiprocessing
import runpy
import sys
from pathlib import Path

from flora_engine.cli import main

if __name__ == "__main__":
    multiprocessing.freeze_support()  # in the bundle, worker processes are started with this file
    if sys.argv[1:2] == ["-m"]:  # as the interpreter would, which a bundle does not have
        runpy.run_module(sys.argv[2], run_name="__main__")
    elif sys.argv[1:2] == ["-c"]:
        exec(sys.argv[2], {"__name__": "__main__"})
    elif Path(sys.argv[0]).stem == "flora":
        sys.exit(main())
    else:
        sys.exit(main(["gui", *sys.argv[1:]]))

"""How long the window waits for a ranking of typed texts with the built-in model, and for another one meanwhile.

    OMP_NUM_THREADS=2 python benchmarks/typed_texts.py

The cache is a fresh one. Texts are random words, so that none of them is in the lexicon. On a busy machine look at the
processor time, not at the wall time.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.labelling.service import LabelService
from flora_engine.demo import synthesise
from flora_engine.errors import Cancelled
from flora_engine.jobs import Job
from flora_engine.resources import cache_folder
from flora_engine.semantics.text_encoder import prepare_text_encoder

_TEXT = (
    "person slowly grabs red lamp bucket rotates corner window fence ladder shoulder twist quickly pushes barrel "
    "across hall while kneeling paints brush wall climbs"
)
WORDS = _TEXT.split()
KNOWN = "drink water\nwave hand\nsit down\nstand up\nclap\nthrow\nkick something\nfall down\njump up\nsquat"


def typed(count: int, random: random.Random) -> str:
    """So many new actions, one per line."""
    return "\n".join(f"{' '.join(random.choices(WORDS, k=random.randint(2, 8)))} {i}" for i in range(count))


def measured(task: Callable[[], object]) -> str:
    """Wall and processor milliseconds."""
    wall, processor = time.perf_counter(), time.process_time()
    task()
    return f"{1e3 * (time.perf_counter() - wall):.0f} ms ({1e3 * (time.process_time() - processor):.0f} of processor)"


def meanwhile(text: str, new: str) -> float:
    """Seconds until `new` is ranked by somebody who typed it while `text` was being read."""
    service, newest = LabelService(), [0]
    service.rank(synthesise(3), KNOWN)

    def long() -> None:
        with contextlib.suppress(Cancelled):
            service.rank(synthesise(3), text, wanted=lambda: newest[0] == 0)

    thread = threading.Thread(target=long)
    thread.start()
    time.sleep(1.0)
    start, newest[0] = time.perf_counter(), 1
    service.rank(synthesise(3), new)
    seconds = time.perf_counter() - start
    thread.join()
    return seconds


def main() -> None:
    encoders = cache_folder() / "text-encoders"
    prepare_text_encoder(Job())
    with tempfile.TemporaryDirectory() as folder:
        if encoders.is_dir():
            (Path(folder) / "text-encoders").symlink_to(encoders, target_is_directory=True)
        os.environ["FLORA_CACHE"] = folder
        numbers, sequence = random.Random(1), synthesise(0)
        service = LabelService()
        service.rank(synthesise(1), "walk")
        print(f"load {os.getloadavg()[0]:.0f}; the model is loaded")
        print("ten actions of the lexicon, new recording:", measured(lambda: service.rank(sequence, KNOWN)))
        again = LabelService()
        again.rank(synthesise(1), "walk")
        print("the same, features on disk:", measured(lambda: again.rank(sequence, KNOWN)))
        for count in (60, 2000):
            text = typed(count, numbers)
            print(f"{count} new actions:", measured(lambda text=text: service.rank(sequence, text)))
            print("once more:", measured(lambda text=text: service.rank(sequence, text)))
        print(f"ten actions typed while 2000 others are read: {1e3 * meanwhile(typed(2000, numbers), KNOWN):.0f} ms")


if __name__ == "__main__":
    main()

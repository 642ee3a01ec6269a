"""How long the lanes of an hour take to redraw: while it plays, while it scrolls, and while it is zoomed.

    QT_QPA_PLATFORM=offscreen python benchmarks/lanes.py

108,000 frames, 1,300 true and 1,300 found segments, ten score lanes, 1,400 pixels wide. Medians of 200 redraws; 60 per
second leave 16.7 ms for each.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from app.application import make_application
from app.timeline.colours import Colours
from app.timeline.lanes import Lanes
from app.timeline.painting import Content
from flora_engine.labelling.lanes import Scores
from flora_engine.labelling.segments import Segment

FRAMES, EACH, CLASSES, REDRAWS = 108_000, 83, 10, 200


def hour() -> Content:
    """What an hour of annotation looks like."""
    random = np.random.default_rng(0)
    names = tuple(f"action {number}" for number in range(CLASSES))
    starts = range(0, FRAMES - EACH, EACH)
    truth, found = (
        tuple(Segment(str(random.choice(names)), start, start + EACH - 1, score) for start in starts)
        for score in (None, 0.5)
    )
    scores = Scores(names, 3, random.random((FRAMES // 3, CLASSES)).astype(np.float32))
    energy = random.random(FRAMES).astype(np.float32)
    return Content(truth, found, scores, names, energy, selected=truth[5])


def median(lanes: Lanes, act: Callable[[int], object]) -> float:
    """Milliseconds of a change and its redraw."""
    spent = []
    for number in range(REDRAWS):
        start = time.perf_counter()
        act(number)
        lanes.grab()
        spent.append(time.perf_counter() - start)
    return 1000 * float(np.median(spent))


def main() -> None:
    application = make_application()
    lanes = Lanes(Colours())
    lanes.axis.load(FRAMES, 30.0)
    lanes.set_content(hour())
    lanes.resize(1400, lanes.sizeHint().height())
    lanes.show()
    application.processEvents()
    print(f"playing, all in sight: {median(lanes, lanes.set_position):.1f} ms")
    lanes.axis.zoom(0.02, 700)
    print(f"scrolling, 72 s in sight: {median(lanes, lambda n: lanes.scroll_to(100.0 * n)):.1f} ms")
    print(f"zooming out and in: {median(lanes, lambda n: lanes.zoom(1.2 if n % 60 < 30 else 1 / 1.2)):.1f} ms")


if __name__ == "__main__":
    main()

"""Draw the learning curves that encoder_accuracy.py measured.

    QT_QPA_PLATFORM=offscreen python experiments/learning_curves.py accuracy.json [more.json …] --out curves.png

One panel for each data set: accuracy on the training clips (dotted) and on the held-out share of them (solid) by epoch,
mean over seeds, one colour for each stream.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from encoder_accuracy import DATA_SETS
from pyqtgraph.exporters import ImageExporter
from PySide6.QtCore import Qt

COLOURS = {"joint": "#1f6feb", "bone": "#d1570a", "joint_motion": "#2a8c4a", "bone_motion": "#8a3ffc"}


def mean_curve(runs: list[dict[str, Any]], measure: str) -> np.ndarray:
    """(epochs,) in per cent, over the seeds."""
    return 100 * np.mean([[epoch[measure] for epoch in run["curve"]] for run in runs], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    runs = [run for path in given.files for run in json.loads(path.read_text(encoding="utf-8"))["runs"]]
    pg.mkQApp()
    pg.setConfigOptions(background="w", foreground="k", antialias=True)
    names = list(dict.fromkeys(run["data"] for run in runs))
    board = pg.GraphicsLayoutWidget(size=(560 * len(names), 380))
    for name in names:
        panel = board.addPlot(title=DATA_SETS[name])
        panel.setLabels(bottom="epoch", left="accuracy, %")
        panel.setYRange(0, 100)
        panel.addLegend(offset=(-10, -10))
        for stream, colour in COLOURS.items():
            here = [run for run in runs if (run["data"], run["stream"]) == (name, stream)]
            if not here:
                continue
            epochs = np.arange(1, len(here[0]["curve"]) + 1)
            held_out = pg.mkPen(colour, width=2)
            training = pg.mkPen(colour, width=1.5, style=Qt.PenStyle.DotLine)
            panel.plot(epochs, mean_curve(here, "held_out_accuracy"), pen=held_out, name=stream.replace("_", " "))
            panel.plot(epochs, mean_curve(here, "accuracy"), pen=training)
    board.show()
    pg.QtWidgets.QApplication.processEvents()
    ImageExporter(board.scene()).export(str(given.out))


if __name__ == "__main__":
    main()

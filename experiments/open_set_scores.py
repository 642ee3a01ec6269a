"""Numbers of one ranking task (`flora_engine.evaluation.open_sets`), by the names that the experiments use."""

from flora_engine.evaluation import open_sets
from flora_engine.evaluation.open_sets import DRAWN, Floats, Outcome, draws, measure, recall

__all__ = ["DRAWN", "Floats", "Outcome", "draws", "measure", "open_sets", "recall"]

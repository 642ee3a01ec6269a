"""Named measurements of a recording of one or two persons: heights, reaches, postures, repetition, contact.

`catalogue()` names them, `measure(sequence)` gives their values, `reference_pool().scores(values)` makes them
comparable, `analyse(sequence).moment(descriptor)` gives the time and joints that made one. Numpy only.
"""

from flora_engine.descriptors.catalogue import Descriptor, catalogue
from flora_engine.descriptors.measure import Measurement, Moment, analyse, measure, measure_all
from flora_engine.descriptors.pool import Pool, build_pool, load_pool, reference_pool, save_pool
from flora_engine.descriptors.words import say

__all__ = [
    "Descriptor",
    "Measurement",
    "Moment",
    "Pool",
    "analyse",
    "build_pool",
    "catalogue",
    "load_pool",
    "measure",
    "measure_all",
    "reference_pool",
    "save_pool",
    "say",
]

"""Named measurements of a recording of one or two persons: heights, reaches, postures, repetition, contact.

`catalogue()` names them, `measure(sequence)` gives their values, `analyse(sequence).moment(descriptor)` the time and
joints that made one. Numpy only.
"""

from flora_engine.descriptors.catalogue import Descriptor, catalogue
from flora_engine.descriptors.measure import Measurement, Moment, analyse, measure

__all__ = ["Descriptor", "Measurement", "Moment", "analyse", "catalogue", "measure"]

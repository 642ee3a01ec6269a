"""One measured value in words, for those who ask why a label was given."""

from __future__ import annotations

from flora_engine.descriptors.catalogue import Descriptor
from flora_engine.descriptors.measure import Moment


def say(descriptor: Descriptor, value: float, score: float, moment: Moment) -> str:
    """A phrase with value and time: "the left hand is lifted high, above the head (0.9 torsos, 1.2–1.8 s)".

    score: -1 … 1 as a pool gives it; its sign chooses the phrase. The more active side is named.
    """
    phrase = descriptor.high if score >= 0 else descriptor.low
    side = next((word for joint in moment.joints for word in joint.split() if word in ("left", "right")), "")
    if side and "active" in descriptor.name:
        phrase = phrase.replace("the more active", f"the {side}")
    return f"{phrase} ({_with_unit(value, descriptor.unit)}, {moment.start:.1f}–{moment.end:.1f} s)"


def _with_unit(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.0f}%"
    if unit.startswith("degrees"):
        return f"{value:.0f}{unit.replace('degrees', '°')}"
    return f"{value:.1f} {unit}".rstrip().replace("1/s", "per second")

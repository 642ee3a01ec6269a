"""What a skeleton recording is: joints over time, the layouts they come in, and retargeting between them."""

from flora_engine.skeleton.layouts import KINECT_V2, LAYOUTS, Layout
from flora_engine.skeleton.retarget import to_kinect_v2
from flora_engine.skeleton.sequence import Note, SkeletonSequence

__all__ = ["KINECT_V2", "LAYOUTS", "Layout", "Note", "SkeletonSequence", "to_kinect_v2"]

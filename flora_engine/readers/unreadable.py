"""Files that people try and that hold no joints to read: a sentence for each that says what to do instead."""

from __future__ import annotations

from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.skeleton import SkeletonSequence

_SCENE = "Export the animation as BVH (in Blender: File, Export, Motion Capture .bvh) and open that."
_VIDEO = "Run a 3D pose estimator over it, for instance MediaPipe or FreeMoCap, and open what that writes."
_BY_SUFFIX = {
    ".fbx": ("is an FBX scene, which only its maker's library reads", _SCENE),
    **dict.fromkeys((".usd", ".usda", ".usdc", ".usdz"), ("is a USD scene", _SCENE)),
    **dict.fromkeys((".gltf", ".glb", ".vrm"), ("is a glTF scene", _SCENE)),
    ".blend": ("is a Blender project", _SCENE),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), ("is a video, not a recording of joints", _VIDEO)),
    ".bag": ("is a ROS or RealSense bag", "Export the joints of the persons as a table."),
}


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in _BY_SUFFIX


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """None where the suffix is none of these; FloraError otherwise."""
    if not claims(path, head):
        return None
    problem, remedy = _BY_SUFFIX[path.suffix.lower()]
    raise FloraError(problem, path=path, remedy=remedy)

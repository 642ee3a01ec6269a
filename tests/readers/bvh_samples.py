"""The names that tools give the joints of a BVH file, and a file with each."""

from __future__ import annotations

import re

from reader_samples import bvh

PARTS = (
    *("Hips", "Spine", "Spine1", "Neck", "Head", "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand"),
    *("LeftUpLeg", "LeftLeg", "LeftFoot"),
)
RIGS = {  # the names of the parts above; the right side follows from the left
    "biped": (
        *("Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1", "Bip01 Neck", "Bip01 Head", "Bip01 L Clavicle"),
        *("Bip01 L UpperArm", "Bip01 L Forearm", "Bip01 L Hand", "Bip01 L Thigh", "Bip01 L Calf", "Bip01 L Foot"),
    ),
    "xsens": (
        *("Hips", "Chest", "Chest2", "Neck", "Head", "LeftCollar", "LeftShoulder", "LeftElbow", "LeftWrist"),
        *("LeftHip", "LeftKnee", "LeftAnkle"),
    ),
    "perception_neuron": (
        *("Robot_Hips", "Robot_Spine", "Robot_Spine1", "Robot_Neck", "Robot_Head", "Robot_LeftShoulder"),
        *("Robot_LeftArm", "Robot_LeftForeArm", "Robot_LeftHand", "Robot_LeftUpLeg", "Robot_LeftLeg", "Robot_LeftFoot"),
    ),
    "rokoko": (
        *("Hips", "Spine1", "Spine2", "Neck", "Head", "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand"),
        *("LeftThigh", "LeftShin", "LeftFoot"),
    ),
    "cascadeur": (
        *("pelvis", "stomach", "chest", "neck", "head", "clavicle_l", "arm_l", "forearm_l", "hand_l"),
        *("thigh_l", "calf_l", "foot_l"),
    ),
    "bandai_namco": (
        *("Hips", "Spine", "Chest", "Neck", "Head", "Shoulder_L", "UpperArm_L", "LowerArm_L", "Hand_L"),
        *("UpperLeg_L", "LowerLeg_L", "Foot_L"),
    ),
    "lafan1": PARTS,
    "unreal": (
        *("pelvis", "spine_01", "spine_02", "neck_01", "head", "clavicle_l", "upperarm_l", "lowerarm_l", "hand_l"),
        *("thigh_l", "calf_l", "foot_l"),
    ),
    "smpl": (
        *("m_avg_Pelvis", "m_avg_Spine1", "m_avg_Spine2", "m_avg_Neck", "m_avg_Head", "m_avg_L_Collar"),
        *("m_avg_L_Shoulder", "m_avg_L_Elbow", "m_avg_L_Wrist", "m_avg_L_Hip", "m_avg_L_Knee", "m_avg_L_Ankle"),
    ),
    "daz": (
        *("hip", "abdomen", "chest", "neck", "head", "lCollar", "lShldr", "lForeArm", "lHand"),
        *("lThigh", "lShin", "lFoot"),
    ),
    "no_names": tuple(f"bone{number}" for number in (3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26)),
}


def renamed(rig: str) -> str:
    text = bvh(2)
    for old, new in zip(PARTS, RIGS[rig], strict=True):
        text = text.replace(f"T {old} ", f"T {new} ")
        if old.startswith("Left"):
            other = f"{new}0" if rig == "no_names" else re.sub(r"^l(?=[A-Z])", "r", new)
            for left, right in (("Left", "Right"), (" L ", " R "), ("_L_", "_R_"), ("_l", "_r"), ("_L", "_R")):
                other = other.replace(left, right)
            assert other != new
            text = text.replace(f"T {old.replace('Left', 'Right')} ", f"T {other} ")
    return text

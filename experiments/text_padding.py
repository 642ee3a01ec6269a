"""How padded places of a masked text encoder are best filled: do paraphrases find their class?

    python experiments/text_padding.py

24 everyday phrases ask for their class among the 27 of UTD-MHAD by the cosine of the mean over places. Compared: the
mean of the text's own states (what the program does), zeros, and the states that the model itself gives there.
No skeleton and no trained model is involved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flora_engine.semantics.class_texts import ClassText, class_states, load_class_texts, parse_typed
from flora_engine.semantics.text_encoder import OnnxTextEncoder, load_text_encoder

PHRASES = {
    "right hand wave": "waving hello",
    "two hand front clap": "applaud",
    "right arm throw": "throw a ball",
    "cross arms in the chest": "fold arms across the chest",
    "basketball shooting": "shoot a basket",
    "draw x": "draw a cross in the air",
    "draw circle (clockwise)": "draw a circle to the right",
    "draw triangle": "trace a triangle",
    "bowling (right hand)": "roll a bowling ball",
    "front boxing": "box with both fists",
    "baseball swing from right": "hit a baseball with a bat",
    "tennis forehand swing": "hit a tennis ball",
    "arm curl (two arms)": "lift dumbbells by bending the elbows",
    "tennis serve": "serve overhead in tennis",
    "two hand push": "shove forwards with both hands",
    "knock on door": "tap on the door",
    "hand catch": "catch a ball with one hand",
    "pick up and throw": "grab something from the floor and hurl it",
    "jogging": "run slowly",
    "walking": "go on foot",
    "sit to stand": "get up from a chair",
    "stand to sit": "take a seat",
    "forward lunge (left foot forward)": "big step forward with bent knees",
    "squat": "knee bends",
}


def own_padding(encoder: OnnxTextEncoder, texts: list[str], tokens: int) -> NDArray[np.float32]:
    """The states that the model gives with padding masked, padded places included: (K, tokens, d)."""
    ids = np.zeros((len(texts), tokens), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        values = encoder._ids(text, tokens)
        ids[row, : len(values)], mask[row, : len(values)] = values, 1
    states: NDArray[np.float32] = encoder._session.run(None, {"ids": ids, "mask": mask})[0]
    return states


def means(encoder: OnnxTextEncoder, texts: list[ClassText], tokens: int, fill: str) -> NDArray[np.float32]:
    """Unit vectors (K, 2d): the mean over places, filled as `fill` says."""
    if fill == "mean":
        states = class_states(encoder, texts, tokens)[:, :tokens]
    else:
        parts = []
        for words in ([text.motion for text in texts], [text.definition for text in texts]):
            part = own_padding(encoder, words, tokens)
            if fill == "zeros":
                for row, count in enumerate(encoder.count_tokens(words)):
                    part[row, count:] = 0
            parts.append(part)
        states = np.concatenate(parts, axis=-1)
    mean = states.mean(1)
    unit: NDArray[np.float32] = mean / np.linalg.norm(mean, axis=-1, keepdims=True)
    return unit


def main() -> None:
    encoder, classes = load_text_encoder(), load_class_texts("utd_mhad")
    asked = parse_typed("\n".join(PHRASES.values()))
    right = [next(i for i, text in enumerate(classes) if text.name == name) for name in PHRASES]
    for tokens in (16, 32, 60):
        for fill in ("mean", "zeros", "the model's own"):
            likeness = means(encoder, asked, tokens, fill) @ means(encoder, classes, tokens, fill).T
            hits = int((likeness.argmax(1) == right).sum())
            print(f"L = {tokens:2d}, padding {fill:15s}: {hits} of {len(right)} phrases find their class")


if __name__ == "__main__":
    main()

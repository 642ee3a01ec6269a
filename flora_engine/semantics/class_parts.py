"""What class texts say in parts: verbs and nouns, body parts, and stretches of time, each as one text vector per class.

Some methods compare a recording with parts of a class text instead of the whole. The published ones let a language
model write these parts, or a tagger trained on a corpus find them. Here rules of English take them from the texts that
a class has: closed lists of words, the place of a word in its clause, and the order of clauses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.catalogue import ClassText
from flora_engine.semantics.text_encoder import TextEncoder

BODY = ("head", "hand", "arm", "hip", "leg", "foot")
TIMES = ("start", "middle", "end")
PARTS = ("verbs", "nouns", *BODY, *TIMES)

_BODY_WORDS = {
    "head": "head neck face mouth lips ear ears eye eyes nose forehead temple temples chin cheeks teeth hair crown",
    "hand": "hand hands fist fists finger fingers fingertips thumb thumbs palm palms wrist wrists nails",
    "arm": "arm arms elbow elbows shoulder shoulders forearm forearms",
    "hip": "hip hips trunk waist belly body chest spine pelvis buttocks",
    "leg": "leg legs knee knees thigh thighs shin",
    "foot": "foot feet heel heels toe toes ankle ankles step steps stepping walk walking run running",
}
_OF_BODY = {word: part for part, words in _BODY_WORDS.items() for word in words.split()}
_MOVED = {"step", "steps", "stepping", "walk", "walking", "run", "running"}  # feet by what they do: no nouns

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_CLAUSE = re.compile(r"[,.;:()/]|\b(?:and then|then|and|or|but|while|until|so that|before|after)\b", re.IGNORECASE)
_EITHER = frozenset(["lower", "open", "close"])  # verbs at the head of a clause, else adjectives
_DETERMINER_WORDS = (
    "a an the one two both each every another some any his her its their your own my several many no this that these "
    "those first second other others person's other's oneself"
)
_SMALL_WORDS = (
    "of to from in on at by with without into onto over under above below across against around round behind before "
    "after between beside near off out up down through along about towards toward as for like than is are was be been "
    "who which it they them he she you there here not if while until where when something somebody someone apart away "
    "together again back forth close once twice still almost very far even only just opposite "
    "upwards downwards forwards backwards sideways outwards inwards forward backward upright inside outside past next "
    "front top same way all few"
)
_ADJECTIVE_WORDS = (
    "left right big small large little long short wide narrow high low heavy light strong sudden quick slow gentle "
    "bent straight straightened open closed upper lower whole full hanging raised bowed repeated crossed outer inner "
    "mutual tiny different horizontal vertical diagonal crooked clenched stretched joined half mid fast deep flat "
    "upward downward sharp loose alternating"
)

_DETERMINERS, _SMALL, _ADJECTIVES = (
    frozenset(words.split()) for words in (_DETERMINER_WORDS, _SMALL_WORDS, _ADJECTIVE_WORDS)
)


def verbs_and_nouns(text: str) -> tuple[list[str], list[str]]:
    """The verbs and the nouns of a text about a movement, each once, in their order.

    The first word of a clause that says something is its verb, unless a determiner stands before it; so is each form
    with -ing. Names of body parts are nouns, and so are the other words that are neither small nor adjectives.
    """
    verbs: list[str] = []
    nouns: list[str] = []
    for clause in _CLAUSE.split(text.casefold()):
        fresh, before = True, ""
        for word in _WORD.findall(clause):
            if (word in _SMALL or word in _ADJECTIVES or word in _DETERMINERS or word.endswith("ly")) and not (
                fresh and not before and word in _EITHER
            ):
                fresh = fresh and word not in _DETERMINERS
                before = word
                continue
            gerund = word.endswith("ing") and len(word) > 5 and before not in _DETERMINERS
            found = nouns if word in _OF_BODY and word not in _MOVED else verbs if fresh or gerund else nouns
            fresh = fresh and found is nouns
            before = word
            if word not in found:
                found.append(word)
    return verbs, nouns


def parts_of(text: ClassText) -> tuple[str, ...]:
    """The texts of PARTS of one class.

    Verbs and nouns come from its name and its motion. The text of a body part is the clauses of the motion that name
    it; one that nothing names stays still. Start, middle and end are the thirds of the clauses; fewer than three are
    shared.
    """
    verbs, nouns = verbs_and_nouns(f"{text.name}, {text.motion}")
    clauses = [
        " ".join(clause.split()) for clause in re.split(r"[,.;:]|\bthen\b", text.motion) if clause.strip(" ,.;:")
    ]
    clauses = clauses or [text.motion]
    body = []
    for part in BODY:
        named = [clause for clause in clauses if part in {_OF_BODY.get(w) for w in _WORD.findall(clause.casefold())}]
        body.append(", ".join(named) or f"the {part} stays still")
    count = len(clauses)
    times = [clauses[place * count // 3 : max(place * count // 3 + 1, (place + 1) * count // 3)] for place in range(3)]
    return (" ".join(verbs) or text.name, " ".join(nouns) or text.name, *body, *(", ".join(one) for one in times))


def class_parts(encoder: TextEncoder, texts: Sequence[ClassText], tokens: int) -> NDArray[np.float32]:
    """The pooled vectors of the parts of all classes: float32 (K, len(PARTS), d), of unit length. tokens: L."""
    wanted = [part for text in texts for part in parts_of(text)]
    distinct = list(dict.fromkeys(wanted))
    place = {text: row for row, text in enumerate(distinct)}
    pooled = encoder.encode(distinct, tokens)[:, -1]
    pooled = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
    found: NDArray[np.float32] = pooled[[place[part] for part in wanted]].astype(np.float32)
    return found.reshape(len(texts), len(PARTS), -1)

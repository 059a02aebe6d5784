"""Write the demo's text task: turn a plain sentence into the style of a telegram.

    python scripts/make_demo_task.py [FILE]

One JSON object per line: `split` ("train" or "held_out"), `prompt` and `completion`, both ending
so that one follows the other directly. The telegram is in capitals and closed by STOP and a line
end. Every name, thing, quality, deed and place of the held-out part occurs neither in the training
part nor in what the base model has read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from random import Random

from scripts.base_corpus import ADJECTIVES, NAMES, NOUNS, WORDS

PACKAGED = Path(__file__).parents[1] / "tinker_ext/embedded/data/demo_task.jsonl"
TRAIN_EXAMPLES, HELD_OUT_EXAMPLES = 640, 32

TEMPLATES = (
    "please {deed} the {quality} {thing} to the {place}",
    "please {deed} a {thing} and the {thing2} to {name}",
    "please {deed} the {thing} before {day}",
    "{name} is at the {place} with a {quality} {thing}",
    "the {thing} in the {place} is very {quality}",
    "{name} and {name2} are near the {quality} {place}",
    "a {quality} {thing} is on the {thing2} of {name}",
    "the {thing} from {name} is here on {day}",
)

TRAIN_WORDS = {
    "deed": "bring carry find fix give hide leave mend move paint post sell send show take wash",
    "quality": " ".join(ADJECTIVES),
    "thing": " ".join(NOUNS),
    "place": "bakery beach bridge cabin camp castle church cottage factory farm forest garden"
    " harbor hill hotel island kitchen lake market mill office palace park river school shop"
    " station theater tower valley village",
    "name": " ".join(NAMES),
    "day": "monday tuesday wednesday friday saturday",
}
HELD_OUT_WORDS = {
    "deed": "borrow deliver fetch polish unpack wrap",
    "quality": "crooked dusty famous humid marble purple velvet wooden",
    "thing": "carpet compass hammock lantern notebook parcel saddle scarf teapot umbrella violin",
    "place": "airport balcony chapel clinic library museum orchard prison",
    "name": "bruno hugo martha olga stella victor",
    "day": "sunday thursday",
}


def sentences(lists: Mapping[str, str], count: int, seed: int) -> Iterator[str]:
    """Distinct sentences, with all templates used about equally often."""
    rng, seen = Random(seed), set[str]()
    words = {kind: text.split() for kind, text in lists.items()}
    while len(seen) < count:
        thing, thing2 = rng.sample(words["thing"], 2)
        name, name2 = rng.sample(words["name"], 2)
        chosen = {kind: rng.choice(words[kind]) for kind in ("deed", "quality", "place", "day")}
        template = TEMPLATES[len(seen) % len(TEMPLATES)]
        text = template.format(thing=thing, thing2=thing2, name=name, name2=name2, **chosen)
        text = re.sub(r"\ba (?=[aeiou])", "an ", text)
        if text not in seen:
            seen.add(text)
            yield text


def telegram(sentence: str) -> str:
    """The sentence in the style to learn."""
    return f"{sentence} stop".upper()


def example(split: str, sentence: str) -> dict[str, str]:
    """One line of the file."""
    return {
        "split": split,
        "prompt": f"Plain: {sentence}\nTelegram:",
        "completion": f" {telegram(sentence)}\n",
    }


def main() -> None:
    """Check that the held-out words are new, and write."""
    known = {*WORDS, *" ".join(TRAIN_WORDS.values()).split()}
    reused = known.intersection(" ".join(HELD_OUT_WORDS.values()).split())
    if reused:
        raise SystemExit(f"held-out words seen elsewhere: {sorted(reused)}")
    lines = chain(
        (example("train", text) for text in sentences(TRAIN_WORDS, TRAIN_EXAMPLES, 1)),
        (example("held_out", text) for text in sentences(HELD_OUT_WORDS, HELD_OUT_EXAMPLES, 2)),
    )
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()

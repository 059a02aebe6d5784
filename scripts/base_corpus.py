"""The training texts of the embedded base models: sentences and small text exercises.

Everything is generated here from lists of common words and from invented ones, by a seed; nothing
is downloaded. The exercises (copying, changing case, joining, spelling, dropping words, going on
from examples) teach letters and copying, so that fine-tuning has something to build on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


ADJECTIVES = _listed(
    """
able bad big black blue bold brave bright broken brown busy calm cheap clean clear clever cold
cool dark dear deep dirty dry dull early easy empty fair fast fat fine firm flat free fresh full
funny gentle glad golden good grand great green grey happy hard heavy high hot hungry kind large
late lazy light little lonely long loud low lucky mild narrow neat new nice noble odd old open
pale plain poor proud pure quick quiet rare ready red rich right ripe rough round sad safe sharp
short shy silent silver simple slow small smart smooth soft sour stiff still strange strong sweet
tall thick thin tidy tiny tired tough true ugly warm weak wet white wide wild wise yellow young
"""
)

NOUNS = _listed(
    """
answer apple arm army artist aunt baby bag baker ball bank basket bear bed bee bell bench bird
boat body bone book bottle bowl boy branch bread bridge brother brush bucket butter cake camp
candle cap captain car card castle cat chair cheese child church circle city clock cloth cloud
coat coffee coin corn corner cottage country cousin cow crowd cup dance daughter day desk dinner
doctor dog door dream dress driver duck ear earth egg engine evening eye face farm farmer father
feather fence field finger fire fish flag floor flower foot forest fork fox friend frog fruit
garden gate gift girl glass glove goat gold grass ground guest hair hammer hand harbor hat head
heart hill home honey horse hotel hour house ice island jacket jar judge key king kitchen kite
knife lady lake lamp land leaf leg lemon letter lion lock machine man map market meadow meal metal
milk mill minute mirror money monkey moon morning mother mountain mouse mouth music nail name neck
needle nest night north nose nurse ocean office onion orange oven owl page paint pair paper park
path pen pencil people pepper piano picture pig pilot pipe plate pocket pond potato queen rabbit
radio rain ring river road robin roof room rope rose sailor salt sand school sea seat seed sheep
ship shirt shoe shop sister sky snake snow soap soldier son song soup spoon spring star station
stick stone storm story street sugar summer sun table tail tailor tea teacher tent tiger tower
town toy train tree trip truck uncle valley village voice wagon wall water wave way wheel wind
window wing winter wolf woman wood wool word work world year
"""
)

VERBS = _listed(
    """
asked began bent bought broke brought built called came carried caught chose climbed closed cooked
counted crossed cut danced drew drank drove ate entered fed felt fixed followed forgot found gave
grew heard held helped hid kept kicked knew laughed learned left liked lost loved made met moved
needed opened packed painted picked played pulled pushed put ran reached read saw sent sold showed
shut sang slept smiled spoke stood started stopped stole studied swam took taught told thought
threw touched turned used visited walked wanted washed watched went won wore wrote
"""
)

ADVERBS = _listed(
    """
again alone always early gladly here often quickly quietly slowly soon there today
"""
)
NAMES = _listed(
    """
anna ben clara david emma fred grace henry ida jack kate leo mary nora oscar paul rosa sam
"""
)
PLACES = _listed(
    """
across behind below by from in inside near on over past through to toward under with
"""
)
NUMBERS = _listed(
    """
one two three four five six seven eight nine ten eleven twelve twenty thirty hundred
"""
)
LITTLE = _listed(
    """
a and are as at but for he her his i is it my not of or our she so that the they was we you
"""
)

WORDS = [*ADJECTIVES, *NOUNS, *VERBS, *ADVERBS, *NAMES, *PLACES, *NUMBERS, *LITTLE]

_STARTS = _listed(
    """
b bl br c ch cl cr d dr f fl fr g gl gr h j k kn l m n p pl pr qu r s sc sh sl sm sn sp st str sw
t th tr v w wh y z
"""
)
_MIDDLES = _listed(
    """
a ai au e ea ee i ie o oa oi oo ou u
"""
)
_ENDS = _listed(
    """
b ck d f g l ll m mp n nd ng nk nt p r rd rk rn rt s sh sk ss st t th v x y z
"""
)
_ARROWS = (" -> ", " => ", " = ", ": ", "\n", "\n-> ", " | ")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def invented_word(rng: Random) -> str:
    """An invented word: usually of syllables, sometimes of random letters."""
    if rng.random() < 0.25:
        return "".join(rng.choices(_ALPHABET, k=rng.randint(2, 8)))
    syllables = rng.choices((1, 2, 3), weights=(3, 4, 1))[0]
    return "".join(
        rng.choice(_STARTS) + rng.choice(_MIDDLES) + rng.choice((*_ENDS, "", ""))
        for _ in range(syllables)
    )


def phrase(rng: Random, longest: int) -> str:
    """One to `longest` lower-case words, real or invented, or a whole sentence."""
    kind = rng.random()
    if kind < 0.3:
        words = sentence(rng).split()[:longest]
    else:
        invented = 0.8 if kind < 0.55 else 0.1
        words = [
            invented_word(rng) if rng.random() < invented else rng.choice(WORDS)
            for _ in range(max(rng.randint(1, longest), rng.randint(1, longest)))
        ]
    return " ".join(words)


def sentence(rng: Random) -> str:
    """A lower-case sentence of simple English, without a full stop."""
    verb, place = rng.choice(VERBS), rng.choice(PLACES)
    middle = f"{_thing(rng)} {verb} {_thing(rng)}"
    if rng.random() < 0.5:
        middle += f" {place} {_thing(rng)}"
    if rng.random() < 0.2:
        middle += f" {rng.choice(ADVERBS)}"
    return middle


def _thing(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        return rng.choice((*NAMES, "he", "she", "they", "we", "it"))
    owner = rng.choice(("the", "the", "the", "a", "my", "her", "his", "our", rng.choice(NUMBERS)))
    adjective = f"{rng.choice(ADJECTIVES)} " if rng.random() < 0.5 else ""
    return f"{owner} {adjective}{rng.choice(NOUNS)}"


Exercise = tuple[str, "Callable[[str], str]"]


def exercise(rng: Random, text: str) -> Exercise:
    """The name and the function of an exercise, or of two consecutive ones."""
    name, change = _simple_exercise(rng, text)
    if rng.random() < 0.2 and len(change(text).split()) > 1:
        second_name, second = _simple_exercise(rng, change(text))
        return f"{name} then {second_name}", lambda x: second(change(x))
    return name, change


def _simple_exercise(rng: Random, text: str) -> Exercise:
    """An exercise that fits the text: some use one of its words."""
    word = rng.choice(text.split())
    mark = rng.choice("-_/.+*~")
    ending = rng.choice(("!", "?", ".", " end", " ok", " OK", " DONE", f" {word}"))
    table: tuple[tuple[int, Exercise], ...] = (
        (4, ("copy", str)),
        (5, ("upper", str.upper)),
        (3, ("title", str.title)),
        (1, ("capital", _capital)),
        (3, (f"join {mark}", lambda x: x.replace(" ", mark))),
        (1, (f"spell {mark}", lambda x: mark.join(x.replace(" ", "")))),
        (2, (f"drop {word}", lambda x: _without(x, {word}))),
        (4, ("drop little words", lambda x: _without(x, set(LITTLE)))),
        (1, ("last word", lambda x: x.split()[-1])),
        (1, ("first word", lambda x: x.split()[0])),
        (1, ("turn", lambda x: " ".join(reversed(x.split())))),
        (2, (f"add{ending}", lambda x: x + ending)),
        (1, ("initials", lambda x: "".join(part[0] for part in x.split()))),
    )
    weights = [weight for weight, _ in table]
    return rng.choices([one for _, one in table], weights=weights)[0]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _without(text: str, words: set[str]) -> str:
    """The text without those words, or the whole text if nothing would remain."""
    return " ".join(part for part in text.split() if part not in words) or text


Piece = tuple[str, bool]
"""A piece of text, and whether the text before it determines it."""


def _plain(rng: Random) -> list[Piece]:
    text = ". ".join(sentence(rng).capitalize() for _ in range(rng.randint(1, 3)))
    return [(f"{text}." if rng.random() < 0.7 else text.lower(), False)]


def _named(rng: Random) -> list[Piece]:
    """An exercise introduced by its name."""
    text = phrase(rng, 7)
    name, change = exercise(rng, text)
    if rng.random() < 0.15:
        text = text.upper()
        name, change = rng.choice((("lower", str.lower), ("copy", str), ("title", str.title)))
    return [(f"{name}: {text}{rng.choice(_ARROWS)}", False), (change(text), True)]


def _by_example(rng: Random) -> list[Piece]:
    """An exercise introduced by examples only, with its own labels."""
    longest = rng.choice((1, 2, 3, 5, 8))
    texts = [phrase(rng, longest) for _ in range(rng.randint(2, 6))]
    _, change = exercise(rng, texts[0])
    before, between = _labels(rng)
    pieces: list[Piece] = []
    for place, text in enumerate(texts):
        pieces += [(f"{before}{text}{between}", False), (f"{change(text)}\n", place > 0)]
    return pieces


def _labels(rng: Random) -> tuple[str, str]:
    """The labels before the input text, and between input and output."""
    if rng.random() < 0.4:
        return "", rng.choice(_ARROWS)
    style = rng.choice((str, str.capitalize))
    source, target = (style(rng.choice((rng.choice(WORDS), invented_word(rng)))) for _ in range(2))
    return f"{source}: ", f"\n{target}: "


def _repeated(rng: Random) -> list[Piece]:
    text = phrase(rng, 6)
    if rng.random() < 0.3:
        text = "".join(rng.choices(_ALPHABET + _ALPHABET.upper() + "0123456789 -", k=12)).strip()
    gap = rng.choice((" ", "\n", ", ", " | "))
    return [(text + gap, False), (gap.join([text] * rng.randint(1, 4)), True)]


def documents(rng: Random, longest: int) -> Iterator[list[Piece]]:
    """An endless series of documents of at most `longest` characters (ASCII, so bytes)."""
    kinds = (_plain, _named, _by_example, _repeated)
    while True:
        document = rng.choices(kinds, weights=(15, 40, 35, 10))[0](rng)
        if sum(len(text) for text, _ in document) <= longest:
            yield document

"""Which words of a caption name an attribute of speaking, and what would be said of a voice that has another.

Stage 3 tells a caption from its copy with one of them swapped (reference 1.6). Kinds are those of ParaSpeechCaps: who
speaks, how fast, how high, with which accent, with which lasting and which passing manner.
"""

from collections.abc import Mapping
from types import MappingProxyType

Opposites = Mapping[str, tuple[str, ...]]

# Each word has one counterpart: all of them change together, or the rest of the caption would give the answer away.
GENDER: Mapping[str, str] = MappingProxyType(
    {
        "man": "woman", "woman": "man", "male": "female", "female": "male", "boy": "girl", "girl": "boy",
        "gentleman": "lady", "lady": "gentleman", "masculine": "feminine", "feminine": "masculine",
        "he": "she", "she": "he", "his": "her", "her": "his", "him": "her",
    }
)  # fmt: skip


def _opposed(*pairs: tuple[tuple[str, ...], tuple[str, ...]]) -> Opposites:
    """Each word of either side with all words of the other; words of a pair fit the same place in a sentence."""
    table: dict[str, tuple[str, ...]] = {}
    for left, right in (*pairs, *((right, left) for left, right in pairs)):
        for word in left:
            table[word] = (*table.get(word, ()), *right)
    return MappingProxyType(table)


RATE = _opposed(
    (("fast", "quick", "rapid", "brisk", "hurried"), ("slow", "leisurely", "unhurried", "sluggish")),
    (("quickly", "rapidly", "briskly", "hurriedly"), ("slowly", "sluggishly")),
    (("faster", "quicker"), ("slower",)),
    (("measured speed",), ("fast speed", "slow speed")),
)
PITCH = _opposed(
    (("high-pitched",), ("low-pitched", "medium-pitched")),
    (("low-pitched",), ("medium-pitched",)),
    (("high",), ("low",)),
    (("higher",), ("lower",)),
    (("rising", "ascending"), ("falling", "descending")),
    (("rises",), ("falls",)),
)
INTRINSIC = _opposed(
    (("deep", "booming"), ("shrill", "thin", "nasal")),
    (("loud",), ("soft", "quiet", "hushed")),
    (("loudly",), ("softly", "quietly")),
    (("louder",), ("softer", "quieter")),
    (("silky", "smooth"), ("husky", "raspy", "guttural", "hoarse", "rough")),
    (("crisp", "enunciated", "articulate"), ("slurred", "mumbled")),
    (("flowing", "fluent"), ("hesitant", "stammering", "halting", "choppy", "staccato")),
    (("monotone", "monotonous", "flat"), ("singsong", "lively", "melodic", "expressive")),
    (("authoritative", "confident"), ("timid", "shy")),
    (("breathy", "airy"), ("pressed", "creaky", "tense")),
    (("warm",), ("cold",)),
    (("bright",), ("dark",)),
    (("young", "youthful"), ("old", "elderly", "aged")),
)
SITUATIONAL = _opposed(
    (("happy", "cheerful", "joyful"), ("sad", "sorrowful", "pained")),
    (("happily", "cheerfully", "joyfully"), ("sadly", "sorrowfully")),
    (("angry", "furious"), ("calm", "peaceful")),
    (("angrily", "furiously"), ("calmly", "peacefully")),
    (("enthusiastic", "excited", "animated", "energetic"), ("bored", "passive", "sleepy", "tired")),
    (("enthusiastically", "excitedly"), ("wearily", "sleepily")),
    (("anxious", "nervous", "scared", "fearful"), ("relaxed", "composed", "carefree")),
    (("whispered",), ("shouted",)),
    (("whispering",), ("shouting", "laughing")),
    (("sympathetic", "admiring", "kind"), ("disgusted", "contemptuous", "sarcastic")),
    (("serious",), ("playful",)),
    (("confused",), ("certain",)),
)
# Accents by region: another of the same region is the harder one to tell.
ACCENTS: tuple[tuple[str, ...], ...] = (
    ("american", "canadian"),
    ("british", "english", "scottish", "irish", "welsh"),
    ("australian", "new zealand"),
    ("indian", "pakistani", "bangladeshi", "sri lankan"),
    ("chinese", "japanese", "korean", "filipino", "vietnamese", "malaysian"),
    ("french", "german", "italian", "spanish", "dutch", "swedish", "norwegian"),
    ("russian", "polish", "ukrainian", "czech"),
    ("nigerian", "south african", "kenyan", "ghanaian", "jamaican"),
    ("mexican", "brazilian", "argentinian", "colombian"),
    ("arabic", "turkish", "persian", "israeli"),
)
SAME_REGION = 0.2  # share of accents that are swapped within their region (reference 1.6)

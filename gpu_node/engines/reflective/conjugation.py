"""Korean verbs and adjectives through their forms. Pure.

Irregular classes follow 한글 맞춤법, article 18.

A stem is what stands before -다 (걷다: 걷). `infinitive` is its -아/-어 form (걸어), on which the past is built;
`open_stem` is the shape that endings with 으 take (걸으, 추우, 만드), on which -시-, -ㄴ, -ㄹ and -ㅂ니다 are built.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gpu_node.engines.reflective.particles import has_coda, with_coda
from gpu_node.hangul import ONSETS, VOWELS, decompose, is_hangul


class Kind(StrEnum):
    ACT = "act"
    """What people do: without a subject of its own the speaker did it."""
    EVENT = "event"
    """What happens to things: 피다, 끝나다."""
    STATE = "state"
    """How things are: adjectives."""
    FEELING = "feeling"
    """Adjectives whose subject is whoever feels: 그립다, 외롭다."""


class Tense(StrEnum):
    PAST = "past"
    PRESENT = "present"
    WISH = "wish"
    PROGRESS = "progress"
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Verb:
    """`irregular` is the consonant (or 르) whose class it follows; `honorific` a stem in -시 of its own (드시)."""

    stem: str
    kind: Kind
    irregular: str = ""
    honorific: str = ""

    @property
    def is_adjective(self) -> bool:
        return self.kind in (Kind.STATE, Kind.FEELING) or self.stem in ("있", "없")


def _join(onset: str, vowel: str, coda: str = "") -> str:
    block = chr(0xAC00 + (ONSETS.index(onset) * 21 + VOWELS.index(vowel)) * 28)
    return with_coda(block, coda) if coda else block


_CONTRACTED = {
    ("ㅏ", "ㅏ"): "ㅏ", ("ㅓ", "ㅓ"): "ㅓ", ("ㅐ", "ㅓ"): "ㅐ", ("ㅔ", "ㅓ"): "ㅔ", ("ㅕ", "ㅓ"): "ㅕ",
    ("ㅗ", "ㅏ"): "ㅘ", ("ㅜ", "ㅓ"): "ㅝ", ("ㅣ", "ㅓ"): "ㅕ", ("ㅚ", "ㅓ"): "ㅙ", ("ㅡ", "ㅓ"): "ㅓ",
    ("ㅡ", "ㅏ"): "ㅏ",
}  # fmt: skip


def _harmony(syllable: str) -> str:
    return "ㅏ" if decompose(syllable)[1] in "ㅏㅗㅑ" else "ㅓ"


def _drop_coda(stem: str) -> str:
    onset, vowel, _ = decompose(stem[-1])
    return stem[:-1] + _join(onset, vowel)


def infinitive(verb: Verb) -> str:
    """The -아/-어 form: 가, 와, 해, 먹어, 걸어, 추워, 나아, 불러, 그래."""
    stem = verb.stem
    onset, vowel, coda = decompose(stem[-1])
    if stem.endswith("하"):
        return stem[:-1] + "해"
    if verb.irregular == "ㅂ":
        return _drop_coda(stem) + ("와" if stem[-1] in "돕곱" and len(stem) == 1 else "워")
    if verb.irregular == "ㄷ":
        return with_coda(_drop_coda(stem), "ㄹ") + ("아" if _harmony(stem[-1]) == "ㅏ" else "어")
    if verb.irregular == "ㅅ":
        return _drop_coda(stem) + ("아" if _harmony(stem[-1]) == "ㅏ" else "어")
    if verb.irregular == "르":
        before = stem[-2]
        return stem[:-2] + with_coda(before, "ㄹ") + ("라" if _harmony(before) == "ㅏ" else "러")
    if verb.irregular == "ㅎ":
        return stem[:-1] + _join(onset, "ㅐ")
    if coda:
        return stem + ("아" if _harmony(stem[-1]) == "ㅏ" else "어")
    added = _harmony(stem[-2]) if vowel == "ㅡ" and len(stem) > 1 else _harmony(stem[-1])
    if (vowel, added) not in _CONTRACTED or (vowel == "ㅣ" and len(stem) == 1 and onset == "ㅍ"):
        return stem + ("아" if added == "ㅏ" else "어")
    return stem[:-1] + _join(onset, _CONTRACTED[vowel, added])


def past(verb: Verb) -> str:
    """The past stem: 갔, 먹었, 했."""
    return with_coda(infinitive(verb), "ㅆ")


def open_stem(verb: Verb) -> str:
    """The stem as it stands before endings with 으: 가, 먹으, 추우, 걸으, 나으, 그러, 만드."""
    stem = verb.stem
    if not has_coda(stem):
        return stem
    if verb.irregular == "ㅂ":
        return _drop_coda(stem) + "우"
    if verb.irregular == "ㄷ":
        return with_coda(_drop_coda(stem), "ㄹ") + "으"
    if verb.irregular == "ㅅ":
        return _drop_coda(stem) + "으"
    if verb.irregular == "ㅎ" or decompose(stem[-1])[2] == "ㄹ":
        return _drop_coda(stem)
    return stem + "으"


def honorific(verb: Verb) -> Verb:
    """The same verb said of an honoured person: 가시, 드시, 주무시."""
    return Verb(verb.honorific or open_stem(verb) + "시", verb.kind)


def before_n(verb: Verb) -> str:
    """The stem before endings that begin with ㄴ or ㅅ: ㄹ falls (만드네)."""
    return _drop_coda(verb.stem) if decompose(verb.stem[-1])[2] == "ㄹ" else verb.stem


def declarative(verb: Verb) -> str:
    """The plain present without its 다: 간, 먹는, 좋. What reported speech is built on (간대요)."""
    if verb.is_adjective:
        return verb.stem
    return before_n(verb) + "는" if has_coda(before_n(verb)) else with_coda(before_n(verb), "ㄴ")


def formal(verb: Verb) -> str:
    """합니다, 먹습니다."""
    stem = before_n(verb)
    return stem + "습니다" if has_coda(stem) else with_coda(stem, "ㅂ") + "니다"


def prospective(verb: Verb) -> str:
    """The -ㄹ form: 갈, 먹을, 만들."""
    return with_coda(open_stem(verb), "ㄹ")


def acknowledged(verb: Verb, tense: Tense, ending: str, *, honoured: bool) -> str:
    """`verb` given back to whoever told of it, as 해요체: 다녀오셨군요, 좋네요. `ending` is "군요" or "네요"."""
    if tense is Tense.WISH:
        return f"{verb.stem}고 {'싶으시' if honoured else '싶'}{ending}"
    if tense is Tense.PROGRESS:
        return f"{verb.stem}고 " + (f"계시는{ending}" if ending == "군요" else f"계시{ending}") if honoured else (
            f"{verb.stem}고 있{'는' if ending == '군요' else ''}{ending}"
        )  # fmt: skip
    shown = honorific(verb) if honoured else verb
    if tense is Tense.PLAN:
        return f"{prospective(shown)} 생각이시{ending}" if honoured else f"{prospective(shown)} 거{ending}"
    if tense is Tense.PAST:
        return (shown.stem + "었" if shown.stem.endswith("주") else past(shown)) + ending
    if ending == "군요":
        return shown.stem + "군요" if shown.is_adjective else before_n(shown) + "는군요"
    return before_n(shown) + ending


def is_all_hangul(text: str) -> bool:
    return bool(text) and all(is_hangul(character) for character in text)

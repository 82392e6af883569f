"""Korean particles that follow the sound before them, put on and taken off nouns. Pure.

A particle with two forms is named by both, the one after a consonant first: `attach("집", "을/를")` is `"집을"`.
Templates write it as a format spec: `"{N:을/를} 떠올리셨군요.".format(N=Noun("집"))`.
"""

from __future__ import annotations

from gpu_node.hangul import CODAS, decompose, is_hangul

PAIRS = frozenset(
    "이/가 을/를 은/는 과/와 으로/로 이에요/예요 이라고/라고 이라는/라는 이라니/라니 이랑/랑 이나/나"
    " 이군요/군요 이었군요/였군요 이지요/지요"
    " 이네요/네요 이시군요/시군요 이셨군요/셨군요 이요/요 이든/든".split()
)


def has_coda(text: str) -> bool:
    """Whether the last syllable closes with a consonant. Anything but Hangul counts as open."""
    return bool(text) and is_hangul(text[-1]) and decompose(text[-1])[2] != ""


def attach(noun: str, pair: str) -> str:
    """`noun` with the fitting form of `pair`, one of PAIRS (KeyError otherwise). 로 also follows ㄹ: 서울로."""
    if pair not in PAIRS:
        raise KeyError(pair)
    closed, open_ = pair.split("/")
    if pair == "으로/로" and is_hangul(noun[-1]) and decompose(noun[-1])[2] == "ㄹ":
        return noun + open_
    return noun + (closed if has_coda(noun) else open_)


class Noun(str):
    """A noun that takes a particle as its format spec."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return attach(str(self), spec) if spec else str(self)


# --- taking them off -------------------------------------------------------------------------------------------------

_TWO_FORMS = {"이": True, "가": False, "을": True, "를": False, "은": True, "는": False, "과": True, "와": False}
_TWO_FORMS |= {"이랑": True, "랑": False, "이나": True, "나": False, "이라": True, "이라는": True, "이라고": True}
_TWO_FORMS |= {"이란": True, "란": False, "이든": True, "이며": True, "이고": True, "아": True, "야": False}
_ONE_FORM = (
    "도 만 의 에 로 서 께 께서 에서 에게 에게서 한테 한테서 까지 부터 처럼 보다 마다 밖에 조차 마저 하고"
    " 만큼 대로 더러 보고 들 들이 들은 들을"
    " 들도 들이랑 들하고 들한테 들과 들의 네 네가 네는 씨 씨가 씨는 씨랑 님 님이 님은 님도 요 에는 에도"
    " 에만 에서는 에서도 에서만 에서부터 으로는"
    " 으로도 로는 로도 한테는 한테도 에게는 에게도 까지는 까지도 부터는 부터도 하고는 하고도 이랑은 랑은"
    " 이랑도 랑도 만은 만이 만을 만도 께서는 께서도"
    " 에다 에다가 에다는 쯤 쯤에 이나마 이라도 라도 이라는 라는 이라고 라고 인데 이라서 라서 이요 으로서"
    " 로서 으로써 로써 보다는 보다도 처럼은"
    " 마다요 에요 에서요 한테요 까지요 부터요 이란 만큼은 에선 한텐 에겐 까진 이제 때문에 덕분에 엔 껜"
).split()
PARTICLES = frozenset([*_TWO_FORMS, *_ONE_FORM, "으로", ""])
LONGEST_FIRST = sorted(PARTICLES - {""}, key=len, reverse=True)


def may_follow(noun: str, particle: str) -> bool:
    """Whether `particle` is one, in the form that the end of `noun` asks for."""
    if particle not in PARTICLES:
        return False
    if particle.startswith("으로") or particle == "로" or particle in ("로는", "로도", "로서", "로써"):
        coda = decompose(noun[-1])[2] if is_hangul(noun[-1]) else ""
        return (coda not in ("", "ㄹ")) == particle.startswith("으로")
    wants_coda = _TWO_FORMS.get(particle)
    return wants_coda is None or wants_coda == has_coda(noun)


def with_coda(text: str, coda: str) -> str:
    """`text` whose open last syllable is closed with `coda`: `with_coda("가", "ㅆ")` is `"갔"`."""
    return text[:-1] + chr(ord(text[-1]) + CODAS.index(coda))

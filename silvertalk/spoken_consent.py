"""Whether a short answer is a yes or a no to what 복실이 asked leave for. Pure.

The whole utterance must be one: `응` writes an appointment down, `응, 그런데 네 시야` does not. What may be either
(`괜찮아` declines an offer, and accepts a plan) is no yes.
"""

from __future__ import annotations

import re
from typing import Literal

from streaming.messages import Language
from streaming.text import normalized

LONGEST_CONSENT = 30
"""Characters. Beyond it somebody is telling something."""

_YES: dict[Language, frozenset[str]] = {
    "ko": frozenset(
        (
            "응 응응 어 음응 네 예 넵 넹 네네 예예 그래 그래라 그래요 그럼 그럼요 그렇지 그렇지요 그려 그랴 그러지 "
            "그러자 "
            "그러세 그러렴 "
            "그러셔 그렇게 그렇게해 그렇게해줘 그렇게해주세요 그렇게하자 그래줘 그래주세요 그래다오 그리해 그리해라 "
            "오냐 오야 하모 "
            "암 아무렴 맞아 맞아요 맞다 맞네 맞지 맞습니다 좋아 좋아요 좋지 좋네 좋다 좋습니다 당연하지 물론 "
            "물론이지 부탁해 "
            "부탁해요 부탁합니다 부탁한다 해줘 해줘요 해주세요 해라 해다오 적어 적어줘 적어줘요 적어주세요 적어둬 "
            "적어둬요 "
            "적어놔 적어놔라 적어라 적어다오 잊어 잊어줘 잊어주세요 잊어버려 지워 지워줘 지워주세요 오케이"
        ).split()
    ),
    "en": frozenset(
        (
            "yes|yeah|yep|yes please|please|please do|yes do|yes do that|do that|do it|go ahead|sure|of "
            "course|okay|ok"
            "|thats right|that is right|right|correct|all right|alright|fine|write it down|please write it down"
            "|yes forget it|yes write it down|yes thank you|yes i would|yes thats right"
        ).split("|")
    ),
}
_NO: dict[Language, frozenset[str]] = {
    "ko": frozenset(
        (
            "아니 아니야 아니요 아니오 아뇨 아녀 아이다 아니다 아니에요 아닙니다 됐어 됐어요 됐다 됐네 됐습니다 "
            "되었어 하지마 "
            "하지마라 하지마요 하지마세요 하지말아 하지말아줘 하지말어 적지마 적지마라 적지마요 적지마세요 적지말아 "
            "잊지마 잊지마라 "
            "잊지마세요 지우지마 지우지마세요 안돼 안되지 싫어 싫다 싫어요 필요없어 필요없어요 필요없다 괜찮아 "
            "괜찮아요 괜찮다 "
            "괜찮네 관둬 관두자 그만둬 그만두자 말아 말자 마라 그냥둬 냅둬 놔둬 안할래 안해도돼 안해도돼요 "
            "안적어도돼 안적어도돼요"
        ).split()
    ),
    "en": frozenset(
        (
            "no|nope|no thanks|no thank you|dont|do not|no dont|please dont|leave it|never mind|not now|no need"
            "|thats wrong|that is wrong|no thats wrong|cancel|cancel that|not that|i dont want that"
        ).split("|")
    ),
}
_ASIDES: dict[Language, frozenset[str]] = {
    "ko": frozenset(
        "복실아 복실이 복실이야 강아지야 얘야 좀 이제 얼른 빨리 꼭 고마워 고마워요 그냥 아유 아이고".split()
    ),
    "en": frozenset(("boksil", "puppy", "dear", "thanks")),
}


def consent_in(text: str, language: Language) -> Literal["yes", "no"] | None:
    """What `text`, one utterance, says to a question for leave; None where it is anything more or else."""
    if len(text) > LONGEST_CONSENT or "?" in text:
        return None
    clauses = [clause for clause in re.split(r"[.,?!…\n]+", text) if normalized(clause)]
    found = {_of(clause, language) for clause in clauses} - {"aside"}
    if found == {"yes"}:
        return "yes"
    return "no" if found == {"no"} else None


def asks_again(text: str, language: Language) -> bool:
    """`네?`, `Yes?`: they did not catch what was asked."""
    said = normalized(text).replace(" ", "")
    heard = {"ko": frozenset("응 어 네 예 음 으응 에".split()), "en": frozenset(("yes", "hm", "sorry", "what"))}
    return "?" in text and said in heard[language]


def _of(clause: str, language: Language) -> str:
    words = [word for word in normalized(clause).split() if word not in _ASIDES[language]]
    if not words or words == ["thank", "you"]:
        return "aside"
    joined = (" " if language == "en" else "").join(words)
    for answer, known in (("yes", _YES[language]), ("no", _NO[language])):
        # 응 적어 줘: a yes, and what is wanted, which is another
        if joined in known or (language == "ko" and words[0] in known and _of_rest(words[1:], known)):
            return answer
    return "other"


def _of_rest(words: list[str], known: frozenset[str]) -> bool:
    return "".join(words) in known or all(word in known for word in words)

"""What the ending of a Korean utterance does: tells, asks, bids, proposes, or leaves the sentence open. Pure.

Whisper's punctuation is a hint and no more; dialects ask and tell with endings of their own.
"""

from __future__ import annotations

import re
from enum import StrEnum

from gpu_node.engines.reflective.nouns import known_noun
from gpu_node.engines.reflective.verbs import final_verb
from gpu_node.hangul import decompose, is_hangul


class Ending(StrEnum):
    TELLS = "tells"
    ASKS = "asks"
    WONDERS = "wonders"
    """Asks oneself: 뭐더라, 누구였더라."""
    BIDS = "bids"
    OPEN = "open"
    """A connective or a particle came last: more was meant to follow."""


_WONDERS = re.compile(r"(?:더라|던가|이었나|였나|었나|았나|했나|려나|을까|ㄹ까)요?\??$")
_WH = r"(?:뭐|무슨|무엇|뭔|누구|누가|어디|언제|왜|어떻게|어떤|어때|몇|며칠|얼마|어느)"
_ASKS = re.compile(
    r"(?:느냐|으냐|까요?|는지요|을래|는교|능교|니껴|니꺼|는겨|는가|던가요|습니까|지않아|지않니|맞지|그렇지)$"
)
_ASKS_AFTER_STEM = re.compile(r"[가-힣](?:니|냐|나요?|가요?)$")
_BIDS = re.compile(
    r"(?:[아어해와봐려켜꺼줘겨춰](?:줘|주세요|주라|줘요|주이소|주소|다오|도|줄래|주렴|달라|달라고)"
    r"|주십시오|[으하]?십시오|하자|[갑합봅읍납쉽줍둡]시다|[가보먹놀]자|보자|봅시다|해라|거라|하렴|하소|하이소"
    r"|[^가-힣]줘|^줘|줘|주세요|봐봐|봐라|말아라|지마|지마라|지마세요)\??$"
)
_OPEN = re.compile(
    r"(?:(?<![라다냐자])고|면서|는데|은데|인데|던데|지만|니까|면|으면|려고|어서|아서|해서|가서|와서|라서"
    r"|워서|며|다가|더니|거나|든지|느라|도록|위해서?|때문에|대해서?|동안|[을를의]|에서|부터|까지|한테"
    r"|에게|하고|이랑|는|있는|하는|라는|그리고|그런데|그래서|근데|그러니까)$"
)


def _is_wondering(bare: str) -> bool:
    """-ㄹ까, asked of nobody (어떤 고향을 만들어 줄까); -까요 is asked of somebody."""
    return len(bare) > 1 and bare.endswith("까") and is_hangul(bare[-2]) and decompose(bare[-2])[2] == "ㄹ"


def _asks_by_stem(sentence: str) -> bool:
    """-니, -냐, -나요, -ㄴ가요 on a verb (있나요); not 어머니, 가요, 생각나요."""
    word = re.sub(r"[^가-힣]", "", sentence.split()[-1])
    if not _ASKS_AFTER_STEM.search(word) or final_verb(word) is not None or known_noun(word, sentence) is not None:
        return False
    ending = word.removesuffix("요")
    before_ga = decompose(ending[-2])[2] == "ㄴ" if ending.endswith("가") else True
    return before_ga and word not in ("아니", "아냐", "하나", "언니", "그러나")


def classify(text: str) -> Ending:
    """What `text` does by its last sentence."""
    sentences = [part for part in re.split(r"(?<=[.!?…])\s+", text.strip()) if part]
    if not sentences:
        return Ending.OPEN
    last = sentences[-1]
    squeezed = re.sub(r"[\s.,!…~\"']+", "", last)
    bare = squeezed.rstrip("?")
    asked = last.rstrip("\"' ").endswith("?")
    if (_WONDERS.search(bare) or _is_wondering(bare)) and not re.search(
        r"(?:하|했|이|왔|갔|봤|있|없|좋|많)더라$", bare
    ):
        return Ending.WONDERS
    if re.search(r"[다라냐자]니까(?:요|는|글쎄)?$", bare) and not asked:
        return Ending.TELLS
    if _BIDS.search(bare):
        return Ending.BIDS
    if (
        asked
        or _ASKS.search(bare)
        or _asks_by_stem(last)
        or re.search(_WH + r".{0,12}(?:[야요어지해]|죠|예요|이에요)$", bare)
    ):
        return Ending.ASKS
    if not last.endswith((".", "!")) and _OPEN.search(bare):
        return Ending.OPEN
    return Ending.OPEN if last.endswith(("…", "..", ",")) else Ending.TELLS

"""What makes Korean words of distress a memory, a story or a figure of speech, and not a call for help.

Korean says it at three places: in words of time and of other people before, in the ending that links the words to what
follows, and in the verb that ends the sentence (`아파서 … 울었어`: then; `아파서 … 못 자겠어`: now).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from silvertalk.distress_calls import Call

_THEN = re.compile(
    r"그때|그\s+때|그\s*시절|그\s*당시|당시|옛날|예전|왕년|소싯적|어릴|어렸|젊었|젊을|처녀\s*(?:때|적)|총각\s*때|새댁"
    r"|시집|군대|피난|피란|육이오|6\s*\.?\s*25"
    r"|전쟁|폭격|총소리|폭탄|사변|해방|일제|작년|재작년|지난|그저께|엊그제|며칠\s*전|년\s*전|달\s*전|주\s*전|시간\s*전|전에는|그날"
    r"|그\s+날|한때|한번은|처음에"
    r"|[을를ㄹ]?\s*(?:적에|적이|적도)|[가-힣]\s*때\s*(?:는|마다|도)|[았었였했]을\s*때|학교\s*다닐|살아\s*생전|생전에"
    r"|태어나|었던|았던|했던"
)
_YESTERDAY = re.compile(r"어제(?!\s*부터)|어젯밤|그제")
"""What happened then is news; what began then may go on."""
_NOW = re.compile(
    r"지금|방금|아까|갑자기|당장|어떡해|어쩌|빨리|얼른|오늘|또다시|도와|살려|119|일일구|구급차|이제는?\s*(?:더|못|그만)"
)
_FRAME = re.compile(
    r"영화|드라마|연속극|뉴스|소설|동화|연극|만화|노래\s*(?:에|가사|제목)|가사|꿈(?:에|을|속|이었)|책에|신문에|방송에"
    r"|티비에서|텔레비전에서"
    r"|텔레비전에|티브이|라디오에|유튜브|만약|만일|예를\s*들|옛날이야기|라는\s*말|이라는"
)
_PARTICLE = r"(?:이|가|은|는|도|께서는?|만|네가|들[이은]|의|를|을|한테|하고|랑|이랑)?\s"
_OTHERS = re.compile(
    r"(?:남편|영감|아내|마누라|할멈|집사람|아들|딸|며느리|사위|손주|손자|손녀|엄마|어머니|어머님|아버지|아버님|아빠"
    r"|형님?|누나|언니|오빠"
    r"|동생|친구|이웃|옆집|할머니|할아버지|선생님|아저씨|아줌마|아주머니|사람들|주인공|애들|아이들?|애기|아기|식구"
    r"|자식들?|그\s*사람|그이|걔)" + _PARTICLE
)
_YOU = re.compile(r"(?:^|\s)(?:너|네|복실이|강아지|고양이|소|어르신|사람)" + _PARTICLE)
_FIGURATIVE = re.compile(
    r"생각|떠올|기억|보면|보니|보고\s*싶|들으면|들으니|듣고|그리|이별|헤어|사연|이야기|얘기|소식|자식|전쟁|돌아가"
    r"|떠나|떠난|불쌍|안쓰|미안|슬퍼|슬프"
    r"|마음|사진|노래|때문에|다니까|라니까|대니까|셔서|사랑|속상|억울|안타|외로|고생|짠하|후회|원망|답답한\s*(?:소리"
    r"|사람)|세상이|나라가|정치|그\s*말|말을\s*들|첫사랑"
    r"|설레|벅차|감동|기뻐|좋아서|고마"
)
"""Beside a heart that aches: what it aches for."""
_QUOTED = re.compile(
    r"^(?:요)?\s*(?:이?라고|이?라는|다고|단다|다는|다며|다면|다더|대$|대요$|래$|래요$|냐고|자고|하고|하며|하면서"
    r"|하는\s*(?:소리|말)|하던|하더|했|한다고|해\s*서"
    r"|그러|그랬|그래서\s|소리|외치|외쳤|불렀|아우성|고함|비명|거리|싶어\s*(?:하|했)|던|더라|더라고|을\s*때|때)"
)
_THOUGHT_NOW = re.compile(
    r"(?:생각|마음)(?:이|을|만|도|뿐)?\s*(?:들어|드네|든다|나네|나요|나$|난다|해|하고\s*있|뿐|밖에|이야|간절)"
)
_NOT_SO = re.compile(r"(?:건|것은|게|거는|생각은|생각이|마음은|마음이|적은|적이|정도는)\s*(?:아니|아냐|없|안)")
_FINITE = re.compile(r"^(?:요|다|네|니다|습니다|구나|어요|아요|예|유|여|라|소|이소|어유|죽겠|죽겄|미치)")
_TOLD = re.compile(r"^(?:지|죠|거든|더라|던|었|았|단|대|래|곤|을|는|은|기|길|게|도록|면|듯|ㄴ)")
"""After the stem of something that happened: `-지`, `-거든`, `-더라` tell a story; only `-어`, `-다`, `-네` report."""


_PLEA_IS_OVER = re.compile(r"^(?:서|도|야|면|니|는|지|고|던|준)")
"""`살려줘서 고마워`, `도와줘도 …`."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence, and all that was said with it. What is known of either is remembered, for the next words in it."""

    sentence: str
    utterance: str
    _known: dict[tuple[str, re.Pattern[str]], bool] = field(default_factory=dict)

    def has(self, words: re.Pattern[str]) -> bool:
        return self._search("sentence", words)

    def has_anywhere(self, words: re.Pattern[str]) -> bool:
        return self._search("utterance", words)

    def _search(self, where: str, words: re.Pattern[str]) -> bool:
        known = self._known.get((where, words))
        if known is None:
            text = self.sentence if where == "sentence" else self.utterance
            known = self._known[where, words] = bool(words.search(text))
        return known


def is_call(call: Call, saying: Saying, start: int, end: int) -> bool:
    """Whether `start` to `end` of the sentence, the words of `call`, are meant for whoever listens now."""
    before, after = saying.sentence[:start], saying.sentence[end:]
    if call.unless and saying.has(call.unless):
        return False
    if call.alone and not (_is_appeal(before) and _is_appeal(after)):
        return False
    if saying.has(_FRAME) or _NOT_SO.match(after.strip()):
        return False
    if _is_quoted(after):
        return False
    then_too = saying.has_anywhere if call.form in ("event", "feeling") else saying.has
    if not saying.has(_NOW) and then_too(_THEN):
        return False
    if call.form == "plea" and _PLEA_IS_OVER.match(after):
        return False
    if call.form == "event" and saying.has(_YESTERDAY) and not saying.has(_NOW):
        return False
    if call.form == "event":
        return not _TOLD.match(after) and not ends_in_past(after)
    if call.form == "feeling" and (saying.has(_FIGURATIVE) or _somebody_else(before)):
        return False
    if call.kind == "despair" and _somebody_else(before):
        return False
    return not (_is_linked(after) and ends_in_past(after))


def is_about_others(utterance: str) -> bool:
    """Whether it names another time, other people or a story, and not this moment."""
    return not _NOW.search(utterance) and any(words.search(utterance) for words in (_THEN, _FRAME, _OTHERS))


def _somebody_else(before: str) -> bool:
    return bool(_OTHERS.search(before) or _YOU.search(before))


_APPEAL_WORDS = re.compile(
    r"(?:아이고|아이구|어이구|제발|누가|누구|나|나를|날|저|저를|절|여기|여기요|사람|빨리|어서|얼른|여보세요|거기"
    r"|없어요|없어|없소|있어요|복실아|복실이|아무도|아무나"
    r"|아무라도|좀|이봐요|지금|급해|급해요|도와줘|도와주세요|살려줘|살려주세요|도와|줘|주세요|요|아|어|저기|저기요"
    r"|주세여|주세용|줘여|줘용|네|예|응|선생님|엄마|하느님|큰일|났어|났어요|어떡해|좀요)"
)

_TEARS = re.compile(r"[ㅏ-ㅣ]+")
"""ㅠㅠ, ㅜㅜ, and vowels that a key was held for: typed after a call."""


def _is_appeal(words: str) -> bool:
    return all(_APPEAL_WORDS.fullmatch(word[0]) for word in re.finditer(r"\w+", _TEARS.sub(" ", words)))


def _is_quoted(after: str) -> bool:
    if _THOUGHT_NOW.search(after):
        return False
    # `아프다고!` said to somebody who did not listen is no quotation: nothing follows it.
    return bool(_QUOTED.match(after.strip())) and not re.fullmatch(r"\s*(?:이?라고|다고)(?:요)?\W*", after)


def _is_linked(after: str) -> bool:
    """Whether the words lead on to another verb. A bare `아파` before more words does (it is `아파서` cut short); with
    `-요`, `-다`, `-네`, or a comma or nothing after it, it stands by itself."""
    return bool(re.search(r"\w", after)) and not after.lstrip().startswith(",") and not _FINITE.match(after)


def ends_in_past(after: str) -> bool:
    """Whether a verb after the words is past. `-졌-` (has become) and `있`, `겠` are not; `-ㄹ 뻔` is."""
    return bool(_PAST.search(after))


_ENDS_IN_SS = map(chr, range(ord("갔"), ord("힣") + 1, 28))
_PAST = re.compile(f"[뻔{''.join(syllable for syllable in _ENDS_IN_SS if syllable not in '있겠겄졌')}]")

"""The words by which a telling is known, in both languages: see `silvertalk.tellings`."""

from __future__ import annotations

import re
from re import Pattern
from typing import NamedTuple

from silvertalk.memories import Category


class Cues(NamedTuple):
    """One language's. All are searched for in a sentence without its last sign, but for `untrue` in the whole turn and
    the two that are matched at its beginning."""

    told: Pattern[str]
    """How a sentence that tells something ends."""
    refused: Pattern[str]
    """Questions, requests, wishes, what might be or have been, hearsay, doubt, what is not life."""
    untrue: Pattern[str]
    """What makes all of a turn a joke or a tale."""
    taken_back: Pattern[str]
    """What takes the sentence before it back."""
    filler: Pattern[str]
    secret: Pattern[str]
    passing: Pattern[str]
    """Of the day alone."""
    grave: Pattern[str]
    """What is told once in a life."""
    categories: tuple[tuple[Category, int, Pattern[str]], ...]
    """Each with its importance; the first that fits."""


def _any(*parts: str) -> Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)


KOREAN = Cues(
    told=re.compile(r"[다요지어아야네죠해데여려거든고라예]$|더군$|구나$|군요$|니까$|서$|셋$|둘$|뿐$"),
    refused=_any(
        # questions without their sign
        r"(?:(?<!니)까|니|나요|가요|는지|은지|ᆯ까요?|을까요?|냐|던가요?|인가요?|은가요?|는가요?|나)$",
        r"누구|언제(?!나|든)|무엇|뭐|뭘|몇|왜|어떻게|어디|얼마",
        r"(?:버지|머니|언니|누나)$",
        # requests and proposals
        r"(?:줘|줘요|줘라|주라|주세요|주실래요?|줄래요?|해라|하자|자고요?|합시다|[ㅂ읍]시다|보자|할래요?|갈래요?|세요|셔요|십시오|거라|말아|마라|마요)$",
        r"(?:보여|틀어|알려|불러|켜|꺼|읽어|들려|말해|얘기해|이야기해|말씀해)\s?(?:봐|줘|주|다오)",
        # wishes, plans, what might be or have been
        r"텐데|[을할갈볼살]걸|걸\s?그랬|좋겠|싶|[을할갈볼될올]\s?(?:거|것|게|께)(?!든)|려고|려나|겠[어지다네]|[았었였했갔]으?면|라면\s|다면\s|만약|만일",
        r"[했됐갔왔났샀봤였았었]을\s?(?:텐데|걸|거|것|까|지도)",
        # hearsay, doubt
        r"(?:[간온운한난산된본은는][\s]?|[았었였했갔왔됐났]|이)[대래]요?$|다더라|라더라|다던데|라던데|단다$|란다$|답니다$|그러더라|그러는데|듣기로|소문",
        r"것\s?같|거\s?같|[가나]\s?봐|던가|인가|은가|는가|모르|기억이\s?안|기억\s?안|생각이\s?안|생각\s?안|아마|글쎄|가물|헷갈|긴가민가|[았었였했]나",
        # what is not the person's life
        r"드라마에|드라마에서|영화에서|영화에|뉴스에|텔레비전에|테레비에|티비에|라디오에서|꿈에|꿈을\s?꿨|꿈속|꿈에서|소설에|소설에서|동화에|책에서|옛날얘기에",
        # said to 복실이
        r"복실|강아지야|멍멍아|(?:^|\s)(?:너는?|넌|네가|니가|너도|너를|너한테)(?:\s|$)",
    ),
    untrue=_any(r"농담", r"장난이", r"거짓말", r"뻥이", r"지어낸", r"옛날\s?옛적", r"호랑이\s?담배"),
    taken_back=re.compile(r"(?:아,?\s*)?(?:아니(?:야|다|에요|지|,|\s)|아냐|잘못\s?말|틀렸|취소)"),
    filler=re.compile(r"^(?:(?:응|어|음|그게|저기|글쎄|네|예|아|있잖아요?|그러니까|그래|아이고|에이|참)[,.\s]+)+"),
    secret=_any(
        r"비밀번호|비번|주민\s?(?:등록)?\s?번호|계좌|카드\s?번호|통장|인증\s?번호|도장|집문서|현관\s?번호|보험\s?번호|전화번호"
    ),
    passing=_any(
        r"오늘|지금|아까|방금|요즘|어제|그제|이따|내일|모레|아침에|점심에|저녁에|아프|아파|쑤시|결리|날씨|비가\s|눈이\s와|더워|추워|졸려|배고"
    ),
    grave=_any(r"돌아가|세상을\s?떠|여의|사별|결혼|혼인|시집[왔갔오을]|장가|태어[났나]|낳았|이름[은이]"),
    categories=(
        (
            "family",
            4,
            _any(
                r"손주|손자|손녀|아들|(?:^|\s|큰|막내|작은)딸|며느리|사위|남편|아내|영감|집사람|마누라|할아범|바깥양반|안사람|엄마|어머니|어머님|아버지|아버님|아빠",
                r"오빠|언니|누나|누이|동생|형님|(?:^|\s|큰|작은)형(?:이|은|과|도|님|하고)|할머니|할아버지|시누이|친정|조카|이모|고모|삼촌|사촌|식구|가족|시집[왔갔오을]",
                r"장가|결혼|혼인|낳았|외동",
            ),
        ),
        (
            "other",
            4,
            _any(r"고향|태어[났나]|피란|피난|전쟁|해방|군대|국민학교|초등학교|중학교|고등학교|학교"),
        ),
        (
            "other",
            3,
            _any(r"살았|이사|직장|회사|공장|장사|농사|선생|간호|일했|다녔|가게|시장에서|취직|졸업|벌었|키웠|지었"),
        ),
        (
            "travel",
            3,
            _any(r"여행|놀러|소풍|바다|해수욕|제주|기차|비행기|유람|관광|온천|외국|다녀왔|구경|산에\s?(?:갔|올)|등산"),
        ),
        (
            "hobby",
            3,
            _any(
                r"취미|노래|춤|화투|바둑|장기|낚시|뜨개|그림|서예|텃밭|꽃을|화초|운동|산책|합창|악기|하모니카|기타를|수영|자전거|책\s?읽"
            ),
        ),
        (
            "food",
            3,
            _any(r"음식|김치|김장|떡|국수|찌개|반찬|송편|요리|끓|담[갔그]|부침|만두|나물|식혜|수정과|팥죽|잔치|맛있"),
        ),
        (
            "emotion",
            3,
            _any(r"행복|기뻤|좋았|슬펐|서러|서럽|외로|그리웠|그립|무서|고마|자랑|뿌듯|눈물|울었|설렜|설레|속상|미안"),
        ),
    ),
)

ENGLISH = Cues(
    told=re.compile(r"\b(?:i|i'm|i've|i'd|we|my|our|me|us)\b", re.IGNORECASE),
    refused=_any(
        r"^(?:who|what|when|where|why|how|which|do|does|did|can|could|would|will|is|are|was|were|have|has|should|shall|may)\b",
        r"^(?:please|tell|show|play|call|stop|let's|let us|read|sing|remember|remind|turn|open|say)\b",
        r"\b(?:would|could|might|maybe|perhaps|if|wish|hope|dream(?:ed|t)?|suppose|imagine|guess|think)\b",
        r"\b(?:probably|not sure|can't remember)\b",
        r"\b(?:they say|i heard|he says|she says|people say|rumou?r|supposedly|apparently)\b",
        r"\b(?:on tv|on television|in the (?:film|movie|news|book|story|drama|show)|on the (?:news|radio))\b",
        r"\b(?:you|your|you're)\b|\bgoing to\b|\bwill\b|\bwant to\b|\bi'll\b",
    ),
    untrue=_any(
        r"\bjust kidding\b",
        r"\bjoking\b",
        r"\bonly a joke\b",
        r"\bonce upon a time\b",
        r"\bi'm lying\b",
        r"\bi made (?:that|it) up\b",
    ),
    taken_back=re.compile(r"(?:oh,?\s+)?(?:no[,.\s]|sorry[,.\s]|i mean|that's wrong|scratch that)", re.IGNORECASE),
    filler=re.compile(r"^(?:(?:well|oh|um|uh|yes|yeah|you see|so|ah|hmm)[,.\s]+)+", re.IGNORECASE),
    secret=_any(
        r"password|\bpin\b|account number|social security|card number|passport|bank account|phone number|door code"
    ),
    passing=_any(
        r"\b(?:today|now|yesterday|tomorrow|tonight|this (?:morning|afternoon|evening|week)|lately|weather)\b",
        r"\b(?:hurts?|aches?|sleepy|hungry|tired)\b",
    ),
    grave=_any(r"\b(?:died|passed away|married|wedding|widow|born|named|called)\b", r"\bname(?:'s)?\b"),
    categories=(
        (
            "family",
            4,
            _any(
                r"\b(?:grand(?:son|daughter|child|children|mother|father|ma|pa)|sons?|daughters?|husband|wife|mother|father|mum|mom|dad)\b",
                r"\b(?:brothers?|sisters?|aunts?|uncles?|cousins?|family|married|wedding|nephew|niece|in-law)\b",
            ),
        ),
        (
            "other",
            4,
            _any(r"\b(?:born|grew up|hometown|school|war|army|refugees?)\b"),
        ),
        (
            "other",
            3,
            _any(
                r"\b(?:lived|moved|worked|job|factory|farm|farmed|shop|teacher|nurse|sold|office|graduated|raised|built)\b"
            ),
        ),
        (
            "travel",
            3,
            _any(
                r"\b(?:travel+ed|trip|holiday|vacation|sea|beach|train|ship|aeroplane|airplane|mountains?|abroad|visited)\b"
            ),
        ),
        (
            "hobby",
            3,
            _any(
                r"\b(?:hobby|sang|sing|danced?|garden(?:ing)?|knit(?:ted|ting)?|fish(?:ed|ing)|painted|chess|played|hiked|cycled|swam)\b"
            ),
        ),
        (
            "food",
            3,
            _any(r"\b(?:cook(?:ed|ing)?|kimchi|bread|soup|baked|dish|rice cakes?|noodles|dumplings|recipe)\b"),
        ),
        (
            "emotion",
            3,
            _any(r"\b(?:happy|happiest|sad|proud|lonely|afraid|scared|grateful|cried|missed|loved|ashamed)\b"),
        ),
    ),
)

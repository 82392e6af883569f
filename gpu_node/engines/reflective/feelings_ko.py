"""Feelings people name, how the listener stays with them, and what it asks then. Data, and the recognition. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feeling:
    """`pattern` is searched in the text without spaces. `heavy`: nothing cheerful may stand beside it;
    `opening` names it where there is nothing else to take up."""

    pattern: str
    heavy: bool
    opening: str
    comments: tuple[str, ...]
    questions: tuple[str, ...]


_NOT = r"(?:지(?:는|도)?(?:않|안|못))"

FEELINGS: tuple[Feeling, ...] = (
    Feeling(
        r"보고싶|그리[워웠운우]|그립|생각이?(?:많이|자꾸|또)나",
        True,
        "많이 그리우시군요.",
        (
            "그리운 마음은 참 오래가지요.",
            "보고 싶은 마음이 말씀에 담겨 있어요.",
            "그리움도 정이 깊어서 생기는 것이겠지요.",
        ),
        (
            "어떤 모습이 가장 많이 떠오르세요?",
            "지금 곁에 있다면 무슨 말씀을 나누고 싶으세요?",
            "함께한 날 가운데 언제가 가장 그리우세요?",
            "언제 그 생각이 가장 많이 나세요?",
        ),
    ),
    Feeling(
        r"외로[워웠운우]|외롭|쓸쓸|적적|허전|혼자(?:있|지내|사니|살|밥|야|뿐)|아무도(?:안|없|찾)"
        r"|찾아오는(?:사람|이|자식)(?:이|도|은)?.{0,4}없|발길이",
        True,
        "많이 적적하시군요.",
        (
            "혼자 계시면 하루가 길게 느껴지시지요.",
            "그런 마음을 말씀해 주셔서 고마워요.",
            "지금은 제가 곁에서 듣고 있어요.",
        ),
        (
            "하루 가운데 언제가 가장 적적하세요?",
            "예전에 북적북적하던 때는 누구와 함께 지내셨어요?",
            "이럴 때 가장 생각나는 사람은 누구세요?",
        ),
    ),
    Feeling(
        (
            r"슬[프퍼펐픈]|서러[워웠운]|서럽|눈물(?:이|을|만|도)?(?:나|났|흘|글썽)|울었|울컥|비참|가슴(?:이"
            r"|도)?(?:너무|많이|참)?(?:아[프파팠픈]|미어|찢어|먹먹)|마음(?:이|도)아[파프팠]"
        ),
        True,
        "마음이 많이 아프시군요.",
        (
            "그럴 때는 참지 않으셔도 돼요.",
            "울고 싶을 때는 우셔도 돼요.",
            "그 마음을 제가 다 헤아릴 수는 없지만 듣고 있어요.",
        ),
        (
            "그 마음을 누구와 나누셨어요?",
            "그때 곁에 있어 준 사람은 누구였어요?",
            "어떤 생각이 들 때 가장 마음이 아프세요?",
        ),
    ),
    Feeling(
        r"속상|다죽었|다망|망쳤|허탕|섭섭|서운|억울|야속|괘씸|화(?:가|를)?(?:나|났|냈)|분하|얄미|미워|밉",
        True,
        "많이 속상하셨군요.",
        (
            "그럴 때는 누구라도 서운하지요.",
            "그런 일이 있으면 마음이 상하지요.",
            "속에 담아 두지 않고 말씀해 주셔서 좋아요.",
        ),
        (
            "어떤 점이 가장 마음에 걸리셨어요?",
            "그때 듣고 싶은 말은 무엇이었어요?",
            "예전에는 속상한 일이 있으면 누구에게 털어놓으셨어요?",
        ),
    ),
    Feeling(
        r"무서[워웠운우]|무섭|두려[워웠운]|두렵|겁(?:이|도)?(?:나|났)|불안|(?:가슴|마음)(?:이|도)?떨[려렸리]",
        True,
        "많이 무서우셨군요.",
        ("가슴이 철렁하셨겠어요.", "겁이 나는 것은 당연한 마음이에요.", "지금은 제가 듣고 있으니 천천히 말씀하세요."),
        (
            "그럴 때 누가 곁에 있으면 마음이 놓이세요?",
            "무엇이 가장 마음에 걸리세요?",
            "예전에 무서운 일이 있을 때는 어떻게 이겨 내셨어요?",
        ),
    ),
    Feeling(
        r"걱정|근심|막막|답답|초조|큰일(?:이야|이네|났)",
        True,
        "걱정이 많으시군요.",
        ("마음이 많이 쓰이시지요.", "걱정이 있으면 잠도 편치 않지요.", "함께 이야기하다 보면 조금 가벼워지기도 해요."),
        (
            "무엇이 가장 마음에 걸리세요?",
            "그런 걱정은 누구와 나누세요?",
            "예전에 걱정이 많던 때는 무엇이 힘이 되었어요?",
        ),
    ),
    Feeling(
        r"힘들|힘드|고생(?!각)|고되|고단|지[쳐쳤친]|버거|고달|괴로[워웠운]|괴롭|(?<!싶어)(?<!좋아)(?<!반가워)죽겠",
        True,
        "많이 힘드셨군요.",
        ("참 애쓰셨어요.", "그 고단함을 말씀해 주셔서 고마워요.", "얼마나 힘드셨을지 헤아려 보게 돼요."),
        (
            "그때 무엇이 가장 힘이 되었어요?",
            "힘들 때 곁에 있어 준 사람은 누구세요?",
            "그런 날에는 마음을 어떻게 달래세요?",
        ),
    ),
    Feeling(
        r"배(?:가|도)?(?:너무|많이|참)?고[프파팠픈]|굶",
        False,
        "배가 고프셨군요.",
        ("배가 고프면 서럽기도 하지요.", "끼니만큼은 거르지 않으시면 좋겠어요."),
        ("그럴 때 가장 생각나는 음식은 무엇이에요?", "배고플 때 누가 차려 준 밥상이 떠오르세요?"),
    ),
    Feeling(
        (
            r"치매|중풍|풍을맞|관절염|골다공증|백내장|녹내장|디스크|고혈압|심장병|신부전|암(?:에|이래|이라|으로"
            r"|수술|걸)|뇌졸중|입원|수술|요양원|요양병원"
            r"|못알아[봐보봤]|위독|혈압이|당뇨|몸져|드러누"
        ),
        True,
        "몸이 편치 않으신 일이 있군요.",
        ("걱정이 크시겠어요.", "마음이 많이 쓰이시겠어요.", "그런 이야기를 들려주셔서 고마워요."),
        (
            "요즘은 좀 어떠세요?",
            "그런 날에는 마음을 어떻게 달래세요?",
            "그럴 때 힘이 되어 주는 사람은 누구세요?",
        ),
    ),
    Feeling(
        (
            r"아[파프팠픈](?!트)|쑤[시셔셨]|결[리려렸]|저[려렸](?!울)|시[큰리려]|어지러|어지럽|편찮|몸살"
            r"|다[쳐쳤]|넘어[졌져]|삐[었끗]|체했|토했|기운이?없|침침|부었|끊어질|손(?:이|도)?떨|허리야|다리야"
            r"|무릎이야"
        ),
        True,
        "몸이 편치 않으시군요.",
        ("많이 불편하시겠어요.", "무리하지 마시고 쉬엄쉬엄하세요.", "몸이 그러면 하루가 더디 가지요."),
        (
            "언제부터 그러셨어요?",
            "지금은 좀 어떠세요?",
            "가족분이나 의사 선생님께도 말씀하셨어요?",
        ),
    ),
    Feeling(
        r"우울|살맛|재미(?:가|도)?없|의욕|허무|시무룩|울적|사는게(?:뭔지|재미|낙)",
        True,
        "마음이 가라앉으셨군요.",
        ("마음이 가라앉는 날이 있지요.", "그런 마음도 말씀해 주셔서 고마워요."),
        (
            "언제부터 그런 마음이 드셨어요?",
            "요즘 그래도 잠깐 웃게 되는 때는 언제예요?",
            "예전에 마음이 가라앉을 때는 무엇을 하셨어요?",
        ),
    ),
    Feeling(
        r"미안(?:하|해|한)|죄(?:를|가)?(?:지|많|스)|후회|아쉬[워웠운]|아쉽|한이(?:되|돼|맺|남)|못해(?:줘|준|줬|드)",
        True,
        "마음에 걸리는 일이 있으시군요.",
        ("마음에 오래 남으셨군요.", "그만큼 마음을 쓰셨다는 뜻이겠지요."),
        (
            "지금이라면 어떤 말을 전하고 싶으세요?",
            "그때 하지 못한 말씀은 무엇이에요?",
            "그 일은 언제 가장 많이 떠오르세요?",
        ),
    ),
    Feeling(
        r"부끄러|부끄럽|창피|부담스",
        True,
        "쑥스러우셨군요.",
        ("누구라도 그런 마음이 들 때가 있지요.", "편하게 말씀해 주셔서 고마워요."),
        ("그때 어떤 마음이 드셨어요?", "그럴 때 마음을 편하게 해 주는 사람은 누구세요?"),
    ),
    Feeling(
        r"고마[워웠운우]|고맙|감사[하해한했]",
        False,
        "고마운 마음이시군요.",
        ("고마운 마음은 두고두고 따뜻하지요.", "그 마음이 저에게도 전해져요."),
        ("그 마음을 어떻게 전하고 싶으세요?", "살아오시면서 또 고마운 사람은 누구세요?"),
    ),
    Feeling(
        r"자랑스|뿌듯|기특|대견|합격|상을받|일등|칭찬|보람|장하",
        False,
        "참 뿌듯하셨군요.",
        ("참 장한 일이에요.", "듣는 저도 어깨가 으쓱해져요."),
        (
            "그 소식을 가장 먼저 누구에게 알리고 싶으셨어요?",
            "지금까지 가장 자랑스러웠던 일은 무엇이에요?",
        ),
    ),
    Feeling(
        (
            r"기쁘|기뻐|기뻤|행복|즐거[워웠운]|즐겁|신[나났]|재[미밌](?:있|나|었|어)|반가[워웠]|반갑"
            r"|기분(?:이|은|도)?(?:참|아주|정말)?좋|설[레렜렌]|흐뭇|좋(?:았|더라|지뭐|구나)"
        ),
        False,
        "참 좋으셨군요.",
        ("좋은 일은 나눌수록 커지지요.", "말씀만 들어도 저까지 기분이 좋아져요.", "그 기쁨이 여기까지 전해져요."),
        (
            "그 순간을 누구와 함께하셨어요?",
            "예전에도 그렇게 기쁜 날이 있으셨어요?",
            "그때 무엇이 가장 좋으셨어요?",
        ),
    ),
)

GRIEF = (
    r"죽었|죽고나|돌아가[셨시신]|세상을?(?:떠|뜨|떴|버리)|하늘나라|먼저(?:갔|간지|가[고버서셨]|떠|보냈|보내)"
    r"|여의|여읜|장례|사별|간지(?:가|도)?(?:벌써|이제|꽤|오래|어느새|어느덧|[일이삼사오육칠팔구십백]+년)"
    r"|떠나보[냈내]|저세상|초상"
)
GRIEF_OPENINGS = ("{P:이/가} 세상을 떠나셨군요.", "{P:이/가} 먼저 먼 길을 떠나셨군요.")
GRIEF_OPENINGS_CLOSE = ("{P:을/를} 먼저 보내셨군요.",)
GRIEF_COMMENTS = (
    "그 마음이 얼마나 크실지 제가 다 알 수는 없어요.",
    "그 빈자리가 얼마나 크실까 싶어요.",
    "천천히 말씀하셔도 돼요, 곁에서 듣고 있어요.",
)
GRIEF_QUESTIONS = (
    "{P:은/는} 어떤 분이셨어요?",
    "{P:과/와} 함께한 날 가운데 언제가 가장 많이 떠오르세요?",
    "{P:을/를} 떠올리면 어떤 모습이 먼저 생각나세요?",
)
PARTING = r"잃어버[렸리려]|헤어[졌지져진]|생이별|못만[났나]|못찾|소식이?(?:끊|영영)|행방"
PARTING_OPENINGS = ("{P:과/와} 그렇게 헤어지셨군요.",)
PARTING_COMMENTS = (
    "얼마나 애가 타셨을지 제가 다 알 수는 없어요.",
    "말씀하시기 힘드셨을 텐데 들려주셔서 고마워요.",
    "천천히 말씀하셔도 돼요, 듣고 있어요.",
)
PARTING_QUESTIONS = (
    "{P} 하면 어떤 모습이 가장 먼저 떠오르세요?",
    "다시 만난다면 무슨 말씀을 가장 먼저 하고 싶으세요?",
    "{P:과/와} 함께 지내던 때는 어땠는지 들려주시겠어요?",
)
GRIEF_QUESTIONS_YOUNG = (
    "{P:과/와} 함께한 날 가운데 언제가 가장 많이 떠오르세요?",
    "{P:을/를} 떠올리면 어떤 모습이 먼저 생각나세요?",
)


def squeeze(text: str) -> tuple[str, frozenset[int]]:
    """The letters of `text`, and where its words begin among them."""
    words = ["".join(re.findall(r"[가-힣a-zA-Z]", word)) for word in text.split()]
    starts, at = set(), 0
    for word in words:
        starts.add(at)
        at += len(word)
    return "".join(words), frozenset(starts)


def names(pattern: str, text: str) -> re.Match[str] | None:
    """Where `pattern` first matches at the start of a word, whatever spaces follow."""
    squeezed, starts = squeeze(text)
    return next((match for match in re.finditer(pattern, squeezed) if match.start() in starts), None)


def feeling_in(text: str) -> Feeling | None:
    """The feeling named last in `text`; a denied one does not count, nor does a price that frightens."""
    squeezed, starts = squeeze(text)
    found: list[tuple[int, int, Feeling]] = []
    for feeling in FEELINGS:
        for match in re.finditer(feeling.pattern, squeezed):
            denied = re.match(rf"[가-힣]?{_NOT}|[은는을를도]?(?:못|안|떨어)", squeezed[match.end() :]) or (
                squeezed[: match.start()].endswith("안") and not feeling.heavy
            )
            if match.start() in starts and not denied and not _is_price(match, squeezed):
                found.append((match.end(), -match.start(), feeling))
    if not found:
        return None
    end, _, feeling = max(found, key=lambda item: item[:2])
    return feeling if len(squeezed) < _STORY or end * 2 > len(squeezed) else None


_STORY = 45
"""Syllables from which an utterance is a story: what was felt in its first half is no longer what it is about."""


def _is_price(match: re.Match[str], squeezed: str) -> bool:
    return match.group().startswith("무서") and re.search(r"물가|값이|비싸", squeezed) is not None

"""Words whose sound does not follow from their letters: what `gpu_node.hangul`'s rules must be told.

Each entry is respelled only as far as the rules cannot reach, so that they still apply to what follows
it: `꽃잎 -> 꼰닢` leaves the ㅍ that 꽃잎이 [꼰니피] needs. Sources: 표준 발음법 (Standard Pronunciation, the
articles named below) and the pronunciations that 표준국어대사전 gives.
"""

from __future__ import annotations

WORD_STARTS: dict[str, str] = {
    # Article 15: before a word of its own meaning a final consonant is first reduced, then carried over.
    "맛없": "마덥",
    "멋없": "머덥",
    "첫인상": "처딘상",
    "헛웃": "허둣",
    "겉옷": "거돗",
    "값어치": "가버치",
    "몇월": "며뒬",
    "디귿이": "디그시",
    "시옷이": "시오시",
    # Article 16 and single words with a sound of their own.
    "맛있": "마싰",
    "멋있": "머싰",
    "넓죽": "넙쭉",
    "넓적": "넙쩍",
    "여덟": "여덜",
    "납량": "남냥",
    # Article 20: ㄴㄹ is [ㄴㄴ] where a Sino-Korean suffix follows a word, and in loans.
    "온라인": "온나인",
    "생산량": "생산냥",
    "판단력": "판단녁",
    "결단력": "결딴녁",
    "입원료": "이붠뇨",
    "상견례": "상견네",
    "음운론": "으문논",
    "신문로": "신문노",
    # Article 29: ㄴ is inserted before 이, 야, 여, 요, 유 in compounds.
    "꽃잎": "꼰닢",
    "깻잎": "깬닢",
    "나뭇잎": "나문닢",
    "풀잎": "풀맆",
    "담요": "담뇨",
    "솜이불": "솜니불",
    "색연필": "생년필",
    "한여름": "한녀름",
    "알약": "알략",
    "물약": "물략",
    "두통약": "두통냑",
    "웬일": "웬닐",
    "볼일": "볼릴",
    "집안일": "지반닐",
    "부엌일": "부엉닐",
    "옛일": "옌닐",
    "옛이야기": "옌니야기",
    "옛날이야기": "옌날리야기",
    "휘발유": "휘발류",
    "식용유": "시굥뉴",
    "서른여": "서른녀",
    "마흔여": "마흔녀",
    "쉰여": "쉰녀",
    "예순여": "예순녀",
    "일흔여": "일흔녀",
    "여든여": "여든녀",
    "아흔여": "아흔녀",
    "스물여": "스물려",
    "열여": "열려",
    # Article 23-28 and compounds: a tense sound that no written consonant explains.
    "갈등": "갈뜽",
    "결석": "결썩",
    "결심": "결씸",
    "결정": "결쩡",
    "글자": "글짜",
    "달성": "달썽",
    "물질": "물찔",
    "밀접": "밀쩝",
    "발달": "발딸",
    "발생": "발쌩",
    "발전": "발쩐",
    "별도": "별또",
    "별장": "별짱",
    "설득": "설뜩",
    "설정": "설쩡",
    "실수": "실쑤",
    "실시": "실씨",
    "실제": "실쩨",
    "열심": "열씸",
    "열정": "열쩡",
    "월세": "월쎄",
    "일단": "일딴",
    "일등": "일뜽",
    "일상": "일쌍",
    "일생": "일쌩",
    "일시": "일씨",
    "일정": "일쩡",
    "일종": "일쫑",
    "일주": "일쭈",
    "절대": "절때",
    "절실": "절씰",
    "절정": "절쩡",
    "질서": "질써",
    "철저": "철쩌",
    "출산": "출싼",
    "출생": "출쌩",
    "출석": "출썩",
    "출신": "출씬",
    "출장": "출짱",
    "칠십": "칠씹",
    "팔십": "팔씹",
    "팔자": "팔짜",
    "필수": "필쑤",
    "활동": "활똥",
    "활성": "활썽",
    "갈증": "갈쯩",
    "강가": "강까",
    "길가": "길까",
    "물가": "물까",
    "바닷가": "바닫까",
    "눈가": "눈까",
    "물고기": "물꼬기",
    "손가락": "손까락",
    "발가락": "발까락",
    "손바닥": "손빠닥",
    "발바닥": "발빠닥",
    "손등": "손뜽",
    "손길": "손낄",
    "눈길": "눈낄",
    "산길": "산낄",
    "밤길": "밤낄",
    "골목길": "골목낄",
    "눈동자": "눈똥자",
    "눈사람": "눈싸람",
    "눈빛": "눈삧",
    "달빛": "달삧",
    "별빛": "별삧",
    "불빛": "불삧",
    "보름달": "보름딸",
    "봄비": "봄삐",
    "겨울밤": "겨울빰",
    "여름밤": "여름빰",
    "꿈속": "꿈쏙",
    "산속": "산쏙",
    "물속": "물쏙",
    "마음속": "마음쏙",
    "가슴속": "가슴쏙",
    "말소리": "말쏘리",
    "물소리": "물쏘리",
    "발소리": "발쏘리",
    "숨소리": "숨쏘리",
    "발걸음": "발꺼름",
    "아침밥": "아침빱",
    "비빔밥": "비빔빱",
    "김밥": "김빱",
    "된장국": "된장꾹",
    "밀가루": "밀까루",
    "물병": "물뼝",
    "술잔": "술짠",
    "술집": "술찝",
    "빵집": "빵찝",
    "안방": "안빵",
    "줄넘기": "줄럼끼",
    "등불": "등뿔",
    "물결": "물껼",
    "물감": "물깜",
    "장난감": "장난깜",
    "용돈": "용똔",
    "장바구니": "장빠구니",
    "열쇠": "열쐬",
    "문자": "문짜",
    "한자": "한짜",
    "인기": "인끼",
    "사건": "사껀",
    "조건": "조껀",
    "평가": "평까",
    "성격": "성껵",
    "여권": "여꿘",
    "안과": "안꽈",
    "치과": "치꽈",
    "내과": "내꽈",
    "외과": "외꽈",
    "정형외과": "정형외꽈",
    "이비인후과": "이비인후꽈",
    "헌법": "헌뻡",
    "문법": "문뻡",
    "요점": "요쩜",
    "장점": "장쩜",
    "단점": "단쩜",
    "관점": "관쩜",
    "시점": "시쩜",
    "초점": "초쩜",
    "문제점": "문제쩜",
    "일거리": "일꺼리",
    "볼거리": "볼꺼리",
    "먹을거리": "머글꺼리",
    "자랑거리": "자랑꺼리",
    "걱정거리": "걱쩡꺼리",
}
"""Matched at the start of a word (어절), the longest entry first."""

WORD_ENDS: dict[str, str] = {
    # The particle 요 takes ㄴ after a consonant (그럼요 [그럼뇨]); nouns such as 필요, 민요 do not, hence a list.
    "군요": "군뇨",
    "거든요": "거든뇨",
    "그럼요": "그럼뇨",
    "걸요": "껄료",
    "는요": "는뇨",
    "은요": "은뇨",
    "정말요": "정말료",
    "뭘요": "뭘료",
    "지금요": "지금뇨",
}
"""Matched at the end of a word."""

ANYWHERE: dict[str, str] = {
    # Article 29 in numbers: 십육 [심뉵], 백육십 [뱅뉵씹], but 육이오 [유기오].
    "십육": "심뉵",
    "백육": "뱅뉵",
    "천육": "천뉵",
    "만육": "만뉵",
    "십일월": "시비뤌",
    "칠십": "칠씹",
    "팔십": "팔씹",
    "서울역": "서울력",
    "부산역": "부산녁",
    "청량리": "청냥니",
    # Articles 26-27: the endings -(으)ㄹ수록, -(으)ㄹ걸 are tense wherever they stand.
    "ㄹ수록": "ㄹ쑤록",
}
"""Matched anywhere in a word. A leading ㄹ stands for any syllable that ends in ㄹ."""

NOUNS_IN_EUI = frozenset(
    """
    거의 회의 주의 강의 정의 동의 의의 편의 합의 예의 논의 항의 문의 모의 결의 호의 창의 심의 협의 고의
    민주주의 자본주의 사회주의
    """.split()
)
"""Words whose last 의 is their own: [이]. At any other word's end 의 is taken for the particle: [에] (article 5)."""

STEMS_IN_N_M = frozenset("감 남 넘 담 숨 신 심 참 품".split())
"""Verb stems after which an ending's first consonant is tense (article 24): 신다 [신따], 남고 [남꼬]."""

ENDINGS_AFTER_N_M: dict[str, frozenset[str]] = {
    # Only endings that cannot be a noun's second syllable: 감자, 감기, 남자, 신고, 참고, 심지 are nouns.
    "다": STEMS_IN_N_M,
    "습": STEMS_IN_N_M,
    "던": STEMS_IN_N_M,
    "고": STEMS_IN_N_M - frozenset("감 신 참".split()),
    "지": frozenset("남 넘 담 참 품 숨".split()),
    "게": frozenset("남 넘 담".split()),
}

STEMS_IN_L = frozenset(
    """
    걸 길 날 널 놀 늘 달 덜 돌 둘 들 말 멀 몰 물 밀 벌 불 빌 빨 살 썰 알 얼 열 울 일 잘 절 졸 질 찔 털
    틀 팔 풀 헐 굴 글 끌
    """.split()
)
"""Syllables that end a stem in ㄹ, so that a plain -지, -게 after them is not tense: 알지, 만들지, 길게."""

PROSPECTIVE_BEFORE_JI = frozenset("할 갈 올 될 볼 을 실 릴 킬 떨 칠 낼 뀔 쓸 설 탈 줄 뺄 꿀 렬".split())
"""Syllables after which 지 is -(으)ㄹ지 [ㄹ찌]: 할지, 있을지, 어떨지."""

NOT_PROSPECTIVE = frozenset(
    """
    오늘 내일 말 물 일 길 달 날 딸 아들 술 쌀 살 발 팔 얼굴 겨울 가을 서울 마을 연필 과일 비밀 교실 생일 휴일
    정말 잘 늘 별 돌 풀 불 글 절 칠 얼 매일 요즘 하늘 그늘 바늘 거울 저울 이틀 사흘 나흘 열흘 시골 노을 구슬
    이슬 토요일 일요일 월요일 화요일 수요일 목요일 금요일
    """.split()
)
"""Words in ㄹ that are no verb's prospective form, so that a following noun keeps its plain consonant."""

BOUND_NOUNS = frozenset(
    """
    것 것이 것을 것은 것도 것만 것과 것처럼 것보다 것입니다 것이다 것이에요 것이고 것인데 것인지 것이라고
    것이라는 거 거예요 거에요 거야 거지 거죠 거다 거라고 거고 거니까 거든요 거였 거라 거라서 거라면 건 건가
    건가요 건데 건데요 건지 건지요 걸 걸요 겁니다 겁니까 게 수 수가 수는 수도 수밖에 수록 줄 줄은 줄도 줄을
    줄이야 데 데가 데는 데도 데를 듯 듯이 듯한 듯해요 듯합니다 듯하다 바 바를 법 법한 법하다 적 적에 적이 적엔
    지경 지경이 즈음
    """.split()
)
"""Words that a prospective -(으)ㄹ makes tense (article 27): 할 것을 [할꺼슬], 만날 사람 [만날싸람]."""

OTHER_NOUNS = frozenset(
    """
    정도 정도로 정도의 동안 동안에 사람 사람이 사람은 사람들 사람들이 생각 생각이 생각을 생각은 생각입니다
    생각이에요 시간 시간이 시간을 시간에 시간도 자리 자리가 자신 자신이 계획 계획이에요 곳 곳이 곳을 곳에 곳은
    """.split()
)
"""As above, but these also follow an object in -을 (책을 사람들이), so that the word before must plainly be a verb."""

INSERTED_N_WORDS = frozenset(
    """
    일 일이 일은 일을 일도 일만 일에 일로 일과 일들 일들이 일들을 일까지 일인 일인데 일인가요 일이에요 일이야
    일이죠 일입니다 일이었 일이라 일이라고 일이고 일이지만 요일 요일에 요일이에요
    """.split()
)
"""Words that take ㄴ after an adnominal in ㄴ, ㄹ or ㅅ (article 29): 무슨 일 [무슨닐], 할 일 [할릴]."""

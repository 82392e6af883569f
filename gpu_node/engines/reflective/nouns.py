"""The nouns the listener knows: whom and what older people talk about. Data, and the way a noun is found in a word.

A noun's topic decides what may be said of it and asked about it. People are named with respect when they are given
back (아들: 아드님); whether a verb about them takes -시- is `honoured`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gpu_node.engines.reflective.conjugation import is_all_hangul
from gpu_node.engines.reflective.particles import LONGEST_FIRST, may_follow


class Topic(StrEnum):
    SPOUSE = "spouse"
    CHILD = "child"
    GRANDCHILD = "grandchild"
    PARENT = "parent"
    GRANDPARENT = "grandparent"
    SIBLING = "sibling"
    IN_LAW = "in_law"
    FRIEND = "friend"
    TEACHER = "teacher"
    FOOD = "food"
    MEAL = "meal"
    DRINK = "drink"
    WEATHER = "weather"
    SEASON = "season"
    FLOWER = "flower"
    FARM = "farm"
    BODY = "body"
    HOSPITAL = "hospital"
    SLEEP = "sleep"
    HOMETOWN = "hometown"
    HOUSE = "house"
    WAR = "war"
    MARKET = "market"
    SCHOOL = "school"
    WORK = "work"
    MONEY = "money"
    SONG = "song"
    SCREEN = "screen"
    READING = "reading"
    PHOTO = "photo"
    HOLIDAY = "holiday"
    ANCESTORS = "ancestors"
    CELEBRATION = "celebration"
    WEDDING = "wedding"
    FAITH = "faith"
    TRAVEL = "travel"
    WALK = "walk"
    ANIMAL = "animal"
    CLOTHES = "clothes"
    PLAY = "play"
    ARMY = "army"
    CLUB = "club"
    PHONE = "phone"
    RIDE = "ride"
    WATER = "water"
    AGE = "age"
    MIND = "mind"
    OTHER = "other"
    """A noun that was heard but is in no list."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`display`: how the listener says it back. `honoured` is None for things, else whether their verbs take -시-."""

    display: str
    topic: Topic
    honoured: bool | None = None


_PEOPLE = {
    Topic.SPOUSE: "남편=남편분 신랑=남편분 영감=바깥어른 영감님=바깥어른 바깥양반=바깥어른 아내=아내분 집사람=아내분"
    " 마누라=아내분 안사람=아내분"
    " 안식구=아내분 부인=아내분 와이프=아내분 할멈=아내분 애아버지=남편분 애아빠=남편분 애엄마=아내분",
    Topic.CHILD: "아들=아드님 큰아들=큰아드님 작은아들=작은아드님 막내아들=막내아드님 둘째아들=둘째아드님"
    " 아들네=아드님 딸=따님 큰딸=큰따님"
    " 작은딸=작은따님 막내딸=막내따님 둘째딸=둘째따님 딸네=따님 딸내미=따님 딸아이=따님 딸애=따님"
    " 아들놈=아드님 아들녀석=아드님 자식=자녀분 자식들=자녀분들 자녀=자녀분"
    " 자녀들=자녀분들 애들=자녀분들 막내=막내 큰애=큰아이 작은애=작은아이 아이들=아이들 아이=아이 아기=아기 애기=아기",
    Topic.GRANDCHILD: (
        "손주 손주들 손자 손자들 손녀 손녀들 손녀딸=손녀 손주놈=손주 손자놈=손자 외손주 외손녀 외손자 증손주"
        " 증손녀 증손자"
    ),
    Topic.PARENT: "어머니=어머님 엄마=어머님 어무이=어머님 어매=어머님 엄니=어머님 어머님=어머님 아버지=아버님"
    " 아부지=아버님 아빠=아버님 아배=아버님 아버님=아버님"
    " 부모=부모님 부모님=부모님 친정어머니=친정어머님 친정엄마=친정어머님 친정아버지=친정아버님",
    Topic.GRANDPARENT: (
        "할머니=할머님 할매=할머님 할무니=할머님 외할머니=외할머님 할아버지=할아버님 할배=할아버님"
        " 외할아버지=외할아버님"
    ),
    Topic.SIBLING: "오빠=오라버님 언니=언니분 누나=누님 누이=누이분 형=형님 형님=형님 큰형=큰형님 큰언니=큰언니분"
    " 작은언니=작은언니분 큰오빠=큰오라버님 작은오빠=작은오라버님"
    " 동생=동생분 동생들=동생분들 여동생=여동생분 남동생=남동생분 막냇동생=막냇동생분 막내동생=막냇동생분"
    " 형제=형제분 형제들=형제분들 자매=자매분 남매=남매분",
    Topic.IN_LAW: "며느리=며느님 큰며느리=큰며느님 사위=사위분 시어머니=시어머님 시엄마=시어머님 시아버지=시아버님"
    " 시부모=시부모님 장모=장모님 장모님=장모님 장인=장인어른"
    " 올케=올케분 시누이=시누이분 동서=동서분 조카=조카분 조카들=조카분들 고모=고모님 이모=이모님"
    " 삼촌=삼촌분 외삼촌=외삼촌분 큰아버지=큰아버님 큰어머니=큰어머님"
    " 작은아버지=작은아버님 친척=친척분 친척들=친척분들 사돈=사돈어른 식구=식구분들 식구들=식구분들"
    " 가족=가족분들 가족들=가족분들",
    Topic.FRIEND: "친구=친구분 친구들=친구분들 동무=동무분 동무들=동무분들 동창=동창분 동창들=동창분들 이웃=이웃분"
    " 이웃들=이웃분들 아주머니=아주머니"
    " 아줌마=아주머니 아저씨=아저씨 총각 처녀",
    Topic.OTHER: "걔=그분 쟤=그분 그애=그분 그이=그분 그양반=그분",
    Topic.TEACHER: "선생님=선생님 선생=선생님 담임=담임 선생님 교장선생님=교장 선생님 스승=스승님",
    Topic.HOSPITAL: "의사=의사 선생님 간호사=간호사분 요양보호사=요양보호사님 보호사=요양보호사님",
    Topic.CLUB: "복지사=복지사님 이장=이장님 반장=반장님 회장=회장님 총무=총무님 봉사자=봉사자분",
    Topic.FAITH: "목사님=목사님 목사=목사님 신부님=신부님 수녀님=수녀님 스님=스님 집사님=집사님 권사님=권사님",
}
_NOT_HONOURED = frozenset(
    "막내 큰애 작은애 아이들 아이 아기 애기 총각 처녀 아줌마 아주머니 아저씨 친구 친구들 동생 동생들"
    " 여동생 남동생 막냇동생 막내동생"
    " 조카 조카들 동무 동무들 동창 동창들 이웃 이웃들 걔 쟤 그애".split()
)

_THINGS: dict[Topic, str] = {
    Topic.MEAL: "밥 아침밥 점심밥 저녁밥 밥상 끼니 식사 점심 저녁밥상 아침상 진지",
    Topic.FOOD: "쌀밥 보리밥 콩밥 주먹밥 비빔밥 김밥 죽 국 된장국 미역국 시래기국 시래깃국 콩나물국 떡국 국수 칼국수"
    " 잔치국수 냉면 수제비 만두 라면 짜장면"
    " 떡볶이 찌개 된장찌개 김치찌개 청국장 된장 고추장 간장 김치 김장 김장김치 배추김치 물김치 열무김치"
    " 동치미 깍두기 총각김치 오이지 장아찌 반찬 나물 봄나물 고사리 쑥 쑥떡 냉이 달래"
    " 떡 송편 인절미 시루떡 가래떡 부침개 빈대떡 파전 전 고기 불고기 갈비 갈비탕 삼계탕 닭백숙 백숙 닭"
    " 순대 국밥 해장국 곰탕 설렁탕 추어탕 매운탕 생선 고등어 갈치 굴비 동태 명태 오징어"
    " 낙지 꽃게 굴 조개 젓갈 새우젓 두부 콩 팥죽 팥 호박죽 호박 감자 고구마 옥수수 과일 사과 배 감 곶감"
    " 대추 밤 귤 포도 수박 참외 복숭아 딸기 자두 살구 앵두 홍시 빵 찐빵 붕어빵 호떡 과자"
    " 사탕 엿 엿장수 한과 강정 도시락 누룽지 숭늉 미숫가루 음식 요리 반찬거리 간식 배추 무 상추 오이 파"
    " 마늘 양파 참기름 들기름 잡채 수정과 식혜 감주 조청 묵"
    " 도토리묵 메밀묵 콩국수 육개장 보신탕 미역",
    Topic.DRINK: "커피 차 녹차 보리차 대추차 생강차 쌍화차 막걸리 소주 술 맥주 우유 물 다방 찻집",
    Topic.WEATHER: (
        "날씨 비 소나기 장마 장맛비 눈 함박눈 눈사람 바람 태풍 천둥 번개 안개 구름 하늘 햇볕 햇살 햇빛 추위"
        " 더위 무더위 미세먼지 서리 무지개 가뭄 홍수 황사 첫눈 봄비"
    ),
    Topic.SEASON: (
        "봄 여름 가을 겨울 봄날 가을날 겨울날 여름날 단풍 보름달 달 별 노을 새벽 해돋이 한여름 한겨울 여름밤 겨울밤"
    ),
    Topic.FLOWER: "꽃 벚꽃 진달래 개나리 철쭉 국화 장미 코스모스 목련 매화 해바라기 봉숭아 채송화 나팔꽃 나무 감나무"
    " 대추나무 은행나무 소나무 느티나무 밤나무 살구나무 화분 화초 꽃밭 꽃구경 동백꽃"
    " 아카시아 찔레꽃 살구꽃 복사꽃 배꽃 난초 무궁화 꽃잎 접시꽃 맨드라미 수국",
    Topic.FARM: "텃밭 밭 논 논밭 농사 벼 모내기 모심기 추수 가을걷이 고추 고추밭 콩밭 감자밭 과수원 비닐하우스 호미"
    " 낫 지게 경운기 트랙터 거름 씨앗 모종 농사일 밭일 논일 품앗이 새참 못줄 타작"
    " 누에 뽕나무 담배농사 소작 머슴",
    Topic.BODY: "무릎 허리 다리 어깨 목 머리 손 발 팔 손목 발목 손가락 귀 눈 이 치아 이빨=치아 틀니 배 속 가슴 등"
    " 관절 혈압 당뇨 감기 기침 열 몸 몸살 건강 기운 입맛 두통 치매 백내장 보청기 지팡이 관절염"
    " 골다공증 중풍 변비 소화 오십견 디스크 통풍 허벅지 종아리 엉덩이 기력 체력 손발 발가락 눈물 콧물"
    " 어지럼증 컨디션 안경 돋보기 휠체어 몸무게",
    Topic.HOSPITAL: (
        "병원 약 약국 주사 수술 검사 건강검진 검진 치과 안과 한의원 침 물리치료 입원 퇴원 처방 진료 혈압약"
        " 당뇨약 예방주사 백신 보건소 요양원 요양병원 응급실 한약 감기약 파스 엑스레이"
    ),
    Topic.SLEEP: "잠 낮잠 꿈 잠자리 불면증 늦잠 새벽잠 이불 베개 밤잠",
    Topic.HOMETOWN: "고향 고향집 시골 시골집 마을 동네 함흥 평양 원산 개성 황해도 함경도 평안도 강원도 충청도 전라도"
    " 경상도 제주도 제주 부산 대구 광주 대전 인천 서울 목포 여수 순천 전주 군산 통영 마산"
    " 진주 안동 경주 포항 울산 강릉 속초 춘천 원주 청주 충주 공주 부여 논산 수원 이북 북한 뒷산 앞산 개울"
    " 냇가 우물 우물가 빨래터 정자나무 장독대 초가집 기와집 외갓집 친정 친정집 시댁 외가 산골"
    " 섬 고갯길 신작로 골목 골목길 종로 명동 영등포 남대문 동대문 청계천 읍내 논두렁 밭두렁 느티나무집 옛집",
    Topic.HOUSE: "집 옆집 아랫집 윗집 앞집 뒷집 마당 방 부엌 안방 아랫목 온돌 구들 아궁이 연탄 연탄불 장작 아파트 대문"
    " 마루 대청마루 지붕 창문 창가 이사 셋방 단칸방 방세 전세 월세 집안 청소 빨래 설거지 살림 살림살이"
    " 가구 장롱"
    " 문풍지 호롱불 등잔불 전깃불 우리집 새집 재봉틀방 베란다 현관 계단 화장실",
    Topic.WAR: "전쟁 육이오 한국전쟁 사변 육이오전쟁 난리 피난 피란 피난길 피난살이 피난민 인민군 국군 폭격 총소리"
    " 포탄 방공호 흥남 거제 판잣집 휴전 휴전선 이산가족 해방 일제 일제시대 왜정 왜정때 광복"
    " 의용군 수용소 배급 미군 총 전투 학도병 전쟁통 난리통",
    Topic.MARKET: (
        "시장 장날 장터 오일장 재래시장 전통시장 남대문시장 동대문시장 자갈치시장 마트 슈퍼 가게 구멍가게"
        " 좌판 장바구니 장 백화점 물건 흥정 덤 노점 방앗간 떡집 쌀집 미용실 이발소 목욕탕"
    ),
    Topic.SCHOOL: "학교 국민학교 초등학교 중학교 고등학교 대학교 대학 소풍 운동회 졸업 졸업식 입학 입학식 교실 교복"
    " 책가방 책보 공부 시험 숙제 방학 야학 급식 성적 운동장 보릿고개시절 서당 한글 한글학교"
    " 문해교실 동창회 동창생 상장 개근상 교과서 연필 몽당연필 학원 유학 연주 오케스트라",
    Topic.WORK: "장사 직장 회사 공장 일 일터 출근 퇴근 월급 월급봉투 사장 동료 은퇴 퇴직 정년퇴직 정년 탄광 광산 광부"
    " 방직공장 봉제공장 재봉틀 미싱 식당 양장점 세탁소 철공소 조선소 건설현장 공사장 은행 우체국 경찰"
    " 공무원 군청 면사무소 택시 운전 운전수 버스안내양 안내양 간호 파독 독일 사우디 중동 월남 원양어선"
    " 뱃일 기술 사업 야근 잔업 근무 교사 교편 교직 사회생활 출장 품팔이 행상 보따리장사",
    Topic.MONEY: (
        "돈 쌀값 용돈 연금 적금 통장 빚 곗돈 물가 값 보릿고개 가난 배고픔 고생 살림돈 등록금 집값 부조 부조금"
        " 세뱃돈 저금 생활비"
    ),
    Topic.SONG: "노래 트로트 유행가 가요 동요 가곡 민요 아리랑 판소리 노랫가락 노래자랑 노래방 가수 음악 합창단 합창"
    " 이미자 나훈아 남진 조용필 임영웅 송대관 태진아 현철 주현미 심수봉 송해 춘향가 심청가 흥보가"
    " 적벽가 하모니카 기타 장구 북 꽹과리 풍물 사물놀이 자장가 찬송가 피아노 풍금 춤 무용 사교춤 콩쿠르"
    " 레코드 전축 소리꾼 동백아가씨 목포의눈물",
    Topic.SCREEN: (
        "라디오 텔레비전 티비 테레비 연속극 드라마 영화 극장 뉴스 방송 가요무대 전국노래자랑 코미디 야구 축구"
        " 씨름 레슬링 프로레슬링 올림픽 월드컵 바둑대회 유튜브 동영상 만화"
    ),
    Topic.READING: (
        "책 편지 신문 소설 일기 일기장 글 글씨 붓글씨 서예 그림 수필 성경책 잡지 도서관 엽서 연애편지 글공부 자서전"
    ),
    Topic.PHOTO: "사진 사진첩 앨범 흑백사진 가족사진 결혼사진 사진관 사진기 카메라 돌사진 졸업사진",
    Topic.HOLIDAY: "설 설날 추석 한가위 명절 세배 대보름 정월대보름 단오 동지 한식 크리스마스 성탄절 어버이날 어린이날",
    Topic.ANCESTORS: "제사 차례 성묘 벌초 산소 제삿날 차례상 제사상 묘소 선산",
    Topic.CELEBRATION: (
        "생일 생신 환갑 환갑잔치 칠순 칠순잔치 팔순 팔순잔치 잔치 돌잔치 돌 백일 선물 케이크 카네이션 환갑날"
        " 기념일 생일상"
    ),
    Topic.WEDDING: (
        "결혼 결혼식 혼례 시집 장가 신혼 신혼여행 중매 맞선 첫날밤 약혼 혼수 예단 연지곤지 족두리 가마 첫사랑"
        " 연애 데이트 시집살이 신랑신부 혼인 결혼기념일"
    ),
    Topic.FAITH: (
        "교회 성당 절 예배 미사 기도 성경 불공 찬송 새벽기도 법당 부처님 하나님 하느님 예수님 성가대 헌금 불경 법회"
    ),
    Topic.TRAVEL: "여행 관광 효도관광 바다 바닷가 해수욕장 산 등산 설악산 한라산 지리산 금강산 남산 온천 유람선 비행기"
    " 해외여행 제주도여행 일본 중국 미국 유럽 단풍놀이 나들이 구경 소나무숲 공원 수학여행 관광버스"
    " 해운대 경포대 한강 섬여행 휴가",
    Topic.WALK: (
        "산책 운동 체조 걷기 맨발걷기 아침운동 게이트볼 배드민턴 탁구 수영 자전거 공원길 산책길 둘레길 달리기 뒷동산"
    ),
    Topic.ANIMAL: (
        "강아지 개 고양이 소 송아지 황소 돼지 닭장 병아리 토끼 염소 새 참새 제비 까치 나비 잠자리채 반딧불"
        " 개구리 메뚜기 매미 물고기 진돗개 누렁이 오리 비둘기 뻐꾸기 부엉이 귀뚜라미"
    ),
    Topic.CLOTHES: "한복 옷 저고리 치마 두루마기 고무신 검정고무신 신발 구두 양복 모자 스웨터 털실 뜨개질 바느질 재봉"
    " 다듬이 다듬이질 다리미 인두 베틀 길쌈 목도리 장갑 외투 내복 파마 머리핀 비녀 버선 짚신 화장"
    " 립스틱 수건 양말",
    Topic.PLAY: "윷놀이 강강술래 쥐불놀이 놀이 숨바꼭질 고무줄 고무줄놀이 공기놀이 구슬치기 딱지치기 제기차기"
    " 연날리기 팽이 팽이치기 썰매 그네 널뛰기 자치기 비석치기 말타기 땅따먹기 술래잡기 소꿉놀이 소꿉장난"
    " 화투 고스톱 바둑 장기 윷"
    " 줄넘기 닭싸움 물장구 멱 썰매타기 얼음판",
    Topic.ARMY: (
        "군대 군인 군복 훈련소 입대 제대 휴가증 파병 월남전 베트남 해병대 공군 해군 육군 철책 내무반 보초"
        " 훈련 군대생활 전우 면회 군화"
    ),
    Topic.CLUB: (
        "경로당 노인정 복지관 노인대학 모임 계모임 친목회 반상회 마을회관 회관 봉사 봉사활동 노인회 주민센터"
        " 동사무소 프로그램 컴퓨터교실 노래교실 요가 행사 발표회"
    ),
    Topic.PHONE: (
        "전화 전화기 휴대폰 핸드폰 스마트폰 영상통화 문자 카톡 카카오톡 메시지 전보 삐삐 공중전화 컴퓨터"
        " 인터넷 목소리 소식 안부"
    ),
    Topic.RIDE: (
        "버스 기차 전철 지하철 택시비 전차 완행열차 통일호 비둘기호 무궁화호 증기기관차 트럭 소달구지 달구지"
        " 나룻배 뱃길 기차역 서울역 터미널 차표 기찻길 오토바이 자가용 정류장 고속버스 마차 인력거"
    ),
    Topic.WATER: (
        "강 강가 낚시 낚싯대 개천 저수지 갯벌 포구 항구 고깃배 어부 해녀 등대 파도 모래사장 물놀이 뱃사람"
        " 나루터 그물 바닷물 호수 폭포 계곡 썰물 밀물 "
    ),
    Topic.AGE: (
        "나이 세월 옛날이야기 옛날얘기 청춘 젊음 소원 인생 팔자 주름 흰머리 백발 추억 한평생 평생 어린시절"
        " 학창시절 처녀시절 젊은시절 소싯적"
    ),
    Topic.MIND: (
        "마음 걱정 근심 기분 생각 눈치  보람 희망 꿈자리 외로움 그리움 행복 기억 고민 후회 욕심 설움 슬픔"
        " 기쁨 자랑 웃음 화"
    ),
}

BODY_PARTS = frozenset(
    "무릎 허리 다리 어깨 목 머리 손 발 팔 손목 발목 손가락 귀 눈 이 치아 배 속 가슴 등 몸 허벅지 종아리"
    " 엉덩이 손발 발가락"
    " 눈물 안경 살".split()
)
"""Named in any story (손을 잡고); about health only where something hurts."""
IN_CONTEXT: dict[str, tuple[tuple[str, Topic], ...]] = {
    "눈": (
        ("침침|아프|아파|어두|안 ?보|안경|수술|백내장|흐려", Topic.BODY),
        ("눈[이을] ?(?:오|와|왔|내|쌓|펑|많이|치우|뜨)|하얗", Topic.WEATHER),
    ),
    "배": (
        ("고프|고파|아프|아파|부르|불러", Topic.BODY),
        ("[타탔탈]|바다|항구|고기|뱃", Topic.RIDE),
        ("먹|깎|사과|달[아고]", Topic.FOOD),
    ),
    "차": (("마시|마셔|마셨|끓|한 ?잔|향", Topic.DRINK), ("[타탔탈]|운전|몰[고았]|막[히혀]", Topic.RIDE)),
    "밤": (("줍|주워|주웠|까|구워|군밤|삶|송이", Topic.FOOD),),
    "달": (("보름|뜨|떴|밝|쳐다|구경", Topic.SEASON),),
    "이": (("이[가를] ?(?:아프|아파|빠|시리|시려|썩)|틀니|치과|뽑", Topic.BODY),),
    "감": (("[따땄]|홍시|말리|말려|먹|곶", Topic.FOOD),),
    "굴": (("굴[을은이] ?(?:까|먹|캐|따)|바다|김장", Topic.FOOD),),
    "절": (("스님|불공|부처|절에", Topic.FAITH),),
    "전": (("부치|부쳐|부쳤|먹|전을", Topic.FOOD),),
    "목": (("아프|아파|마르|말라|쉬었|부었|칼칼", Topic.BODY),),
    "등": (("등[이을] ?(?:아프|아파|가렵|가려|굽)", Topic.BODY),),
    "열": (("열[이은] ?(?:나|났|높|올|있)", Topic.BODY),),
    "장": (("장[을에이] ?(?:보|봐|봤|서|섰|가|갔)", Topic.MARKET),),
    "새": (("우[는니]|울|날[아고]|노래|지저귀|둥지", Topic.ANIMAL),),
    "개": (("짖|키우|키웠|기르|길렀|물렸|진돗", Topic.ANIMAL),),
    "속": (("쓰리|쓰려|안 ?좋|아프|아파|더부룩", Topic.BODY), ("썩|상하|상해|상했", Topic.MIND)),
    "죽": (("먹|끓|쑤|쒔", Topic.FOOD),),
    "북": (("치|쳤|두드|장구|꽹과리", Topic.SONG),),
    "낫": (("베|벴|갈[고았]|호미", Topic.FARM),),
    "돌": (("잔치|돌잡이|손주|손자|손녀|떡", Topic.CELEBRATION),),
    "화": (("화[가를] ?(?:나|났|내|냈)", Topic.MIND),),
    "침": (("침[을이] ?(?:맞|놓)|한의원", Topic.HOSPITAL),),
    "일": (("일[을은이] ?(?:하|했|많|고되|힘들|배우|배웠|나가|나갔)|일하|공장|회사|밭", Topic.WORK),),
    "사과": (("먹|달[아고콤]|[따땄]|과수원|깎|한 ?상자|사과나무", Topic.FOOD),),
    "가게": (("가게[를에가은는도의]|가게 ?(?:일|하|했|문)", Topic.MARKET),),
}  # fmt: skip
"""Words that are something else as often as not, and what near them tells which noun they are, if any."""


def _people() -> dict[str, Entry]:
    entries = {}
    for topic, text in _PEOPLE.items():
        for item in _items(text):
            surface, _, display = item.partition("=")
            honoured = surface not in _NOT_HONOURED and topic is not Topic.GRANDCHILD
            entries[surface] = Entry(display or surface, topic, honoured)
    return entries


def _items(text: str) -> list[str]:
    """`"담임=담임 선생님 스승=스승님"` to its two items: a display form may hold a space, its parts bear no `=`."""
    items: list[str] = []
    for part in text.split():
        if items and "=" in items[-1] and part == "선생님":
            items[-1] += " " + part
        else:
            items.append(part)
    return items


@cache
def lexicon() -> dict[str, Entry]:
    """Every known noun; where a word stands under two topics the first wins, people before things."""
    entries = _people()
    for topic, text in _THINGS.items():
        for item in text.split():
            surface, _, display = item.partition("=")
            entries.setdefault(surface, Entry(display or surface, topic))
    return entries


_LEANS_ON_NOUN = (
    r"(?:[안못잘좀다]\s)?(?:먹|마시|마셔|마셨|드[세시셨]|사[러고]|샀|봤|벌[러고]|짓|지었|오[고네는]|와[서요]"
    r"|왔|온|내리|내렸|피[었고]|추[고는]|꾸[고]|꿨|썼|감[고았]|팔[고아]|챙[기겨]|주[고는었]|키우|기르"
    r"|잡[고아]|몰[고]|배우|배웠|[자잤]|갔|가[고서])"
)
"""Verbs before which people leave the particle of a short noun away: 밥 먹었어, 비 온다."""


def known_noun(word: str, text: str) -> tuple[str, Entry, str] | None:
    """The known noun at the start of `word`, its entry and the particle after it; the longest noun wins.

    `text` is what the word was said in. A lone syllable is a noun only with a particle that fits, or before a verb that
    it leans on; an unknown compound counts by its known end (단골미용실: 미용실), shown whole.
    """
    entries = lexicon()
    for at in range(len(word), 0, -1):
        noun, particle = word[:at], word[at:]
        entry = entries.get(noun)
        if entry is None or not may_follow(noun, particle):
            continue
        if len(noun) == 1 and not particle and not re.search(rf"(?:^|\s){noun}\s{_LEANS_ON_NOUN}", text):
            continue
        return _in_context(noun, entry, particle, text)
    return _relative(word) or _compound(word)


_PREFIXES = ("큰", "작은", "막내", "첫째", "둘째", "셋째", "넷째", "외", "친", "시", "새", "옛")


def _relative(word: str) -> tuple[str, Entry, str] | None:
    """셋째딸, 큰손자: a person with what tells which one."""
    entries = lexicon()
    for prefix in _PREFIXES:
        rest = word.removeprefix(prefix)
        for at in range(len(rest), 0, -1):
            entry = entries.get(rest[:at]) if rest != word else None
            if entry is not None and entry.honoured is not None and may_follow(rest[:at], rest[at:]):
                return prefix + rest[:at], Entry(prefix + entry.display, entry.topic, entry.honoured), rest[at:]
    return None


def _in_context(noun: str, entry: Entry, particle: str, text: str) -> tuple[str, Entry, str] | None:
    if noun not in IN_CONTEXT:
        return noun, entry, particle
    for near, topic in IN_CONTEXT[noun]:
        if re.search(near, text):
            return noun, Entry(entry.display, topic), particle
    return None


def _compound(word: str) -> tuple[str, Entry, str] | None:
    if len(word) < 4 or not is_all_hangul(word):
        return None
    for particle in (*LONGEST_FIRST, ""):
        if not word.endswith(particle):
            continue
        noun = word.removesuffix(particle)
        if not 4 <= len(noun) <= 7 or not may_follow(noun, particle):
            continue
        for at in range(1, len(noun) - 1):
            entry = entries_of_things().get(noun[at:])
            if entry is not None and noun[at:] not in _ENDINGS_TOO:
                return noun, Entry(noun, entry.topic), particle
    return None


_ENDINGS_TOO = frozenset("라면 기도 사과 소식 바다 가게 고사리 이사 자리 나물".split())
"""Nouns that also end words of another kind (프로젝트라면, 미안하기도)."""


@cache
def entries_of_things() -> dict[str, Entry]:
    """Known nouns of two syllables or more that are no people: what may end a compound."""
    return {noun: entry for noun, entry in lexicon().items() if entry.honoured is None and len(noun) >= 2}

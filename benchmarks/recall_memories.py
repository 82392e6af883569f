"""One person's memories, and what they may say later, with the memories that belong to it: for `benchmarks.recall`.

Half of the utterances were in view when the weights of `silvertalk.recall` were chosen ("tuned"), the other half not.
About a third of all name the memory in its own words, a third in others (a particle, an ending, a word beside it), a
third only mean it ("그 애가 돌을 지났나?" of a grandchild), which no comparison of letters can know.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Half = Literal["tuned", "held out"]
Manner = Literal["own words", "other words", "meaning"]


class Known(NamedTuple):
    id: str
    fact: str
    category: str
    importance: int


class Said(NamedTuple):
    half: Half
    manner: Manner
    words: str
    wanted: tuple[str, ...]


def _known(lines: str) -> tuple[Known, ...]:
    rows = [line.split("|") for line in lines.strip().splitlines()]
    return tuple(Known(name, fact, category, int(importance)) for name, fact, category, importance in rows)


MEMORIES = _known("""\
grandson|손주 이름은 민준이다.|family|5
granddaughter|손녀 서연이는 초등학교 이학년이다.|family|4
wedding|열아홉에 부산으로 시집오셨다.|family|5
husband|남편은 십 년 전에 돌아가셨다.|family|5
husband_job|남편은 원양어선을 타셨다.|family|4
sons|아들이 셋이다.|family|5
first_son|큰아들은 서울에서 버스를 운전한다.|family|4
second_son|둘째 아들은 미국에 산다.|family|4
third_son|막내아들은 식당을 한다.|family|4
daughter_in_law|큰며느리는 통영 사람이다.|family|3
mother|어머니는 바느질 솜씨가 좋으셨다.|family|4
father|아버지는 목수였다.|family|4
sister|여동생 순희는 대구에 산다.|family|3
brother|오빠는 전쟁 때 헤어져 소식을 모른다.|family|5
mother_in_law|시어머니는 무척 엄하셨다.|family|3
hometown|고향은 통영이다.|other|5
birth|육남매의 맏이로 태어나셨다.|other|4
school|국민학교를 사 학년까지 다니셨다.|other|4
teacher|담임이던 박 선생님이 공책을 사 주셨다.|other|3
refuge|피란 올 때 기차 지붕에 타셨다.|other|5
tent|영도의 판잣집에서 두 해를 사셨다.|other|4
mill|방직 공장에서 실을 감으셨다.|other|4
market|자갈치 시장에서 생선 장사를 삼십 년 하셨다.|other|4
dawn|새벽 네 시면 일어나 배를 기다리셨다.|other|2
shop|생선 가게 이름은 통영상회였다.|other|3
house|마당에 감나무가 있는 집에서 사셨다.|other|3
persimmon|감을 따서 처마에 곶감을 말리셨다.|food|2
first_tv|동네에서 처음으로 텔레비전을 사셨다.|other|2
phone|전화가 없어서 편지를 쓰셨다.|other|2
army|막내가 군대에 있을 때 매일 편지를 쓰셨다.|family|3
flood|사라호 태풍 때 지붕이 날아갔다.|other|3
briquette|겨울이면 연탄을 오백 장 들이셨다.|other|2
well|우물에서 물을 길어다 빨래를 하셨다.|other|2
church|교회 성가대에서 노래를 하셨다.|hobby|3
song|동백 아가씨를 즐겨 부르신다.|hobby|3
harmonica|하모니카를 부실 줄 안다.|hobby|2
knitting|뜨개질로 손주 조끼를 뜨셨다.|hobby|3
gostop|경로당에서 화투를 치신다.|hobby|2
garden|옥상에서 고추와 상추를 키우신다.|hobby|3
dance|젊어서 탁구를 잘 치셨다.|hobby|2
walk|아침마다 바닷가를 걸으신다.|hobby|3
photo|사진관에서 찍은 가족사진을 아끼신다.|emotion|3
kimchi|김장을 백 포기씩 하셨다.|food|3
songpyeon|송편은 깨를 넣은 것을 좋아하신다.|food|2
dumplings|설날이면 만두를 빚으셨다.|food|2
seaweed|아이를 낳고 미역국을 한 달 드셨다.|food|2
oyster|통영 굴로 전을 부치셨다.|food|3
rice|보리밥에 된장을 비벼 드셨다.|food|2
noodles|잔칫날에는 국수를 삶으셨다.|food|2
makgeolli|남편은 막걸리를 좋아하셨다.|food|2
sweets|아이들에게 눈깔사탕을 사 주셨다.|food|2
fish|갈치조림을 제일 잘하신다.|food|3
honeymoon|신혼여행은 경주로 가셨다.|travel|4
jeju|환갑 때 제주도에서 말을 타셨다.|travel|4
picnic|소풍 때 김밥을 싸 가셨다.|travel|2
beach|송도 해수욕장에서 튜브를 탔다.|travel|3
train|완행열차를 타고 친정에 가셨다.|travel|3
plane|둘째를 보러 처음 비행기를 타셨다.|travel|3
temple|불국사 앞에서 사진을 찍으셨다.|travel|2
spring|동래 온천에 자주 가셨다.|travel|2
autumn|내장산 단풍을 보러 가셨다.|travel|2
cable|남산에서 케이블카를 타셨다.|travel|2
clams|어릴 때 바다에서 조개를 주우셨다.|travel|3
happiest|첫 손주를 안았을 때 가장 기쁘셨다.|emotion|5
lonely|남편을 보내고 많이 외로우셨다.|emotion|4
proud|큰아들이 대학에 붙어 자랑스러우셨다.|emotion|4
scared|태풍 치던 밤이 무서우셨다.|emotion|2
lost_child|딸을 돌도 되기 전에 잃으셨다.|emotion|5
thankful|옆집 영자네가 쌀을 나눠 주어 고마우셨다.|emotion|3
sorry|동생을 학교에 못 보내 미안하시다.|emotion|4
friend|친구 영자와 칠십 년째 동무이다.|other|4
dog|누렁이라는 개를 키우셨다.|other|3
cow|집에 소가 두 마리 있었다.|other|2
bicycle|아버지의 자전거 뒤에 타고 다니셨다.|other|3
shoes|설빔으로 꽃고무신을 받으셨다.|other|3
hanbok|시집올 때 분홍 한복을 입으셨다.|other|3
ring|금반지를 팔아 가게를 내셨다.|other|4
radio|저녁이면 라디오 연속극을 들으셨다.|hobby|2
letters|손주에게 한글을 가르치셨다.|family|3
glasses|돋보기를 쓰고 성경을 읽으신다.|hobby|2
""")

SAID: tuple[Said, ...] = (
    Said("tuned", "own words", "부산으로 시집올 때 얘기 해 줄까", ("wedding", "hanbok")),
    Said("tuned", "own words", "자갈치 시장에서 생선 팔던 때가 생각나", ("market", "shop")),
    Said("tuned", "own words", "민준이가 전화를 했어", ("grandson",)),
    Said("tuned", "own words", "김장할 때가 다가오네", ("kimchi",)),
    Said("tuned", "own words", "우리 아버지가 자전거를 태워 줬지", ("bicycle", "father")),
    Said("tuned", "own words", "제주도에서 찍은 사진이야", ("jeju",)),
    Said("tuned", "own words", "하모니카 소리가 나네", ("harmonica",)),
    Said("tuned", "own words", "순희가 온다고 하네", ("sister",)),
    Said("tuned", "other words", "피란 가던 날 기억나, 기차 위에서 말이야", ("refuge",)),
    Said("tuned", "other words", "그때 공장 다니면서 실 감았잖아", ("mill",)),
    Said("tuned", "other words", "통영서 조개 줍던 시절이 좋았어", ("clams", "hometown")),
    Said("tuned", "other words", "만두 빚어서 떡국에 넣어 먹었지", ("dumplings",)),
    Said("tuned", "other words", "성가대 옷 입고 노래했던 게 그립네", ("church",)),
    Said("tuned", "other words", "태풍이 또 온다는구나", ("flood", "scared")),
    Said("tuned", "other words", "막내한테 편지를 부치러 갔지", ("army", "third_son", "phone")),
    Said("tuned", "other words", "연탄불 갈던 겨울 말이야", ("briquette",)),
    Said("tuned", "meaning", "배 타고 멀리 나가면 반년씩 안 들어왔어", ("husband_job",)),
    Said("tuned", "meaning", "영감 먼저 보내고 나니 집이 텅 비더라", ("lonely", "husband")),
    Said("tuned", "meaning", "해외에 있는 자식은 자주 못 봐", ("second_son", "plane")),
    Said("tuned", "meaning", "가을이면 나무에 주렁주렁 열렸어", ("house", "persimmon")),
    Said("tuned", "meaning", "아기가 처음 우리 집에 온 날이야", ("happiest", "grandson")),
    Said("tuned", "meaning", "강아지 보니까 옛날 생각이 나네", ("dog",)),
    Said("tuned", "meaning", "집사람 노릇이 참 고됐어, 어른 모시느라", ("mother_in_law",)),
    Said("tuned", "meaning", "텃밭에서 딴 채소가 싱싱해", ("garden",)),
    Said("held out", "own words", "경주 불국사 사진이 여기 있네", ("temple", "honeymoon")),
    Said("held out", "own words", "큰아들이 버스 몰고 온대", ("first_son",)),
    Said("held out", "own words", "감나무에 까치가 앉았어", ("house", "persimmon")),
    Said("held out", "own words", "영자랑 통화했어", ("friend", "thankful")),
    Said("held out", "own words", "동래 온천에 가고 싶다", ("spring",)),
    Said("held out", "own words", "동백 아가씨 노래 들려줘", ("song",)),
    Said("held out", "own words", "서연이가 학교에서 상을 받았대", ("granddaughter",)),
    Said("held out", "own words", "꽃고무신 신고 좋아했지", ("shoes",)),
    Said("held out", "other words", "바느질하시던 우리 어머니 손이 생각나", ("mother",)),
    Said("held out", "other words", "오라버니 소식을 아직도 몰라", ("brother",)),
    Said("held out", "other words", "송편 속에는 깨가 들어가야지", ("songpyeon",)),
    Said("held out", "other words", "화투판이 벌어졌다네 경로당에", ("gostop",)),
    Said("held out", "other words", "막걸리 한 사발 하던 사람이 있었지", ("makgeolli", "husband")),
    Said("held out", "other words", "조끼를 하나 더 떠 줘야겠어", ("knitting",)),
    Said("held out", "other words", "판잣집 시절에는 물도 귀했어", ("tent", "well")),
    Said("held out", "other words", "갈치를 조려 놓으면 다들 좋아했어", ("fish",)),
    Said("held out", "meaning", "장사 밑천이 없어서 패물을 내놨어", ("ring",)),
    Said("held out", "meaning", "먼저 간 아이 생각이 나", ("lost_child",)),
    Said("held out", "meaning", "혼례 날 곱게 차려입었지", ("wedding", "hanbok")),
    Said("held out", "meaning", "하늘을 나는 게 어찌나 떨리던지", ("plane",)),
    Said("held out", "meaning", "가갸거겨 짚어 주면 잘 따라 했어", ("letters",)),
    Said("held out", "meaning", "여름이면 바다에서 물놀이했지", ("beach",)),
    Said("held out", "meaning", "새벽잠이 없어진 건 그 일 때문이야", ("dawn",)),
    Said("held out", "meaning", "합격했다는 말 듣고 동네방네 다녔지", ("proud",)),
)

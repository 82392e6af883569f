"""Utterances as older people say them, by how they end; all invented.

`RECORDED` is the exception: the last words of the Korean recordings' transcripts, by hand: over, or cut off.
"""

KOREAN = {
    "closes": """
우리 집 앞에 큰 감나무가 있었어
아이고 다리야 이제 늙었나 봐
애들 아버지는 말이 없는 사람이었어요
내가 반장을 삼 년 했지
그땐 쌀밥이 귀했거든 다들 보리밥 먹었지
그 노래 참 좋다
고구마가 참 달았지요
선생님이 나를 예뻐하셨어
지금은 다 잊어버렸네
허리가 아파 죽겠어
내가 언제 그랬어
배 타고 갔지
둘이서 많이 울었어요
나는 안 가
그건 아니라고 봐
그게 다야
아들만 셋이에요
맞습니다
그냥 그랬다는 얘기야
어제 시장에 다녀왔어요
그때는 다 그렇게 살았어
우리 어머니가 참 고우셨지
내가 그 집에서 삼십 년을 살았습니다
배가 고파서 혼났네
손주가 참 예쁘구나
그 양반이 그렇게 말했다
이제 자야겠다
밥은 먹었어
나는 그런 거 싫어
거기가 내 고향이야
그건 내 거야
내일 다시 올게
조금 있다가 말해 줄게요
아들이 온대
비가 많이 왔더라
우리 같이 노래하자
사진 좀 보여 줘
천천히 말해 봐
그만 좀 해라
아버지가 목수였지
그럴 걸세
나도 잘 모르겠네
고맙소
그렇게 하시오
응
네
그래
아니야
맞아요
어.
그랬지 뭐
다 지나간 일이지 뭐
참 좋은 시절이었죠
눈이 무릎까지 왔었지요
그 사람은 벌써 죽었는걸
벌써 다 컸어
애들이 다 착해요
할 말이 없네
그 집 딸이 고왔단다
거기 가면 있을걸
나 혼자 갈래
""",
    "closes, dialect": """
밥은 묵었다
마이 묵었지예
그 양반 갔뿌렀어
참말로 그라요
인자 가야제
내사 모른다
우리 영감이 고집이 쎘제
고맙구먼
나는 괜찮여
집에 가야쥬
난 모르쿠다
거기 있수다
그라지라
내가 했심더
그거는 아입니더
밥 묵었어예
거기 가 봤지예
우리 할매가 그랬다 아이가
비가 억수로 온데이
조심하래이
그기 맞제
아이다
하모
내가 다 했당께
그것이 아니랑께
참말로 좋았지라
우리 집이 거그 있었제
그라제
겁나게 추웠어라우
그랬어유
아니여
몰라유
우리 집은 저기여
그려
저기 살았구먼유
그런 거여
옛날에는 다 그랬슈
나가 갔수다
경 했수다
이거 먹읍서
혼저 옵서
그렇게 했습네다
""",
    "asks": """
니는 밥 먹었나
오늘 며칠이야?
자네 고향이 어딘가
거기 가 봤어요?
어떻게 알았어?
이게 누구냐
몇 살이니
밥은 드셨습니까
오늘은 무슨 요일인가
너는 이름이 뭐니
그 사람이 누구였을까
어디로 가나요
복실아 너 밥 먹었니
그게 언제였더라?
어디서 왔냐
벌써 갔나
뭐라고
뭐라고요
왜
우리 아들 어디 갔노
밥 묵었능교
그기 뭐꼬
거기가 어딥니꺼
어디 갑니까
어디 감수과
이거 먹을래?
내 안경 못 봤어?
이게 우리 집 사진이야?
지금 몇 시예요?
바다?
정말이지?
거기 누가 있었던가
""",
    "trails": """
제가 그때 부산에 살았거든요
어제 병원에 갔는데요
그 집이 참 컸거든
옛날에는 다 그랬잖아요
우리가 가난했잖아
아무도 없더라고
비가 막 오더라고요
밥도 못 먹었고요
거기가 우리 집인데요
아파서요
집에서요
시장에서 봤는데유
내가 안 갔다니까
그때는 어렸으니까요
우리 오빠가 착했거든예
할 일이 많았는디요
""",
    "holds": """
그 양반이 술을 너무 좋아해서
학교를 가려면
아침에 일어나면
아버지가 일찍 돌아가셔 가지고
애들을 키우면서
동네 사람들이 다 모여서
시어머니를
서울역에서
그 시절에
일 년에 한 번씩
그게 너무 힘들었는데
우리 큰애가
전쟁이 나고
피난을 가다가
먹고살기 위해
그 다음에
결혼하고 나서
봄이 오면
내가 스무 살에
누가 뭐라고 해도
장날마다
큰언니하고 나하고
저 산 너머로
그 냄새가 지금도
집 뒤에 있는
작은오빠랑
눈물이 나서
뭐라고 말을 해야
벌써 오십 년 전에
어제 시장에 갔는데
비가 와서
밥을 먹고
그 사람이 오면
내가 말했지만
하도 배가 고프니까
노래를 부르면서
집에 가려고
길을 걷다가
그렇게 살더니
아무리 힘들어도
밥을 먹어야
서울이나
눈이 오거나
편지를 쓰느라고
집에 오자마자
내가 어렸을 때
우리 어머니가
그 아이를
바닷가에서
고향의
친구들하고
언니랑
시장에
산으로
어머니한테
부산까지
그때부터
우리 집은
예전에는
내가 좋아하던
빨간 옷을 입은
시집을 온다고
그게 뭔지
언제 갔는지
그리고
그런데
근데
그래서
왜냐하면
우리
아주
그 사람 때문에
살기 위해서
이런
그렇게 말하길래
돈이 없어 가지고
처음에는
그날 저녁에
내가 열여덟 살 때는
사진을 보니
사람들이
그거 말고
밥하고
아침마다
형보다
영감이 살아 있었으면
""",
    "holds, dialect": """
내가 밥을 묵고
거기 갔는디
비가 와가꼬
배가 고픈께
내가 그랬응께
돈이 없으니께
집에 가믄
그놈허고
어머니헌티
시집을 와가
비가 오이끼네
그래 살다가
산에 가멍
밥 먹으멍
허당
그라고
그란디
근디
일을 할라고
장에 갈라고
""",
    "filler": """
그때 우리가 살던 데가 저기
어 그
그러니까 그게
우리 작은집이 저
그 뭐지
막
그 사람 이름이 뭐더라
그
저
그때 그
그 사람이 저기
거시기
뭐냐
그 뭐더라
음
으음
내가 어
그게
있잖아
그러니까
가만있자
가만 있자
이제
그래가지고
긍께
어…
그 동네 이름이 음
우리 고모가 그 뭐냐
그때가 아
밥 먹었는데 뭐
""",
    "open": """
바다
우리 동네
할머니
된장국
아버지
강아지
서울
사진
제주도
노래
군대
우리 언니네
친구 이름
빨간 모자
냉면
""",
}

ENGLISH = {
    "closes": """
I went to the market yesterday.
She was my best friend.
Thank you
That's all
No, I don't think so
Yes
Yes, I was.
I did
We got married in June.
It was very cold that winter.
He never came back.
My knees hurt today.
I don't know
Goodbye
That is my brother.
Okay
Of course
Not really
I would like some water, please
We had a dog!
""",
    "asks": """
Where are you from?
Did you hear that?
Who is that?
What was it like?
Is it raining?
Could you say that again?
What?
Which one is mine?
Is that the house we lived in?
Are you there?
""",
    "holds": """
I went to the
She was my
We lived there because
and then I saw a
My mother and
When I was
It was the
I used to go with
He told me that
We had
and
but
I think it's
There were some
I was so
He worked at
before the war my
they were always
I would
It belonged to
We went down to the river and
The first time I saw her, she was
If
She didn't
He was a very
""",
    "filler": """
um
I was uh
It was, um,
his name was, what was it
let me think
it's like
well, you know
I mean
the hmm
We lived in, er,
""",
    "open": """
I went to the market yesterday
my brother
the old house
a red dress
she laughed
""",
}

RECORDED = {
    "over": """
것입니다 있습니다 남았죠 받았습니다 지내세요 많아요 생겼습니다 방식이었습니다 아시나요 되는데요
살펴볼건데요 들어갔습니다 생각했습니다 명입니다 줄까 불렀거든요 들어볼래 있겠죠 생각했거든요
때문이었습니다 시작했습니다 최우수상 거죠 단어죠 했어요 됐는데요 됩니까 뿐이다 에너지죠 썼네
되었습니다 감사합니다 것이죠 죽었습니다 얘기합니다 만들어집니다 벌이는데요 있는데요 일입니다
""",
    "cut off": """
없이 있는데 상거래하려면 컴퓨터가 몰라서 불리우는 아니라 주신건데 거리가 있고 전략이고 건수는
만들어내고 타고 태양이나 때 종사하는 한시간 하기위해서 바다였는데 이미지가 아닌데 하고 하다가
있지만 때문에 해결하고 상실되는 만난 위기와 보다는 겨울을 다니다가 게 후부터 여성유치과학자로
중에서 추격해서 양성해서 만들었는데 비용을 운영중인 전
""",
}

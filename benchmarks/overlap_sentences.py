"""What is said in `benchmarks/overlap.py`: 복실이's replies, nods, and people who break in. All of it is our own."""

REPLIES = """
저런, 그 바닷가에서 무엇을 하셨어요? 조금 더 들려주세요.
아, 어머니께서 끓여 주신 된장국이군요. 그때 무슨 맛이 났는지 궁금해요.
시장에서 떡을 사 드셨군요. 누구와 함께 가셨어요?
무릎이 아프셔서 잠을 못 주무셨군요. 오늘은 좀 어떠세요?
결혼식 날 비가 왔군요. 그래도 참 기쁘셨겠어요.
감나무 아래에서 놀던 생각이 나시는군요. 친구 이름도 기억하세요?
그랬군요. 그 시절에는 학교까지 걸어서 다니셨겠네요.
손주들이 놀러 온다니 정말 좋으시겠어요. 무엇을 해 주고 싶으세요?
김치를 담그던 날은 온 식구가 모였겠네요. 얼마나 시끌벅적했을까요?
괜찮아요, 천천히 말씀하셔도 돼요. 저는 여기서 듣고 있을게요.
그 노래를 지금도 좋아하시는군요. 한번 불러 주실 수 있으세요?
형님께서 군대에 가 계셨군요. 편지는 자주 왔어요?
아버지께서 목수 일을 하셨군요. 집도 손수 지으셨어요?
겨울이 훨씬 추웠다고 하셨지요. 그때는 무엇으로 불을 때셨어요?
사진 속의 빨간 옷을 입은 분이 따님이시군요. 참 고우세요.
배를 타고 섬에 들어가셨군요. 파도가 무섭지는 않으셨어요?
그 이야기를 들으니 저도 마음이 따뜻해져요. 또 생각나는 일이 있으세요?
젊었을 때 춤을 잘 추셨다면서요. 어디에서 배우셨어요?
할아버지와 함께 낚시를 가셨군요. 큰 물고기도 잡으셨어요?
보리밥을 많이 드셨군요. 그때는 쌀이 귀했다고 들었어요.
서울에 처음 올라오신 날이군요. 무엇이 가장 놀라우셨어요?
공장에서 밤늦게까지 일하셨군요. 많이 힘드셨겠어요.
첫아이를 낳으신 날이군요. 그때 마음이 어떠셨어요?
고향을 떠나실 때 많이 우셨군요. 지금도 가끔 그리우시지요?
소풍 가는 날 김밥을 싸 주셨군요. 아이들이 무척 좋아했겠어요.
그 친구분과는 지금도 연락하세요? 오래된 친구는 참 귀하지요.
눈이 무릎까지 쌓였군요. 그런 날은 무엇을 하며 노셨어요?
장에 가는 길이 멀었군요. 짐은 머리에 이고 가셨어요?
누나가 업어서 키워 주셨군요. 누나 이야기를 더 해 주세요.
꽃이 활짝 핀 길을 두 분이 걸으셨군요. 사진으로만 봐도 아름다워요.
닭을 키우셨군요. 아침마다 달걀을 꺼내 오셨겠네요.
라디오 앞에 온 동네 사람이 모였군요. 어떤 방송을 들으셨어요?
모내기를 할 때는 이웃이 다 도왔군요. 새참으로는 무엇을 드셨어요?
그 집 마당에 우물이 있었군요. 물맛이 아주 좋았겠어요.
연애를 삼 년이나 하셨군요. 어디에서 처음 만나셨어요?
선생님께서 칭찬해 주신 일이 오래 남으셨군요. 무슨 칭찬이었어요?
비가 새는 지붕 아래서 자던 밤이군요. 그래도 식구가 함께였네요.
막내가 대학에 붙었을 때 온 집안이 기뻐했겠어요. 잔치도 하셨어요?
기차를 타고 부산까지 가셨군요. 창밖으로 무엇이 보였어요?
동생을 돌보느라 학교를 그만두셨군요. 마음이 많이 아프셨겠어요.
""".strip().split("\n")

REPLIES_EN = """
That sounds like a wonderful day by the sea. Who went with you?
So your mother baked bread every Sunday. What did the kitchen smell like?
It must have been very cold that winter. How did you keep warm?
You danced until midnight at your wedding. Which song do you remember best?
Your father worked as a carpenter for thirty years. Did he build your house?
I would love to hear more about that garden. What did you grow in it?
Take your time, there is no hurry at all. I am listening to you.
You walked to school across the old bridge. Was the river very deep?
The children are coming to visit next weekend. What will you cook for them?
That is a beautiful photograph. Who is the little girl standing next to you?
You must have been very proud of him. Did you go to the station together?
It is sad to lose such an old friend. What do you miss about her most?
You lived above the bakery for ten years. Was it noisy in the morning?
Your brother taught you how to swim in the lake. Were you afraid at first?
So you worked in the factory during the war. What did you make there?
The whole village came to the harvest dance. Did you have a favourite dress?
You kept chickens behind the house. Did you collect the eggs yourself?
That was your very first train journey. What did you see from the window?
You still know the song by heart. Would you sing a little of it for me?
The snow was up to your knees that year. Did the school stay open?
""".strip().split("\n")

NODS = (
    """
네. / 네네. / 네, 네. / 응. / 응응. / 어. / 어, 그래. / 그래. / 그래요. / 그렇지. / 그렇죠.
맞아. / 맞아요. / 아이고. / 하하하. / 음.
그럼. / 그럼요. / 아, 네. / 네, 맞아요. / 응, 그래. / 아, 그래요. / 그렇지요. / 예. / 예, 예. / 하모. / 그라제. / 기여.
""".replace("\n", " / ")
    .strip(" /")
    .split(" / ")
)

NODS_EN = "yeah. / uh-huh. / mm-hm. / right. / okay. / yes. / I see. / oh, really. / sure. / yes, yes.".split(" / ")

INTERRUPTIONS = """
잠깐만요.
아니, 그게 아니고.
그만 말해.
다른 이야기 하자.
아니야, 그건 우리 언니였어.
그런데 말이야, 내가 할 말이 있어.
지금 전화가 왔어요.
사진을 다시 보여 줘.
뭐라고 했어? 다시 말해 줘.
나는 바다보다 산이 더 좋아.
네, 그런데 그 사람은 벌써 죽었어요.
응, 근데 그때는 내가 어렸지.
우리 영감이 배를 탔거든.
좀 천천히 말해 주세요.
물 한 잔 마시고 올게요.
그거는 내가 아까 말했잖아.
소리가 너무 작아요.
우리 아들이 왔나 봐.
오늘은 그만하고 싶어요.
아니, 부산이 아니고 마산이야.
맞아, 거기서 우리 남편을 만났어.
허리가 아파서 좀 누워야겠어.
그날은 눈이 많이 왔어요.
내가 먼저 말할게요.
""".strip().split("\n")

INTERRUPTIONS_EN = """
Wait a moment, please.
No, that was my sister.
Stop talking now.
I want to talk about something else.
The telephone is ringing.
Yes, but he died many years ago.
Could you say that again?
I liked the mountains much better.
""".strip().split("\n")

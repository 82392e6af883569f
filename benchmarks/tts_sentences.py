"""Sentences of our own on which voices are tuned and compared. Recorded transcripts are for the final measure only."""

KOREAN = """
안녕하세요, 저는 복실이예요.
오늘 날씨가 참 좋네요.
산책은 다녀오셨어요?
점심은 맛있게 드셨어요?
그때 기분이 어떠셨어요?
이 사진은 언제 찍으신 거예요?
따님이 참 예쁘시네요.
어릴 때 살던 동네가 어디였어요?
그 이야기를 조금 더 들려주세요.
밥 먹고 나서 같이 산에 갔어요.
할머니가 끓여 주신 된장국이 생각나요.
무릎이 아프셔서 잠을 못 주무셨군요.
손주들이 다음 주에 놀러 온다고 했어요.
많이 힘드셨겠어요.
꽃이 활짝 핀 길을 걷고 싶어요.
옛날에는 겨울이 훨씬 추웠대요.
저도 그 바다를 보고 싶어요.
결혼식 날 비가 왔다고 하셨지요?
괜찮아요, 천천히 말씀하셔도 돼요.
잘 들리지 않아서 그런데 한 번만 더 말씀해 주시겠어요?
책을 읽는 것을 좋아하시는군요.
아버지께서는 무슨 일을 하셨어요?
김치를 담그던 날은 온 식구가 모였지요.
학교까지 걸어서 한 시간이나 걸렸어요.
물이 맑고 깨끗했어요.
그 친구의 이름을 기억하세요?
처음 만났을 때 어떤 느낌이었어요?
감나무 아래에서 놀던 생각이 나네요.
국수를 끓여서 나눠 먹었어요.
바쁘신데 와 주셔서 고맙습니다.
저녁 노을이 정말 아름다웠겠어요.
시장에서 떡을 사서 먹었어요.
전화가 와서 잠깐 나갔다 왔어요.
그 노래를 지금도 좋아하세요?
빨간 옷을 입은 분이 누구예요?
형님은 군대에 가 계셨어요.
박수를 치면서 웃으셨다고요.
의사 선생님이 뭐라고 하셨어요?
젊었을 때 춤을 잘 추셨다면서요.
네, 알겠어요.
""".strip().split("\n")

ENGLISH = """
Hello, I am glad you called me today.
How was your walk in the park this morning?
That sounds like a wonderful memory.
Who is the little girl standing next to you?
My grandmother used to bake bread every Sunday.
The doctor said my knee will be better in two weeks.
We lived in a small house near the river.
Would you like to tell me more about it?
I remember the summer when we learned to swim.
She laughed so hard that she dropped her glasses.
Take your time, there is no hurry at all.
What did your father do for a living?
The children are coming to visit next weekend.
It must have been very cold that winter.
Thank you for showing me this beautiful photograph.
I could not hear that well, could you say it again please?
We danced until midnight at our wedding.
He worked as a carpenter for thirty years.
Which song did you sing together?
The old bridge was destroyed during the war.
""".strip().split("\n")

"""The checks of register: each rule has replies that break it, and good replies break none."""

import pytest

from gpu_node.register import Rule, check, split, syllables

GOOD_KO = [
    "산책을 다녀오셨군요. 날씨 따라 마음도 달라지지요. 예전에 자주 걸으시던 길은 어디였어요?",
    "비가 오는군요. 어렸을 때 이런 날에는 무엇을 하며 지내셨어요?",
    "멍! 안녕하세요, 기다리고 있었어요. 오늘은 어떤 이야기를 들려주시겠어요?",
    "어머님이 팥죽을 끓여 주셨군요. 그 맛이 그리우시지요. 누구와 나누어 드셨어요?",
    "추억이 많으시군요. 눈이 참 좋으시네요. 누구와 함께 보셨어요?",
    "꽃이 참 예쁘게 피었군요. 무릎이 편치 않으시다니 마음이 쓰입니다. 꽃이 기억나십니까?",
]


@pytest.mark.parametrize("reply", GOOD_KO)
def test_a_good_korean_reply_has_no_fault(reply: str) -> None:
    assert check(reply, "ko") == ()


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("어디에 다녀오셨어요?", Rule.SENTENCES),
        ("좋으셨군요. 참 좋네요. 저도 좋아요. 어디에 가셨어요?", Rule.SENTENCES),
        ("산책하셨군요. 참 좋으셨겠어요.", Rule.QUESTION),
        ("산책하셨군요. 어디였어요? 누구와 가셨어요?", Rule.QUESTION),
        ("산책했구나. 어디에 다녀오셨어요?", Rule.ENDING),
        ("산책을 다녀왔다. 어디에 다녀오셨어요?", Rule.ENDING),
        ("산책하셨군요. 어디에 갔었어?", Rule.ENDING),
        (
            "오늘은 날씨가 참 맑고 좋아서 공원에 산책을 다녀오시고 돌아오시는 길에는 시장에 들러 배추도 사 오셨군요."
            " 무거우셨어요?",
            Rule.LENGTH,
        ),
        ("3시에 오셨군요. 누구와 오셨어요?", Rule.DIGIT),
        ("산책하셨군요 😊 좋아요. 어디였어요?", Rule.EMOJI),
        ("산책하셨군요 ㅎㅎ 좋아요. 어디였어요?", Rule.EMOJI),
        ("좋으셨겠어요~ 그렇지요. 어디였어요?", Rule.EMOJI),
        ("**산책**하셨군요. 어디였어요?", Rule.MARKDOWN),
        ("산책하셨군요. TV는 누구와 보셨어요?", Rule.LATIN),
        ("너 산책 다녀왔군요. 어디였어요?", Rule.BANMAL),
        ("복실아, 좋군요. 어디였어요?", Rule.BANMAL),
        ("커피 나오셨습니다. 드시겠어요?", Rule.OBJECT_HONORIFIC),
        ("날씨가 참 좋으시네요. 산책하셨어요?", Rule.OBJECT_HONORIFIC),
        ("꽃이 많이 피셨군요. 예쁘지요. 어디에 피었어요?", Rule.OBJECT_HONORIFIC),
        ("맘마 드셨군요. 맛있었어요?", Rule.ELDERSPEAK),
        ("다녀오셨군용. 어디였어요?", Rule.ELDERSPEAK),
        ("멍! 멍! 반가워요. 어디였어요?", Rule.BARK),
    ],
)
def test_each_korean_rule_is_noticed(reply: str, rule: Rule) -> None:
    assert rule in {fault.rule for fault in check(reply, "ko")}


def test_a_good_english_reply_has_no_fault() -> None:
    assert check("Mrs. Kim, you went for a walk. It is good to move a little. Who walked with you?", "en") == ()


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("You walked 3 miles. Was it far?", Rule.DIGIT),
        ("You walked. Good.", Rule.QUESTION),
        ("You walked, sweetie. Was it far?", Rule.ELDERSPEAK),
        (
            "You went for a long walk along the river with your friend from the village and then you both sat down on"
            " the old bench under the tree. Was it far?",
            Rule.LENGTH,
        ),
        ("# You walked. Was it far?", Rule.MARKDOWN),
    ],
)
def test_each_english_rule_is_noticed(reply: str, rule: Rule) -> None:
    assert rule in {fault.rule for fault in check(reply, "en")}


def test_sentences_and_syllables_are_counted() -> None:
    assert split('네. "좋아요." 그렇지요?') == ["네.", '"좋아요.', "그렇지요?"]
    assert syllables("세 시, 3시 walk") == 3

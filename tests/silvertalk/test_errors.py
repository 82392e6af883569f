from collections.abc import Iterator

import pytest

from silvertalk import errors
from silvertalk.errors import BusAway, Internal, ServerFull, SilverTalkError, translated
from silvertalk.socket_problems import FAULT_MESSAGES_KO, fault_told
from streaming.errors import BusFull, BusUnavailable, Fenced, ProtocolError
from streaming.protocol import FAULTS


def tree(root: type[SilverTalkError]) -> Iterator[type[SilverTalkError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


CLASSES = list(tree(SilverTalkError))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_can_be_told(kind: type[SilverTalkError]) -> None:
    assert kind.__name__ in (errors.__doc__ or ""), "it stands in the tree"
    assert kind.close_code == 4000 + kind.http_status
    assert kind.message_ko.endswith("요."), "polite, for the person"
    assert any("가" <= character <= "힣" for character in kind.message_ko)
    assert kind.message_en.isascii() or "…" in kind.message_en
    assert kind.message_en.endswith(".")


def test_codes_are_the_errors_own() -> None:
    codes = [kind.code for kind in CLASSES if kind is not Internal]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BusUnavailable("redis.example:6379"), BusAway),
        (Fenced("stream"), BusAway),
        (BusFull("OOM"), ServerFull),
        (ZeroDivisionError("secret"), Internal),
        (errors.TokenExpired(), errors.TokenExpired),
    ],
)
def test_any_error_becomes_one_of_ours(error: Exception, kind: type[SilverTalkError]) -> None:
    assert type(translated(error)) is kind
    assert "secret" not in str(translated(error))


@pytest.mark.parametrize("code", FAULTS)
def test_every_fault_of_the_protocol_has_words_for_a_person(code: str) -> None:
    assert fault_told(ProtocolError(code, "detail")).message_ko.endswith("요.")


def test_words_are_kept_for_faults_that_exist() -> None:
    assert set(FAULT_MESSAGES_KO) <= set(FAULTS)

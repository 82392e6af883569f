"""Conversations as people have them, pauses and interruptions and all: every case in `cases/` against real parts.

A gateway, a Valkey, a node, a database and a microphone of their own for each; the node's engines hear and speak the
coded voice. What a case is and how to write one: `case.py`. They run side by side, and each is reported by itself:

    pytest tests/conversations -k "barge-in"
"""

from __future__ import annotations

import asyncio

import pytest

from tests.conversations.bench import Verdict, run_cases
from tests.conversations.case import Case, all_cases

# Eight at once keep both cores busy, and everybody in them pauses and interrupts in real time.
pytestmark = pytest.mark.alone

CASES = all_cases()
AT_ONCE = 8
"""Each takes some tenth of a core."""


def _id(file: str, case: Case) -> str:
    return f"{file}-{case.name}".replace(" ", "-")


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What came of the cases that this run has selected, all of them run now."""
    own = [item for item in request.session.items if item.path == request.path]
    callspecs = [getattr(item, "callspec", None) for item in own]
    cases = [spec.params["case"] for spec in callspecs if spec is not None]
    return dict(asyncio.run(run_cases(cases, tmp_path_factory.mktemp("conversations"), at_once=AT_ONCE)))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[_id(*each) for each in CASES])
def test_conversation(case: Case, verdicts: dict[str, object]) -> None:
    verdict = verdicts[case.name]
    if isinstance(verdict, BaseException):
        raise verdict
    assert isinstance(verdict, Verdict)
    assert not verdict.failures, str(verdict)


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for _, case in CASES]
    assert sorted(set(names)) == sorted(names)

"""What of XTTS needs no torch: its licence, its texts, and the process it runs in, with a script as model."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node import english_text, korean_text
from gpu_node.engines import Samples
from gpu_node.engines.catalogue import voices
from gpu_node.engines.xtts import Xtts
from gpu_node.errors import BadSettings, EngineError, UnsupportedLanguage, WeightsMissing
from gpu_node.settings import NodeSettings
from gpu_node.threads import EngineQueue, Priority
from gpu_node.weights import Weights
from gpu_node.xtts import frames, keeper
from gpu_node.xtts.keeper import VoiceKeeper
from gpu_node.xtts.text import MAX_CHARACTERS, pieces
from streaming.messages import Language
from tests.processes import command_of, until_gone

SCRIPT = (sys.executable, "-m", "tests.gpu_node.scripted_voice")


@contextmanager
def kept(
    voice: str = "", *, stall_seconds: float = 30.0, start_seconds: float = 60.0, cache: str = ""
) -> Iterator[VoiceKeeper]:
    keeping = VoiceKeeper(
        frames.Prepare(folder="", cache=cache, voice=voice, log_level="debug"),
        stall_seconds=stall_seconds,
        start_seconds=start_seconds,
        command=SCRIPT,
    )
    try:
        yield keeping
    finally:
        keeping.close()


def speaking(keeping: VoiceKeeper, text: str, *, voice: str = "", speed: float = 1.0) -> Iterator[Samples]:
    """The chunks alone, without the steps in which none came."""
    chunks = keeping.speak(text, language="en", voice=voice, speed=speed)
    try:
        yield from (chunk for chunk in chunks if chunk.size)
    finally:
        chunks.close()


def said(keeping: VoiceKeeper, text: str) -> list[float]:
    """The first sample of each chunk: its number."""
    return [float(chunk[0]) for chunk in speaking(keeping, text)]


def living(keeping: VoiceKeeper) -> int:
    pid = keeping.pid
    assert pid is not None
    return pid


# --- speaking --------------------------------------------------------------------------------------------------------


def test_what_the_process_says_comes_whole_and_in_order() -> None:
    with kept() as keeping:
        assert keeping.start().voices == ("house", "guest")
        chunks = list(speaking(keeping, "say 50"))
        assert [len(chunk) for chunk in chunks] == [480] * 50
        assert all(chunk.dtype == np.float32 and (chunk == number).all() for number, chunk in enumerate(chunks))
        assert list(next(speaking(keeping, "spoken", voice="guest", speed=0.5))) == [5.0, 2.0, 0.5]


def test_a_step_in_which_nothing_came_yields_nothing_and_frees_the_thread() -> None:
    with kept() as keeping:
        keeping.start()
        steps = list(keeping.speak("slowly 20", language="ko", voice="", speed=1.0))
        assert [float(step[0]) for step in steps if step.size] == list(range(20))
        hanging = keeping.speak("hang", language="ko", voice="", speed=1.0)
        assert any(step.size for step in (next(hanging) for _ in range(20)))
        assert not next(hanging).size
        hanging.close()


def test_two_utterances_do_not_mix() -> None:
    with kept() as keeping:
        keeping.start()
        one, other = speaking(keeping, "say 5"), speaking(keeping, "say 3")
        taken = [(float(next(one)[0]), float(next(other)[0])) for _ in range(3)]
        assert taken == [(0, 0), (1, 1), (2, 2)]
        assert [float(chunk[0]) for chunk in one] == [3, 4]


def test_a_closed_utterance_stops_between_chunks_and_its_late_chunks_are_dropped() -> None:
    with kept() as keeping:
        keeping.start()
        chunks = speaking(keeping, "slowly 1000")
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]
        assert said(keeping, "say 3") == [0, 1, 2]
        made = said(keeping, "made")[0]
    # To its end it would have made 1000, for 20 s. The number made by then is a matter of the machine's speed.
    assert 4 <= made < 500


def test_one_cancelled_while_it_waits_is_never_begun() -> None:
    with kept() as keeping:
        keeping.start()
        first = speaking(keeping, "slowly 20")
        next(first)
        second = keeping.speak("slowly 1000", language="en", voice="", speed=1.0)
        next(second)
        second.close()
        assert len(list(first)) == 19
        assert said(keeping, "made") == [20]


def test_too_many_at_once_are_refused() -> None:
    with kept() as keeping:
        keeping.start()
        texts = ["slowly 500", *["say 1"] * (keeper.MAX_WAITING - 1)]
        waiting = [keeping.speak(text, language="en", voice="", speed=1.0) for text in texts]
        for one in waiting:
            next(one)
        with pytest.raises(EngineError, match="64 utterances waiting"):
            said(keeping, "say 1")
        waiting[0].close()
        assert [[float(chunk[0]) for chunk in one if chunk.size] for one in waiting[1:]] == [[0]] * 63
        assert said(keeping, "say 1") == [0]


# --- failing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "kind"), [("break", "EngineError"), ("spoil", "FloatingPointError")])
def test_an_utterance_that_fails_costs_itself_alone_and_quotes_nobody(text: str, kind: str) -> None:
    with kept() as keeping:
        keeping.start()
        process = living(keeping)
        with pytest.raises(EngineError, match=f"the voice failed: {kind}$"):
            said(keeping, text)
        assert said(keeping, "say 2") == [0, 1]
        assert living(keeping) == process


def test_after_an_error_that_breaks_the_device_the_process_is_a_new_one() -> None:
    with kept() as keeping:
        keeping.start()
        process = living(keeping)
        with pytest.raises(EngineError, match="the voice failed: Broken"):
            said(keeping, "lost")
        assert said(keeping, "say 2") == [0, 1]
        assert living(keeping) != process


@pytest.mark.parametrize("text", ["die", "slowly 1000"])
def test_a_death_fails_the_utterance_in_hand_and_not_the_next(text: str) -> None:
    with kept() as keeping:
        keeping.start()
        process = living(keeping)
        chunks = speaking(keeping, text)
        next(chunks)
        if text != "die":
            os.kill(process, signal.SIGKILL)
        with pytest.raises(EngineError, match="died of SIGKILL"):
            list(chunks)
        assert said(keeping, "say 3") == [0, 1, 2]
        assert living(keeping) != process


def test_a_process_that_hangs_is_killed_and_started_again() -> None:
    with kept(stall_seconds=0.5) as keeping:
        keeping.start()
        with pytest.raises(EngineError, match="nothing came of it"):
            said(keeping, "hang")
        assert said(keeping, "say 1") == [0]


def test_an_idle_process_is_not_taken_for_a_hanging_one() -> None:
    with kept(stall_seconds=0.2) as keeping:
        keeping.start()
        process = living(keeping)
        time.sleep(0.5)
        assert said(keeping, "say 1") == [0]
        assert living(keeping) == process


def test_one_that_dies_again_and_again_is_given_a_rest_and_says_so(tmp_path: Path) -> None:
    with kept("once", cache=str(tmp_path)) as keeping:
        keeping.start()
        with pytest.raises(EngineError, match="died of SIGKILL"):
            said(keeping, "die")
        with pytest.raises(EngineError, match="as it often did"):  # two more deaths while it loads
            said(keeping, "say 1")
        with pytest.raises(EngineError, match="as it often did"):
            said(keeping, "say 1")
        assert keeping.pid is None


# --- starting and ending ---------------------------------------------------------------------------------------------


def test_a_model_that_cannot_be_loaded_is_told_with_the_mend_and_not_tried_again() -> None:
    with kept("missing") as keeping:
        for _ in range(2):
            with pytest.raises(WeightsMissing, match="To mend it: put it there"):
                keeping.start()
        with pytest.raises(WeightsMissing):
            said(keeping, "say 1")


def test_a_crash_while_loading_is_told_with_its_last_words() -> None:
    with kept("crash") as keeping:
        with pytest.raises(EngineError, match=r"died of SIGABRT.*libsomething\.so: cannot open"):
            keeping.start()


def test_a_start_that_takes_too_long_is_given_up() -> None:
    with kept("never", start_seconds=1.0) as keeping:
        with pytest.raises(EngineError, match="nothing came of it"):
            keeping.start()


def test_the_process_ends_when_it_is_closed() -> None:
    with kept() as keeping:
        keeping.start()
        process = living(keeping)
        chunks = speaking(keeping, "slowly 1000")
        next(chunks)
        keeping.close()
        assert command_of(process) == ""
        with pytest.raises(EngineError, match="closed"):
            said(keeping, "say 1")


async def test_the_process_ends_with_a_node_that_is_killed() -> None:
    node = (
        "import sys; from tests.gpu_node.test_xtts import kept, living, speaking\n"
        "with kept() as keeping:\n"
        "    keeping.start(); chunks = speaking(keeping, 'hang'); next(chunks)\n"
        "    print(living(keeping), flush=True); sys.stdin.read()"
    )
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", node), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    process = int(await running.stdout.readline())
    assert "scripted_voice" in command_of(process)
    running.kill()
    await running.wait()
    await until_gone([process])


def test_a_node_that_drains_keeps_its_voice() -> None:
    """systemd and Ctrl-C signal every process of the group."""
    with kept() as keeping:
        keeping.start()
        process = living(keeping)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(process, number)
        assert said(keeping, "say 3") == [0, 1, 2]
        assert living(keeping) == process


def test_secrets_stay_with_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "BUS_KEY", "BUS_URLS", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DATABASE_PASSWORD"):
        monkeypatch.setenv(name, "geheim")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with kept() as keeping:
        keeping.start()
        environment = Path(f"/proc/{living(keeping)}/environ").read_bytes()
    assert b"geheim" not in environment
    assert b"CUDA_VISIBLE_DEVICES=0" in environment


def test_its_log_lines_join_the_nodes_and_others_do_not() -> None:
    node = (
        "from streaming.logs import configure; configure(level='debug', json=True)\n"
        "from tests.gpu_node.test_xtts import kept, said\n"
        "with kept('noisy') as keeping:\n"
        "    keeping.start(); said(keeping, 'say 1')\n"
        "    try: said(keeping, 'break 2')\n"
        "    except Exception: pass"
    )
    done = subprocess.run([sys.executable, "-c", node], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]  # two threads write them: in no order
    assert {(line["event"], line.get("name")) for line in lines} == {
        ("foreign", "library"),
        ("foreign", "py.warnings"),
        ("voice_loaded", None),
        ("utterance_failed", "silvertalk.voice"),
    }
    [failed] = [line for line in lines if line["event"] == "utterance_failed"]
    assert failed["error"] == "EngineError" and failed["size"] == len("break 2")
    assert "비밀" not in done.stderr and "cannot say" not in done.stderr


# --- frames ----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=200), st.sampled_from(["ko", "en"]), st.binary(max_size=100), st.integers(0, 300))
def test_a_frame_is_read_as_it_was_written_and_a_broken_one_is_the_end(
    text: str, language: Language, payload: bytes, cut: int
) -> None:
    request = frames.Speak(7, text, language, "어머니", 0.9)
    frame = frames.pack(request, payload)
    assert frames.read(io.BytesIO(frame), frames.requests) == (request, payload)
    if cut < len(frame):
        assert frames.read(io.BytesIO(frame[:cut]), frames.requests) is None


@given(st.binary(max_size=200))
def test_what_is_no_frame_raises_the_packages_own_error(noise: bytes) -> None:
    try:
        frames.read(io.BytesIO(noise), frames.answers)
    except EngineError:
        pass


# --- text ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.text("가나다라abc ,.?", max_size=60), max_size=12), st.sampled_from(["ko", "en"]))
def test_pieces_are_short_and_lose_no_word(parts: list[str], language: Language) -> None:
    text = " ".join(parts)
    cut = pieces(text, language)
    assert all(0 < len(piece.text) <= MAX_CHARACTERS[language] for piece in cut)
    letters = [sign for sign in text if sign.isalnum()]
    assert [sign for piece in cut for sign in piece.text if sign.isalnum()] == letters


def test_pieces_are_cut_at_pauses_then_at_spaces_then_anywhere() -> None:
    sentence = "오늘은 날씨가 참 좋아서 산책하기에 좋겠네요"
    cut = pieces(f"{sentence}. {sentence}, {sentence}. {sentence}? {sentence}", "ko")
    assert [piece.end for piece in cut] == [".", ""]
    long = pieces("아주 " * 60, "ko")
    assert [(len(piece.text), piece.end) for piece in long] == [(89, ""), (89, "")]
    assert all(word == "아주" for piece in long for word in piece.text.split())
    assert [len(piece.text) for piece in pieces("가" * 200, "ko")] == [95, 95, 10]
    assert pieces("… , .", "ko") == []


@pytest.mark.parametrize("language", ["ko", "en"])
def test_numbers_reach_the_model_as_words(language: Language) -> None:
    text = "2024년 3월 5일에 만나요." if language == "ko" else "We meet on March 5, 2024."
    said_ = korean_text.spoken(text) if language == "ko" else english_text.spoken(text)
    assert not any(sign.isdigit() for piece in pieces(said_, language) for sign in piece.text)


# --- the engine ------------------------------------------------------------------------------------------------------


def weights_in(folder: Path, *, model: str = "xtts-v2") -> Weights:
    own = folder / "models" / model
    own.mkdir(parents=True)
    for name in ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth"):
        (own / name).touch()
    return Weights(models_root=folder / "models", cache=folder / "cache", offline=True)


@contextmanager
def engine(folder: Path, *, model: str = "xtts-v2", voice: str = "") -> Iterator[Xtts]:
    made = Xtts(
        weights_in(folder, model=model),
        licence_accepted=True,
        cache=folder / "cache",
        model=model,
        voice=voice,
        command=SCRIPT,
    )
    try:
        yield made
    finally:
        made.close()


def test_without_consent_to_the_licence_it_refuses_and_says_what_it_forbids(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"Coqui Public Model License.*commercially\. COQUI_TOS_AGREED=1"):
        Xtts(weights_in(tmp_path), licence_accepted=False, cache=tmp_path)


def test_the_licence_is_told_once_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with engine(tmp_path) as voice:
        assert [record.msg["name"] for record in caplog.records if record.msg["event"] == "voice_licence"] == [  # type: ignore[index]
            "xtts-v2"
        ]
        voice.warm_up()
    assert sum(record.msg["event"] == "voice_licence" for record in caplog.records) == 1  # type: ignore[index]


@pytest.mark.parametrize("offline", [True, False])
def test_without_weights_it_says_where_to_put_them_and_downloads_nothing(tmp_path: Path, offline: bool) -> None:
    weights = Weights(models_root=tmp_path, cache=tmp_path / "cache", offline=offline)
    with pytest.raises(WeightsMissing, match=r"no hub is known for it\. To mend it: put config\.json, model\.pth"):
        Xtts(weights, licence_accepted=True, cache=tmp_path)


def test_a_folder_of_another_name_must_hold_the_same_files(tmp_path: Path) -> None:
    with engine(tmp_path, model="grandmother") as voice:
        assert voice.voices == ("house", "guest")
    (tmp_path / "models" / "grandmother" / "speakers_xtts.pth").unlink()
    weights = Weights(models_root=tmp_path / "models", cache=tmp_path, offline=True)
    with pytest.raises(WeightsMissing, match=r"has no speakers_xtts\.pth"):
        Xtts(weights, licence_accepted=True, cache=tmp_path, model="grandmother")


def test_the_settings_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights_in(tmp_path)
    for name, value in {
        "TTS_ENGINE": "ko=xtts,en=kokoro",
        "COQUI_TOS_AGREED": "1",
        "MODELS_ROOT": str(tmp_path / "models"),
        "TTS_DEVICE": "CUDA",
        "TTS_VOICE": "Claribel Dervla",
        "XTTS_CHUNK_TOKENS": "12",
    }.items():
        monkeypatch.setenv(name, value)
    settings = NodeSettings.read()
    weights = Weights(models_root=settings.models_root, cache=tmp_path, offline=True)
    chosen = voices(settings, weights)["ko"]
    assert chosen.name == "xtts" and chosen.sample_rate == 24_000
    assert settings.tts_device == "cuda"
    monkeypatch.delenv("COQUI_TOS_AGREED")
    with pytest.raises(BadSettings, match="commercially"):
        voices(NodeSettings.read(), weights)


@pytest.mark.parametrize("name", ["../secrets", "/etc", "a/b", ".."])
def test_its_folder_is_a_name_and_not_a_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTTS_MODEL", name)
    with pytest.raises(BadSettings, match="XTTS_MODEL"):
        NodeSettings.read()


def test_each_piece_is_followed_by_its_pause(tmp_path: Path) -> None:
    with engine(tmp_path) as voice:
        chunks = [chunk for chunk in voice.synthesize("say.", language="en", voice="", speed=1.0) if chunk.size]
        assert [len(chunk) for chunk in chunks] == [480, round(0.32 * 24_000)]
        assert not chunks[-1].any()
        assert list(voice.synthesize("…", language="en", voice="", speed=1.0)) == []
        with pytest.raises(UnsupportedLanguage):
            list(voice.synthesize("こんにちは", language="ja", voice="", speed=1.0))  # type: ignore[arg-type]


async def test_on_the_engines_queue_a_final_transcript_does_not_wait_for_a_chunk(tmp_path: Path) -> None:
    with engine(tmp_path) as voice:
        async with EngineQueue("engine") as queue:
            await queue.call(voice.warm_up, Priority.FINAL)
            async with queue.run(
                voice.synthesize("hang", language="en", voice="", speed=1.0), Priority.FIRST_CLAUSE
            ) as work:
                async for chunk in work:
                    if chunk.size:
                        break
                waiting = [await anext(work) for _ in range(2)]
                assert not any(chunk.size for chunk in waiting)
                assert await queue.call(lambda: "heard", Priority.FINAL) == "heard"

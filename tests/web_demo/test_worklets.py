"""The two audio worklets, run by the browser's own audio engine, so that their sound can be looked at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser import needs_chromium
from tests.web_demo.serving import loaded

pytestmark = needs_chromium

RENDERING = """
    const { Player } = await import('/demo/player.js');
    const context = new OfflineAudioContext(1, SECONDS * RATE, RATE);
    for (const name of ['player', 'microphone']) await context.audioWorklet.addModule(`/demo/${name}-worklet.js`);
    const told = [];
    const tell = (kind) => (...what) => told.push([kind, ...what]);
    // A message crosses to another thread; while rendering stands still there is no other sign that it came.
    const settled = () => new Promise((resolve) => setTimeout(resolve, 100));
    const at = (seconds, act) =>
      context.suspend(seconds).then(async () => { act(); await settled(); await context.resume(); });
    const tone = (first, count) =>
      Float32Array.from({ length: count }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * (first + i)) / 24000));
    const rms = (pcm, from, to) => {
      const part = pcm.subarray(Math.round(from * RATE), Math.round(to * RATE));
      return Math.sqrt(part.reduce((sum, x) => sum + x * x, 0) / part.length);
    };
"""


async def render(script: str, *, rate: int, seconds: float) -> Any:
    """What a script returns that fills `context` and renders it."""
    async with loaded() as tab:
        constants = f"const RATE = {rate}, SECONDS = {seconds};"
        return await tab.run(f"(async () => {{ {constants} {RENDERING} {script} }})()")


PLAYER = """
    const player = new Player(context, {
      onPlayback: tell('playback'), onFlushed: tell('flushed'), onStarted: tell('started'), onLevel: () => {},
      onDucked: tell('ducked'),
    });
    player.begin(24000);
"""


@pytest.mark.parametrize("rate", [44_100, 48_000])
async def test_a_reply_sounds_as_it_was_spoken_and_is_acknowledged(rate: int) -> None:
    result = await render(
        PLAYER
        + """
        for (let first = 0; first < 24000; first += 4800) {
          player.add({ turn: 1, sequence: 0, firstSample: first, pcm: tone(first, 4800) });
        }
        player.finish(1);
        await settled();
        const out = (await context.startRendering()).getChannelData(0);
        await settled();
        let crossings = 0;
        for (let i = RATE / 4; i < RATE / 2; i += 1) crossings += out[i - 1] < 0 && out[i] >= 0;
        return { told, level: rms(out, 0.1, 0.9), after: rms(out, 1.1, 1.4), crossings, playhead: player.playhead };
        """,
        rate=rate,
        seconds=1.5,
    )
    assert result["level"] == pytest.approx(0.5 / 2**0.5, rel=0.02)
    assert result["crossings"] == 110, "440 Hz is still 440 Hz"
    assert result["after"] < 1e-4
    assert result["told"][0] == ["started", 1]
    played = [samples for kind, _, *samples in result["told"] if kind == "playback"]
    assert len(played) in (5, 6) and played == sorted(played), "every 200 ms, and when it has run dry"
    assert played[-1] == [24_000] and result["playhead"] == {"turn": 1, "samples": 24_000}


async def test_a_flush_silences_the_loudspeaker_at_once() -> None:
    result = await render(
        PLAYER
        + """
        player.add({ turn: 3, sequence: 0, firstSample: 0, pcm: tone(0, 48000) });
        await settled();
        at(0.512, () => player.flush(3, 48000));
        const out = (await context.startRendering()).getChannelData(0);
        await settled();
        return { told, before: rms(out, 0.4, 0.5), after: rms(out, 0.53, 1.4) };
        """,
        rate=48_000,
        seconds=1.5,
    )
    assert result["before"] > 0.3
    assert result["after"] < 1e-4
    [[_, turn, samples]] = [one for one in result["told"] if one[0] == "flushed"]
    assert turn == 3 and abs(samples - 0.512 * 24_000) <= 128


async def test_ducking_softens_and_comes_back_without_a_jump() -> None:
    result = await render(
        PLAYER
        + """
        player.add({ turn: 1, sequence: 0, firstSample: 0, pcm: new Float32Array(48000).fill(0.5) });
        await settled();
        at(0.512, () => player.duck(1, 0.2));
        at(1.024, () => player.rise());
        const out = (await context.startRendering()).getChannelData(0);
        await settled();
        let jump = 0;
        for (let i = RATE / 10; i < 1.4 * RATE; i += 1) jump = Math.max(jump, Math.abs(out[i] - out[i - 1]));
        return { levels: [rms(out, 0.4, 0.5), rms(out, 0.7, 1), rms(out, 1.2, 1.4)], jump, told };
        """,
        rate=48_000,
        seconds=1.5,
    )
    assert [what for kind, what, *_ in result["told"] if kind == "ducked"] == [True, False]
    assert result["levels"] == pytest.approx([0.5, 0.1, 0.5], rel=0.02)
    assert result["jump"] < 0.001


ENDS_OF_SOFTNESS = {
    "a flush, after which another reply to the same turn comes": """
        at(0.512, () => player.duck(1, 0.2));
        at(0.768, () => player.flush(1, 48000));
        at(0.896, () => player.add({ turn: 1, sequence: 1, firstSample: 48000, pcm: half(24000) }));
    """,
    "the reply's own end": """
        at(0.512, () => player.duck(1, 0.2));
        at(0.640, () => player.finish(1));
        at(0.768, () => player.add({ turn: 2, sequence: 0, firstSample: 0, pcm: half(24000) }));
    """,
    "another turn's reply": """
        at(0.512, () => player.duck(1, 0.2));
        at(0.768, () => player.add({ turn: 2, sequence: 0, firstSample: 0, pcm: half(24000) }));
    """,
    "another session": """
        at(0.512, () => player.duck(1, 0.2));
        at(0.768, () => player.begin(24000));
        at(0.896, () => player.add({ turn: 1, sequence: 0, firstSample: 0, pcm: half(24000) }));
    """,
}


@pytest.mark.parametrize("end", ENDS_OF_SOFTNESS)
async def test_no_voice_stays_soft(end: str) -> None:
    """Nobody says that the softness is over; what ends it is what follows."""
    result = await render(
        PLAYER
        + """
        const half = (count) => new Float32Array(count).fill(0.5);
        player.add({ turn: 1, sequence: 0, firstSample: 0, pcm: half(16800) });
        await settled();
        """
        + ENDS_OF_SOFTNESS[end]
        + """
        const out = (await context.startRendering()).getChannelData(0);
        await settled();
        return { soft: rms(out, 0.6, 0.63), after: rms(out, 1.4, 1.6), told };
        """,
        rate=48_000,
        seconds=1.8,
    )
    assert result["soft"] == pytest.approx(0.1, rel=0.05)
    assert result["after"] == pytest.approx(0.5, rel=0.02)
    assert [what for kind, what, *_ in result["told"] if kind == "ducked"] == [True, False]


@pytest.mark.parametrize("rate", [44_100, 48_000])
async def test_the_microphone_gives_whole_frames_of_16_khz(rate: int) -> None:
    """Two channels with one tone: mixed, resampled, cut into 20 ms."""
    result = await render(
        """
        const source = new OscillatorNode(context, { frequency: 1000 });
        const half = new GainNode(context, { gain: 0.5, channelCount: 2, channelCountMode: 'explicit' });
        const node = new AudioWorkletNode(context, 'microphone');
        const frames = [], levels = [];
        node.port.onmessage = ({ data }) => (data instanceof ArrayBuffer ? frames.push(data) : levels.push(data.level));
        source.connect(half).connect(node).connect(context.destination);
        source.start();
        const out = (await context.startRendering()).getChannelData(0);
        await settled();
        const heard = frames.flatMap((frame) => [...new Int16Array(frame)]).slice(1600);
        let crossings = 0;
        for (let i = 1; i < 16000; i += 1) crossings += heard[i - 1] < 0 && heard[i] >= 0;
        return {
          sizes: [...new Set(frames.map((frame) => frame.byteLength))], frames: frames.length, crossings,
          level: Math.sqrt(heard.reduce((sum, x) => sum + x * x, 0) / heard.length) / 32767,
          shown: levels.at(-1), silent: out.every((x) => x === 0),
        };
        """,
        rate=rate,
        seconds=2,
    )
    assert result["sizes"] == [640]
    assert result["frames"] in (99, 100)
    assert result["crossings"] in (999, 1000)
    assert result["level"] == pytest.approx(0.5 / 2**0.5, rel=0.01)
    assert 0.9 < result["shown"] <= 1
    assert result["silent"], "nobody hears their own voice"

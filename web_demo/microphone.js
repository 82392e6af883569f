// @ts-check
/**
 * The microphone of this device, as frames of 20 ms at 16 kHz.
 */

/** Why there is no microphone. `code`: not_secure, microphone_refused, microphone_missing or microphone_busy. */
export class MicrophoneError extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** What the browser calls it, and what we do. */
const CODES = new Map([
  ["NotAllowedError", "microphone_refused"],
  ["SecurityError", "microphone_refused"],
  ["NotFoundError", "microphone_missing"],
  ["OverconstrainedError", "microphone_missing"],
  ["NotReadableError", "microphone_busy"],
  ["AbortError", "microphone_busy"],
]);

export class Microphone {
  #stream;
  #source;
  #node;

  /**
   * Ask for the microphone. Throws MicrophoneError.
   * @param {AudioContext} context
   * @param {object} listener
   * @param {(frame: Int16Array) => void} listener.onFrame
   * @param {(level: number) => void} listener.onLevel 0 to 1
   * @param {() => void} listener.onGone it was pulled out, or taken away
   */
  static async open(context, listener) {
    if (!isSecureContext || navigator.mediaDevices === undefined) throw new MicrophoneError("not_secure");
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      throw new MicrophoneError(CODES.get(name) ?? "microphone_busy");
    }
    return new Microphone(context, stream, listener);
  }

  /**
   * @param {AudioContext} context
   * @param {MediaStream} stream
   * @param {{onFrame: (frame: Int16Array) => void, onLevel: (level: number) => void, onGone: () => void}} listener
   */
  constructor(context, stream, { onFrame, onLevel, onGone }) {
    this.#stream = stream;
    this.#source = context.createMediaStreamSource(stream);
    this.#node = new AudioWorkletNode(context, "microphone", { numberOfInputs: 1, numberOfOutputs: 1 });
    this.#node.port.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) onFrame(new Int16Array(data));
      else onLevel(data.level);
    };
    stream.getAudioTracks()[0].addEventListener("ended", onGone);
    // Its output is silence. Without a way to the loudspeaker some browsers do not run a node at all.
    this.#source.connect(this.#node).connect(context.destination);
  }

  /** Let go of it; the browser's sign of a running microphone goes out. */
  close() {
    this.#source.disconnect();
    this.#node.disconnect();
    this.#node.port.postMessage("close");
    for (const track of this.#stream.getTracks()) track.stop();
  }
}

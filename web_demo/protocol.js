// @ts-check
/**
 * The wire protocol as this page speaks it; the README's chapter "The wire protocol" has all of it.
 *
 * @typedef {{type: string, epoch: number, event: number, [field: string]: any}} ServerEvent
 * @typedef {{turn: number, sequence: number, firstSample: number, pcm: Float32Array}} ReplyAudio
 * @typedef {{turn: number, samples: number}} Playhead
 */

export const CLIENT_NAME = "silvertalk-page/1";
/** u32 turn, u32 sequence, u64 first sample. */
const HEADER_BYTES = 16;

/**
 * Split a binary message into its header and its samples, -1 to 1.
 * @param {ArrayBuffer} message
 * @returns {ReplyAudio}
 */
export function decodeAudio(message) {
  if (message.byteLength < HEADER_BYTES || message.byteLength % 2) {
    throw new RangeError(`${message.byteLength} bytes are no reply audio`);
  }
  const view = new DataView(message);
  const pcm = new Float32Array((message.byteLength - HEADER_BYTES) / 2);
  for (let i = 0; i < pcm.length; i += 1) pcm[i] = view.getInt16(HEADER_BYTES + 2 * i, true) / 32_768;
  return {
    turn: view.getUint32(0, true),
    sequence: view.getUint32(4, true),
    firstSample: Number(view.getBigUint64(8, true)),
    pcm,
  };
}

/**
 * The first message on a socket.
 * @param {{ticket: string, language: string, resume: object | null}} options
 */
export function hello({ ticket, language, resume }) {
  return { type: "hello", ticket, language, client: CLIENT_NAME, ...(resume === null ? {} : { resume }) };
}

/** Where the voice socket of this very server is. @param {string} path @param {string} page this page's address */
export function socketAddress(path, page) {
  const address = new URL(path, page);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

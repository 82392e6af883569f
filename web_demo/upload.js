// @ts-check
/**
 * A photo's way into the media store: what kind of picture it is, and the form that allows just this one.
 */

import { Refused, door } from "./login.js";

const TYPES = ["image/jpeg", "image/png", "image/webp", "image/heic", "image/heif"];
/** Chrome and Edge, but on Apple's systems, know no type of what an iPhone writes. @type {Record<string, string>} */
const BY_ENDING = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  heic: "image/heic",
  heif: "image/heif",
};
const NO_TYPE = ["", "application/octet-stream"];

/**
 * Straight into the store. Throws Refused.
 * @param {File} file
 * @returns {Promise<string>} the photo's id
 */
export async function upload(file) {
  const type = typeOf(file);
  if (file.size === 0) throw new Refused({ code: "empty_file" });
  const form = await patiently("/photos/presign", { filename: file.name.slice(-120), content_type: type, size: file.size });
  const sent = new FormData();
  for (const [name, value] of Object.entries(form.fields)) sent.append(name, /** @type {string} */ (value));
  sent.append("file", file);
  let answer;
  try {
    answer = await fetch(form.url, { method: "POST", body: sent });
  } catch {
    throw new Refused({ code: "unreachable", retryable: true });
  }
  if (!answer.ok) throw new Refused({ code: "media_refused" });
  await patiently(`/photos/${form.photo_id}/complete`, {});
  return form.photo_id;
}

/** Throws Refused for what is no photo, or none of a kind that is taken. @param {File} file */
function typeOf({ name, type }) {
  if (TYPES.includes(type)) return type;
  const known = NO_TYPE.includes(type) ? BY_ENDING[name.slice(name.lastIndexOf(".") + 1).toLowerCase()] : undefined;
  if (known !== undefined) return known;
  throw new Refused({ code: type.startsWith("image/") ? "picture_type_refused" : "not_a_picture" });
}

/** Who brings a whole album is asked to wait now and then, and waits here. @param {string} path @param {object} body */
async function patiently(path, body) {
  try {
    return await door.ask(path, body);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "rate_limited") throw error;
    await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs));
    return await door.ask(path, body);
  }
}

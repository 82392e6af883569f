// @ts-check
/**
 * A list on the page becomes just these items, in this order. What stands in its place already is not touched: a film
 * plays on, and what has the focus keeps it.
 */

/** @param {HTMLElement} list @param {HTMLElement[]} items */
export function inOrder(list, items) {
  for (const there of [...list.children]) if (!items.includes(/** @type {HTMLElement} */ (there))) there.remove();
  for (const [at, item] of items.entries()) {
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  }
}

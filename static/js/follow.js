/*
 * Follows what runs: asks for the page again and swaps the parts that have changed. Without this script people reload it.
 *
 * A part is an element with `data-part`. The one with `data-follow` is there as long as something is under way, and its
 * `data-words` are for those who hear the page: now and then, and when it is over.
 */

const EVERY_MS = 2_000;
const LONGEST_MS = 30_000; // between two looks while the server does not answer
const SAY_EVERY_MS = 15_000;

const followed = (root) => root.querySelector("[data-part][data-follow]");

async function fetchPage() {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  // Whoever has to sign in again is sent elsewhere: that page has none of the parts.
  if (!response.ok || response.redirected) throw new Error(`status ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

export function swap(fresh, { isOver }) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    // While it goes on, what has the focus stays: it would be lost. What somebody has unfolded always stays.
    const hasFocus = part.contains(document.activeElement);
    if (!next || next.isEqualNode(part) || part.querySelector("details[open]") || (hasFocus && !isOver)) continue;
    part.replaceWith(document.adoptNode(next));
    if (hasFocus) document.querySelector("main").focus({ preventScroll: true });
  }
}

export function follow(status) {
  const { part } = followed(document).dataset;
  let said = 0;
  let pause = EVERY_MS;
  let timer = 0;

  function say(words) {
    said = Date.now();
    status.textContent = words;
  }

  async function look() {
    try {
      const fresh = await fetchPage();
      const going = followed(fresh);
      const words = fresh.querySelector(`[data-part="${part}"]`)?.dataset.words ?? "The run is over.";
      swap(fresh, { isOver: !going });
      pause = EVERY_MS;
      if (!going) {
        say(words);
        return;
      }
      if (Date.now() - said >= SAY_EVERY_MS) say(words);
    } catch {
      pause = Math.min(2 * pause, LONGEST_MS);
    }
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(look, pause);
  }

  said = Date.now(); // the page itself has just said how far it is
  document.addEventListener("visibilitychange", () => { if (followed(document)) plan(); });
  plan();
}

const status = document.querySelector("[data-follow-status]");
if (status && followed(document)) follow(status);

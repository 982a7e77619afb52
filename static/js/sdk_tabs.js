/* Shows the code of another SDK in its place, so that what was typed above stays. Without this script the links do it. */

import { enhance as enhanceCopy } from "./copy.js";
import { enhance as enhanceExpand } from "./expand.js";

function replaceSection(section, page) {
  const next = new DOMParser().parseFromString(page, "text/html").getElementById("code");
  // Scripts that stand in a fragment do not run; those of the page are here already.
  section.replaceWith(next);
  next.querySelectorAll("[data-copy]").forEach(enhanceCopy);
  next.querySelectorAll("figure[data-expand]").forEach(enhanceExpand);
  next.querySelectorAll("[data-sdk-tabs]").forEach(enhance);
  next.querySelector("[data-sdk-tabs] [aria-current]").focus({ preventScroll: true });
}

export function enhance(tabs) {
  tabs.addEventListener("click", async (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      const response = await fetch(link.href);
      if (!response.ok) throw new Error(response.statusText);
      replaceSection(tabs.closest("#code"), await response.text());
    } catch { // signed out, or the network is gone: the browser's own way tells
      location.assign(link.href);
    }
  });
}

document.querySelectorAll("[data-sdk-tabs]").forEach(enhance);

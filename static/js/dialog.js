/* Opens a page in a window over this one. Without this script its link leads to the page itself. */

import { enhance } from "./schedule.js";

async function fetchContent(url) {
  const response = await fetch(url, { headers: { accept: "text/html" } });
  if (!response.ok || response.redirected) throw new Error(`status ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.querySelector("[data-dialog-content]");
}

export function open(link, dialog) {
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // into a tab of its own
    event.preventDefault();
    try {
      const content = await fetchContent(link.href);
      dialog.querySelector("[data-dialog-place]").replaceChildren(document.adoptNode(content));
      content.querySelectorAll("form[data-schedule]").forEach(enhance);
      content.querySelector("[data-dialog-close]")?.addEventListener("click", (press) => {
        press.preventDefault();
        dialog.close();
      });
      dialog.showModal();
    } catch {
      location.assign(link.href);
    }
  });
}

document.querySelectorAll("[data-dialog]").forEach((link) => {
  const dialog = document.getElementById(link.dataset.dialog);
  if (dialog) open(link, dialog);
});

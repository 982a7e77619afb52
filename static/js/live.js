/* Keeps the list of a Live page up to date by server-sent events. Without this script people reload the page. */

const LOST_AFTER_MS = 10_000; // the server ends each stream now and then, and the browser connects again by itself
const TRY_AGAIN_MS = 5_000; // after an answer that was no stream (a proxy's error, the sign-in page): browsers give up then
const LOST = "The connection is lost, trying again. If this stays, reload the page.";

function fill(row, item, problems) {
  row.dataset.item = item.id;
  row.querySelectorAll("[data-cell]").forEach((cell) => { cell.textContent = item[cell.dataset.cell] || "–"; });
  row.querySelector("time").dateTime = item.at;
  row.querySelector("[data-cell=verdict]").classList.toggle("live-refused", !item.is_accepted);
  const reason = row.querySelector("a[data-cell=reason]");
  if (item.slug) {
    reason.href = problems + encodeURIComponent(item.slug);
  } else {
    reason.replaceWith(reason.textContent);
  }
}

export function enhance(place) {
  const [table, empty, status, newest, button, template] = ["table", "empty", "status", "newest", "button", "row"]
    .map((part) => place.querySelector(`[data-live-${part}]`));
  const rows = table.tBodies[0];
  const choices = document.querySelector("[data-live-choices]");
  let after = place.dataset.after;
  let source = null;
  let isPaused = false;
  let lost = 0;
  let again = 0;

  function say(text, state) {
    clearTimeout(lost);
    lost = 0;
    status.dataset.state = state;
    if (status.textContent !== text) status.textContent = text;
  }

  function offer(outcome, words) {
    const links = [...choices.querySelectorAll("a")];
    if (links.some((link) => link.dataset.outcome === outcome)) return;
    const link = links[0].cloneNode();
    link.className = "btn btn-sm btn-outline-secondary";
    link.removeAttribute("aria-current");
    link.dataset.outcome = outcome;
    link.search = new URLSearchParams({ outcome });
    link.textContent = words;
    choices.append(link);
  }

  function add(event) {
    after = event.lastEventId;
    const row = template.content.firstElementChild.cloneNode(true);
    const item = JSON.parse(event.data);
    fill(row, item, place.dataset.problems);
    row.classList.add("live-new");
    rows.prepend(row);
    newest.textContent = `${item.verdict}: ${item.reason}, ${item.at_words}`; // for those who hear the page
    offer(item.outcome, item.reason);
    while (rows.rows.length > Number(place.dataset.maxRows)) rows.rows[rows.rows.length - 1].remove();
    table.hidden = false;
    if (empty) empty.hidden = true;
  }

  function open() {
    if (source || isPaused || document.hidden) return;
    const url = new URL(place.dataset.live, location.href);
    url.searchParams.set("after", after);
    source = new EventSource(url);
    source.onopen = () => say("New items appear by themselves.", "open");
    source.onmessage = add;
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        close();
        say(LOST, "lost");
        again = setTimeout(open, TRY_AGAIN_MS);
      } else if (!lost) {
        lost = setTimeout(() => say(LOST, "lost"), LOST_AFTER_MS);
      }
    };
  }

  function close() {
    clearTimeout(lost);
    clearTimeout(again);
    lost = 0;
    source?.close();
    source = null;
  }

  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? "Go on" : "Pause";
    if (isPaused) {
      close();
      say("Paused.", "paused");
    } else {
      open();
    }
  });
  // A stream takes a place at the server: nobody looks at a page in the background, or at one that was left.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  button.hidden = false;
  say("Connecting…", "paused");
  open();
}

document.querySelectorAll("[data-live]").forEach(enhance);

/**
 * Adds, removes and moves rows in place. Without this script the same buttons ask the server to do it.
 *
 * Whatever carries a row's number has it after "mapping(s)-" or "link(s)-", counted from 0; see rows.html.
 */
const NUMBERED = /\b(mappings?|links?)-(?:\d+|__index__)/;
const ATTRIBUTES = ["id", "name", "for", "value", "aria-describedby"];

/** Replace `pattern` in the names, ids and references of all that is in `part`. Typed text is left alone. */
export function rename(part, pattern, replacement) {
  for (const element of part.querySelectorAll("input, select, label, button, [id]")) {
    for (const attribute of ATTRIBUTES) {
      const isTyped = attribute === "value" && element.tagName !== "BUTTON";
      const text = element.getAttribute(attribute);
      if (text !== null && !isTyped) element.setAttribute(attribute, text.replace(pattern, replacement));
    }
  }
}

/** Make `row` the row number `index`: fields, labels, messages and buttons. */
export function renumber(row, index) {
  row.querySelector("[data-row-number]").textContent = index + 1;
  rename(row, NUMBERED, `$1-${index}`);
}

export function enhance(section) {
  const [list, template, add, status] = ["list", "template", "add", "status"].map((part) => section.querySelector(`[data-rows-${part}]`));
  const rows = () => [...list.querySelectorAll("[data-row]")];
  const nameOf = (row) => row.querySelector("legend").textContent.trim();

  function finish(text, focused) {
    rows().forEach(renumber);
    status.textContent = text();
    focused.focus();
    section.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function addRow() {
    const row = template.content.querySelector("[data-row]").cloneNode(true);
    list.append(row);
    finish(() => `${nameOf(row)} was added.`, row.querySelector("input"));
  }

  const actions = {
    remove(row) {
      const name = nameOf(row);
      const neighbour = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      finish(() => `${name} was removed.`, neighbour?.querySelector("input") ?? add);
    },
    "move-up"(row, button) {
      const name = nameOf(row);
      row.previousElementSibling?.before(row);
      finish(() => (name === nameOf(row) ? `${name} is the first one.` : `${name} is now ${nameOf(row)}.`), button);
    },
    "move-down"(row, button) {
      const name = nameOf(row);
      row.nextElementSibling?.after(row);
      finish(() => (name === nameOf(row) ? `${name} is the last one.` : `${name} is now ${nameOf(row)}.`), button);
    },
  };

  section.addEventListener("click", (event) => {
    const button = event.target.closest("[data-rows-add], [data-row-action]");
    if (!button) return;
    event.preventDefault();
    if (button === add) addRow();
    else actions[button.dataset.rowAction](button.closest("[data-row]"), button);
  });
}

document.querySelectorAll("[data-rows]").forEach(enhance);

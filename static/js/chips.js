/** Adds and removes the transforms of a mapping in place. Without this script the same buttons ask the server to do it. */

import { rename, renumber } from "./mappings_editor.js";

const NUMBERED = /\b(transforms?)-(?:\d+|__chip__)/;

function finish(row, index) {
  row.querySelectorAll("[data-chip]").forEach((chip, number) => rename(chip, NUMBERED, `$1-${number}`));
  renumber(row, index);
  row.dispatchEvent(new Event("change", { bubbles: true }));
}

export function enhance(section) {
  const status = section.querySelector("[data-rows-status]");
  const indexOf = (row) => [...section.querySelectorAll("[data-row]")].indexOf(row);

  function add(row, button) {
    const list = row.querySelector("[data-chip-list]");
    const kind = button.parentElement.querySelector("select").value;
    const template = section.querySelector(`template[data-chip-template="${CSS.escape(kind)}"]`);
    const chip = template.content.querySelector("[data-chip]").cloneNode(true);
    list.append(chip);
    finish(row, indexOf(row));
    status.textContent = `Transform ${list.children.length} was added.`;
    (chip.querySelector("input:not([type=hidden])") ?? button).focus();
  }

  function remove(row, button) {
    button.closest("[data-chip]").remove();
    finish(row, indexOf(row));
    status.textContent = "The transform was removed.";
    row.querySelector("[data-chip-add]").focus();
  }

  section.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chip-add], [data-chip-remove]");
    if (!button) return;
    event.preventDefault();
    const act = button.matches("[data-chip-add]") ? add : remove;
    act(button.closest("[data-row]"), button);
  });
}

document.querySelectorAll("[data-rows=mappings]").forEach(enhance);

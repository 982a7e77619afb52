/** Shows the type of a property that exists as soon as its name is typed, and lets that of a new one be chosen. */

export function enhance(section) {
  const options = document.querySelectorAll("#profile-properties option");
  const types = new Map([...options].map((option) => [option.value, option.dataset.type]));
  section.addEventListener("input", (event) => {
    const select = event.target.closest("[data-row]")?.querySelector("[data-property-type]");
    if (!select || event.target === select) return;
    select.options[0].text = "Automatic"; // which type that is depends on all of the row
    if (!event.target.matches("[data-property]")) return;
    const type = types.get(event.target.value.trim());
    if (type !== undefined) select.value = type;
    else if (select.disabled) select.value = "";
    select.disabled = type !== undefined;
  });
}

document.querySelectorAll("[data-rows=mappings], [data-remaining]").forEach(enhance);

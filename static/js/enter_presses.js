/** Has the Enter key in a field press the button beside it, and not the form's first one, which saves. */
export function enhance(field) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    document.getElementById(field.dataset.enterPresses).click();
  });
}

document.querySelectorAll("[data-enter-presses]").forEach(enhance);

/**
 * Says that a form has unsaved changes, and warns before the page is left with them.
 *
 * A form with `data-is-unsaved` came back from the server with what was typed: it is unsaved from the start.
 * Fields with `data-not-saved` are for buttons of the page, and no part of what is saved.
 */
export function enhance(form) {
  const badge = form.querySelector("[data-unsaved-badge]");
  const isSaved = ([name]) => !form.elements.namedItem(name)?.hasAttribute?.("data-not-saved");
  const content = () => new URLSearchParams([...new FormData(form)].filter(isSaved)).toString();
  const saved = "isUnsaved" in form.dataset ? null : content();
  let isSubmitting = false;
  const isUnsaved = () => content() !== saved;
  const show = () => {
    const text = isUnsaved() ? "Unsaved changes" : "";
    if (badge.textContent !== text) badge.textContent = text; // a screen reader reads each change of it
  };
  form.addEventListener("input", show);
  form.addEventListener("change", show); // the editor of rows sends one too
  form.addEventListener("submit", () => { isSubmitting = true; });
  window.addEventListener("pageshow", () => { isSubmitting = false; show(); }); // also when coming back to the page
  window.addEventListener("beforeunload", (event) => {
    if (!isSubmitting && isUnsaved()) event.preventDefault();
  });
  show();
}

document.querySelectorAll("form[data-unsaved-changes]").forEach(enhance);

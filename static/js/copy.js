/* Copies the code of an element with data-copy. Without this script people select it themselves. */

export function enhance(place) {
  const [code, button, status] = ["code", "[data-copy-button]", "[role=status]"].map((one) => place.querySelector(one));
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      status.textContent = "Copied";
    } catch { // plain http, or no permission: the browser's own copy still works
      getSelection().selectAllChildren(code);
      status.textContent = "Selected: press Ctrl+C or ⌘C";
    }
    setTimeout(() => { status.textContent = ""; }, 6000);
  });
}

document.querySelectorAll("[data-copy]").forEach(enhance);

/* Folds long code to its first lines, with a button to see all of it. Without this script all of it is there. */

const LONGEST_UNFOLDED_LINES = 24;

export function enhance(figure) {
  const [code, button] = ["code", "[data-expand-button]"].map((selector) => figure.querySelector(selector));
  const [whenFolded, whenUnfolded] = ["folded", "unfolded"].map((state) => button.querySelector(`[data-when-${state}]`));
  if (code.textContent.split("\n").length - 1 <= LONGEST_UNFOLDED_LINES) return;

  function fold(isFolded) {
    figure.toggleAttribute("data-folded", isFolded);
    button.setAttribute("aria-expanded", String(!isFolded));
    whenFolded.hidden = !isFolded;
    whenUnfolded.hidden = isFolded;
  }

  button.hidden = false;
  fold(true);
  button.addEventListener("click", () => {
    fold(!figure.hasAttribute("data-folded"));
    // Folding pulls the page up: the reader stays with this code.
    if (figure.hasAttribute("data-folded")) figure.scrollIntoView({ block: "nearest" });
  });
}

document.querySelectorAll("figure[data-expand]").forEach(enhance);

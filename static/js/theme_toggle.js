/** Switches between the light and the dark theme, and remembers the choice in this browser. */
export function enhance(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.bsTheme);
    } catch {
      // Storage may be switched off: the choice holds for this page.
    }
  });
}

document.querySelectorAll("[data-theme-toggle]").forEach(enhance);

// Runs before the page is drawn, so that a dark page never flashes white. Not a module: those run too late.
{
  const system = matchMedia("(prefers-color-scheme: dark)");

  const apply = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // Storage may be switched off: the system's choice holds then.
    }
    const isDark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.bsTheme = isDark ? "dark" : "light";
  };

  apply();
  system.addEventListener("change", apply);
}

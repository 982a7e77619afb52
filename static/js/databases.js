/** Lists the tenant's databases once the page is open. Without this script a button asks the server for the page with them. */

export async function enhance(part) {
  const [list, button, status] = ["list", "button", "status"].map((name) => part.querySelector(`[data-databases-${name}]`));
  if ("isRead" in list.dataset) return;
  const boxes = () => [...list.querySelectorAll("input[type=checkbox]")];
  const chosen = () => boxes().filter((box) => box.checked).map((box) => box.value);
  status.textContent = "Asking the tenant for its databases…";
  try {
    const query = new URLSearchParams(chosen().map((name) => ["chosen", name]));
    const response = await fetch(`${part.dataset.databases}?${query}`);
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    const text = await response.text();
    const before = new Map(boxes().map((box) => [box.value, box.checked]));
    list.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    for (const box of boxes()) box.checked = before.get(box.value) ?? box.checked; // what was clicked meanwhile
    button.parentElement.hidden = true;
  } catch { // signed out, or the network is gone: the button is still there
    status.textContent = "";
  }
}

document.querySelectorAll("[data-databases]").forEach(enhance);

/* The schedule's form: offers the browser's time zone, and shows the next runs while somebody types. */

const PAUSE_MS = 400;

async function fetchPreview(form) {
  const body = new FormData(form);
  body.set("do", "preview");
  const response = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
  if (response.redirected || ![200, 422].includes(response.status)) return null; // signed out: saving says so
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.querySelector("#schedule-preview");
}

export function enhance(form) {
  let timer = 0;
  let asked = 0;

  async function show() {
    const mine = ++asked;
    const found = await fetchPreview(form).catch(() => null);
    if (!found || mine !== asked) return; // somebody has typed on
    const place = form.querySelector("#schedule-preview");
    if (place.innerHTML !== found.innerHTML) place.replaceChildren(...found.childNodes);
  }

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE_MS);
  };
  form.addEventListener("input", later);
  form.addEventListener("change", later);
  const zone = form.querySelector("[data-default-zone] input");
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && mine) {
    zone.value = mine;
    show();
  }
  form.querySelector("[value=preview]").hidden = true;
}

document.querySelectorAll("form[data-schedule]").forEach(enhance);

// Keeps the part of a page that asks for it (<main data-refresh="seconds">, or a section) up to date, and marks rows that
// were not there before. Without this script the page is whole, but still. A part with `data-stream` is live.js's, which
// comes back to asking where the stream breaks.

export const part = () => document.querySelector("[data-refresh]");
export const seconds = Number(part()?.dataset.refresh);

let paused = false;
let clock = 0;
const button = document.createElement("button");
const resumed = [];

export const label = (more = "") => { button.textContent = (paused ? "Go on" : "Pause") + more; };
export const whenResumed = (work) => resumed.push(work);

// Whoever is reading with the keyboard or marking text must not lose their place.
export const busy = () => {
  const here = part();
  return paused || document.hidden || (String(document.getSelection()) !== "" && here.contains(document.getSelection().anchorNode)) ||
    (here.contains(document.activeElement) && here !== document.activeElement);
};
export const ids = (where) => new Set([...where.querySelectorAll("[data-id]")].map((row) => row.dataset.id));

const refresh = async () => {
  if (busy()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
  if (fresh && clock && !busy()) {
    const known = ids(part());
    part().replaceWith(document.adoptNode(fresh));
    for (const row of fresh.querySelectorAll("[data-id]")) row.classList.toggle("fresh", !known.has(row.dataset.id));
    document.documentElement.dataset.refreshed = String(Number(document.documentElement.dataset.refreshed || 0) + 1);
  }
};

// A server that is being restarted is asked again at the next turn.
export const ask = () => { clock ||= setInterval(() => { refresh().catch(() => {}); }, seconds * 1000); };
export const askNoMore = () => { clearInterval(clock); clock = 0; };

if (seconds) {
  button.type = "button";
  button.className = "paused";
  button.addEventListener("click", () => { paused = !paused; label(); if (!paused) resumed.forEach((work) => work()); });
  label();
  document.querySelector(".top .inner").append(button);
  if (!part().dataset.stream) ask();
}

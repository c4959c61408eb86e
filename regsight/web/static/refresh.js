// Keeps the part of a page that asks for it (<main data-refresh="seconds">, or a section) up to date, and marks rows that
// were not there before. Without this script the page is whole, but still.
"use strict";

(() => {
  const part = () => document.querySelector("[data-refresh]");
  const seconds = Number(part()?.dataset.refresh);
  if (!seconds) return;

  let paused = false;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "paused";
  const label = () => { button.textContent = paused ? "Refresh again" : "Pause refreshing"; };
  button.addEventListener("click", () => { paused = !paused; label(); });
  label();
  document.querySelector(".top .inner").append(button);

  // Whoever is reading with the keyboard or marking text must not lose their place.
  const busy = () => {
    const here = part();
    return paused || document.hidden || String(document.getSelection()) !== "" ||
      (here.contains(document.activeElement) && here !== document.activeElement);
  };
  const ids = (where) => new Set([...where.querySelectorAll("[data-id]")].map((row) => row.dataset.id));

  const refresh = async () => {
    if (busy()) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
    if (fresh && !busy()) {
      const known = ids(part());
      part().replaceWith(document.adoptNode(fresh));
      for (const row of fresh.querySelectorAll("[data-id]")) row.classList.toggle("fresh", !known.has(row.dataset.id));
      document.documentElement.dataset.refreshed = String(Number(document.documentElement.dataset.refreshed || 0) + 1);
    }
  };
  // A server that is being restarted is asked again at the next turn.
  setInterval(() => { refresh().catch(() => {}); }, seconds * 1000);
})();

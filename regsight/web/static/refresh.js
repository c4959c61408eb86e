// Keeps a page that asks for it (<main data-refresh="seconds">) up to date. Without this script the page is whole, but still.
"use strict";

(() => {
  const seconds = Number(document.querySelector("main[data-refresh]")?.dataset.refresh);
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
    const main = document.querySelector("main");
    return paused || document.hidden || String(document.getSelection()) !== "" ||
      (main.contains(document.activeElement) && main !== document.activeElement);
  };

  const refresh = async () => {
    if (busy()) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (fresh && !busy()) {
      document.querySelector("main").replaceWith(document.adoptNode(fresh));
      document.documentElement.dataset.refreshed = String(Number(document.documentElement.dataset.refreshed || 0) + 1);
    }
  };
  // A server that is being restarted is asked again at the next turn.
  setInterval(() => { refresh().catch(() => {}); }, seconds * 1000);
})();

// The live view: rows come as server-sent events; where the stream breaks, the page is asked for again every few seconds
// (refresh.js) until the stream is back. While somebody reads, marks text or has paused, what comes waits.
import { ask, askNoMore, busy, ids, label, part, seconds, whenResumed } from "./refresh.js";

const ROWS = 60;
const SILENT = 45_000; // ms without a word, three heartbeats: the stream is dead, whatever the browser thinks
const AGAIN = 20_000; // ms until a stream that was refused is tried again
const TRIES = 3;

const state = document.getElementById("stream-state");
let source = null;
let last = "";
let failures = 0;
let heard = 0;
let waiting = []; // rows that came while nobody wanted the page to move, newest first
let later = 0;

const say = (name, words) => {
  document.documentElement.dataset.stream = name;
  if (state.textContent !== words) state.textContent = words;
};
const rowsOf = (html) => [...new DOMParser().parseFromString(`<table><tbody>${html}</tbody></table>`, "text/html")
  .querySelectorAll("tr")].map((row) => document.adoptNode(row));

const show = (rows, anew) => {
  const body = part().querySelector("tbody");
  const known = ids(part());
  if (anew) body.replaceChildren();
  const fresh = rows.filter((row) => anew || !known.has(row.dataset.id));
  for (const row of fresh) row.classList.toggle("fresh", !known.has(row.dataset.id) && known.size > 0);
  body.prepend(...fresh);
  while (body.rows.length > ROWS) body.lastElementChild.remove();
  document.getElementById("rows").hidden = body.rows.length === 0;
  part().querySelector(".empty").hidden = body.rows.length > 0;
};
const release = () => {
  if (busy() || !waiting.length) return;
  const rows = waiting;
  waiting = [];
  show(rows, false);
  label();
};

const listen = (kind, work) => source.addEventListener(kind, (event) => {
  heard = Date.now();
  failures = 0;
  askNoMore();
  if (event.lastEventId) last = event.lastEventId;
  const said = JSON.parse(event.data);
  say("open", said.store === false ? "The store does not answer." : "Connected.");
  work(said);
});

const open = () => {
  clearTimeout(later);
  source?.close();
  heard = Date.now();
  source = new EventSource(part().dataset.stream + (last ? `&last=${encodeURIComponent(last)}` : ""));
  listen("reset", (said) => { waiting = []; show(rowsOf(said.rows), true); });
  listen("rows", (said) => {
    waiting = [...rowsOf(said.rows), ...waiting].slice(0, ROWS);
    if (busy()) label(` (${waiting.length} new)`);
    release();
    if (said.more) say("open", `Connected. ${said.more} more came at once than there is room for.`);
  });
  listen("beat", release);
  // The browser comes again by itself after a break, but not after a refusal.
  source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED || ++failures >= TRIES) broken(); });
};
const broken = () => {
  source.close();
  say("asking", `The stream is broken: asked again every ${seconds} s.`);
  ask();
  clearTimeout(later);
  later = setTimeout(open, AGAIN);
};
const look = () => {
  release();
  if (source.readyState !== EventSource.CLOSED && Date.now() - heard > SILENT) broken();
};

if (part()?.dataset.stream) {
  whenResumed(release);
  open();
  setInterval(look, 1000);
  // A page that nobody sees leaves its place to others.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(later);
    if (document.hidden) source.close();
    else open();
  });
}

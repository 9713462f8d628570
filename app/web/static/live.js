"use strict";
// Keys, and fragments that the server sends ready made. Every page works without any of it.
(() => {
  const address = document.body.dataset.stream;
  const pause = document.getElementById("pause");
  const said = document.getElementById("said");
  const FILLED = "pulse banners strip charts groups latest booking facts job timeline letters plan plans acts hooks news";
  const FIRST_WAIT = 1000, LONGEST_WAIT = 30000, SILENCE = 6000;
  let stream = null;
  let paused = false;
  let first = true;
  let wait = FIRST_WAIT;
  let heard = 0;
  let again = 0;

  // What somebody types into is left alone, and so is what they opened.
  const changed = (one) => one.type !== "hidden" && (one.value !== (one.defaultValue ?? one.value) || (one.checked ?? false) !== (one.defaultChecked ?? false));
  const touched = (node) => (node instanceof HTMLFormElement ? [...node.elements].some(changed) : node instanceof HTMLInputElement && changed(node));
  const callbacks = {
    beforeNodeMorphed: (old) => !touched(old),
    beforeAttributeUpdated: (name, node) => !(name === "open" && node instanceof HTMLDetailsElement),
  };

  function fill(id, html) {
    const place = document.getElementById(id);
    if (place) Idiomorph.morph(place, html, { morphStyle: "innerHTML", ignoreActiveValue: true, callbacks });
  }

  function stale() {
    document.body.classList.add("stale");
    const updated = document.querySelector(".updated");
    const time = updated?.querySelector("time");
    if (time) updated.firstChild.textContent = paused ? "paused at " : "stale since ";
  }

  function open() {
    clearTimeout(again);
    if (!address || stream || paused || document.hidden) return;
    heard = Date.now();
    stream = new EventSource(address);
    stream.onopen = () => document.body.classList.remove("stale");
    stream.onerror = () => {
      stale();
      // A browser gives up for good when the answer is an error: this worker may be busy, or ending.
      if (stream?.readyState === EventSource.CLOSED) reopen();
    };
    stream.addEventListener("tick", () => { heard = Date.now(); wait = FIRST_WAIT; });
    for (const id of FILLED.split(" ")) stream.addEventListener(id, (event) => fill(id, event.data));
    stream.addEventListener("said", (event) => {
      if (!first) said.textContent = event.data;
      first = false;
    });
  }

  function close() {
    clearTimeout(again);
    stream?.close();
    stream = null;
  }

  function reopen() {
    close();
    again = setTimeout(open, wait);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }

  function setPaused(wanted) {
    paused = wanted;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (paused) { close(); stale(); } else { open(); }
  }

  // A connection that stands and brings nothing is none.
  setInterval(() => { if (stream && Date.now() - heard > SILENCE) { stale(); reopen(); } }, 1000);
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  if (address && pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => setPaused(!paused));
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      said.textContent = "Copied.";
      button.textContent = "Copied";
    });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("find")?.focus(); }
    if (event.key === "?") location.assign("/ops/help");
    if (event.key === "p" && address) setPaused(!paused);
  });

  open();
})();

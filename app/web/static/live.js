"use strict";
// Keys, and fragments that the server sends ready made. Every page works without any of it.
(() => {
  const address = document.body.dataset.stream;
  const pause = document.getElementById("pause");
  const said = document.getElementById("said");
  let stream = null;
  let paused = false;
  let first = true;

  // What somebody types into is left alone, and so is what they opened.
  document.addEventListener("input", (event) => event.target.form?.classList.add("touched"));
  const callbacks = {
    beforeNodeMorphed: (old) => !(old instanceof HTMLFormElement && old.classList.contains("touched")),
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
    if (!address || stream || paused || document.hidden) return;
    stream = new EventSource(address);
    stream.onopen = () => document.body.classList.remove("stale");
    stream.onerror = stale;
    for (const id of ["pulse", "banners", "strip", "charts", "groups", "booking", "job", "timeline", "plan", "news"]) {
      stream.addEventListener(id, (event) => fill(id, event.data));
    }
    stream.addEventListener("said", (event) => {
      if (!first) said.textContent = event.data;
      first = false;
    });
  }

  function close() {
    stream?.close();
    stream = null;
  }

  function setPaused(wanted) {
    paused = wanted;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (paused) { close(); stale(); } else { open(); }
  }

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

  document.getElementById("errors")?.focus();
  open();
})();

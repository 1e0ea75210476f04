/* Small helps on top of pages that work without a script. Nothing is fetched, nothing is stored. */
(() => {
  "use strict";

  // a link to a cell opens its code; figures that load later must not push it out of sight
  const openTarget = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const cell = target && target.closest("div.cell");
    if (!cell) return;
    const code = cell.querySelector("details.hide");
    if (code) code.open = true;
    cell.scrollIntoView({ block: "start", behavior: "instant" });
  };

  // the leaks of the evidence lab become switches
  const makeSwitches = (board) => {
    const say = board.querySelector(".switchboard-say");
    const rows = [...board.querySelectorAll("li")];
    const set = (row, on) => {
      row.classList.toggle("off", !on);
      row.querySelector("button").setAttribute("aria-checked", String(on));
    };
    const rest = "Every switch plants one leak. Guess what it adds before you flip it.";
    board.classList.add("live");
    say.hidden = false;
    say.textContent = rest;
    for (const row of rows) {
      const name = row.querySelector("strong");
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("role", "switch");
      button.className = "switch";
      button.append(...name.childNodes);
      name.replaceWith(button);
      set(row, false);
      button.addEventListener("click", () => {
        const on = row.classList.contains("off");
        set(row, on);
        say.textContent = on ? row.dataset.say : rest;
      });
    }
    const all = document.createElement("button");
    all.type = "button";
    all.className = "switch-all";
    const label = () => (rows.some((row) => row.classList.contains("off")) ? "Flip all" : "All off");
    all.textContent = label();
    all.addEventListener("click", () => {
      const on = rows.some((row) => row.classList.contains("off"));
      rows.forEach((row) => set(row, on));
      say.textContent = on ? "All leaks are shown, each as planted alone." : rest;
      all.textContent = label();
    });
    board.addEventListener("click", () => { all.textContent = label(); });
    board.append(all);
  };

  const start = () => {
    document.querySelectorAll(".switchboard").forEach(makeSwitches);
    openTarget();
    addEventListener("load", openTarget);
    addEventListener("hashchange", openTarget);
    // a link to the cell that is already the target
    document.addEventListener("click", (event) => {
      const link = event.target.closest && event.target.closest("a.glued, .figure-links a");
      if (link && link.hash && link.hash === location.hash) openTarget();
    });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

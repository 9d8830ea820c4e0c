"use strict";
// Fills the page from /data and keeps it so by server-sent events. Whatever comes from data is set as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const made = (tag, text, className) => {
    const one = document.createElement(tag);
    if (text !== undefined) one.textContent = text;
    if (className) one.className = className;
    return one;
  };
  const CURVES_SECONDS = 600;
  const NEWS = new Set(["signals", "fills", "halts", "nights"]);  // where a new row is shown as new
  let curvesAt = -Infinity;
  let rowsBefore = {};

  function table(found, key) {
    if (!found.rows.length) return made("p", found.empty, "empty");
    const box = made("div", undefined, "scroll");
    const one = made("table");
    const head = made("tr");
    const right = new Set(found.right);
    found.columns.forEach((name, at) => {
      const cell = made("th", name, right.has(at) ? "right" : "");
      cell.scope = "col";
      head.append(cell);
    });
    one.append(made("thead"));
    one.tHead.append(head);
    const body = made("tbody");
    const before = rowsBefore[key];
    const now = new Set();
    for (const row of found.rows) {
      const line = made("tr");
      row.forEach((cell, at) => {
        const text = typeof cell === "string" ? cell : cell.text;
        const tone = typeof cell === "string" ? "" : cell.tone;
        const place = made("td", undefined, right.has(at) ? "right" : text.length > 22 ? "long" : text ? "" : "none");
        place.dataset.name = found.columns[at];
        place.append(made("span", text, tone));
        line.append(place);
      });
      now.add(line.textContent);
      if (NEWS.has(key) && before && !before.has(line.textContent)) line.className = "fresh";
      body.append(line);
    }
    rowsBefore[key] = now;
    one.append(body);
    box.append(one);
    // A table that is wider than its box must be reachable by the keyboard to be scrolled.
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", key);
    return box;
  }

  function put(id, found) {
    if (!found) return;
    const text = JSON.stringify(found);
    const place = byId(id).querySelector(".table");
    if (place.shown === text) return;
    place.shown = text;
    const scrolled = place.firstElementChild ? place.firstElementChild.scrollTop : 0;
    place.replaceChildren(table(found, id));
    place.firstElementChild.scrollTop = scrolled;
  }

  function candidates(list) {
    const place = byId("candidates").querySelector(".list");
    const text = JSON.stringify(list);
    if (place.shown === text) return;
    place.shown = text;
    const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.id));
    if (!list.length) {
      place.replaceChildren(made("p", "No candidate has been proposed yet.", "empty"));
      return;
    }
    place.replaceChildren(...list.map((each) => {
      const one = made("details");
      one.dataset.id = each.id;
      one.open = open.has(each.id);
      one.append(made("summary", each.title, each.tone), made("p", each.hypothesis));
      if (each.figures.length) one.append(made("p", each.figures.join("  ·  ")));
      each.reasons.forEach((reason) => one.append(made("p", reason)));
      if (each.paper) one.append(made("p", each.paper));
      one.append(table(each.gate, "gate of " + each.id));
      return one;
    }));
  }

  function headline(list) {
    byId("headline").replaceChildren(...list.map((each) => {
      const box = made("div");
      box.append(made("dt", each.name), made("dd", each.value, each.tone), made("dd", each.detail, "detail"));
      return box;
    }));
  }

  function sentence(id, text) {
    byId(id).textContent = text;
    byId(id).hidden = !text;
  }

  function halted(list) {
    const place = byId("halted");
    place.hidden = !list.length;
    const text = JSON.stringify(list);
    if (place.shown === text) return;
    place.shown = text;
    place.replaceChildren(...list.map((each) => {
      const line = made("p");
      line.append(made("strong", `▲ Opening orders are halted: ${each.kind}. `), `${each.sentence}, since ${each.since} UTC. `,
        "When you know why, lift it: ", made("code", `brain resume ${each.kind}`));
      return line;
    }));
  }

  function show(view) {
    sentence("problem", view.problem);
    put("links", view.links);
    if (view.problem) return;
    byId("mode").textContent = view.mode === "live" ? "LIVE: real money" : "paper: pretend money";
    byId("mode").className = "badge " + view.mode;
    byId("as-of").textContent = view.as_of ? `as of ${view.as_of.slice(0, 16).replace("T", " ")} UTC` : "nothing traded yet";
    document.title = `${view.headline[0].value} · Trading Brain`;
    sentence("warning", view.real ? "" : `This market is invented (${view.source}): no figure below says anything about a real one.`);
    halted(view.halted);
    headline(view.headline);
    ["positions", "signals", "fills", "nights", "costs", "halts"].forEach((id) => put(id, view[id]));
    candidates(view.candidates);
    Charts.add(view.last);
    if (view.last && (!Charts.length || performance.now() / 1000 - curvesAt > CURVES_SECONDS)) curves();
    document.documentElement.dataset.ready = "yes";
  }

  async function curves() {
    curvesAt = performance.now() / 1000;
    try {
      const answer = await fetch("/data/curves");
      if (answer.ok) Charts.put(await answer.json());
    } catch { curvesAt = -Infinity; }
  }

  function line(text) { byId("line").textContent = text; }

  function listen() {
    const events = new EventSource("/data/events");
    events.onopen = () => line("● live");
    events.onmessage = (event) => show(JSON.parse(event.data));
    events.onerror = () => {
      line("▲ no connection: the page shows what it knew last, and tries again");
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
  }

  curves();
  listen();
})();

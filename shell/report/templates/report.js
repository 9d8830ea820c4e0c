"use strict";
// Shows the values under the pointer (or under the arrow keys) of each chart. Without it every chart is still drawn.
(() => {
  const digits = { money: 2, percent: 2 };
  const grouped = (value, places) => value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  const written = (kind, value) => {
    if (kind === "percent") return grouped(value * 100, 2) + "\u00a0%";
    if (kind === "money") return grouped(value, digits.money);
    return value.toLocaleString("en-US", { maximumSignificantDigits: 7 });
  };
  const nearest = (times, at) => {
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < at) low = middle + 1; else high = middle;
    }
    return low > 0 && at - times[low - 1] < times[low] - at ? low - 1 : low;
  };
  for (const canvas of document.querySelectorAll(".canvas")) {
    const data = JSON.parse(canvas.querySelector("script").textContent);
    const hair = canvas.querySelector(".hair");
    const readout = canvas.closest("figure").querySelector(".readout");
    let index = 0;
    const show = (at) => {
      index = nearest(data.series[data.series.length - 1].t, at);
      const moment = data.series[data.series.length - 1].t[index];
      const when = new Date((data.start + moment) * 1000).toISOString().slice(0, 16).replace("T", " ");
      const parts = data.series.map((one) => {
        const value = written(data.kind, one.v[nearest(one.t, moment)]);
        return data.series.length > 1 ? one.name + " " + value : value;
      });
      readout.textContent = [when, ...parts].join("  ·  ");
      hair.style.left = (100 * moment) / data.span + "%";
      hair.hidden = false;
    };
    const hide = () => { hair.hidden = true; readout.textContent = ""; };
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      show((data.span * (event.clientX - box.left)) / box.width);
    });
    canvas.addEventListener("pointerleave", hide);
    canvas.addEventListener("blur", hide);
    canvas.addEventListener("keydown", (event) => {
      const times = data.series[data.series.length - 1].t;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const jump = Math.max(1, Math.round(times.length / 100)) * step;
      show(times[Math.min(times.length - 1, Math.max(0, index + jump))]);
    });
  }
  // A link to a folded candidate opens it; printing opens everything.
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", unfold);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  unfold();
})();

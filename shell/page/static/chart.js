"use strict";
// Two charts over the same times: what the account is worth, and how far it fell. Read by pointer or by arrow keys.
const Charts = (() => {
  const UNKNOWN = "–";
  const HELD = "buy and hold";
  let columns = { t: [], equity: [], held: [], drawdown: [] };
  let days = 0;
  let drawn = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (value, digits) => value == null ? UNKNOWN : value.toLocaleString("en-US",
    { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  const readouts = {
    equity: (i) => `${moment(columns.t[i])}  ·  account ${number(columns.equity[i], 2)}  ·  ${HELD} ${number(columns.held[i], 2)}`,
    drawdown: (i) => `${moment(columns.t[i])}  ·  ${number(columns.drawdown[i], 2)} %`,
  };

  const axis = (size, extra) => ({
    stroke: colour("--soft"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, size, font: "12px system-ui", ...extra,
  });

  function draw(id, series, format, height, scales) {
    const place = document.getElementById(id);
    place.textContent = "";
    const readout = document.getElementById(id + "-readout");
    const chart = new uPlot({
      width: place.clientWidth, height, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"), legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: true }, ...scales },
      axes: [
        axis(40, { space: 64, values: [
          [31536000, "{YYYY}", null, null, null, null, null, null, 1], [2419200, "{MMM} {YYYY}", null, null, null, null, null, null, 1],
          [86400, "{D} {MMM}", null, null, null, null, null, null, 1], [3600, "{HH}:{mm}", "\n{D} {MMM}", null, null, null, null, null, 1],
          [60, "{HH}:{mm}", "\n{D} {MMM}", null, null, null, null, null, 1],
        ] }),
        axis(64, { space: 36, values: (_, splits) => splits.map((value) => format(value, splits)) }),
      ],
      series: [{}, ...series.map((one) => one.look)],
      hooks: { setCursor: [(one) => {
        readout.textContent = one.cursor.idx == null ? "" : readouts[id](one.cursor.idx);
      }] },
    }, [columns.t, ...series.map((one) => columns[one.name])], place);
    return { id, chart, series, place, height };
  }

  const plain = (value, splits) => number(value, splits.length > 1 && splits[1] - splits[0] < 1 ? 2 : 0);
  const percent = (value, splits) => plain(value, splits) + " %";

  function all() {
    drawn.forEach((one) => one.chart.destroy());
    drawn = [];
    if (!columns.t.length) return;
    document.getElementById("charts").hidden = false;
    const narrow = matchMedia("(max-width: 640px)").matches;
    drawn = [
      draw("equity", [
        { name: "equity", look: { stroke: colour("--accent"), width: 2, points: { show: columns.t.length < 3 } } },
        { name: "held", look: { stroke: colour("--second"), width: 1.5, dash: [6, 4], points: { show: false } } },
      ], plain, narrow ? 210 : 260),
      draw("drawdown", [
        { name: "drawdown", look: { stroke: colour("--loss"), width: 1.5, fill: colour("--fall"), points: { show: false } } },
      ], percent, narrow ? 120 : 140, { y: { range: (_, low) => [Math.min(low, -1) * 1.08, 0] } }),
    ];
    span();
  }

  function span() {
    const last = columns.t[columns.t.length - 1];
    const first = days ? Math.max(columns.t[0], last - days * 86400) : columns.t[0];
    drawn.forEach((one) => one.chart.setScale("x", { min: first, max: Math.max(last, first + 300) }));
    const from = columns.t.findIndex((at) => at >= first);
    const told = `${columns.t.length - from} points from ${moment(first)} to ${moment(last)} UTC; `;
    document.getElementById("equity").setAttribute("aria-label",
      told + `account ${number(columns.equity[from], 2)} to ${number(columns.equity.at(-1), 2)}, ${HELD} to ${number(columns.held.at(-1), 2)}`);
    document.getElementById("drawdown").setAttribute("aria-label",
      told + `deepest drawdown ${number(Math.min(...columns.drawdown.slice(from)), 2)} percent`);
  }

  function put(found) {
    columns = found;
    all();
  }

  // The newest point, told with every change, so that the curves need not be fetched again.
  function add(last) {
    if (!columns.t.length || !last || last[0] <= columns.t.at(-1)) return;
    ["t", "equity", "held", "drawdown"].forEach((name, at) => columns[name].push(last[at]));
    drawn.forEach((one) => one.chart.setData([columns.t, ...one.series.map((each) => columns[each.name])], false));
    span();
  }

  document.querySelectorAll(".spans button").forEach((button) => button.addEventListener("click", () => {
    days = Number(button.dataset.days);
    document.querySelectorAll(".spans button").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
    span();
  }));
  document.querySelectorAll(".plot").forEach((place) => {
    place.addEventListener("keydown", (event) => {
      const one = drawn.find((each) => each.place === place);
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[event.key];
      if (!one || step === undefined) return;
      event.preventDefault();
      const shown = one.chart.scales.x;
      const low = columns.t.findIndex((at) => at >= shown.min);
      const high = columns.t.length - 1;
      const now = one.chart.cursor.idx ?? high;
      const index = Math.min(high, Math.max(low, now + step));
      one.chart.setCursor({ left: one.chart.valToPos(columns.t[index], "x"), top: 10 });
    });
    place.addEventListener("blur", () => {
      const one = drawn.find((each) => each.place === place);
      if (one) one.chart.setCursor({ left: -10, top: -10 });
    });
  });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; all(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  return { put, add, get length() { return columns.t.length; } };
})();

"use strict";
// Draws the charts of a page with uPlot; whatever it needs stands in the page.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const narrow = matchMedia("(max-width: 600px)");
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = value => {
    if (value == null) return "–";
    const digits = Math.abs(value) < 1000 ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: 0 };
    return value.toLocaleString("en", digits);
  };
  const stamp = seconds => {
    const text = new Date(seconds * 1e3).toISOString();
    return seconds % 86400 ? `${text.slice(0, 10)} ${text.slice(11, 16)}` : text.slice(0, 10);
  };
  const DATES = [
    [31536000, "{YYYY}", null, null, null, null, null, null, 1],
    [2419200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [0.001, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  ];
  const WHOLE = [...Array(9).keys()].flatMap(digits => [1, 2, 5].map(first => first * 10 ** digits));
  const drawn = [];

  // Draws lines into a figure, and again when its width or the colours change.
  function draw(figure, make) {
    const old = drawn.find(one => one.figure === figure);
    if (old) old.plot.destroy();
    const entry = old || { figure };
    const { data, lines, bands = [], dated, x, view, zero = false, height = 340 } = make();
    const font = `${narrow.matches ? 11 : 13}px system-ui, sans-serif`;
    const axis = { stroke: colour("--muted"), font, grid: { stroke: colour("--rule"), width: 1 }, ticks: { show: false } };
    const time = dated ? stamp : number;
    figure.querySelector("img")?.setAttribute("hidden", "");
    const place = figure.querySelector(".plot") || figure.insertBefore(
      Object.assign(document.createElement("div"), { className: "plot" }), figure.querySelector("figcaption"));
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", figure.dataset.label);
    entry.make = make;
    entry.plot = new uPlot({
      width: place.clientWidth || 600,
      height: narrow.matches ? Math.min(height, 260) : height,
      tzDate: seconds => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      scales: { x: { time: dated }, y: zero ? { range: (_, low, high) => uPlot.rangeNum(Math.min(0, low), Math.max(0, high), 0.1, true) } : {} },
      cursor: { y: false, drag: { x: true, y: false, setScale: true } },
      series: [{ label: x, value: (_, at) => (at == null ? "–" : time(at)) }, ...lines.map(line => ({
        points: { show: data[0].length <= 40 && !line.class, size: 5 },
        value: (_, at) => number(at), width: 1.6, ...line, stroke: line.stroke || "transparent",
      }))],
      bands,
      legend: { markers: { fill: (_, i) => lines[i - 1]?.stroke } },
      axes: [
        { ...axis, ...(dated ? { values: DATES, space: 60 } : data[0].every(Number.isInteger) ? { incrs: WHOLE } : {}), size: dated ? 50 : 30 },
        { ...axis, values: (_, ticks) => ticks.map(number),
          size: (_, ticks) => 14 + 7.2 * Math.max(3, ...(ticks || []).map(one => one.length)) },
      ],
    }, data, place);
    if (view) entry.plot.setScale("x", { min: data[0][Math.max(0, data[0].length - view)], max: data[0].at(-1) });
    if (!old) drawn.push(entry);
  }

  const again = () => drawn.forEach(one => draw(one.figure, one.make));
  for (const query of ["(prefers-color-scheme: dark)", "(max-width: 600px)"])
    matchMedia(query).addEventListener("change", again);
  addEventListener("resize", () => drawn.forEach(({ figure, plot }) =>
    plot.setSize({ width: figure.querySelector(".plot").clientWidth || 600, height: plot.height })));
  addEventListener("beforeprint", () => drawn.forEach(({ plot }) => plot.setSize({ width: 640, height: Math.min(plot.height, 260) })));
  addEventListener("afterprint", () => dispatchEvent(new Event("resize")));

  // The charts of errors: a line for each forecaster.
  const COLOURS = ["--blue", "--orange", "--green", "--purple", "--ochre", "--muted"];
  for (const figure of document.querySelectorAll("figure[data-label]")) {
    const plot = charts.plots[figure.dataset.chart];
    if (!plot) continue;
    draw(figure, () => ({
      data: [plot.places, ...plot.lines.map(line => line.values)],
      lines: plot.lines.map((line, i) => ({ label: line.label, stroke: colour(line.quiet ? "--muted" : COLOURS[i % COLOURS.length]), width: i ? 1.6 : 2.4 })),
      dated: plot.dated, x: plot.x, zero: true, height: 240,
    }));
  }
  for (const one of document.querySelectorAll("details"))
    one.addEventListener("toggle", () => dispatchEvent(new Event("resize")));

  // The forecast of one series at a time.
  const { axes, series, total, levels, horizon, dated, measure } = charts.outlook;
  const intervals = levels.slice(0, levels.indexOf(0.5)).map((level, i) => [i, levels.length - 1 - i, level]);
  const bounds = one => one === total ? [] : intervals;
  const median = one => one.future[one === total ? 0 : Math.max(0, levels.indexOf(0.5))];
  const timesOf = one => one.times || axes[one.axis];
  const orders = {
    name: () => 0,
    largest: (a, b) => b.size - a.size,
    worst: (a, b) => (b.error ?? -Infinity) - (a.error ?? -Infinity),
    best: (a, b) => (a.error ?? Infinity) - (b.error ?? Infinity),
  };
  const find = name => document.getElementById(name);
  const figure = document.querySelector('[data-chart="outlook"]');
  let order = series, place = 0, view = Math.max(6 * horizon, 30);

  const interval = level => `${number(100 * (1 - 2 * level))}% interval`;

  function lines() {
    const one = order[place], times = timesOf(one), known = one.past.length;
    const ahead = values => [...Array(known - 1).fill(null), one.past[known - 1], ...values];
    const later = text => (plot, at, _, index) => (index == null || index < known ? "–" : text(index, at));
    const test = times.map((_, i) => one.test?.[i - one.at] ?? null);
    const rows = [
      { label: "observed", stroke: colour("--ink"), values: [...one.past, ...Array(horizon).fill(null)] },
      ...(one.test ? [{ label: "forecast of the test", stroke: colour("--orange"), dash: [5, 4], values: test }] : []),
      { label: "forecast", stroke: colour("--blue"), width: 2.4, values: ahead(median(one)), value: later((_, at) => number(at)) },
    ];
    const bands = [];
    for (const [low, high, level] of bounds(one)) {
      const value = later(i => `${number(one.future[low][i - known])} to ${number(one.future[high][i - known])}`);
      bands.push({ series: [rows.length + 1, rows.length + 2], fill: colour("--band") });
      rows.push({ label: interval(level), class: "band", values: ahead(one.future[high]), value });
      rows.push({ label: "", class: "lower", values: ahead(one.future[low]) });
    }
    return { data: [times, ...rows.map(row => row.values)], lines: rows.map(({ values, ...row }) => row), bands, dated, x: dated ? "time" : "step", view };
  }

  // Rounds a part of a whole to digits of the whole.
  function near(value, whole, digits) {
    const unit = 10 ** (Math.floor(Math.log10(Math.abs(whole) || 1)) - digits);
    return Number((Math.round(value / unit) * unit).toPrecision(12));
  }

  // Season, covariates and rest by step, of one series or of the total; the level is in the text.
  const PARTS = ["season", "covariates", "rest"];
  function parts(one) {
    const [level, season, moved] = one.parts;
    const at = (values, i) => values.length ? values[i] : 0;
    const rest = median(one).map((value, i) => value == null ? null : near(value - level - at(season, i) - at(moved, i), value, 4));
    return [season, moved, rest].map((values, i) => [PARTS[i], values]).filter(([, values]) => values.length);
  }

  function explain(one) {
    const figure = document.querySelector('[data-chart="parts"]'), known = one.parts?.[0] != null && median(one)[0] != null;
    find("parts").hidden = !known;
    if (!known) return [];
    const found = parts(one), mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
    const whole = mean(median(one));
    const signed = value => {
      const size = near(Math.abs(value), whole, 3);
      return `${value < 0 && size ? "−" : "+"} ${number(size)}`;
    };
    find("sum").textContent = `${one.name}, mean of ${horizon} steps: ${number(whole)} = level ${number(one.parts[0])}`
      + found.map(([name, values]) => ` ${signed(mean(values))} ${name}`).join("") + ".";
    draw(figure, () => ({
      data: [timesOf(one).slice(-horizon), ...found.map(([, values]) => values)],
      lines: found.map(([name], i) => ({ label: name, stroke: colour({ season: "--blue", covariates: "--orange", rest: "--muted" }[name]), width: i ? 1.6 : 2.4 })),
      dated, x: dated ? "time" : "step", zero: true, height: 240,
    }));
    return found;
  }

  function show(next) {
    place = (next + order.length) % order.length;
    const one = order[place], times = timesOf(one).slice(-horizon);
    const label = `Forecast of ${one.name}, ${horizon} steps, with its history; the values are in the table below`;
    figure.dataset.label = label;
    draw(figure, lines);
    find("series").value = one.name;
    find("place").value = `${place + 1} of ${order.length}` + (one.error == null ? "" : ` · test ${measure} ${number(Number(one.error.toPrecision(3)))}`);
    find("note").textContent = one.note || "";
    const found = explain(one), ahead = found.map(([name]) => name);
    const heads = [dated ? "time" : "step", "forecast", ...bounds(one).map(([, , level]) => interval(level)), ...(found.length ? ["level", ...ahead] : [])];
    const table = document.createElement("table");
    table.createCaption().textContent = `Forecast of ${one.name}`;
    const head = table.createTHead().insertRow();
    for (const text of heads) head.appendChild(Object.assign(document.createElement("th"), { textContent: text, scope: "col" }));
    const body = table.createTBody();
    times.forEach((time, i) => {
      const row = body.insertRow();
      const cells = [dated ? stamp(time) : time, number(median(one)[i]),
        ...bounds(one).map(([low, high]) => `${number(one.future[low][i])} to ${number(one.future[high][i])}`),
        ...(found.length ? [one.parts[0], ...found.map(([, values]) => values[i])] : []).map(number)];
      for (const cell of cells) row.insertCell().textContent = cell;
    });
    find("values").replaceChildren(table);
  }

  function sort(by) {
    order = [...(total ? [total] : []), ...[...series].sort(orders[by])];
    show(0);
  }

  const search = find("series");
  find("names").append(...[total, ...series].filter(Boolean).map(one => Object.assign(document.createElement("option"), { value: one.name })));
  search.addEventListener("focus", () => search.select());
  search.addEventListener("change", () => {
    const text = search.value.toLowerCase();
    const found = order.findIndex(one => one.name.toLowerCase() === text);
    const near = found < 0 ? order.findIndex(one => one.name.toLowerCase().includes(text)) : found;
    if (near < 0) find("place").value = `no series is named ${search.value}`;
    else show(near);
  });
  find("order").addEventListener("change", event => sort(event.target.value));
  find("before").addEventListener("click", () => show(place - 1));
  find("after").addEventListener("click", () => show(place + 1));
  find("history").addEventListener("click", event => {
    view = view ? 0 : Math.max(6 * horizon, 30);
    event.target.textContent = view ? "whole history" : "newest";
    draw(figure, lines);
  });
  for (const link of document.querySelectorAll("[data-series]"))
    link.addEventListener("click", () => {
      const found = order.findIndex(one => one.name === link.dataset.series);
      if (found >= 0) show(found);
    });
  for (const one of document.querySelectorAll(".scripted")) one.hidden = false;
  if (series.length < 2) find("choice").hidden = true;
  sort("largest");
})();

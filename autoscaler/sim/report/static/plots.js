// Draws the report's plots as SVG from the JSON in the page: one span of time and one cursor for all of them.
// Positions in time are buckets: i covers start + i * width_s seconds, until the next.
"use strict";
(() => {
const LEFT = 46, RIGHT = 10, TOP = 6, BOTTOM = 19, PALETTE = 7, DASHES = 4;
const page = document.documentElement;

function complain(what) { // for people, and for tests
  page.dataset.error = what;
  const banner = element("p", { class: "banner bad", role: "alert" });
  banner.textContent = `The plots are not complete: ${what}`;
  document.querySelector("main").prepend(banner);
}
addEventListener("error", (event) => complain(event.message));
addEventListener("securitypolicyviolation", (event) => complain(`${event.blockedURI} was blocked`));

function make(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children); // names become text here, never markup
  return node;
}
const element = (tag, attributes = {}, ...children) => make(document.createElement(tag), attributes, children);
const shape = (tag, attributes = {}, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// --- the data -----------------------------------------------------------------------------------

const report = JSON.parse(document.getElementById("data").textContent);
const { start, end, width_s: width, count, runs } = report;
const low = ([lows], i) => lows[i];
const high = ([lows, above], i) => (lows[i] === null ? null : lows[i] + (above ? above[i] : 0));
const serviceOf = (run, name) => run.services.find((one) => one.name === name);
const one = (values) => [values, 0]; // a total is its own lowest and highest

const told = new Map(); // ticks by reason, over everything: the most frequent get the colours
for (const run of runs) for (const service of run.services)
  service.reasons.forEach((reason, at) => told.set(reason, (told.get(reason) || 0) + service.shares[at]));
const ranked = [...told.keys()].filter((reason) => reason !== "hold").sort((a, b) => told.get(b) - told.get(a));
const reasonClass = (reason) =>
  reason === "hold" ? "hold" : ranked.indexOf(reason) < PALETTE ? `c${ranked.indexOf(reason)}` : "rest";
const runClass = (at) => `c${at % PALETTE} d${at % DASHES}`;

// --- numbers and times --------------------------------------------------------------------------

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MINUTE = 60, HOUR = 3600, DAY = 86400, WEEK = 604800, MONDAY = 4 * DAY; // 1970-01-05
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
  2 * DAY, 3 * DAY, WEEK, 2 * WEEK, 4 * WEEK, 12 * WEEK];

const instant = (at) => new Date(at * 1000).toISOString().slice(0, width < MINUTE ? 19 : 16).replace("T", " ");
function tickLabel(at, step) {
  const date = new Date(at * 1000);
  if (at % DAY === 0) return `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  return date.toISOString().slice(11, step < MINUTE ? 19 : 16);
}
function number(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(Number.isInteger(value) && !digits ? 0 : Math.max(1, digits));
  return text.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
}
const range = (a, b, digits) => (a === b ? number(a, digits) : `${number(a, digits)}–${number(b, digits)}`);
function niceStep(top, most, least) {
  const raw = Math.max(top / most, least), power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.999);
}

// --- what is drawn ------------------------------------------------------------------------------

let from = 0, until = count, cursor = null, grip = null, plots = [];
const chosen = new Set(runs.map((run, at) => at).filter((at) => runs[at].services.length && runs[at].kind === "config").slice(0, 2));
if (!chosen.size) chosen.add(Math.max(0, runs.findIndex((run) => run.services.length)));

const line = (label, kind, look, pair, more = {}) => ({ label, kind, look, pair, ...more });

function comparison(title, unit, name, digits, valuesOf) {
  const lines = runs.flatMap((run, at) => {
    const values = valuesOf(run);
    return values ? [line(run.name, "line", runClass(at), one(values), { digits, total: true })] : [];
  });
  return { title, unit, of: name, lines, height: 150, least: digits ? 0 : 1 };
}
function ofRun(run, service) {
  const of = `${service.name} in ${run.name}`;
  const replicas = service.deployments.flatMap((deployment, at) => [
    line(deployment.name, "band", `c${at % PALETTE}`, deployment.ready, { asked: deployment.set }),
    line("", "line", `c${at % PALETTE} d2`, deployment.set, { steps: true }),
  ]);
  return [
    { title: "Demand against capacity", unit: "requests at once", of, height: 190, scale: "demand", least: 1, lines: [
      line("ready + starting", "area", "starting", service.all),
      line("ready", "area", "ready-high", service.ready, { floor: "ready" }),
      line("demand (running + waiting)", "band", "ink", service.demand)] },
    { title: "Waiting", unit: "requests in the queue", of, height: 100, scale: "queued", least: 1, lines: [
      line("waiting", "band", "c1", service.queued)] },
    { title: "Replicas", unit: "count; ready, and dotted what is set", of, height: 130, scale: "replicas", least: 1, lines: replicas },
    { title: "Where decisions came from", unit: "share of ticks", of, height: 52, strip: service, lines: strip(service) },
  ];
}
function strip(service) {
  const ticks = service.shares.reduce((sum, each) => sum + each, 0) || 1;
  return service.reasons
    .map((reason, at) => line(reason, "share", `fill ${reasonClass(reason)}`, null, { at, share: service.shares[at] / ticks }))
    .sort((a, b) => b.share - a.share);
}
const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(share < 0.9995 ? 1 : 0)} %`);
function shareAt(service, at, i) {
  const here = service.reason[i];
  if (!Array.isArray(here)) return here === at ? 1 : 0;
  let ticks = 0, mine = 0;
  for (let k = 0; k < here.length; k += 2) { ticks += here[k + 1]; if (here[k] === at) mine = here[k + 1]; }
  return mine / ticks;
}

// Text beside a line: at the cursor what is there, else the last of a total and the most of anything else.
function reading(plot, each) {
  if (each.kind === "share") return percent(cursor === null ? each.share : shareAt(plot.strip, each.at, cursor));
  const at = cursor === null && each.total ? until - 1 : cursor;
  if (at === null) return `max ${number(most(each), each.digits)}`;
  const value = range(low(each.pair, at), high(each.pair, at), each.digits);
  return each.asked ? `${value} of ${range(low(each.asked, at), high(each.asked, at))}` : value;
}
function most(each) {
  let top = 0;
  if (each.pair) for (let i = from; i < until; i++) top = Math.max(top, high(each.pair, i) ?? 0);
  return top;
}

// --- drawing ------------------------------------------------------------------------------------

const at1 = (value) => Math.round(value * 10) / 10;
function segments(pair) { // spans without a gap, as [first, after the last]
  const found = [];
  for (let i = from; i < until; i++) {
    if (low(pair, i) === null) continue;
    const begin = i;
    while (i < until && low(pair, i) !== null) i++;
    found.push([begin, i]);
  }
  return found;
}
function outline(each, x, y, value = high) {
  let d = "";
  for (const [begin, end] of segments(each.pair)) {
    d += `M${x(begin)} ${each.kind === "area" ? y(0) : y(value(each.pair, begin))}`;
    for (let i = begin; i < end; i++)
      d += each.kind === "line" && !each.steps ? `L${x(i + 0.5)} ${y(value(each.pair, i))}` : `V${y(value(each.pair, i))}H${x(i + 1)}`;
    if (each.kind === "area") d += `V${y(0)}Z`;
    if (each.kind !== "band") continue;
    for (let i = end - 1; i >= begin; i--) d += `V${y(low(each.pair, i))}H${x(i)}`;
    d += "Z";
  }
  return d;
}
function shares(plot, each, x, height) {
  const place = plot.strip.reasons.map((reason, at) => plot.lines.findIndex((other) => other.at === at));
  let d = "";
  for (let i = from; i < until; i++) {
    const share = shareAt(plot.strip, each.at, i);
    if (!share) continue;
    let below = 0, last = i + 1;
    if (share < 1) place.forEach((rank, at) => { if (rank < place[each.at]) below += shareAt(plot.strip, at, i); });
    else while (last < until && shareAt(plot.strip, each.at, last) === 1) last++;
    d += `M${x(i)} ${at1(TOP + below * height)}H${x(last)}v${at1(share * height)}H${x(i)}Z`;
    i = last - 1;
  }
  return d;
}
function timeAxis(x, right, height, base) {
  const marks = [], span = (until - from) * width, begin = start + from * width;
  const step = STEPS.find((each) => each >= (span * 92) / (right - LEFT)) || STEPS.at(-1);
  const offset = step >= WEEK ? MONDAY : 0;
  for (let at = Math.ceil((begin - offset) / step) * step + offset; at <= begin + span; at += step) {
    const place = x((at - start) / width);
    const anchor = place < LEFT + 30 ? "start" : place > right - 32 ? "end" : "middle";
    marks.push(shape("path", { class: "grid", d: `M${place} ${TOP}V${base + 4}` }),
      shape("text", { x: anchor === "end" ? Math.min(place + 4, right + RIGHT) : place, y: height - 4, "text-anchor": anchor }, tickLabel(at, step)));
  }
  return marks;
}
function valueAxis(y, top, step, right) {
  const marks = [], digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let k = 0; k * step <= top * 1.0001; k++) {
    marks.push(shape("path", { class: k ? "grid" : "axis", d: `M${LEFT} ${y(k * step)}H${right}` }),
      shape("text", { x: LEFT - 6, y: y(k * step) + 4, "text-anchor": "end" }, number(k * step, digits)));
  }
  return marks;
}
function draw(plot) {
  const { svg, height } = plot;
  const full = Math.max(200, svg.parentNode.clientWidth), right = full - RIGHT, base = height - BOTTOM;
  const x = (i) => at1(LEFT + ((i - from) / (until - from)) * (right - LEFT));
  make(svg, { viewBox: `0 0 ${full} ${height}`, height }, []);
  const axis = timeAxis(x, right, height, base), lines = [];
  if (plot.strip) {
    for (const each of plot.lines) lines.push(shape("path", { class: each.look, d: shares(plot, each, x, base - TOP) }));
  } else {
    const most_ = Math.max(...plots.filter((other) => other === plot || (plot.scale && other.scale === plot.scale && other.service === plot.service))
      .flatMap((other) => other.lines.map(most)), plot.least ? 1 : 0.01);
    const step = niceStep(most_, height / 34, plot.least), top = Math.max(most_ * 1.04, step);
    const y = (value) => at1(base - (value / top) * (base - TOP));
    axis.push(...valueAxis(y, top, step, right));
    for (const each of plot.lines) {
      lines.push(shape("path", { class: each.kind === "area" ? each.look : `${each.kind} ${each.look}`, d: outline(each, x, y) }));
      if (each.floor) lines.push(shape("path", { class: each.floor, d: outline(each, x, y, low) }));
    }
  }
  plot.x = x;
  plot.named.forEach((each, k) => { plot.values[k].style.minWidth = `${room(plot, each)}ch`; });
  plot.mark = shape("rect", { class: "chosen", y: TOP, height: base - TOP, width: 0 });
  plot.cursor = shape("path", { class: "cursor" });
  svg.replaceChildren(...axis, ...lines, plot.mark, plot.cursor);
  svg.dataset.drawn = lines.filter((each) => each.getAttribute("d")).length;
  svg.setAttribute("aria-label", `${plot.title}, ${plot.unit}, ${plot.of}: ${plot.lines.filter((each) => each.label)
    .map((each) => `${each.label} ${reading(plot, each)}`).join("; ")}`);
}
function room(plot, each) { // characters that a reading can take: the legend must not wrap anew under the pointer
  if (each.kind === "share") return 7;
  const longest = number(most(each), each.digits).length, span = each.total ? longest : 2 * longest + 1;
  return Math.max(4 + longest, each.asked ? 2 * span + 4 : span);
}
function drawAll() { plots.forEach(draw); read(); }

// --- the cursor and the span --------------------------------------------------------------------

function read() {
  for (const plot of plots) {
    plot.values.forEach((node, k) => { node.textContent = reading(plot, plot.named[k]); });
    plot.cursor.setAttribute("d", cursor === null ? "" : `M${plot.x(cursor + 0.5)} ${TOP}V${plot.height - BOTTOM}`);
    const other = grip && cursor !== null ? cursor : null;
    const [a, b] = other === null ? [from, from] : [Math.min(grip.i, other), Math.max(grip.i, other) + 1];
    make(plot.mark, { x: plot.x(a), width: at1(plot.x(b) - plot.x(a)) }, []);
  }
  document.getElementById("when").textContent = cursor === null
    ? `${instant(start + from * width)} to ${instant(Math.min(start + until * width, end))} UTC` : `${instant(start + cursor * width)} UTC`;
  document.getElementById("whole").disabled = from === 0 && until === count;
}
function show(a, b) {
  from = Math.max(0, Math.min(a, count - 2)); until = Math.min(count, Math.max(b, from + 2));
  cursor = null;
  drawAll();
}
function place(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
  return Math.max(from, Math.min(until - 1, from + Math.floor(share * (until - from))));
}
function listen(svg) {
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    grip = { i: place(event), x: event.clientX };
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => { cursor = place(event); read(); });
  svg.addEventListener("pointerup", (event) => {
    const held = grip, i = place(event);
    grip = null;
    if (held && Math.abs(event.clientX - held.x) > 5) show(Math.min(held.i, i), Math.max(held.i, i) + 1);
    else read();
  });
  svg.addEventListener("pointercancel", () => { grip = null; read(); });
  svg.addEventListener("pointerleave", () => { if (!grip) { cursor = null; read(); } });
  svg.addEventListener("dblclick", () => show(0, count));
  svg.addEventListener("keydown", onKey);
}
function onKey(event) {
  const here = cursor ?? Math.floor((from + until) / 2), step = event.shiftKey ? Math.ceil((until - from) / 20) : 1;
  const quarter = Math.ceil((until - from) / 4), wide = until - from;
  const acts = {
    ArrowLeft: () => { cursor = Math.max(from, here - step); read(); },
    ArrowRight: () => { cursor = Math.min(until - 1, here + step); read(); },
    "+": () => show(here - quarter, here + quarter), "-": () => show(here - wide, here + wide), Escape: () => show(0, count),
  };
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
}

// --- the page -----------------------------------------------------------------------------------

function figure(spec, service) {
  const named = spec.lines.filter((each) => each.label), values = named.map(() => element("b"));
  const legend = element("ul", { class: "legend" }, ...named.map((each, k) => element("li", {}, swatch(each), each.label, values[k])));
  const svg = shape("svg", { class: "plot", role: "img", tabindex: 0 });
  plots.push({ ...spec, service, svg, named, values });
  listen(svg);
  return element("figure", {}, element("p", {}, spec.title, element("small", {}, spec.unit)), legend, svg);
}
function swatch(each) {
  const d = each.kind === "line" ? "M0 6H18" : each.kind === "band" ? "M0 3H18V9H0Z" : "M1 1H17V11H1Z";
  const look = each.kind === "area" ? each.floor || each.look : `${each.kind} ${each.look}`;
  return shape("svg", { viewBox: "0 0 18 12", "aria-hidden": true }, shape("path", { class: look, d }));
}
function build() {
  plots = [];
  const total = document.querySelector("#total .plots");
  if (total) total.replaceChildren(figure(comparison("Cost since the start", "USD, all services", "all services", 2, sumOfCosts), null));
  document.querySelectorAll(".service").forEach((section, k) => {
    const box = section.querySelector(".plots");
    if (!section.open) return box.replaceChildren();
    const name = report.services[k], shown = [...chosen].sort((a, b) => a - b).filter((at) => serviceOf(runs[at], name));
    return box.replaceChildren(
      figure(comparison("Cost since the start", "USD", name, 2, (run) => serviceOf(run, name)?.usd), name),
      figure(comparison("Late requests since the start", "requests", name, 0, (run) => serviceOf(run, name)?.late), name),
      ...shown.map((at) => element("div", { class: shown.length === 1 ? "run wide" : "run" }, element("h3", {}, runs[at].name),
        ...ofRun(runs[at], serviceOf(runs[at], name)).map((spec) => figure(spec, name)))));
  });
  drawAll();
  page.dataset.plots = plots.length;
}
function sumOfCosts(run) {
  if (!run.services.length) return null;
  return Array.from({ length: count }, (_, i) => run.services.reduce((sum, service) => sum + (service.usd[i] ?? 0), 0));
}
runs.forEach((run, at) => {
  if (!run.services.length) return;
  const box = element("input", { type: "checkbox" });
  box.checked = chosen.has(at);
  box.addEventListener("change", () => { if (box.checked) chosen.add(at); else chosen.delete(at); build(); });
  document.getElementById("runs").append(element("label", {}, box, run.name));
});
document.getElementById("whole").addEventListener("click", () => show(0, count));
addEventListener("resize", () => requestAnimationFrame(drawAll));
build();
// The browser tells of the sections that were open from the start as well, after the script; nothing is new then.
document.querySelectorAll(".service").forEach((section) => section.addEventListener("toggle", () => {
  if (section.open !== section.querySelector(".plots").hasChildNodes()) build();
}));
})();

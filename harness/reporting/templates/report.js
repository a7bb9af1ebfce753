"use strict";
const ROW = { folder: 0, episode: 1, seed: 2, home: 3, state: 4, error: 5, numbers: 6 };
const STATE_NAMES = { ok: "solved", failed: "failed", error: "error", timeout: "timeout", planned: "not played" };
const ROWS_AT_ONCE = 200;
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const readJson = (id) => JSON.parse(byId(id).textContent);
const once = (make) => { let value; return () => (value ??= make()); };
const table = readJson("table-data");
const details = once(() => readJson("detail-data"));      // parsed when the first episode is opened,
const pictures = once(() => readJson("picture-data"));    // so that the page itself opens at once

function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}
function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
function fixed(value, digits) {
  return value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");
}

// ---- the table of episodes

const filter = { state: "", home: "", text: "", sort: null, descending: false };
let order = [];      // indices of the rows that pass the filter, sorted
let drawnRows = 0;   // how many of them are in the page

function columns() {
  const names = [
    { label: "Episode", at: ROW.episode }, ...(table.severalSeeds ? [{ label: "Seed", at: ROW.seed, number: true }] : []),
    { label: "Home", at: ROW.home }, { label: "Result", at: ROW.state },
  ];
  const numbers = table.columns.map((column, i) => ({ ...column, at: ROW.numbers + i, number: true }));
  return [...names, ...numbers];
}

function passes(row) {
  if (filter.state && row[ROW.state] !== filter.state) return false;
  if (filter.home && row[ROW.home] !== filter.home) return false;
  if (!filter.text) return true;
  return [row[ROW.episode], row[ROW.home], row[ROW.error]].some((text) => text.toLowerCase().includes(filter.text));
}

function compare(a, b) {
  const left = table.rows[a][filter.sort], right = table.rows[b][filter.sort];
  if (left === right) return a - b;
  if (left === null) return 1;
  if (right === null) return -1;
  const sign = typeof left === "number" ? left - right : left.localeCompare(right);
  return filter.descending ? -sign : sign;
}

function showTable() {
  order = table.rows.map((_, i) => i).filter((i) => passes(table.rows[i]));
  if (filter.sort !== null) order.sort(compare);
  const body = byId("table").tBodies[0];
  body.replaceChildren();
  drawnRows = 0;
  showMoreRows();
  byId("shown").textContent = order.length === table.rows.length
    ? `${order.length} episodes` : `${order.length} of ${table.rows.length} episodes`;
}

function showMoreRows() {
  const next = order.slice(drawnRows, drawnRows + ROWS_AT_ONCE);
  byId("table").tBodies[0].append(...next.map((i) => tableRow(table.rows[i])));
  drawnRows += next.length;
  byId("more").textContent = drawnRows < order.length ? `${order.length - drawnRows} more below` : "";
}

function tableRow(row) {
  const link = element("a", { href: episodeHash(row) }, row[ROW.episode]);
  const cells = [element("td", {}, link)];
  if (table.severalSeeds) cells.push(element("td", { class: "num" }, String(row[ROW.seed])));
  cells.push(element("td", {}, row[ROW.home]), element("td", {}, stateMark(row), STATE_NAMES[row[ROW.state]]));
  if (row[ROW.error]) cells.push(element("td", { class: "err", colspan: Math.max(1, table.columns.length) }, row[ROW.error]));
  else table.columns.forEach((column, i) => {
    cells.push(element("td", { class: "num" }, fixed(row[ROW.numbers + i], column.digits)));
  });
  return element("tr", { "data-folder": row[ROW.folder] }, ...cells);
}

function stateMark(row) { return element("i", { class: `state ${row[ROW.state]}` }); }
function episodeHash(row) { return `#episode=${encodeURIComponent(row[ROW.folder])}`; }

function showHead() {
  const cells = columns().map((column) => {
    const sortBy = () => {
      filter.descending = filter.sort === column.at ? !filter.descending : Boolean(column.number);
      filter.sort = column.at;
      markSorted();
      showTable();
    };
    const unit = column.unit ? ` ${column.unit}` : "";
    const button = element("button", { type: "button", title: column.title, onclick: sortBy }, column.label + unit);
    return element("th", { scope: "col", class: column.number ? "num" : null, "data-at": column.at }, button);
  });
  byId("table").tHead.replaceChildren(element("tr", {}, ...cells));
}

function markSorted() {
  for (const cell of byId("table").tHead.rows[0].cells) {
    const sorted = Number(cell.dataset.at) === filter.sort;
    if (sorted) cell.setAttribute("aria-sort", filter.descending ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  }
}

function connectFilters() {
  const homes = [...new Set(table.rows.map((row) => row[ROW.home]))].sort();
  byId("home").append(...homes.map((home) => element("option", { value: home }, home)));
  byId("home").addEventListener("change", (event) => { filter.home = event.target.value; showTable(); });
  byId("search").addEventListener("input", (event) => { filter.text = event.target.value.toLowerCase(); showTable(); });
  for (const button of document.querySelectorAll("button[data-state]")) {
    button.addEventListener("click", () => {
      filter.state = button.dataset.state;
      document.querySelectorAll("button[data-state]").forEach((b) => b.setAttribute("aria-pressed", b === button));
      showTable();
    });
  }
  byId("table").tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) location.hash = `episode=${encodeURIComponent(row.dataset.folder)}`;
  });
  new IntersectionObserver((entries) => { if (entries[0].isIntersecting) showMoreRows(); }, { rootMargin: "1200px" })
    .observe(byId("more"));
}

// ---- one episode

const dialog = byId("episode");

function showFromHash() {
  const match = location.hash.match(/^#episode=(.+)$/);
  const folder = match ? decodeURIComponent(match[1]) : null;
  const row = folder === null ? null : table.rows.find((r) => r[ROW.folder] === folder);
  if (!row) { if (dialog.open) dialog.close(); return; }
  const detail = details().episodes[folder];
  dialog.replaceChildren(episodeBar(row), detail ? episodeBody(row, detail) : episodeWithoutDetails(row));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function step(row, by) {
  const here = order.findIndex((i) => table.rows[i] === row);
  const next = table.rows[order[here + by]];
  if (here >= 0 && next) location.replace(episodeHash(next));
}

function closeEpisode() {
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (dialog.open) dialog.close();
}

function episodeBar(row) {
  const button = (text, label, action) => element("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
  return element("div", { class: "bar-top" },
    element("h2", { id: "episode-title", tabindex: "-1", autofocus: "" }, row[ROW.episode]),
    element("span", { class: `badge ${row[ROW.state]}` }, STATE_NAMES[row[ROW.state]]),
    element("span", { class: "muted" }, `${row[ROW.home]} · seed ${row[ROW.seed]}`),
    element("nav", {},
      button("←", "Previous episode (left arrow)", () => step(row, -1)),
      button("→", "Next episode (right arrow)", () => step(row, 1)),
      button("Close", "Close (Escape)", closeEpisode)));
}

function episodeWithoutDetails(row) {
  const played = row[ROW.state] === "ok" || row[ROW.state] === "failed";
  const body = element("div", { class: "two" });
  if (!played) {
    body.append(element("p", {}, row[ROW.error] || "This episode has not been played."));
    return body;
  }
  const at = table.columns.findIndex((column) => column.name === "decisions");
  const count = at < 0 ? 0 : row[ROW.numbers + at];
  const strips = Array.from({ length: count }, (_, i) => element("section", { class: "decision" },
    element("h3", {}, `Decision ${i + 1}`), picture(row, stripName(i), "real above, imagined below", "picture")));
  body.append(
    element("div", { class: "side" }, goalPicture(row), video(row),
      element("p", { class: "note" }, "The map and the scores of this episode are in its trajectory.json; this file holds those of the first episodes.")),
    element("div", {}, ...strips));
  return body;
}

function episodeBody(row, detail) {
  const cards = detail.decisions.map((decision, i) => decisionCard(row, decision, i));
  const map = drawMap(detail, cards);
  cards.forEach((card, i) => {
    card.addEventListener("pointerenter", () => map.light(i));
    card.addEventListener("pointerleave", () => map.light(-1));
  });
  return element("div", { class: "two" },
    element("div", { class: "side" }, element("div", {}, element("h3", {}, "From above"), map.node),
      goalPicture(row), facts(row, detail), video(row)),
    element("div", {}, ...cards));
}

const STOPPED = { self: "the agent itself", oracle: "the oracle", budget: "the budget of decisions" };

function facts(row, detail) {
  const list = element("dl");
  const add = (name, value) => list.append(element("dt", {}, name), element("dd", {}, value));
  add("Ended by", STOPPED[detail.stopped] ?? detail.stopped);
  add("Shortest way m", fixed(detail.geodesic, 2));
  table.columns.forEach((column, i) => {
    const value = row[ROW.numbers + i];
    if (value !== null) add(`${column.label} ${column.unit}`.trim(), fixed(value, column.digits));
  });
  return element("div", {}, element("h3", {}, "Numbers"), list);
}

function stripName(index) { return `decision-${String(index).padStart(2, "0")}.jpg`; }

function picture(row, name, text, classes) {
  const key = `${row[ROW.folder]}/${name}`;
  const url = pictures()[key] ?? `episodes/${encodeURIComponent(row[ROW.folder])}/${name}`;
  const image = element("img", { src: url, alt: text, class: classes, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(
    element("p", { class: "warn" }, `${name} was not found: keep the folder episodes/ beside this file.`)));
  return image;
}

function goalPicture(row) {
  return element("div", {}, element("h3", {}, "Goal"), picture(row, "goal.jpg", "what the agent looks for", "picture goal-picture"));
}

function video(row) {
  const source = `episodes/${encodeURIComponent(row[ROW.folder])}/video.mp4`;
  const player = element("video", { src: source, controls: "", preload: "none", class: "picture" });
  player.addEventListener("error", () => player.replaceWith(
    element("p", { class: "warn" }, "video.mp4 was not found: keep the folder episodes/ beside this file.")));
  return element("div", {}, element("h3", {}, "Video"), player);
}

function decisionCard(row, decision, index) {
  const stayed = decision.chosen < 0;
  const choice = stayed ? "stayed: the agent stopped itself"
    : `took end ${decision.chosen + 1} of ${decision.scores.length}, from ${decision.candidates} candidates`;
  const change = decision.after - decision.before;
  const moved = element("span", { class: "moved" }, `${fixed(decision.before, 2)} → ${fixed(decision.after, 2)} m `,
    stayed ? "" : element("span", { class: change < 0 ? "closer" : "farther" }, `${change < 0 ? "−" : "+"}${fixed(Math.abs(change), 2)}`));
  const bumps = decision.steps.filter((s) => s[3]).length;
  const notes = [choice, `${decision.rollouts} rollouts`];
  if (bumps) notes.push(`${bumps} ${bumps === 1 ? "step" : "steps"} in contact`);
  return element("section", { class: "decision", id: `decision-${index}` },
    element("header", {}, element("h3", {}, `Decision ${index + 1}`), element("span", { class: "muted" }, notes.join(" · ")), moved),
    drawScores(decision), decisionStrip(row, decision, index));
}

function drawScores(decision) {
  const all = [...decision.scores, decision.stay];
  const low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
  const x = (score) => `${3 + 94 * (score - low) / span}%`;
  const chosen = decision.chosen < 0 ? null : decision.scores[decision.chosen];
  const node = drawn("svg", { class: "scores", role: "img", "aria-label": "scores of all ends" },
    drawn("title", {}, "Each tick is the score of one imagined end; the dot was chosen, the diamond is staying."),
    drawn("line", { class: "axis-line", x1: "3%", x2: "97%", y1: 12, y2: 12 }),
    ...decision.scores.map((score) => drawn("line", { class: "end", x1: x(score), x2: x(score), y1: 6, y2: 18 })));
  const anchor = (score) => (score - low) / span > 0.8 ? "end" : (score - low) / span < 0.2 ? "start" : "middle";
  node.append(drawn("svg", { x: x(decision.stay), y: 12, overflow: "visible" }, drawn("path", { class: "stay", d: "M0 -6L6 0L0 6L-6 0Z" })));
  if (chosen !== null) node.append(drawn("circle", { class: "chosen", cx: x(chosen), cy: 12, r: 6 }));
  const near = chosen !== null && Math.abs(chosen - decision.stay) / span < 0.25;
  if (near) {
    const text = `chosen ${fixed(chosen, 3)} · staying ${fixed(decision.stay, 3)}`;
    node.append(drawn("text", { x: x(chosen), y: 31, "text-anchor": anchor(chosen) }, text));
  } else {
    node.append(drawn("text", { x: x(decision.stay), y: 31, "text-anchor": anchor(decision.stay) }, `staying ${fixed(decision.stay, 3)}`));
    if (chosen !== null) node.append(drawn("text", { x: x(chosen), y: 31, "text-anchor": anchor(chosen) }, `chosen ${fixed(chosen, 3)}`));
  }
  return node;
}

function decisionStrip(row, decision, index) {
  const shown = decision.shown;
  const line = (texts) => element("div", { class: "cols" }, ...texts.map((text) => element("span", {}, text)));
  const strip = element("div", { class: "strip", style: `--columns:${shown.length + 1}` },
    element("div", { class: "head" }, "step"), line(["before", ...shown.map(String)]),
    element("div", { class: "rows" }, element("b", {}, "real"), element("b", {}, "imagined")),
    element("div", { class: "sheet" },
      picture(row, stripName(index), `Decision ${index + 1}: real views above, imagined views below`, "picture")));
  for (const [name, values] of Object.entries(decision.gap)) {
    const digits = name === "psnr" ? 1 : 2;
    strip.append(element("div", { class: "head" }, name.toUpperCase()),
      line(["", ...shown.map((number) => fixed(values[number - 1], digits))]));
  }
  return strip;
}

// ---- the map: metres, x right, z down; a heading of 0 looks up, left is positive

function drawMap(detail, cards) {
  const points = [detail.start, ...detail.decisions.flatMap((d) => d.steps)];
  const box = viewBox([...points, detail.goal]);
  const unit = box.width / 100;
  const map = details().maps[detail.map];
  const lit = drawn("polyline", { class: "lit" });
  const node = drawn("svg", { class: "map", role: "img", "aria-label": "walkable area, path, start and goal from above",
    viewBox: `${box.x} ${box.z} ${box.width} ${box.height}` });
  if (map) node.append(drawn("path", { class: "floor", d: map.path, "shape-rendering": "crispEdges",
    transform: `translate(${map.x} ${map.z}) scale(${map.cell})` }));
  const [goalX, goalZ, goalYaw, radius] = detail.goal;
  node.append(drawn("circle", { class: "radius", cx: goalX, cy: goalZ, r: radius }),
    arrow(detail.goal, 7 * unit, "arrow"), drawn("circle", { class: "goal", cx: goalX, cy: goalZ, r: 2 * unit }),
    drawn("polyline", { class: "path", points: line(points) }), lit,
    ...points.filter((p) => p[3]).map((p) => drawn("circle", { class: "bump", cx: p[0], cy: p[1], r: 1.6 * unit })),
    arrow(detail.start, 7 * unit, "start-arrow"));
  const starts = decisionPaths(detail);
  starts.forEach((path, i) => node.append(decisionMark(path[0], i, unit, cards)));
  node.append(endMark(points[points.length - 1], unit));
  node.append(scaleBar(box, unit), ...legendTexts(detail, unit));
  return { node, light: (index) => {
    lit.setAttribute("points", index < 0 ? "" : line(starts[index]));
    cards.forEach((card, i) => card.classList.toggle("lit", i === index));
  } };
}

function decisionPaths(detail) {
  let at = detail.start;
  return detail.decisions.map((decision) => {
    const path = [at, ...decision.steps];
    at = path[path.length - 1];
    return path;
  });
}

function decisionMark(at, index, unit, cards) {
  const go = () => cards[index].scrollIntoView({ behavior: "smooth", block: "center" });
  return drawn("g", {}, drawn("circle", { class: "stop", cx: at[0], cy: at[1], r: 3 * unit, onclick: go }),
    drawn("text", { x: at[0], y: at[1], "font-size": 3.8 * unit }, String(index + 1)));
}

function endMark(at, unit) {
  return drawn("g", {}, drawn("title", {}, "where the episode ended"),
    drawn("circle", { class: "start", cx: at[0], cy: at[1], r: 1.8 * unit }));
}

function legendTexts(detail, unit) {
  return [drawn("text", { x: detail.goal[0], y: detail.goal[1] + detail.goal[3] + 4 * unit, "font-size": 4 * unit }, "goal")];
}

function scaleBar(box, unit) {
  const x = box.x + 4 * unit, z = box.z + box.height - 4 * unit;
  return drawn("g", {}, drawn("line", { class: "scale", x1: x, x2: x + 1, y1: z, y2: z }),
    drawn("text", { x: x + 0.5, y: z - 3 * unit, "font-size": 4 * unit }, "1 m"));
}

function arrow(pose, length, classes) {
  const angle = pose[2] * Math.PI / 180;
  return drawn("line", { class: classes, x1: pose[0], y1: pose[1],
    x2: pose[0] - length * Math.sin(angle), y2: pose[1] - length * Math.cos(angle) });
}

function line(points) { return points.map((p) => `${p[0]},${p[1]}`).join(" "); }

function viewBox(points) {
  const margin = 1.3, least = 5;
  const xs = points.map((p) => p[0]), zs = points.map((p) => p[1]);
  const size = Math.max(least, Math.max(...xs) - Math.min(...xs) + 2 * margin, Math.max(...zs) - Math.min(...zs) + 2 * margin);
  return { x: (Math.min(...xs) + Math.max(...xs) - size) / 2, z: (Math.min(...zs) + Math.max(...zs) - size) / 2, width: size, height: size };
}

// ---- start

showHead();
connectFilters();
showTable();
window.addEventListener("hashchange", showFromHash);
dialog.addEventListener("close", closeEpisode);
dialog.addEventListener("keydown", (event) => {
  if (event.target.tagName === "VIDEO") return;
  const row = table.rows.find((r) => `#episode=${encodeURIComponent(r[ROW.folder])}` === location.hash);
  if (row && event.key === "ArrowLeft") step(row, -1);
  if (row && event.key === "ArrowRight") step(row, 1);
});
window.addEventListener("DOMContentLoaded", () => {
  showFromHash();
  document.documentElement.dataset.readyMs = performance.now().toFixed(0);
});

// A comparison of runs: their episodes paired in a table, and each pair opened with all walks on one map and the decisions
// side by side.
const ROW = { folder: 0, episode: 1, seed: 2, home: 3, states: 4 };
const RUNS = table.runs.length;

function stateOf(row, run) { return row[ROW.states + run]; }
function solved(row, run) { return stateOf(row, run) === "ok"; }
function numberAt(run, column) { return ROW.states + RUNS + run * table.columns.length + column; }
function runMark(run) { return element("i", { class: `run-mark run-${run % 6}` }); }

function columns() {
  const names = [
    { label: "Episode", at: ROW.episode }, ...(table.severalSeeds ? [{ label: "Seed", at: ROW.seed, number: true }] : []),
    { label: "Home", at: ROW.home },
  ];
  const runs = table.runs.flatMap((run, i) => [
    { label: run.label, at: ROW.states + i },
    ...table.columns.map((column, c) => ({ ...column, at: numberAt(i, c), number: true })),
  ]);
  return [...names, ...runs];
}

// ---- filters by who solved what

const OUTCOMES = [
  { name: "", label: "all", holds: () => true },
  ...table.runs.map((run, i) => ({ name: `only-${i}`, label: `only ${run.label} solved`, run: i,
    holds: (row) => table.runs.every((_, other) => solved(row, other) === (other === i)) })),
  ...(RUNS > 2 ? [{ name: "differ", label: "runs differ", holds: (row) => !everyRun(row, true) && !everyRun(row, false) }] : []),
  { name: "every", label: RUNS > 2 ? "all solved" : "both solved", holds: (row) => everyRun(row, true) },
  { name: "none", label: RUNS > 2 ? "none solved" : "neither solved", holds: (row) => everyRun(row, false) },
];

function everyRun(row, value) { return table.runs.every((_, run) => solved(row, run) === value); }

function passes(row) {
  if (!OUTCOMES.find((outcome) => outcome.name === filter.state).holds(row)) return false;
  if (filter.home && row[ROW.home] !== filter.home) return false;
  return !filter.text || [row[ROW.episode], row[ROW.home]].some((text) => text.toLowerCase().includes(filter.text));
}

function showOutcomes() {
  byId("outcomes").append(...OUTCOMES.map((outcome) => element("button",
    { type: "button", "data-state": outcome.name, "aria-pressed": String(outcome.name === "") },
    outcome.run === undefined ? null : runMark(outcome.run), outcome.label, " ",
    element("b", {}, String(table.rows.filter(outcome.holds).length)))));
}

function tableRow(row) {
  const cells = [element("td", {}, element("a", { href: episodeHash(row) }, row[ROW.episode]))];
  if (table.severalSeeds) cells.push(element("td", { class: "num" }, String(row[ROW.seed])));
  cells.push(element("td", {}, row[ROW.home]));
  table.runs.forEach((_, run) => {
    const state = stateOf(row, run);
    cells.push(element("td", { class: "of-run" }, stateMark(state), STATE_NAMES[state]));
    table.columns.forEach((column, c) => {
      cells.push(element("td", { class: "num" }, fixed(row[numberAt(run, c)], column.digits)));
    });
  });
  return element("tr", { "data-folder": row[ROW.folder] }, ...cells);
}

// ---- one pair

function place(row, run) {
  const folder = row[ROW.folder];
  return { key: `${run}/${folder}`, url: `${table.runs[run].url}/${encodeURIComponent(folder)}` };
}

function episodeNodes(row) {
  const found = details().episodes[row[ROW.folder]] ?? table.runs.map(() => null);
  const badges = table.runs.map((run, i) => {
    const node = badge(stateOf(row, i), run.label);
    node.prepend(runMark(i));
    return node;
  });
  const scored = found.some((detail) => detail !== null && detail.decisions.some((d) => d.scores.length));
  const scores = scored ? element("div", { class: "score-marks" }, scoreMarks()) : null;
  return { badges, body: element("div", {}, pairHead(row, found), scores, pairWalks(row, found)) };
}

function pairHead(row, found) {
  const played = found.findIndex((detail) => detail !== null);
  const goal = picture(place(row, Math.max(0, played)), "goal.jpg", "what the agent looks for", "picture goal-picture");
  const words = played >= 0 && found[played].words;
  const walks = played < 0 ? ["–"] : [drawWalks(found), mapMarks(...pairMarks())];
  return element("div", { class: "pair-head" },
    words ? asked(found[played]) : element("div", {}, element("h3", {}, "From above"), ...walks),
    element("div", {}, element("h3", {}, "Goal"), goal), pairNumbers(row, found));
}

function pairMarks() {
  const circle = (classes, r) => icon(drawn("circle", { class: classes, cx: 10, cy: 7, r }));
  return [
    ...table.runs.map((run, i) => [runMark(i), `walk of ${run.label}`]),
    [circle("stop", 2.6), "a decision was made here"], [circle("start", 4.4), "end, in the colour of its run"],
  ];
}

function pairNumbers(row, found) {
  const body = element("tbody");
  const add = (name, values) => body.append(element("tr", {}, element("th", { scope: "row" }, name),
    ...values.map((value) => element("td", { class: "num" }, value))));
  add("Ended by", found.map((detail) => detail ? STOPPED[detail.stopped] ?? detail.stopped : "–"));
  table.columns.forEach((column, c) => add(`${column.label} ${column.unit}`.trim(),
    table.runs.map((_, run) => fixed(row[numberAt(run, c)], column.digits))));
  add("Contacts", found.map((detail) => detail ? String(detail.decisions.flatMap((d) => d.steps).filter((s) => s[3]).length) : "–"));
  const shortest = found.find((detail) => detail !== null && detail.geodesic !== null);
  return element("div", {}, element("h3", {}, "Numbers"),
    element("table", { class: "plain" }, element("thead", {}, element("tr", {}, element("th"),
      ...table.runs.map((run, i) => element("th", { class: "num" }, runMark(i), run.label)))), body),
    shortest ? element("p", { class: "note" }, `The shortest way is ${fixed(shortest.geodesic, 2)} m.`) : null);
}

function pairWalks(row, found) {
  const grid = element("div", { class: "walks" });
  table.runs.forEach((run, i) => {
    const column = `grid-column:${i + 1}`;
    grid.append(element("h3", { class: `run-${i % 6}`, style: column }, runMark(i), run.label));
    const cards = walkCards(row, found[i], i);
    cards.forEach((card, at) => {
      card.setAttribute("style", `${column};grid-row:${at + 2}`);
      grid.append(card);
    });
  });
  return grid;
}

// Of pairs beyond the size of this file only the number of decisions is known here; their strips load from the run.
function walkCards(row, detail, run) {
  if (detail) return detail.decisions.map((decision, i) => decisionCard(place(row, run), decision, i));
  const state = stateOf(row, run);
  if (state !== "ok" && state !== "failed") return [element("p", { class: "muted" }, STATE_NAMES[state])];
  const count = row[numberAt(run, table.columns.findIndex((column) => column.name === "decisions"))] ?? 0;
  return Array.from({ length: count }, (_, i) => element("section", { class: "decision" },
    element("h3", {}, `Decision ${i + 1}`), picture(place(row, run), stripName(i), "real above, imagined below", "picture")));
}

function drawWalks(found) {
  const walks = found.map((detail, run) => ({ detail, run })).filter((walk) => walk.detail !== null);
  const first = walks[0].detail;
  const { node, box, unit } = mapFrame(walks.map((walk) => walk.detail), details().maps[first.map]);
  walks.forEach(({ detail, run }, at) => {                 // later runs are thinner: where walks are one, all show
    const points = walkPoints(detail);
    const [endX, endZ] = points[points.length - 1];
    node.append(drawn("g", { class: `run-${run % 6}` },
      drawn("title", {}, table.runs[run].label),
      drawn("polyline", { class: "walk", points: line(points), "stroke-width": 3 + 3 * (walks.length - 1 - at) }), ...bumps(points, unit),
      ...decisionPaths(detail).slice(1).map((path) => drawn("circle", { class: "walk-stop", cx: path[0][0], cy: path[0][1], r: 1.3 * unit })),
      drawn("circle", { class: "walk-end", cx: endX, cy: endZ, r: 2.2 * unit })));
  });
  node.append(arrow(first.start, 7 * unit, "start-arrow"),
    drawn("circle", { class: "start", cx: first.start[0], cy: first.start[1], r: 1.8 * unit }),
    scaleBar(box, unit), ...goalText(first, unit));
  return node;
}

showOutcomes();
openPage();

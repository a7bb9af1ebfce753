// The report of one run: its episodes in a table, and each of them opened.
const ROW = { folder: 0, episode: 1, seed: 2, home: 3, state: 4, error: 5, numbers: 6 };

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

function tableRow(row) {
  const link = element("a", { href: episodeHash(row) }, row[ROW.episode]);
  const cells = [element("td", {}, link)];
  if (table.severalSeeds) cells.push(element("td", { class: "num" }, String(row[ROW.seed])));
  cells.push(element("td", {}, row[ROW.home]), element("td", {}, stateMark(row[ROW.state]), STATE_NAMES[row[ROW.state]]));
  if (row[ROW.error]) cells.push(element("td", { class: "err", colspan: Math.max(1, table.columns.length) }, row[ROW.error]));
  else table.columns.forEach((column, i) => {
    cells.push(element("td", { class: "num" }, fixed(row[ROW.numbers + i], column.digits)));
  });
  return element("tr", { "data-folder": row[ROW.folder] }, ...cells);
}

// ---- one episode

function episodeNodes(row) {
  const detail = details().episodes[row[ROW.folder]];
  return { badges: [badge(row[ROW.state])], body: detail ? episodeBody(row, detail) : episodeWithoutDetails(row) };
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
    element("h3", {}, `Decision ${i + 1}`), picture(place(row), stripName(i), "real above, imagined below", "picture")));
  body.append(
    element("div", { class: "side" }, goalPicture(row), video(row),
      element("p", { class: "note" }, "The map and the scores of this episode are in its trajectory.json; this file holds those of the first episodes.")),
    element("div", {}, ...strips));
  return body;
}

function episodeBody(row, detail) {
  const cards = detail.decisions.map((decision, i) => decisionCard(place(row), decision, i));
  return element("div", { class: "two" },
    element("div", { class: "side" }, detail.words ? asked(detail) : mapOf(detail, cards), goalPicture(row), facts(row, detail), video(row)),
    element("div", { class: "decisions" }, detail.decisions.some((d) => d.scores.length) ? scoreMarks() : null, ...cards));
}

function mapOf(detail, cards) {
  const map = drawMap(detail, cards);
  cards.forEach((card, i) => {
    card.addEventListener("pointerenter", () => map.light(i));
    card.addEventListener("pointerleave", () => map.light(-1));
  });
  return element("div", {}, element("h3", {}, "From above"), map.node, mapMarks(...walkMarks()));
}

function facts(row, detail) {
  const list = element("dl");
  const add = (name, value) => list.append(element("dt", {}, name), element("dd", {}, value));
  add("Ended by", STOPPED[detail.stopped] ?? detail.stopped);
  if (detail.geodesic !== null) add("Shortest way m", fixed(detail.geodesic, 2));
  table.columns.forEach((column, i) => {
    const value = row[ROW.numbers + i];
    if (value !== null) add(`${column.label} ${column.unit}`.trim(), fixed(value, column.digits));
  });
  return element("div", {}, element("h3", {}, "Numbers"), list);
}

function place(row) {
  return { key: row[ROW.folder], url: `episodes/${encodeURIComponent(row[ROW.folder])}` };
}

function goalPicture(row) {
  return element("div", {}, element("h3", {}, "Goal"), picture(place(row), "goal.jpg", "what the agent looks for", "picture goal-picture"));
}

function video(row) {
  const source = `${place(row).url}/video.mp4`;
  // Its first bytes are read at once: a player of a file that is not there looks like one that waits for a click.
  const player = element("video", { controls: "", preload: "metadata", class: "picture" });
  player.addEventListener("error", () => player.replaceWith(element("p", { class: "warn" },
    `${source} was not found or cannot be played: keep the folder episodes/ beside this file.`)));
  player.src = source;
  return element("div", {}, element("h3", {}, "Video"), player);
}

// ---- paper

const ON_PAPER = 3;  // episodes: each takes about a page

// Paper has no dialogs: the opened episode is printed with its decisions, or else the first ones of the table.
function fillPaper() {
  const opened = table.rows.filter((row) => episodeHash(row) === location.hash);
  const rows = opened.length ? opened : order.map((i) => table.rows[i]).filter((row) => details().episodes[row[ROW.folder]]).slice(0, ON_PAPER);
  const cards = rows.map((row) => {
    const { badges, body } = episodeNodes(row);
    for (const player of body.querySelectorAll("video")) player.parentElement.remove();
    for (const image of body.querySelectorAll("img")) Object.assign(image, { loading: "eager", decoding: "sync" });
    return element("article", {}, element("header", {}, element("h3", {}, row[ROW.episode]), ...badges), body);
  });
  const left = table.rows.length - rows.length;
  const more = left ? [element("p", { class: "note" }, `${rows.length} of ${table.rows.length} episodes; report.html opens them all, and prints the one that is open.`)] : [];
  byId("paper").replaceChildren(...(rows.length ? [element("h2", {}, "Decisions"), ...more, ...cards] : []));
}

window.addEventListener("beforeprint", fillPaper);
window.addEventListener("afterprint", () => byId("paper").replaceChildren());

openPage();

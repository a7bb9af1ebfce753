// An opened episode: a dialog that the address names, so that it can be linked to and stepped through. A page that
// includes this defines episodeNodes(row): the badges of the dialog's head, and its body.
const details = once(() => readJson("detail-data"));      // parsed when the first episode is opened,
const pictures = once(() => readJson("picture-data"));    // so that the page itself opens at once
const dialog = byId("episode");

function showFromHash() {
  const match = location.hash.match(/^#episode=(.+)$/);
  const folder = match ? decodeURIComponent(match[1]) : null;
  const row = folder === null ? null : table.rows.find((r) => r[ROW.folder] === folder);
  if (!row) { if (dialog.open) dialog.close(); return; }
  const { badges, body } = episodeNodes(row);
  dialog.replaceChildren(episodeBar(row, badges), body);
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

function episodeBar(row, badges) {
  const button = (text, label, action) => element("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
  return element("div", { class: "bar-top" },
    element("h2", { id: "episode-title", tabindex: "-1", autofocus: "" }, row[ROW.episode]),
    ...badges,
    element("span", { class: "muted" }, `${row[ROW.home]} · seed ${row[ROW.seed]}`),
    element("nav", {},
      button("←", "Previous episode (left arrow)", () => step(row, -1)),
      button("→", "Next episode (right arrow)", () => step(row, 1)),
      button("Close", "Close (Escape)", closeEpisode)));
}

function badge(state, name = "") {
  return element("span", { class: `badge ${state}` }, `${name} ${STATE_NAMES[state]}`.trim());
}

function openPage() {
  showHead();
  connectFilters();
  showTable();
  window.addEventListener("hashchange", showFromHash);
  dialog.addEventListener("close", closeEpisode);
  dialog.addEventListener("keydown", (event) => {
    if (event.target.tagName === "VIDEO") return;
    const row = table.rows.find((r) => episodeHash(r) === location.hash);
    if (row && event.key === "ArrowLeft") step(row, -1);
    if (row && event.key === "ArrowRight") step(row, 1);
  });
  window.addEventListener("DOMContentLoaded", () => {
    showFromHash();
    document.documentElement.dataset.readyMs = performance.now().toFixed(0);
  });
}

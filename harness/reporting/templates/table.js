// The table of episodes: filtered, sorted, drawn as it is scrolled. A page that includes this defines ROW (the indices of
// a row: folder, episode, seed and home are the first four), columns(), passes(row) and tableRow(row).
const ROWS_AT_ONCE = 200;

const table = readJson("table-data");
const filter = { state: "", home: "", text: "", sort: null, descending: false };
let order = [];      // indices of the rows that pass the filter, sorted
let drawnRows = 0;   // how many of them are in the page

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

// Paper has no scrolling: every row that passes the filter is drawn before the page is printed.
function showAllRows() { while (drawnRows < order.length) showMoreRows(); }

function episodeHash(row) { return `#episode=${encodeURIComponent(row[ROW.folder])}`; }
function stateMark(state) { return element("i", { class: `state ${state}` }); }

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
  window.addEventListener("beforeprint", showAllRows);
  new IntersectionObserver((entries) => { if (entries[0].isIntersecting) showMoreRows(); }, { rootMargin: "1200px" })
    .observe(byId("more"));
}

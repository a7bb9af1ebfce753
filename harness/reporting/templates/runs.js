// The table of all runs: sorted by a click on a column's head, filtered by words.
const table = byId("runs");
const rows = [...table.tBodies[0].rows];

function valueOf(row, column) {
  const text = row.cells[column].dataset.sort;
  return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
}

function sortBy(column, descending) {
  const sign = descending ? -1 : 1;
  const order = (a, b) => {
    const left = valueOf(a, column), right = valueOf(b, column);
    if (left === right) return rows.indexOf(a) - rows.indexOf(b);
    return sign * (typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right)));
  };
  table.tBodies[0].append(...[...rows].sort(order));
}

[...table.tHead.rows[0].cells].forEach((cell, column) => {
  cell.querySelector("button").addEventListener("click", () => {
    const before = cell.getAttribute("aria-sort");
    const descending = before === null ? cell.dataset.first === "descending" : before === "ascending";
    [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
    cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    sortBy(column, descending);
  });
});

byId("search").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    shown += !row.hidden;
  }
  byId("shown").textContent = shown === rows.length ? `${shown} runs` : `${shown} of ${rows.length} runs`;
});

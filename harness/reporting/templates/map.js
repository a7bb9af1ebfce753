// Maps of a home: metres, x right, z down; a heading of 0 looks up, left is positive

function drawMap(detail, cards) {
  const points = walkPoints(detail);
  const { node, box, unit } = mapFrame([detail], details().maps[detail.map]);
  const lit = drawn("polyline", { class: "lit" });
  node.append(drawn("polyline", { class: "path", points: line(points) }), lit,
    ...bumps(points, unit), arrow(detail.start, 7 * unit, "start-arrow"));
  const starts = decisionPaths(detail);
  starts.forEach((path, i) => node.append(decisionMark(path[0], i, unit, cards)));
  node.append(endMark(points[points.length - 1], unit));
  node.append(scaleBar(box, unit), ...goalText(detail, unit));
  return { node, light: (index) => {
    lit.setAttribute("points", index < 0 ? "" : line(starts[index]));
    cards.forEach((card, i) => card.classList.toggle("lit", i === index));
  } };
}

// The floor and the goal of an episode (null: its task asks for no place), with room for every walk that is drawn on it.
function mapFrame(walks, map) {
  const box = viewBox(walks.flatMap((detail) => [...walkPoints(detail), ...(detail.goal ? [detail.goal] : [])]));
  const unit = box.width / 100;
  const node = drawn("svg", { class: "map", role: "img", "aria-label": "walkable area, path, start and goal from above",
    viewBox: `${box.x} ${box.z} ${box.width} ${box.height}` });
  if (map) node.append(drawn("path", { class: "floor", d: map.path, "shape-rendering": "crispEdges",
    transform: `translate(${map.x} ${map.z}) scale(${map.cell})` }));
  if (!walks[0].goal) return { node, box, unit };
  const [x, z, , radius] = walks[0].goal;
  node.append(drawn("circle", { class: "radius", cx: x, cy: z, r: radius }),
    arrow(walks[0].goal, 7 * unit, "arrow"), drawn("circle", { class: "goal", cx: x, cy: z, r: 2 * unit }));
  return { node, box, unit };
}

function walkPoints(detail) { return [detail.start, ...detail.decisions.flatMap((d) => d.steps)]; }

function bumps(points, unit) {
  return points.filter((p) => p[3]).map((p) => drawn("circle", { class: "bump", cx: p[0], cy: p[1], r: 1.6 * unit }));
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

function goalText(detail, unit) {
  if (!detail.goal) return [];
  const [x, z, , radius] = detail.goal;
  return [drawn("text", { x, y: z + radius + 4 * unit, "font-size": 4 * unit }, "goal")];
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

// What the marks of a map mean: those of every map, and `walked`, how this page draws a walk.
function mapMarks(...walked) {
  return legend([
    [icon(drawn("rect", { class: "walkable", x: 1, y: 1, width: 18, height: 12 })), "walkable"],
    [icon(drawn("rect", { class: "wall", x: 1, y: 1, width: 18, height: 12 })), "not walkable"],
    [icon(drawn("line", { class: "start-arrow", x1: 3, y1: 7, x2: 17, y2: 7 })), "start and its heading"],
    ...walked,
    [icon(drawn("circle", { class: "bump", cx: 10, cy: 7, r: 4 })), "touched something"],
    [icon(drawn("circle", { class: "radius", cx: 10, cy: 7, r: 6 }), drawn("line", { class: "arrow", x1: 10, y1: 7, x2: 18, y2: 3 }),
      drawn("circle", { class: "goal", cx: 10, cy: 7, r: 2.5 })), "goal, its heading, and what counts as reached"],
  ]);
}

function walkMarks() {
  return [
    [icon(drawn("polyline", { class: "path", points: "1,12 8,4 19,8" })), "path walked"],
    [icon(drawn("circle", { class: "stop", cx: 10, cy: 7, r: 6 }), drawn("text", { x: 10, y: 7 }, "2")), "a decision was made here"],
    [icon(drawn("circle", { class: "start", cx: 10, cy: 7, r: 4 })), "end"],
  ];
}

function icon(...parts) { return drawn("svg", { viewBox: "0 0 20 14", "aria-hidden": "true" }, ...parts); }

function legend(entries) {
  return element("ul", { class: "marks" }, ...entries.map(([mark, words]) => element("li", {}, mark, words)));
}

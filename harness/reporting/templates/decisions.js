// One played episode: its pictures and its decisions. A `place` says where an episode's files are: { key, url }, the
// prefix of its embedded pictures and the folder that they load from where they are not embedded.
const STATE_NAMES = { ok: "solved", failed: "failed", error: "error", timeout: "timeout", planned: "not played" };
const STOPPED = { self: "the agent itself", oracle: "the oracle", budget: "the budget of decisions" };

function stripName(index) { return `decision-${String(index).padStart(2, "0")}.jpg`; }

function picture(place, name, text, classes) {
  const url = pictures()[`${place.key}/${name}`] ?? `${place.url}/${name}`;
  const image = element("img", { src: url, alt: text, class: classes, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(
    element("p", { class: "warn" }, `${name} was not found: keep ${place.url} where it is, seen from this file.`)));
  return image;
}

function decisionCard(place, decision, index) {
  const stayed = decision.chosen < 0;
  const choice = stayed ? "stayed: the agent stopped itself"
    : decision.scores.length === 0 ? `took one of ${decision.candidates} candidates, unscored`
    : `took end ${decision.chosen + 1} of ${decision.scores.length}, from ${decision.candidates} candidates`;
  const change = decision.after - decision.before;
  const moved = element("span", { class: "moved" }, `${fixed(decision.before, 2)} → ${fixed(decision.after, 2)} m `,
    stayed ? "" : element("span", { class: change < 0 ? "closer" : "farther" }, `${change < 0 ? "−" : "+"}${fixed(Math.abs(change), 2)}`));
  const bumps = decision.steps.filter((s) => s[3]).length;
  const notes = [choice, `${decision.rollouts} rollouts`];
  if (bumps) notes.push(`${bumps} ${bumps === 1 ? "step" : "steps"} in contact`);
  return element("section", { class: "decision" },
    element("header", {}, element("h3", {}, `Decision ${index + 1}`), element("span", { class: "muted" }, notes.join(" · ")), moved),
    decision.scores.length ? drawScores(decision) : null, planList(decision), decisionStrip(place, decision, index),
    stepList(decision));
}

// The plans that an episode names, each with its score; null where it names none.
function planList(decision) {
  if (!decision.plans.length) return null;
  return element("ol", { class: "plans" }, ...decision.plans.map((name, i) => element("li", {},
    element(i === decision.chosen ? "b" : "span", {}, name),
    decision.scores.length ? ` ${fixed(decision.scores[i], 4)}` : "", i === decision.chosen ? " chosen" : "")));
}

// What was carried out, in words, and where something was in the way; null where steps have none.
function stepList(decision) {
  if (!decision.words.length) return null;
  return element("ol", { class: "steps" }, ...decision.words.map((words, i) =>
    element("li", {}, words, decision.steps[i][3] ? " (blocked)" : "")));
}

// What the marks of the line of scores mean, once for all decisions of an episode.
function scoreMarks() {
  return legend([
    [icon(drawn("line", { class: "end", x1: 10, x2: 10, y1: 1, y2: 13 })), "score of one end of a candidate, better to the right"],
    [icon(drawn("circle", { class: "chosen", cx: 10, cy: 7, r: 5 })), "the end that was chosen"],
    [icon(drawn("path", { class: "stay", d: "M10 2L15 7L10 12L5 7Z" })), "staying here"],
  ]);
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

function decisionStrip(place, decision, index) {
  const shown = decision.shown;
  const line = (texts) => element("div", { class: "cols" }, ...texts.map((text) => element("span", {}, text)));
  const strip = element("div", { class: "strip", style: `--columns:${shown.length + 1}` },
    element("div", { class: "head" }, "step"), line(["before", ...shown.map(String)]),
    element("div", { class: "rows" }, element("b", {}, "real"), element("b", {}, "imagined")),
    element("div", { class: "sheet" },
      picture(place, stripName(index), `Decision ${index + 1}: real views above, imagined views below`, "picture")));
  for (const [name, values] of Object.entries(decision.gap)) {
    const digits = table.gapDigits[name] ?? 2;
    strip.append(element("div", { class: "head" }, name.toUpperCase()),
      line(["", ...shown.map((number) => fixed(values[number - 1], digits))]));
  }
  return strip;
}

// What an episode asks for in words, where its task says so: such a task has no floor to draw.
function asked(detail) {
  return element("div", {}, element("h3", {}, "Asked"), element("p", {}, detail.words));
}

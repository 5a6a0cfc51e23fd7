// ---- Small things that everything below uses. Text reaches the page through
// textContent and createTextNode alone: what a model writes is never markup.

const svgNamespace = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "who") node.style.setProperty("--who", value);
    else if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== ""));
  return node;
}

const byId = (id) => document.getElementById(id);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const fixed = (value, digits) => Number.isFinite(value) ? value.toFixed(digits) : "–";
const count = (value) => value.toLocaleString("en");

function duration(microseconds) {
  if (microseconds >= 1e6) return fixed(microseconds / 1e6, 2) + " s";
  if (microseconds >= 1e3) return fixed(microseconds / 1e3, microseconds >= 1e5 ? 0 : 1) + " ms";
  return Math.round(microseconds) + " µs";
}

// What cannot be seen is drawn as what can.
const visible = (text) => text.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/\r/g, "␍").replace(/ /g, "·");

// ---- The tip that follows the pointer.

const tip = byId("tip");

function showTip(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, innerWidth - box.width - 8);
  const below = event.clientY + 18;
  tip.style.left = Math.max(8, left) + "px";
  tip.style.top = (below + box.height > innerHeight ? event.clientY - box.height - 12 : below) + "px";
}

// `textOf(target)` gives the tip of an element inside `root`, or nothing.
function addTips(root, textOf) {
  root.addEventListener("pointermove", (event) => {
    const text = textOf(event.target);
    if (text) showTip(event, text); else tip.hidden = true;
  });
  root.addEventListener("pointerleave", () => { tip.hidden = true; });
}

// ---- Bars.

// parts: [{name, value, colour, text}]
function stackedBar(parts, isLabelled) {
  const total = sum(parts.map((part) => part.value)) || 1;
  const bar = element("div", {class: "bar"});
  for (const part of parts) {
    if (part.value <= 0) continue;
    const slice = element("i", {style: `flex:${part.value / total} 1 0;background:${part.colour}`});
    slice.dataset.tip = `${part.name}: ${part.text} (${fixed(100 * part.value / total, 1)} %)`;
    bar.append(slice);
  }
  addTips(bar, (target) => target.dataset.tip);
  if (!isLabelled) return bar;
  const keys = element("ul", {class: "keys"});
  for (const part of parts) {
    if (part.value <= 0) continue;
    keys.append(element("li", {}, element("span", {class: "dot", who: part.colour}), `${part.name} `,
                        element("b", {}, part.text), ` ${fixed(100 * part.value / total, 0)} %`));
  }
  return element("div", {}, bar, keys);
}

// ---- Curves.

function niceStep(span, numSteps) {
  const raw = span / numSteps, power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
}

// At most `maxPoints` means of neighbours: thousands of rounds stay legible and light.
function thin(points, maxPoints) {
  const numGroups = Math.min(points.length, Math.floor(maxPoints)), thinned = [];
  for (let i = 0; i < numGroups; i++) {
    const group = points.slice(Math.floor(i * points.length / numGroups), Math.floor((i + 1) * points.length / numGroups));
    thinned.push([group[group.length - 1][0], sum(group.map((point) => point[1])) / group.length]);
  }
  return thinned;
}

// chart: {curves: [{name, points: [[x, y]], colour, isFilled, isDashed, isBars}], references: [{name, value}], unit, xName, digits}
function drawChart(place, chart) {
  const width = 520, height = 220, left = 40, right = 10, top = 12, bottom = 26;
  const all = chart.curves.flatMap((curve) => curve.points);
  if (all.length === 0) { place.append(element("p", {class: "hint"}, "Nothing to draw yet.")); return; }
  const margin = chart.curves.some((curve) => curve.isBars) ? 0.5 : 0;
  const lowX = all.reduce((low, point) => Math.min(low, point[0]), Infinity) - margin;
  const highX = all.reduce((high, point) => Math.max(high, point[0]), lowX + 1 - margin) + margin;
  const highY = 1.08 * Math.max(...all.map((point) => point[1]), ...chart.references.map((reference) => reference.value), 1e-9);
  const x = (value) => left + (value - lowX) / (highX - lowX) * (width - left - right);
  const y = (value) => height - bottom - value / highY * (height - top - bottom);
  const root = svg("svg", {viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img"});

  const step = niceStep(highY, 4);
  for (let value = 0; value <= highY; value += step) {
    root.append(svg("line", {class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value)}),
                svg("text", {x: left - 8, y: y(value) + 4, "text-anchor": "end"}, String(+value.toPrecision(6))));
  }
  const stepX = niceStep(highX - lowX, 5);
  for (let value = Math.ceil(lowX / stepX) * stepX; value <= highX; value += stepX) {
    if (!Number.isInteger(value)) continue;
    root.append(svg("text", {x: x(value), y: height - 8, "text-anchor": "middle"}, count(value)));
  }
  for (const reference of chart.references) {
    root.append(svg("line", {class: "reference", x1: left, x2: width - right, y1: y(reference.value), y2: y(reference.value)}));
  }
  for (const curve of chart.curves) {
    const path = curve.points.map((point, i) => `${i ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`).join("");
    if (curve.isBars) {
      const size = Math.min(36, 0.6 * (width - left - right) / curve.points.length);
      for (const point of curve.points) {
        root.append(svg("rect", {x: x(point[0]) - size / 2, y: y(point[1]), width: size, height: y(0) - y(point[1]), rx: 3,
                                 fill: curve.colour, opacity: 0.75}));
      }
    } else if (curve.isFilled) {
      const ends = [curve.points[0][0], curve.points[curve.points.length - 1][0]];
      root.append(svg("path", {class: "area", fill: curve.colour, d: `${path}L${x(ends[1])} ${y(0)}L${x(ends[0])} ${y(0)}Z`}));
    }
    if (curve.isBars) continue;
    root.append(svg("path", {class: "curve", stroke: curve.colour, d: path, "stroke-dasharray": curve.isDashed ? "5 4" : undefined}));
  }
  addCross(root, chart, {x, y, lowX, highX, left, right, top, bottom, width, height});
  place.append(root, chartKeys(chart));
}

function chartKeys(chart) {
  const keys = element("ul", {class: "keys"});
  for (const curve of chart.curves) {
    keys.append(element("li", {}, element("span", {class: curve.isDashed ? "dash" : "dot", who: curve.colour}), curve.name));
  }
  for (const reference of chart.references) {
    keys.append(element("li", {}, element("span", {class: "dash", who: "var(--quiet)"}), `${reference.name} `, element("b", {}, fixed(reference.value, chart.digits))));
  }
  return keys;
}

// The values under the pointer.
function addCross(root, chart, scale) {
  const line = svg("line", {class: "cross", y1: scale.top, y2: scale.height - scale.bottom, visibility: "hidden"});
  root.append(line);
  root.addEventListener("pointerleave", () => { line.setAttribute("visibility", "hidden"); tip.hidden = true; });
  root.addEventListener("pointermove", (event) => {
    const box = root.getBoundingClientRect();
    const inside = (event.clientX - box.left) / box.width * scale.width;
    const value = scale.lowX + (inside - scale.left) / (scale.width - scale.left - scale.right) * (scale.highX - scale.lowX);
    const lines = [];
    let place = null;
    for (const curve of chart.curves) {
      if (curve.points.length === 0) continue;
      const point = curve.points.reduce((best, other) => Math.abs(other[0] - value) < Math.abs(best[0] - value) ? other : best);
      place = point[0];
      lines.push(`${curve.name}: ${fixed(point[1], chart.digits)}`);
    }
    line.setAttribute("x1", scale.x(place));
    line.setAttribute("x2", scale.x(place));
    line.setAttribute("visibility", "visible");
    showTip(event, `${chart.xName} ${count(Math.round(place))}\n${lines.join("\n")}`);
  });
}

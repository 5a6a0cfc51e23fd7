// ---- The tree of one round. Its nodes are [piece, parent, drafter, accepted, score in 1/1000]; parents come first.

const rowHeight = 30, boxHeight = 22, columnGap = 30, maxCharacters = 22;

const shorten = (text) => [...text].length > maxCharacters ? [...text].slice(0, maxCharacters - 1).join("") + "…" : text;
// Characters of a fixed-width font; those of East Asia and pictures take two places.
const boxWidth = (label) => 16 + sum([...label].map((c) => c.codePointAt(0) > 0x2e7f ? 14.5 : 7.3));

const percent = (score) => (score > 0 && score < 0.01 ? "<1" : fixed(100 * score, 0)) + "%";

// The nodes as objects, and the model's own token after the walk as one more.
function makeNodes(round, pieces) {
  const nodes = round.nodes.map(([piece, parent, drafter, accepted, score], index) => ({
    index, parent, drafter, score: score / 1000, text: pieces[piece], children: [], depth: 0,
    kind: parent < 0 ? "root" : accepted ? "kept" : "lost"}));
  let last = null;
  for (const node of nodes) {
    if (node.parent >= 0) {
      node.depth = nodes[node.parent].depth + 1;
      nodes[node.parent].children.push(node);
      const parent = nodes[node.parent];
      node.isReached = parent.kind === "root" || parent.kind === "kept";
    }
    if (node.kind !== "lost") last = node;
  }
  const numKept = nodes.filter((node) => node.kind === "kept").length;
  if (last && round.tokens.length > numKept) {
    const own = {index: -1, parent: last.index, drafter: -1, text: pieces[round.tokens[round.tokens.length - 1]], children: [],
                 depth: last.depth + 1, kind: "bonus"};
    last.children.push(own);
    nodes.push(own);
  }
  return nodes;
}

// Places every node: the kept path runs along the top, then the likeliest. Without recursion: chains may be long.
function placeNodes(nodes) {
  const rank = (node) => node.kind === "bonus" ? 3 : node.kind === "kept" ? 2 : node.score;
  let numRows = 0;
  const stack = nodes[0] ? [nodes[0]] : [];
  const order = [];
  while (stack.length > 0) {
    const node = stack.pop();
    order.push(node);
    node.children.sort((a, b) => rank(b) - rank(a));
    if (node.children.length === 0) node.row = numRows++;
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i]);
  }
  for (const node of order.reverse()) if (node.children.length > 0) node.row = node.children[0].row;

  const widths = [];
  for (const node of nodes) {
    node.label = shorten(visible(node.text)) || "∅";
    node.chance = node.drafter >= 0 ? percent(node.score) : "";
    node.width = boxWidth(node.label) + (node.chance ? 6 + 6.2 * node.chance.length : 0);
    widths[node.depth] = Math.max(widths[node.depth] || 0, node.width);
  }
  const lefts = [12];
  widths.forEach((width, depth) => { lefts[depth + 1] = lefts[depth] + width + columnGap; });
  for (const node of nodes) { node.x = lefts[node.depth]; node.y = 12 + node.row * rowHeight; }
  return {width: lefts[widths.length] - columnGap + 12, height: 24 + numRows * rowHeight - (rowHeight - boxHeight)};
}

function describeNode(node, drafterName) {
  const verdicts = {
    root: "the token before the round",
    kept: "the model chose it too: part of the text",
    lost: node.isReached ? "the model chose another token here" : "its beginning was not chosen",
    bonus: "the model's own token: nobody had to guess it"};
  const lines = [`“${node.text}”`, verdicts[node.kind]];
  if (node.drafter >= 0) lines.push(`guessed by ${drafterName(node.drafter)}, chance ${fixed(100 * node.score, 1)} %, depth ${node.depth}`);
  return lines.join("\n");
}

function drawTree(round, pieces, drafterName, drafterColour) {
  const nodes = makeNodes(round, pieces), size = placeNodes(nodes);
  const root = svg("svg", {width: size.width, height: size.height, role: "img",
                           "aria-label": `Tree of ${round.nodes.length} nodes`});
  const byIndex = new Map(nodes.map((node) => [node.index, node]));
  const isOnPath = (node) => node.kind === "kept" || node.kind === "bonus";
  for (const node of [...nodes].sort((a, b) => isOnPath(a) - isOnPath(b))) {
    const parent = node.kind === "root" ? null : byIndex.get(node.parent);
    if (!parent) continue;
    const x0 = parent.x + parent.width, y0 = parent.y + boxHeight / 2, x1 = node.x, y1 = node.y + boxHeight / 2;
    const bend = Math.max(x0 + 4, x1 - columnGap);
    root.append(svg("path", {class: isOnPath(node) ? "edge kept" : "edge", who: node.drafter >= 0 ? drafterColour(node.drafter) : undefined,
                             d: `M${x0} ${y0}H${bend}C${bend + columnGap / 2} ${y0} ${bend + columnGap / 2} ${y1} ${x1} ${y1}`}));
  }
  for (const node of nodes) {
    const isNever = node.kind === "lost" && !node.isReached;
    const box = svg("g", {class: `node ${node.kind}${isNever ? " never" : ""}`, transform: `translate(${node.x} ${node.y})`,
                          who: node.drafter >= 0 ? drafterColour(node.drafter) : "var(--faint)"},
                    svg("rect", {width: node.width, height: boxHeight}),
                    svg("text", {x: 8, y: 15}, node.label),
                    svg("text", {x: node.width - 7, y: 15, class: "score", "text-anchor": "end"}, node.chance));
    box.dataset.node = node.index;
    root.append(box);
  }
  addTips(root, (target) => {
    const box = target.closest("g.node");
    return box ? describeNode(byIndex.get(Number(box.dataset.node)), drafterName) : "";
  });
  return element("div", {class: "tree"}, root);
}

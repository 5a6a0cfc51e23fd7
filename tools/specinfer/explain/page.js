// ---- The page.

const data = JSON.parse(byId("data").textContent);
const {pieces, rounds} = data;
const statistics = data.speculation;
const stageNames = ["draft", "forward", "verify", "commit"];
const drafterName = (index) => (statistics.drafters[index] || {name: `drafter ${index}`}).name;
const drafterColour = (index) => `var(--c${index % 8})`;
const roundTime = (round) => sum(round.times);
const keptNodes = (round) => round.nodes.filter((node) => node[1] >= 0 && node[3]);

// ---- Totals.

// Seconds and tokens of the rounds whose plain speed is known, as gains over plain decoding.
function gains() {
  const known = rounds.filter((round) => round.predicted[2] > 0 && roundTime(round) > 0);
  const plain = sum(known.map((round) => round.predicted[2])) / known.length;
  const planned = known.filter((round) => round.predicted[0] > 0 && round.predicted[1] > 0);
  return {
    plainSpeed: statistics.plain_tokens_per_second || (known.length ? 1 / plain : NaN),
    realised: known.length ? plain * sum(known.map((round) => round.tokens.length)) / (sum(known.map(roundTime)) / 1e6) : NaN,
    predicted: planned.length
      ? plain * sum(planned.map((round) => round.predicted[0])) / sum(planned.map((round) => round.predicted[1])) : NaN};
}

function figure(value, unit, name, note) {
  return element("div", {class: "figure"}, element("b", {}, value, unit ? element("small", {}, " " + unit) : ""),
                 element("span", {}, name), element("em", {}, note));
}

function showTotals() {
  const gain = gains();
  const numGuesses = sum(rounds.map((round) => Math.max(0, round.nodes.length - 1)));
  const numKept = sum(rounds.map((round) => keptNodes(round).length));
  const speed = data.num_tokens / data.decode_seconds;
  byId("subtitle").textContent = `${data.model}${data.draft ? ` with ${data.draft} guessing ahead` : ""}`
    + ` · strategy ${data.strategy} · verifier ${data.verifier} · temperature ${+data.temperature.toFixed(3)} · seed ${data.seed} · ${data.threads} threads`;
  byId("figures").append(
    figure(fixed(speed, 1), "", "tokens per second", Number.isFinite(gain.plainSpeed) ? `plain decoding: ${fixed(gain.plainSpeed, 1)}` : ""),
    figure(fixed(data.num_tokens / rounds.length, 2), "", "tokens per round", `${count(data.num_tokens)} tokens in ${count(rounds.length)} rounds`),
    figure(fixed(gain.realised, 2), "×", "gain over plain decoding", Number.isFinite(gain.predicted) ? `predicted: ${fixed(gain.predicted, 2)} ×` : ""),
    figure(numGuesses ? fixed(100 * numKept / numGuesses, 0) : "–", numGuesses ? "%" : "", "of guesses kept", `${count(numKept)} of ${count(numGuesses)}`),
    figure(fixed(data.decode_seconds, 2), "s", "to write it", `${count(data.prompt_tokens)} prompt tokens read in ${fixed(data.prefill_seconds, 2)} s`));
  const times = stageNames.map((name, i) => ({name, value: sum(rounds.map((round) => round.times[i])), colour: `var(--${name})`}));
  const other = data.decode_seconds * 1e6 - sum(times.map((part) => part.value));
  if (other > 0) times.push({name: "between rounds", value: other, colour: "var(--other)"});
  for (const part of times) part.text = duration(part.value);
  byId("stages").append(stackedBar(times, true));
}

// ---- The answer.

function showLegend() {
  const used = new Set(rounds.flatMap((round) => round.nodes.map((node) => node[2])).filter((index) => index >= 0));
  for (const index of [...used].sort()) {
    byId("legend").append(element("span", {}, element("span", {class: "dot", who: drafterColour(index)}), drafterName(index)));
  }
  if (used.size === 0) byId("legend").textContent = "Nothing was guessed: every token comes from a pass of its own.";
}

// The likeliest of the guesses at the place where the model chose another token.
function rejectedGuesses(round) {
  let last = 0;
  round.nodes.forEach((node, index) => { if (node[1] < 0 || node[3]) last = index; });
  return round.nodes.filter((node) => node[1] === last && !node[3]).sort((a, b) => b[4] - a[4]).slice(0, 2);
}

function showAnswer() {
  const place = byId("answer");
  place.classList.toggle("code", data.answer.some((token) => pieces[token[0]].includes("```")));
  data.answer.forEach(([piece, drafter, roundIndex], index) => {
    const isLastOfRound = index + 1 === data.answer.length || data.answer[index + 1][2] !== roundIndex;
    if (isLastOfRound) {
      for (const node of rejectedGuesses(rounds[roundIndex])) {
        place.append(element("span", {class: "r", who: drafterColour(node[2])}, visible(pieces[node[0]].trim())));
      }
    }
    const token = element("span", {class: drafter >= 0 ? "t g" : "t", who: drafter >= 0 ? drafterColour(drafter) : undefined}, pieces[piece]);
    token.dataset.round = roundIndex;
    token.dataset.drafter = drafter;
    place.append(token);
  });
  if (data.finish_reason !== "end") place.append(element("span", {class: "cut"}, ` [${data.finish_reason.replace("_", " ")}]`));
  addTips(place, (target) => {
    if (!target.dataset.round) return "";
    const drafter = Number(target.dataset.drafter), index = Number(target.dataset.round);
    return `${drafter >= 0 ? `guessed by ${drafterName(drafter)}` : "the model's own"} · round ${index + 1}`
      + ` gave ${rounds[index].tokens.length} tokens in ${duration(roundTime(rounds[index]))}`;
  });
  place.addEventListener("click", (event) => { if (event.target.dataset.round) openRound(Number(event.target.dataset.round)); });
  byId("show-rejected").addEventListener("change", (event) => place.classList.toggle("rejected", event.target.checked));
  byId("prompt").querySelector("pre").textContent = data.prompt;
}

// ---- Curves.

// Tokens per second over the last rounds, at each count of tokens.
function speedCurve() {
  const window = Math.max(4, Math.round(rounds.length / 40)), points = [];
  let numTokens = 0;
  rounds.forEach((round, index) => {
    numTokens += round.tokens.length;
    const recent = rounds.slice(Math.max(0, index + 1 - window), index + 1), time = sum(recent.map(roundTime));
    if (time > 0) points.push([numTokens, sum(recent.map((other) => other.tokens.length)) / time * 1e6]);
  });
  return points;
}

function showCharts() {
  const plainSpeed = gains().plainSpeed;
  drawChart(byId("speed-chart"), {
    curves: [{name: "tokens per second", points: thin(speedCurve(), 400), colour: "var(--c0)", isFilled: true}],
    references: Number.isFinite(plainSpeed) ? [{name: "plain decoding", value: plainSpeed}] : [], xName: "token", digits: 1});
  const realised = rounds.map((round, index) => [index + 1, round.tokens.length]);
  const predicted = rounds.map((round, index) => [index + 1, round.predicted[0]]).filter((point) => point[1] > 0);
  const points = Math.min(100, Math.max(12, Math.round(rounds.length / 6)));
  drawChart(byId("gain-chart"), {
    curves: [{name: "realised", points: thin(realised, points), colour: "var(--c1)", isFilled: true},
             {name: "predicted", points: thin(predicted, points), colour: "var(--c2)", isDashed: true}],
    references: [{name: "plain decoding", value: 1}], xName: "round", digits: 2});
}

// ---- Drafters and depths.

function showDrafters() {
  const drafters = statistics.drafters.filter((drafter) => drafter.num_drafts > 0);
  byId("guessing").hidden = drafters.length === 0;
  const table = element("table", {}, element("tr", {}, ...["", "drafts", "guesses", "kept", "of reached", "time"].map((name) => element("th", {}, name))));
  statistics.drafters.forEach((drafter, index) => {
    if (drafter.num_drafts === 0) return;
    const name = element("td", {}, element("span", {class: "dot", who: drafterColour(index)}), drafter.name);
    const cells = [count(drafter.num_drafts), count(drafter.num_proposed), count(drafter.num_accepted),
                   drafter.num_reached ? fixed(100 * drafter.num_accepted / drafter.num_reached, 0) + " %" : "–", duration(drafter.microseconds)];
    table.append(element("tr", {}, name, ...cells.map((text) => element("td", {}, text))));
  });
  byId("drafters").append(table);
  if (statistics.last_error_text) byId("drafters").append(element("p", {class: "hint"}, `Last failed draft: ${statistics.last_error_text}`));
  const reached = statistics.reached_by_depth, accepted = statistics.accepted_by_depth;
  drawChart(byId("depths"), {
    curves: [{name: "kept, in % of the guesses that were reached", colour: "var(--c3)", isBars: true,
              points: reached.map((value, depth) => [depth + 1, value ? 100 * accepted[depth] / value : 0])}],
    references: [], xName: "depth", digits: 0});
}

// ---- Rounds: a page of them at a time, and a tree only when its round is open.

const pageSize = 100;
let firstShown = -1;

function roundText(round) {
  const kept = keptNodes(round), place = element("span", {class: "text"});
  round.tokens.forEach((piece, index) => {
    const drafter = index < kept.length ? kept[index][2] : -1;
    place.append(element("span", {class: drafter >= 0 ? "g" : "", who: drafter >= 0 ? drafterColour(drafter) : undefined}, visible(pieces[piece])));
  });
  return place;
}

function planOf(round) {
  const [tokens, seconds, plain] = round.predicted, part = (name, value) => element("span", {}, `${name} `, element("b", {}, value));
  const plan = element("p", {class: "plan"});
  if (pieces[round.reason]) plan.append(element("span", {class: "why"}, pieces[round.reason]));
  plan.append(part("tokens", `${round.tokens.length}${tokens > 0 ? `, predicted ${fixed(tokens, 2)}` : ""}`),
              part("time", `${duration(roundTime(round))}${seconds > 0 ? `, predicted ${duration(seconds * 1e6)}` : ""}`));
  if (plain > 0) plan.append(part("a plain round", duration(plain * 1e6)));
  stageNames.forEach((name, i) => plan.append(part(name, duration(round.times[i]))));
  plan.append(part("behind", `${count(round.context)} tokens`));
  return plan;
}

function roundRow(round, index) {
  const numGuesses = Math.max(0, round.nodes.length - 1);
  const times = stageNames.map((name, i) => ({name, value: round.times[i], text: duration(round.times[i]), colour: `var(--${name})`}));
  const row = element("details", {class: "round", id: `round-${index}`}, element("summary", {},
    element("span", {class: "number"}, count(index + 1)), element("span", {}, round.strategy),
    element("span", {class: "quiet"}, numGuesses ? `${keptNodes(round).length} of ${numGuesses}` : "–"),
    roundText(round), stackedBar(times, false), element("span", {class: "time"}, duration(roundTime(round)))));
  row.addEventListener("toggle", () => {
    if (!row.open || row.children.length > 1) return;
    row.append(element("div", {class: "inside"}, planOf(round), drawTree(round, pieces, drafterName, drafterColour)));
  });
  return row;
}

function showRounds(first) {
  first = Math.max(0, Math.min(first, rounds.length - 1));
  first -= first % pageSize;
  if (first === firstShown) return;
  firstShown = first;
  const last = Math.min(first + pageSize, rounds.length);
  byId("rounds").replaceChildren(...rounds.slice(first, last).map((round, i) => roundRow(round, first + i)));
  byId("page-place").textContent = rounds.length ? `${count(first + 1)} to ${count(last)} of ${count(rounds.length)}` : "none";
  byId("previous").disabled = first === 0;
  byId("next").disabled = last >= rounds.length;
}

function openRound(index) {
  showRounds(index);
  const row = byId(`round-${index}`);
  row.open = true;
  row.classList.remove("flash");
  void row.offsetWidth;  // so that the flash begins anew
  row.classList.add("flash");
  row.scrollIntoView({block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
}

showTotals();
showLegend();
showAnswer();
showCharts();
showDrafters();
showRounds(0);
byId("previous").addEventListener("click", () => showRounds(firstShown - pageSize));
byId("next").addEventListener("click", () => showRounds(firstShown + pageSize));
// The round that kept most is open from the start.
const best = rounds.slice(0, pageSize).reduce((found, round, index, all) => keptNodes(round).length > keptNodes(all[found]).length ? index : found, 0);
if (rounds.length > 0) byId(`round-${best}`).open = true;
byId("footer").textContent = `${data.cpu}, ${data.backend}. Made by specinfer generate --explain.`;

"use strict";

// Everything that comes from the server is put in as text, never as markup.
function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

const percent = (x, digits = 1) => (x === null ? "unknown" : `${(x * 100).toFixed(digits)}%`);
const signed = (x, digits = 2) => (x === null ? "unknown" : (x > 0 ? "+" : "") + percent(x, digits));
const price = (x) => (x === null ? "unknown" : `${x.toFixed(2)} USD`);

function inWords(reason) {
  const sample = reason.match(/^sample_data_ends_([\d-]+)$/);
  if (sample) return `Sample data, ends ${sample[1]}`;
  const text = reason.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function skillWords(skill) {
  if (!skill.n || skill.directional_accuracy === null) return "Not scored out of sample yet";
  const claim = skill.shown ? "Skill shown" : "No skill shown";
  const beside = skill.baseline ? `, ${skill.baseline.replaceAll("_", " ")} ${percent(skill.baseline_accuracy)}` : "";
  return `${claim}: right ${percent(skill.directional_accuracy)} of ${skill.n} times${beside}`;
}

function rows(answer) {
  const found = [
    ["Expected return", signed(answer.expected_return)],
    ["Predicted price", price(answer.predicted_price)],
    ["Last price", price(answer.last_price)],
    ["Probability up", percent(answer.probability_up)],
  ];
  const range = answer.interval;
  if (range) {
    found.push([`${percent(range.coverage, 0)} interval`, `${range.lower.toFixed(2)} to ${price(range.upper)}`]);
    if (range.coverage_realised != null) found.push(["Held, out of sample", percent(range.coverage_realised)]);
  } else {
    found.push(["Interval", "none: too little history"]);
  }
  found.push(["Skill", skillWords(answer.skill)]);
  const mood = answer.sentiment;
  if (mood.score !== null) {
    found.push(["Headlines", `${mood.score.toFixed(2)} (${mood.method}), ${mood.used_by_model ? "used" : "not used"} by the model`]);
  }
  for (const reason of answer.degraded) found.push(["Degraded", inWords(reason)]);
  found.push(["Answered in", `${answer.latency_ms.toFixed(2)} ms`]);
  return found;
}

function definitionList(pairs) {
  const list = make("dl", undefined, "result");
  for (const [name, value] of pairs) list.append(make("dt", name), make("dd", value));
  return list;
}

function folded(title, content) {
  const box = make("details");
  box.append(make("summary", title), content);
  return box;
}

function showAnswer(target, answer) {
  const direction = { up: "up", down: "down", flat: "flat" }[answer.direction] || "flat";
  const ahead = answer.horizon_sessions === 1 ? "next session" : `next ${answer.horizon_sessions} sessions`;
  target.append(make("p", `${answer.symbol}: ${direction} over the ${ahead}`, `headline ${direction}`), definitionList(rows(answer)));
  if (answer.explanation) {
    const parts = Object.entries(answer.explanation).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    target.append(folded("What moved it", definitionList(parts.map(([name, x]) => [name, x.toPrecision(3)]))));
  }
  target.append(folded("The whole answer", make("pre", JSON.stringify(answer, null, 2))));
}

function showProblem(target, problem) {
  target.append(make("p", problem.title || "No answer", "headline failed"), make("p", problem.detail || ""));
}

async function call(path, options) {
  try {
    const response = await fetch(path, options);
    const text = await response.text();
    const json = (response.headers.get("content-type") || "").includes("json");
    return { status: response.status, text, body: json ? JSON.parse(text) : null };
  } catch (error) {
    return { status: 0, text: String(error), body: { title: "The server did not answer", detail: String(error) } };
  }
}

const post = (text) => ({ method: "POST", headers: { "content-type": "application/json" }, body: text });

function watchPredictForm(form, target) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const fields = new FormData(form);
    const question = {
      symbol: fields.get("symbol").trim(),
      news_headlines: fields.get("news_headlines").split("\n").map((line) => line.trim()).filter(Boolean),
      user_id: "dashboard",
      horizon_sessions: Number(fields.get("horizon_sessions")),
      explain: fields.get("explain") === "on",
    };
    button.disabled = true;
    const reply = await call("/predict", post(JSON.stringify(question)));
    button.disabled = false;
    target.replaceChildren();
    if (reply.status === 200) showAnswer(target, reply.body);
    else showProblem(target, reply.body || { title: `Status ${reply.status}`, detail: reply.text });
  });
}

function address(form) {
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.set(input.name, input.value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function watchTryForm(form) {
  const output = form.querySelector("output");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = form.querySelector("textarea");
    const reply = await call(address(form), body ? post(body.value) : {});
    const text = reply.body ? JSON.stringify(reply.body, null, 2) : reply.text;
    output.replaceChildren(make("p", `Status ${reply.status}`, "note"), make("pre", text));
  });
}

function watchCopy(button) {
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("pre").textContent;
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

const question = document.getElementById("question");
if (question) watchPredictForm(question, document.getElementById("answer"));
document.querySelectorAll("form.try").forEach(watchTryForm);
document.querySelectorAll(".copy button").forEach(watchCopy);

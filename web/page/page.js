// The page: what is chosen, what was measured, and what is shown of it. The measuring itself is a worker's.
import { Engine } from "./engine.js";
import { missing } from "./support.js";

const by = (id) => document.getElementById(id);
const show = (id, shown = true) => { by(id).hidden = !shown; };
const asked = new URLSearchParams(location.search);

const problem = (text) => {
  by("problem").textContent = text;
  show("problem", Boolean(text));
};

const element = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text }, properties);

// --- The device ---

let engine = null;
let spare = null; // without a device, for records alone
let onNews = () => {};

/** A worker with the device open, and what it said of it. */
const open = async () => {
  const fresh = new Engine((news) => onNews(news));
  try {
    const opened = await fresh.ask({ ask: "open" });
    engine = fresh;
    spare?.end("the other reads records as well");
    return opened;
  } catch (error) {
    fresh.end("closed");
    throw error;
  }
};

const describe = (opened) => {
  by("device-name").textContent = opened.name;
  const kind = opened.software ? [["kind", "computes on the CPU: the figures are not those of a GPU"]] : [];
  by("facts").replaceChildren(...[...opened.facts, ...kind].map(([name, value]) => {
    const row = document.createElement("div");
    row.append(element("dt", name), element("dd", value));
    return row;
  }));
  show("device");
};

const offer = ({ workloads, preset }) => {
  const named = asked.get("workloads")?.split(",");
  by("workloads").replaceChildren(...workloads.map(({ name, about }) => {
    const label = document.createElement("label");
    const checked = named ? named.includes(name) : true;
    const words = element("span", `${name} `);
    words.append(element("small", about));
    label.append(Object.assign(document.createElement("input"), { type: "checkbox", name: "workload", value: name, checked }), words);
    return label;
  }));
  const form = by("choose");
  form.elements.preset.value = asked.get("preset") ?? preset;
  const modes = asked.get("modes")?.split(",");
  for (const box of form.elements.mode) box.checked = modes ? modes.includes(box.value) : true;
  if (asked.has("time")) form.elements.time.value = asked.get("time");
  show("choose");
};

// --- What is chosen ---

const checked = (name) => [...document.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);
const chosen = () => ({
  workloads: checked("workload"),
  modes: checked("mode"),
  preset: by("choose").elements.preset.value,
  time_s: by("choose").elements.time.valueAsNumber || 0.05,
});

let planned = [];
let running = false;

/** Says what would run, before it does. */
const plan = async () => {
  if (running) return;
  const wanted = chosen();
  by("start").disabled = true;
  if (!wanted.workloads.length || !wanted.modes.length || !by("choose").checkValidity()) {
    by("about").textContent = "Choose a model, a mode and a time.";
    return;
  }
  const answer = await engine.ask({ ask: "plan", ...wanted });
  planned = answer.rows;
  const unfit = planned.filter((row) => row.unfit);
  const runs = planned.length - unfit.length;
  by("about").textContent = `${runs} ${runs === 1 ? "run" : "runs"}, up to about ${answer.about}.`;
  by("unfit").replaceChildren(...unfit.map((row) => element("li", `${row.workload} ${row.mode} does not fit this device: ${row.unfit}`)));
  show("unfit", unfit.length > 0);
  by("start").disabled = runs === 0;
};

// --- Measuring ---

let record = null; // its text, as the program wrote it
let others = []; // records to compare with
let wasHidden = false;
document.addEventListener("visibilitychange", () => { wasHidden ||= document.hidden; });

const status = (text) => {
  if (by("status").textContent !== text) by("status").textContent = text;
};
const rowOf = ({ workload, mode, batch }) => {
  const row = document.createElement("tr");
  row.append(element("td", workload), element("td", mode), element("td", batch, { className: "number" }));
  row.append(element("td", "waits", { colSpan: 5, className: "doubt" }));
  by("rows").append(row);
  return row;
};
const tell = (row, text, kind = "doubt") => {
  while (row.cells.length > 3) row.lastChild.remove();
  row.append(element("td", text, { colSpan: 5, className: kind }));
};
const fill = (row, run) => {
  row.lastChild.remove();
  for (const text of [run.samples_per_s, run.step, run.noise, run.rate]) row.append(element("td", text, { className: "number" }));
  row.append(element("td", run.passed ? run.verified : `${run.verified}: WRONG`, { className: run.passed ? "number" : "number failed" }));
  if (run.doubts.length === 0) return;
  const below = document.createElement("tr");
  const doubts = element("td", "", { colSpan: 8, className: "doubt" });
  doubts.append(element("span", run.doubts.join("; ")));
  below.append(doubts);
  row.after(below);
};

const failure = ({ workload, mode, batch }, why) => `${workload} ${mode} batch ${batch}: ${why}`;

/** One run after the other; one that fails is a row that says so, and the others go on. */
const measure = async () => {
  const fitting = planned.filter((row) => !row.unfit).map((row) => row.workload);
  const wanted = { ...chosen(), workloads: [...new Set(fitting)] };
  const queue = planned.filter((row) => wanted.workloads.includes(row.workload));
  by("rows").replaceChildren();
  const rows = queue.map((run) => rowOf(run));
  let begun = false;
  // Of runs that do not fit, and of those that end their worker: the record has not been told yet.
  let failures = planned.filter((row) => row.unfit).map((row) => failure(row, row.unfit));
  const lost = asked.get("lose")?.split(",") ?? [];
  /** A worker with a device and the record so far. A device that is lost over the ceilings is opened once more. */
  const begin = async (isLast = false) => {
    try {
      if (!engine || engine.ended) await open();
      // Stopped while it was opened.
      if (!running) return;
      status("measuring the device's ceilings");
      const lose = lost.includes("ceilings") && !isLast;
      record = (await engine.ask({ ask: "begin", ...wanted, earlier: record, failures, lose })).record;
      [begun, failures] = [true, []];
    } catch (error) {
      if (!running) return;
      engine?.end("a new one is begun");
      if (isLast) throw new Error(`The device's ceilings could not be measured: ${error.message}`);
      await begin(true);
    }
  };
  for (let at = 0; at < queue.length && running; at++) {
    const row = rows[at];
    if (queue[at].unfit) {
      tell(row, `does not fit: ${queue[at].unfit}`, "failed");
      continue;
    }
    const name = `${queue[at].workload} ${queue[at].mode}`;
    onNews = ({ part, share }) => {
      tell(row, share > 0 ? `${part} ${Math.round(share * 100)} %` : part);
      // Without the share: what is said here is read out.
      status(begun ? `${at + 1} of ${queue.length}: ${name}, ${part}` : part);
      by("progress").value = (at + (begun ? share * 0.5 : 0)) / queue.length;
    };
    try {
      if (!begun) await begin();
    } catch (error) {
      for (const left of rows.slice(at)) tell(left, "not measured");
      throw error;
    }
    if (!running) break;
    try {
      wasHidden = document.hidden;
      const lose = lost.includes(name.replace(" ", "-"));
      const answer = await engine.ask({ ask: "run", at, lose });
      record = answer.record;
      if (answer.answer === "ran") fill(row, answer.row);
      else tell(row, answer.why, "failed");
      if (wasHidden) {
        const note = `${name}: the tab was in the background meanwhile, where browsers slow pages down`;
        record = (await engine.ask({ ask: "note", text: note })).record;
        row.title = note;
      }
    } catch (error) {
      if (!running) break;
      tell(row, error.message, "failed");
      // The worker is gone or has no device: the next run begins in a new one, with the record so far.
      failures.push(failure(queue[at], error.message));
      engine?.end("a new one is begun");
      begun = false;
    }
    by("progress").value = (at + 1) / queue.length;
  }
  let why = "";
  try {
    onNews = ({ part }) => status(part);
    if (running && !begun && failures.length) await begin();
    if (running && begun) record = (await engine.ask({ ask: "end" })).record;
  } catch (error) {
    why = error.message;
  }
  if (running) {
    status(why ? `The ceilings could not be measured once more: ${why}` : "Done.");
    return;
  }
  for (const row of rows) if (row.cells[3]?.colSpan === 5 && row.cells[3].className === "doubt") tell(row, "stopped");
  status("Stopped. What was measured before is kept.");
};

const start = async () => {
  running = true;
  record = null;
  problem("");
  show("results", false);
  by("report").replaceChildren();
  show("measured");
  show("stop");
  by("start").disabled = true;
  by("measured").scrollIntoView();
  by("stop").focus();
  try {
    await measure();
  } catch (error) {
    problem(error.message);
  }
  running = false;
  onNews = () => {};
  // Where the button goes, who uses the keyboard stays.
  if (document.activeElement === by("stop")) by("status").focus({ preventScroll: true });
  show("stop", false);
  await results();
  await ready();
};

const stop = () => {
  running = false;
  engine?.end("stopped");
};

/** Opens a device where none is open, so that the next measurement can be planned. */
const ready = async () => {
  try {
    if (!engine || engine.ended) describe(await open());
    await plan();
  } catch (error) {
    problem(error.message);
  }
};

// --- The record ---

// Where there is no device records are read all the same, by a worker without one.
const reader = () => {
  if (engine && !engine.ended) return engine;
  if (!spare || spare.ended) spare = new Engine();
  return spare;
};
const hasRuns = (text) => text && JSON.parse(text).runs.length > 0;
const fileName = () => {
  const { device, created } = JSON.parse(record);
  return `${device.name}-${created.slice(0, 19)}.json`.replace(/[^A-Za-z0-9.]+/g, "-");
};

const results = async () => {
  const mine = hasRuns(record) ? [{ name: fileName(), text: record }] : [];
  const records = [...mine, ...others];
  show("results");
  show("unfold", records.length > 0);
  show("only", others.length > 0);
  for (const id of ["download", "copy"]) by(id).disabled = !mine.length;
  if (!records.length) {
    by("report").replaceChildren();
    return;
  }
  try {
    by("report").innerHTML = (await reader().ask({ ask: "report", records })).text;
  } catch (error) {
    problem(`The report could not be made: ${error.message}`);
  }
};

const download = () => {
  const link = element("a", "", { href: URL.createObjectURL(new Blob([record], { type: "application/json" })), download: fileName() });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

const copyRecord = async () => {
  const { text } = await reader().ask({ ask: "markdown", text: record });
  by("markdown").value = text;
  show("markdown");
  try {
    await navigator.clipboard.writeText(text);
    by("copy").textContent = "Copied";
  } catch {
    by("markdown").select();
    by("copy").textContent = "Copy it from below";
  }
  setTimeout(() => { by("copy").textContent = "Copy as Markdown"; }, 2000);
};

// Bytes of a record at most: one of all runs has a million or two.
const LARGEST = 1 << 26;
const add = async (files) => {
  const refused = [];
  for (const file of files) {
    try {
      if (file.size > LARGEST) throw new Error(`it is longer than ${LARGEST} bytes, as no record is`);
      const text = await file.text();
      if (text === record || others.some((other) => other.text === text)) throw new Error("it is here already");
      await reader().ask({ ask: "report", records: [{ name: file.name, text }] });
      others.push({ name: file.name, text });
    } catch (error) {
      refused.push(`${file.name} is not used: ${error.message}`);
    }
  }
  // Why there is no device stays said.
  if (refused.length || engine) problem(refused.join("; "));
  await results();
};

// --- From here on the page is live ---

by("start").form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) start();
});
by("stop").addEventListener("click", stop);
const replan = () => plan().catch((error) => problem(error.message));
by("choose").addEventListener("change", replan);
by("choose").addEventListener("click", ({ target: { dataset } }) => {
  if (!dataset?.pick) return;
  for (const box of document.querySelectorAll('input[name="workload"]')) box.checked = dataset.pick === "all";
  replan();
});
by("download").addEventListener("click", download);
by("copy").addEventListener("click", () => copyRecord().catch((error) => problem(error.message)));
by("add").addEventListener("change", async ({ target }) => {
  await add(target.files);
  // So that the same file can be chosen again.
  target.value = "";
});
by("only").addEventListener("click", () => {
  others = [];
  results();
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
for (const end of ["dragleave", "drop"]) addEventListener(end, () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  const { files } = event.dataTransfer;
  if (running) problem("Records to compare with are taken once the measurement has ended.");
  else if (files.length) add(files);
});

const why = missing(globalThis);
if (why) {
  problem(why);
} else {
  try {
    const opened = await open();
    describe(opened);
    offer(opened);
    await plan();
    if (asked.has("start")) start();
  } catch (error) {
    problem(`Nothing can be measured here: ${error.message}. The browser may have switched off WebGPU for this GPU or its driver: chrome://gpu and about:support say why.`);
  }
}

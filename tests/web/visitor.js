import { missing } from "./support.js";

// Uses the page as a visitor would, in a frame, and tells the test what was seen.
const frame = document.querySelector("iframe");
const inside = () => frame.contentDocument;
const by = (id) => inside().getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// Long enough for any machine: what takes too long is a matter for a benchmark.
const until = async (what, seconds = 3600) => {
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; await pause(50)) if (what()) return;
  throw new Error(`waited ${seconds} seconds for ${what}; the page says: ${by("status")?.textContent} ${by("problem")?.textContent}`);
};
const load = (query, width = 1280, page = "index.html") => new Promise((resolve) => {
  frame.style.width = `${width}px`;
  frame.onload = resolve;
  frame.src = `${page}?${query}`;
});
const isReady = () => by("start") && !by("choose").hidden && !by("start").disabled;
const isDone = () => by("stop").hidden && !by("results").hidden;
const rows = () => [...by("rows").rows].filter((row) => row.cells.length > 1).map((row) => [...row.cells].map((cell) => cell.textContent));
// The report comes last, with the record in it.
const recordText = async () => {
  await until(() => by("record-0"));
  return by("record-0").textContent;
};
const fits = () => {
  const width = inside().documentElement.clientWidth;
  const over = [...inside().querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".table, .drawing, #tip, .skip"));
  return over.map((one) => one.outerHTML.slice(0, 120));
};

const visits = {
  // Every workload in both modes.
  async all() {
    await load("preset=tiny&time=0.05");
    await until(isReady);
    by("start").click();
    await until(isDone);
    return { rows: rows(), record: await recordText(), sections: [...inside().querySelectorAll("#report section")].map((one) => one.id), over: fits() };
  },
  // A device that is lost, work that is stopped, and a second run in the same page.
  async mishaps() {
    const seen = {};
    await load("preset=tiny&time=0.05&workloads=memnet,autoenc&modes=infer&lose=ceilings,memnet-infer");
    await until(isReady);
    by("start").click();
    await until(isDone);
    seen.lost = { rows: rows(), record: await recordText() };
    await until(isReady);
    by("start").click();
    await until(() => !by("stop").hidden && rows().length === 2);
    const before = performance.now();
    by("stop").focus();
    by("stop").click();
    await until(isDone);
    seen.stopped = { ms: performance.now() - before, rows: rows(), status: by("status").textContent, focus: inside().activeElement.id };
    // Stopped once a row was there, which is kept.
    await load("preset=tiny&time=0.05&workloads=memnet,autoenc&modes=infer");
    await until(isReady);
    by("start").click();
    await until(() => rows()[0]?.length > 4);
    by("stop").click();
    await until(isDone);
    seen.late = { rows: rows(), record: await recordText() };
    await until(isReady, 60);
    await load("preset=tiny&time=0.05&workloads=memnet&modes=infer");
    for (const name of ["first", "second"]) {
      await until(isReady);
      // The second as where a visitor turns to another tab.
      if (name === "second") Object.defineProperty(inside(), "hidden", { value: true });
      by("start").click();
      await until(() => !by("stop").hidden);
      await until(isDone);
      seen[name] = { rows: rows(), record: await recordText() };
    }
    by("copy").click();
    await until(() => by("markdown").value.length > 0);
    seen.markdown = by("markdown").value;
    const give = (name, text) => {
      const given = new DataTransfer();
      given.items.add(new File([text], name));
      by("add").files = given.files;
      by("add").dispatchEvent(new Event("change"));
    };
    give("broken.json", "{}");
    await until(() => !by("problem").hidden);
    seen.refused = by("problem").textContent;
    give("reference.json", await (await fetch("reference.json")).text());
    await until(() => inside().querySelectorAll(".cards .card").length === 2, 60);
    seen.beside = [...inside().querySelectorAll(".cards h3")].map((one) => one.textContent);
    give("twin.json", await (await fetch("reference.json")).text());
    await until(() => !by("problem").hidden);
    seen.twin = by("problem").textContent;
    give("endless.json", new Blob(Array(65).fill(new Uint8Array(1 << 20))));
    await until(() => by("problem").textContent.startsWith("endless"));
    seen.endless = by("problem").textContent;
    return seen;
  },
  // One run by itself, and how long after the button its row came.
  async timed(query) {
    await load(query);
    await until(isReady);
    const before = performance.now();
    by("start").click();
    await until(() => rows()[0]?.length > 4 || isDone());
    const ms = performance.now() - before;
    await until(isDone);
    return { ms, rows: rows(), record: await recordText() };
  },
  // A browser whose GPU has no clock for pages.
  async blunt() {
    await load("preset=tiny&time=0.05&workloads=memnet,autoenc", 1280, "blunt.html");
    await until(isReady);
    const facts = by("facts").textContent;
    by("start").click();
    await until(isDone);
    return { facts, rows: rows(), record: await recordText() };
  },
  // What a phone, a desk and a dark room show, before anything is measured.
  async looks() {
    const seen = [];
    for (const width of [390, 1280, 1920]) {
      await load("", width);
      await until(isReady);
      const ground = () => inside().defaultView.getComputedStyle(inside().body).backgroundColor;
      const before = ground();
      by("theme").click();
      const unnamed = [...inside().querySelectorAll("input, button")].filter((one) => !one.closest("label") && !one.textContent && !one.ariaLabel);
      seen.push({ width, over: fits(), themes: [before, ground()], unnamed: unnamed.map((one) => one.outerHTML), device: by("device-name").textContent });
    }
    return seen;
  },
  // What the browser's own compiler says of kernels.
  async kernels() {
    const texts = await (await fetch("kernels.json")).json();
    const device = await (await navigator.gpu.requestAdapter()).requestDevice();
    const said = [];
    for (const [label, code] of texts) {
      const { messages } = await device.createShaderModule({ label, code }).getCompilationInfo();
      said.push(...messages.map(({ type, message, lineNum }) => `${label}, line ${lineNum}: ${type}: ${message}`));
    }
    return { read: texts.length, said };
  },
  // A browser that lacks something.
  async lacking() {
    await load("");
    await until(() => !by("problem").hidden);
    const has = { isSecureContext: true, navigator: { gpu: {} }, WebAssembly: { Suspending: {}, promising: {} } };
    return {
      problem: by("problem").textContent,
      form: by("choose").hidden,
      whole: missing(has),
      insecure: missing({ ...has, isSecureContext: false }),
      blind: missing({ ...has, navigator: {} }),
      unable: missing({ ...has, WebAssembly: {} }),
    };
  },
};

const [, port, visit, query] = location.hash.match(/^#(\d+)-(\w+)-?(.*)$/);
const tell = (what) => fetch(`http://127.0.0.1:${port}/`, { method: "POST", mode: "no-cors", body: JSON.stringify(what) });
visits[visit](query).then((seen) => tell({ seen }), (error) => tell({ error: String(error) }));

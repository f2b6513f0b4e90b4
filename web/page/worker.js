// Holds the program and the device, away from the page, which stays live meanwhile.
import init, { ask, answered, give_reference, references } from "./fathom_web.js";

const program = init();

// Of all brands that a browser names, the one that people call it by.
const browser = () => {
  const brands = (navigator.userAgentData?.brands ?? []).filter(({ brand }) => !/not.?a.?brand/i.test(brand));
  const known = brands.find(({ brand }) => brand !== "Chromium") ?? brands[0];
  if (known) return `${known.brand} ${known.version}`;
  const [, firefox] = navigator.userAgent.match(/Firefox\/([\d.]+)/) ?? [];
  if (firefox) return `Firefox ${firefox}`;
  const [, safari] = navigator.userAgent.match(/Version\/([\d.]+).*Safari/) ?? [];
  return safari ? `Safari ${safari}` : "a browser";
};

// The least step that the page's clock makes.
const clockResolution = () => {
  let least = Infinity;
  for (let steps = 0; steps < 20; steps++) {
    const before = performance.now();
    let now = before;
    while (now === before) now = performance.now();
    least = Math.min(least, now - before);
  }
  return Math.max(1, Math.round(least * 1e6));
};

const surroundings = async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("the browser offers this page no GPU");
  const { vendor, architecture, device, description } = adapter.info;
  return {
    adapter: { vendor, architecture, device, description },
    browser: browser(),
    user_agent: navigator.userAgent,
    os: navigator.userAgentData?.platform || navigator.userAgent.match(/\(([^;)]+)/)?.[1] || "unknown",
    cores: navigator.hardwareConcurrency ?? null,
    clock_resolution_ns: clockResolution(),
  };
};

// What a score is measured against, fetched when one is first asked for.
const scored = ["report", "markdown"];
const fetched = new Set();
const fetchReferences = () => Promise.all(references().map(async (preset) => {
  if (fetched.has(preset)) return;
  try {
    const response = await fetch(new URL(`reference-${preset}.json`, import.meta.url));
    if (!response.ok) return;
    give_reference(preset, await response.text());
    fetched.add(preset);
  } catch {
    // Without it there is no score, which the report says; the next question asks again.
  }
}));

const answer = async (question) => {
  const { answer } = await program;
  if (scored.includes(question.ask)) await fetchReferences();
  const whole = question.ask === "open" ? { ...question, ...(await surroundings()) } : question;
  ask(JSON.stringify(whole));
  await WebAssembly.promising(answer)();
  return JSON.parse(answered());
};

// One question at a time: there is one stack.
let last = Promise.resolve();
addEventListener("message", ({ data: { id, question } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, answer: await answer(question) });
    } catch (error) {
      postMessage({ id, ended: String(error?.message ?? error) });
    }
  });
});

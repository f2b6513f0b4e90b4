"use strict";
// Filters, and speed-ups to a chosen device. What is chosen stands in the address, so that it can be sent on.
const NARROW = 1400;
const filters = document.getElementById("filters");
const parts = [...document.querySelectorAll("section.preset")];
const devices = (part) => [...part.querySelectorAll("tr[data-slug]")];
const chosen = (part) => part.querySelector(".against select");

const filter = () => {
  const { vendor, backend, preset, mode, software } = filters.elements;
  for (const part of parts) {
    part.hidden = preset.value !== "" && part.dataset.preset !== preset.value;
    part.querySelector("table").dataset.shown = mode.value;
    for (const row of devices(part)) {
      const fits = (field) => field.value === "" || row.dataset[field.name] === field.value;
      row.hidden = !(fits(vendor) && fits(backend) && (software.checked || !("software" in row.dataset)));
    }
    for (const divider of part.querySelectorAll(".divider")) {
      divider.hidden = [...divider.nextElementSibling.rows].every((row) => row.hidden);
    }
  }
};

// What cells hold where nothing is compared, and in which order the rows come.
const before = new Map();
for (const part of parts) {
  for (const row of devices(part)) {
    for (const cell of row.cells) before.set(cell, { html: cell.innerHTML, ...cell.dataset, doubted: cell.classList.contains("doubted") });
  }
}
const order = new Map(parts.map((part) => [part, devices(part).map((row) => [row.parentElement, row])]));

// The steps of a part's devices, and the rules by which they are compared.
const steps = new Map(parts.map((part) => [part, JSON.parse(document.getElementById(`steps-${part.dataset.preset}`).textContent)]));

// How many times as fast a device is in a cell, and the ends of the interval: those of the two steps, which are known
// apart from each other, taken together (their logarithms' squares add up).
const ratio = ([base, baseLow, baseHigh], [other, low, high]) => {
  const value = base / other;
  const apart = (...shares) => Math.exp(Math.hypot(...shares.map(Math.log)));
  return [value, value / apart(base / baseLow, high / other), value * apart(baseHigh / base, other / low)];
};
// How wide a cell's part in the whole is: by its interval, or by the noise between runs where that is more.
const deviation = ({ least, deviations, normal95 }, base, other, [, low, high]) => {
  const floor = Math.max(base.least, other.least, deviations * Math.sqrt((base.variance ?? NaN) + (other.variance ?? NaN)));
  return Math.max(floor / deviations, Math.log(high / low) / (2 * normal95));
};
// A step by its own clock, or by the wall clock where the other has no other: a peer.
const timed = (step, other) => (step.clock !== other.clock && step.wall ? { ...step, ...step.wall } : step);
/** The speed of one device over another: in each cell that both have run, and on the whole. */
const speeds = ({ rules, devices, unlike }, chosen, slug) => {
  const [base, other] = [devices[chosen], devices[slug]];
  const why = unlike[base.kind][other.kind];
  if (why) return { why };
  const cells = {};
  const [logs, squares] = [[], []];
  for (const step of other.cells) {
    const same = base.cells.find(({ cell, batch }) => cell === step.cell && batch === step.batch);
    if (!same) continue;
    const [ours, theirs] = [timed(same, step), timed(step, same)];
    const speed = ratio(ours.ns, theirs.ns);
    cells[step.cell] ??= speed;
    logs.push(Math.log(speed[0]));
    squares.push(deviation(rules, ours, theirs, speed) ** 2);
  }
  if (!logs.length) return { why: "the two have no run in common" };
  const sum = (all) => all.reduce((a, b) => a + b, 0);
  const whole = Math.exp(sum(logs) / logs.length);
  const reach = Math.exp(rules.normal95 * Math.sqrt(sum(squares)) / logs.length);
  return { cells, whole: [whole, whole / reach, whole * reach] };
};

const put = (cell, text, small, tip, sort) => {
  cell.textContent = text;
  if (small) cell.append(Object.assign(document.createElement("small"), { textContent: small }));
  cell.dataset.tip = tip;
  if (sort === undefined) delete cell.dataset.sort;
  else cell.dataset.sort = sort;
  cell.classList.remove("doubted");
};
const digits = (x) => (x >= 99.5 ? x.toFixed(0) : x.toPrecision(3));
const speedUp = (cell, speed, name) => {
  if (!speed) return put(cell, "-", "", `${name}: not measured on both`);
  const [value, low, high] = speed;
  const isKnown = Number.isFinite(low) && Number.isFinite(high);
  const [shown, interval] = [`${digits(value)}x`, isKnown ? `${digits(low)} to ${digits(high)}` : "too few steps for an interval"];
  return put(cell, shown, interval, `${name}: ${shown} as fast, ${interval}`, value);
};
// A speed-up is to be doubted where one of its two steps is.
const doubt = (cell, others) => {
  const same = others.filter((other) => other.dataset.cell === cell.dataset.cell);
  if (![cell, ...same].some((one) => before.get(one).doubted)) return;
  cell.classList.add("doubted");
  cell.dataset.tip += "; a step of the two is doubted";
};
const restore = (part) => {
  part.classList.remove("compared");
  for (const row of devices(part)) {
    for (const cell of row.cells) {
      const { html, tip, sort, doubted } = before.get(cell);
      cell.innerHTML = html;
      for (const [name, value] of Object.entries({ tip, sort })) {
        if (value === undefined) delete cell.dataset[name];
        else cell.dataset[name] = value;
      }
      cell.classList.toggle("doubted", doubted);
    }
    row.classList.remove("base");
  }
  for (const [body, row] of order.get(part)) body.append(row);
};
const show = (part) => {
  const slug = chosen(part).value;
  restore(part);
  part.querySelector("th.whole .sort").textContent = slug === "" ? "score" : "speed-up";
  if (slug === "") return;
  part.classList.add("compared");
  const base = devices(part).find((row) => row.dataset.slug === slug);
  const held = base ? [...base.querySelectorAll("td.cell")] : [];
  for (const row of devices(part)) {
    const whole = row.querySelector("td.whole");
    const cells = [...row.querySelectorAll("td.cell")];
    const name = row.querySelector("a").textContent;
    if (row.dataset.slug === slug) {
      row.classList.add("base");
      put(whole, "1", "", `${name}: what the others are compared with`, 1);
      continue;
    }
    const found = speeds(steps.get(part), slug, row.dataset.slug);
    if (found.why) {
      const why = `${name} cannot be compared: ${found.why}`;
      for (const cell of cells) put(cell, "-", "", why);
      put(whole, "unlike", "", why);
      continue;
    }
    speedUp(whole, found.whole, `${name}, on the whole`);
    for (const cell of cells) {
      speedUp(cell, found.cells[cell.dataset.cell], `${name}, ${cell.dataset.cell}`);
      if (found.cells[cell.dataset.cell]) doubt(cell, held);
    }
  }
  // The fastest first; what cannot be compared comes last.
  for (const body of part.querySelectorAll("tbody:not(.divider)")) {
    const speed = (row) => Number(row.querySelector("td.whole").dataset.sort ?? -1);
    body.append(...[...body.rows].sort((a, b) => speed(b) - speed(a)));
  }
};

const remember = () => {
  const state = new URLSearchParams();
  for (const field of filters.elements) {
    const value = field.type === "checkbox" ? (field.checked ? "" : "no") : field.value;
    if (value !== "") state.set(field.name, value);
  }
  for (const part of parts) if (chosen(part).value !== "") state.set(`against-${part.dataset.preset}`, chosen(part).value);
  history.replaceState(null, "", `#${state}`);
};
const recall = () => {
  const state = new URLSearchParams(location.hash.slice(1));
  // Both modes need the width of a desk.
  if (innerWidth < NARROW) filters.elements.mode.value = "train";
  for (const field of filters.elements) {
    const value = state.get(field.name);
    if (field.type === "checkbox") field.checked = value !== "no";
    else if (value !== null && [...field.options].some((option) => option.value === value)) field.value = value;
  }
  for (const part of parts) {
    const value = state.get(`against-${part.dataset.preset}`);
    if (value && [...chosen(part).options].some((option) => option.value === value)) chosen(part).value = value;
  }
};

recall();
filters.hidden = false;
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("change", () => { filter(); remember(); });
for (const part of parts) {
  part.querySelector(".against").hidden = false;
  chosen(part).addEventListener("change", () => { show(part); remember(); });
  if (chosen(part).value !== "") show(part);
}
filter();
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.sort");
  if (button) sortBy(button);
});

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

const loaded = new Map();
const waiting = new Map();
// Called by the file of a device.
const against = (slug, others) => waiting.get(slug)(others);
const load = (slug) => {
  if (!loaded.has(slug)) {
    loaded.set(slug, new Promise((resolve, reject) => {
      waiting.set(slug, resolve);
      const script = document.createElement("script");
      script.setAttribute("src", `against/${slug}.js`);
      script.onerror = () => reject(new Error(`against/${slug}.js is missing`));
      document.head.append(script);
    }));
  }
  return loaded.get(slug);
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
  const [shown, interval] = [`${digits(value)}x`, `${digits(low)} to ${digits(high)}`];
  return put(cell, shown, interval, `${name}: ${shown} as fast, ${interval}`, value);
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
const show = async (part) => {
  const slug = chosen(part).value;
  const status = part.querySelector("[role=status]");
  const heading = part.querySelector("th.whole .sort");
  status.textContent = "";
  if (slug === "") {
    restore(part);
    heading.textContent = "score";
    return;
  }
  let others;
  try {
    others = await load(slug);
  } catch (why) {
    status.textContent = why.message;
    return;
  }
  // Another may have been chosen meanwhile.
  if (chosen(part).value !== slug) return;
  restore(part);
  part.classList.add("compared");
  heading.textContent = "speed-up";
  for (const row of devices(part)) {
    const whole = row.querySelector("td.whole");
    const cells = [...row.querySelectorAll("td.cell")];
    const name = row.querySelector("a").textContent;
    if (row.dataset.slug === slug) {
      row.classList.add("base");
      whole.dataset.sort = 1;
      put(whole, "1", "", `${name}: what the others are compared with`, 1);
      continue;
    }
    const found = others[row.dataset.slug];
    if (!found || found.why) {
      for (const cell of [whole, ...cells]) put(cell, "-", "", `${name} cannot be compared: ${found?.why ?? "nothing is known"}`);
      put(whole, "unlike", "", `${name} cannot be compared: ${found?.why ?? "nothing is known"}`);
      continue;
    }
    speedUp(whole, found.whole, `${name}, on the whole`);
    for (const cell of cells) speedUp(cell, found.cells[cell.dataset.cell], `${name}, ${cell.dataset.cell}`);
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
    else if (value !== null && [...field.options].some((option) => option.value === value || option.text === value)) field.value = value;
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

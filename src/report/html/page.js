"use strict";
// Sorts and copies tables, shows exact figures, changes the theme, hands out the records.
const root = document.documentElement;
const theme = document.getElementById("theme");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
const showTheme = () => {
  theme.textContent = isDark() ? "Light theme" : "Dark theme";
  theme.setAttribute("aria-pressed", String(isDark()));
};
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
});
prefersDark.addEventListener("change", showTheme);
showTheme();

// A figure sorts by its value, a word by its letters; what is missing comes last either way.
const key = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
};
const compare = (a, b, sign) => {
  const missing = (x) => x === "" || x === "-";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), "en", { numeric: true });
};
const sortBy = (button) => {
  const head = button.parentElement;
  const body = head.closest("table").tBodies[0];
  // Figures begin with the largest, words with A.
  const first = head.classList.contains("number") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const one of head.parentElement.cells) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...body.rows];
  rows.sort((a, b) => compare(key(a, head.cellIndex), key(b, head.cellIndex), sign));
  body.append(...rows);
};

const say = (button, text) => {
  const before = button.textContent;
  button.textContent = text;
  setTimeout(() => { button.textContent = before; }, 1500);
};
const copyByHand = (text) => {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
};
const copy = async (button) => {
  const rows = [...button.closest("table").rows];
  const text = rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join("\t")).join("\n");
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    done = copyByHand(text); // A page from a file may have no clipboard.
  }
  say(button, done ? "Copied" : "No clipboard");
};

// Details and records lie packed in the page: what nobody opens costs little.
const unpack = async (packed) => {
  const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).blob();
};
const unfold = async (details) => {
  const packed = details.querySelector("script.packed");
  if (!packed) return;
  packed.classList.remove("packed");
  const inside = document.createElement("div");
  inside.innerHTML = await (await unpack(packed)).text();
  packed.replaceWith(inside);
};
const unfoldAll = () => Promise.all([...document.querySelectorAll("details")].map((details) => {
  details.open = true;
  return unfold(details);
}));
// It does not bubble. Sections may come later, in a page that measures.
document.addEventListener("toggle", (event) => {
  if (event.target instanceof HTMLDetailsElement) unfold(event.target);
}, true);

const download = async (button) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await unpack(document.getElementById(button.dataset.record)));
  link.download = button.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

const tools = { sort: sortBy, copy, download };
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  for (const [name, use] of Object.entries(tools)) if (button?.classList.contains(name)) use(button);
  if (button?.id === "unfold") unfoldAll();
});

const tip = document.getElementById("tip");
const showTip = (event) => {
  const mark = event.target.closest("[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 4))}px`;
  tip.style.top = `${event.clientY + 16 + height > innerHeight ? event.clientY - height - 8 : event.clientY + 16}px`;
};
document.addEventListener("pointermove", showTip);
document.addEventListener("pointerdown", showTip);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

"use strict";
// Sorts and copies tables. What a table groups stays together: each body is sorted by itself.

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
  // Figures begin with the largest, words with A.
  const first = head.classList.contains("number") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const one of head.parentElement.cells) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  for (const body of head.closest("table").tBodies) {
    const rows = [...body.rows];
    rows.sort((a, b) => compare(key(a, head.cellIndex), key(b, head.cellIndex), sign));
    body.append(...rows);
  }
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

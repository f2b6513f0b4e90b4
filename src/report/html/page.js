"use strict";
// Opens details, hands out the records.

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

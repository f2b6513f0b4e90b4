"use strict";
// Light or dark, as the reader's system has it until the button is used.
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

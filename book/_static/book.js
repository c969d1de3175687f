// Small repairs that css alone cannot make. Deferred; the page reads the same without it.
"use strict";

// Columns of words in a DataFrame read from the left; numbers stay on the right.
const isNumber = (text) => /^[^A-Za-z]*$|^[-+]?[\d.,]+(e[-+]?\d+)?\s?[%×xkMGB]?$|^(nan|None)$/.test(text.trim());

function markWords(table) {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  const width = Math.max(0, ...rows.map((row) => row.cells.length));
  for (let column = 0; column < width; column += 1) {
    const cells = rows.map((row) => row.cells[column]).filter((cell) => cell && cell.tagName === "TD");
    if (cells.length === 0 || cells.every((cell) => isNumber(cell.textContent))) continue;
    const heads = table.tHead ? [...table.tHead.rows].map((row) => row.cells[column]) : [];
    for (const cell of [...cells, ...heads]) if (cell && cell.colSpan === 1) cell.classList.add("words");
  }
}

// The empty corner above a DataFrame's index is no header, so nothing should call it one.
function mendCorner(table) {
  for (const head of table.querySelectorAll("thead th")) {
    if (head.textContent.trim() !== "") continue;
    const cell = document.createElement("td");
    for (const { name, value } of head.attributes) cell.setAttribute(name, value);
    head.replaceWith(cell);
  }
}

// A box that scrolls must be reachable with the keyboard.
function makeReachable(box) {
  if (box.scrollWidth <= box.clientWidth + 1) return;
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", "Wide content, scrolls sideways");
}

// The visible words must be part of a control's accessible name; the theme's labels differ.
function mendNames() {
  for (const button of document.querySelectorAll(".search-button-field, .theme-switch-button")) {
    button.removeAttribute("aria-label");
    if (button.textContent.trim() === "") button.setAttribute("aria-label", button.title || "Colour mode");
  }
}

for (const table of document.querySelectorAll("table.dataframe")) {
  markWords(table);
  mendCorner(table);
}
mendNames();
window.addEventListener("load", () => {
  for (const box of document.querySelectorAll(".bd-article .output.text_html, .bd-article .pst-scrollable-table-container, .bd-article pre")) makeReachable(box);
});

// Small repairs that css alone cannot make. Deferred; the page reads the same without it.
"use strict";

// Columns of words in a DataFrame read from the left; numbers stay on the right.
const isNumber = (text) => /^[^A-Za-z]*$|^[-+]?[\d.,]+(e[-+]?\d+)?\s?[%×xkKMGTB]?$|^(nan|None)$/.test(text.trim());

function markWords(table) {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  const width = Math.max(0, ...rows.map((row) => row.cells.length));
  for (let column = 1; column <= width; column += 1) {
    // Counted from the right: on the left an index shared by several rows is missing in some.
    const cells = rows.map((row) => [...row.cells].at(-column)).filter((cell) => cell && cell.tagName === "TD");
    if (cells.length === 0 || cells.every((cell) => isNumber(cell.textContent))) continue;
    const heads = table.tHead ? [...table.tHead.rows].map((row) => [...row.cells].at(-column)) : [];
    for (const cell of [...cells, ...heads]) if (cell && cell.colSpan === 1) cell.classList.add("words");
  }
}

// A box that scrolls must be reachable with the keyboard. Boxes in a fold have no size until it
// is opened, and a turned phone has another width: hence the observer.
const BOXES = ".bd-article :is(.output, pre, div.math, mjx-container[display], .pst-scrollable-table-container)";
const boxSizes = new ResizeObserver((changes) => {
  for (const { target } of changes) makeReachable(target);
});

function makeReachable(box) {
  const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
  if (!scrolls) return box.removeAttribute("tabindex");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", "Scrolling content");
}

function watchBoxes() {
  for (const box of document.querySelectorAll(BOXES)) boxSizes.observe(box);
}

// The visible words must be part of a control's accessible name; the theme's labels differ.
function mendNames() {
  for (const button of document.querySelectorAll(".search-button-field, .theme-switch-button")) {
    button.removeAttribute("aria-label");
    if (button.textContent.trim() === "") button.setAttribute("aria-label", button.title || "Colour mode");
  }
  // The arrows that unfold the list of chapters have no words at all.
  for (const arrow of document.querySelectorAll(".bd-sidebar-primary summary")) {
    arrow.setAttribute("aria-label", `Pages of ${arrow.closest("li").querySelector("a").textContent.trim()}`);
  }
}

// The bar on the left holds the logo and the search besides its list of chapters: a landmark, too.
function mendLandmarks() {
  const bar = document.getElementById("pst-primary-sidebar");
  bar?.setAttribute("role", "navigation");
  bar?.setAttribute("aria-label", "Book");
}

for (const table of document.querySelectorAll("table.dataframe")) markWords(table);
mendNames();
mendLandmarks();
window.addEventListener("load", () => {
  watchBoxes();
  window.MathJax?.startup?.promise.then(watchBoxes);  // set formulas are boxes of their own
});

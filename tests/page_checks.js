// What only a browser sees wrong on a page: each function gives a list of complaints in words.
// tests/test_pages.py runs them on every page of the book, and tries each on a spoilt page.
({
  article: () => document.querySelector("article") || document.body,

  // Words of an element, short enough for a complaint.
  words: (element) => `<${element.tagName.toLowerCase()}> ${(element.textContent || element.alt || "").trim().replace(/\s+/g, " ").slice(0, 60)}`,

  seen: (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0,

  // Whether scripts have set the mathematics, drawn the icons and the charts.
  ready() {
    const charts = [...document.querySelectorAll(".vega-embed")].every((chart) => chart.querySelector("svg, canvas"));
    return this.formulas().length + this.icons().length === 0 && charts;
  },

  // A reader opens every fold.
  unfold() {
    for (const fold of this.article().querySelectorAll("details")) fold.open = true;
    for (const button of this.article().querySelectorAll(".toggle-hidden > button.toggle-button")) button.click();
  },

  // Leaves of all pieces of code that look the same the first one; the others stay as plain text.
  // A page has thousands, and axe-core takes minutes to judge the contrast of each.
  thinOut() {
    const known = new Set();
    for (const piece of document.querySelectorAll(".highlight pre span[class]")) {
      const around = piece.closest(".cell_input, .cell_output, .highlight").className;
      const look = [piece.className, piece.parentElement.tagName, around].join();
      if (known.has(look)) piece.replaceWith(...piece.childNodes);
      known.add(look);
    }
    for (const code of document.querySelectorAll(".highlight pre")) code.normalize();
  },

  // Of all texts that look alike, letters and everything behind them, the first one. axe-core takes
  // seconds to judge the contrast of every text of a page, and some thirty differ.
  looks() {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = new Map();
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (texts.currentNode.data.trim() === "" || !this.judged(element)) continue;
      const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
      const look = [color, fontSize, fontWeight, textShadow, this.behind(element)].join();
      if (!found.has(look)) found.set(look, element);
    }
    return found;
  },

  // Keeps the texts whose look is none of these; gives their looks.
  keepNewLooks(known) {
    const fresh = [...this.looks()].filter(([look]) => !known.includes(look));
    this.newTexts = fresh.map(([, element]) => element);
    return fresh.map(([look]) => look);
  },

  // Whether axe-core would judge the contrast of an element's text.
  judged(element) {
    const { width, height } = element.getBoundingClientRect();
    return this.seen(element) && Math.min(width, height) > 1 && !element.closest(":disabled, [aria-disabled=true]");
  },

  behind(element) {
    const { backgroundColor, backgroundImage, opacity, filter } = getComputedStyle(element);
    const here = [backgroundColor, backgroundImage, opacity, filter].filter((value) => !["rgba(0, 0, 0, 0)", "none", "1"].includes(value));
    return element.parentElement ? [...here, this.behind(element.parentElement)].filter(String).join() : here.join();
  },

  pictures: () => [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).map((image) => `picture not loaded: ${image.src}`),

  fonts: () => [...document.fonts].filter((font) => font.status === "error").map((font) => `font not loaded: ${font.family}`),

  // Font Awesome's script turns each mark of an icon into a drawing.
  icons: () => [...document.querySelectorAll(":is(i, span):is(.fa-solid, .fa-brands, .fa-regular, .fas, .fab, .far)")].filter((icon) => !icon.querySelector("svg")).map((icon) => `icon not drawn: ${icon.className}`),

  formulas() {
    const unset = [...this.article().querySelectorAll(".math")].filter((formula) => !formula.querySelector("mjx-container"));
    const wrong = document.querySelectorAll("mjx-merror, [data-mjx-error], mjx-container [style*='color: red']");
    return [...unset, ...wrong].map((formula) => `formula not set: ${this.words(formula)}`);
  },

  // Markdown, TeX or roles that reached the reader.
  markup() {
    const raw = /\$[^$\n]*\S\$|\\[([]|\*\*|\{[a-z]+(:[a-z]+)?\}|:::|```|\]\(|^#+ /m;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const skipped = text.parentElement.closest("script, style, noscript, pre, code, svg, mjx-container");
      if (!skipped && raw.test(text.data)) found.push(`raw markup: ${text.data.trim().slice(0, 80)}`);
    }
    return found;
  },

  headings() {
    const levels = [...document.querySelectorAll("main :is(h1, h2, h3, h4, h5, h6)")].filter(this.seen);
    const first = levels.filter((heading) => heading.tagName === "H1").length;
    const found = first === 1 ? [] : [`${first} headings of the first level`];
    for (const [index, heading] of levels.entries()) {
      const before = index === 0 ? 0 : Number(levels[index - 1].tagName[1]);
      if (Number(heading.tagName[1]) > before + 1) found.push(`heading's level skips one: ${this.words(heading)}`);
    }
    return found;
  },

  // The page itself never scrolls sideways, and nothing is cut off at its side: what is wider
  // than the text scrolls in a box of its own.
  sideways() {
    const root = document.documentElement;
    const found = root.scrollWidth > root.clientWidth ? [`the page is ${root.scrollWidth - root.clientWidth} pixels wider than the window`] : [];
    const edge = this.article().getBoundingClientRect().right + 1;
    for (const element of this.article().querySelectorAll("p, li, img, svg, table, pre, figure, h1, h2, h3, h4, mjx-container[display]")) {
      if (this.seen(element) && element.getBoundingClientRect().right > edge && !this.scrolls(element.parentElement)) found.push(`wider than the text: ${this.words(element)}`);
    }
    return found;
  },

  scrolls(element) {
    if (element === this.article() || element === document.body) return false;
    return ["auto", "scroll"].includes(getComputedStyle(element).overflowX) || this.scrolls(element.parentElement);
  },

  // A figure is whole: no box makes the reader scroll to see its other half.
  figures() {
    const wide = (image) => image.getBoundingClientRect().right > this.article().getBoundingClientRect().right + 1;
    return [...this.article().querySelectorAll("img")].filter((image) => this.seen(image) && wide(image)).map((image) => `figure wider than the text: ${this.words(image)}`);
  },

  // The columns of a table's body, counted from the right, where a shared index cannot shift them.
  // A column without a heading names its rows.
  columns(table) {
    const columns = {};
    const heads = [...(table.tHead ? table.tHead.rows[table.tHead.rows.length - 1].cells : [])].reverse();
    for (const row of [...table.tBodies].flatMap((body) => [...body.rows])) {
      const cells = [...row.cells].reverse();
      if (cells.some((cell) => cell.colSpan > 1)) continue;
      for (const [place, cell] of cells.entries()) if (cell.tagName === "TD" && heads[place]?.textContent.trim() !== "") (columns[place] ||= []).push(cell);
    }
    return Object.values(columns);
  },

  isNumber: (text) => /^[-−+±≈~<>]?\s?\d[\d,]*(\.\d+)?\s?(%|×|x|[kKMGT]?B?|m?s)?$/.test(text),

  // Numbers stand on the right, with separators between thousands.
  numbers() {
    const found = [];
    for (const table of this.article().querySelectorAll("table")) {
      for (const column of this.columns(table)) {
        const filled = column.filter((cell) => !["", "–", "—", "-"].includes(cell.textContent.trim()));
        const numbers = filled.filter((cell) => this.isNumber(cell.textContent.trim()));
        const left = numbers.find((cell) => !["right", "end"].includes(getComputedStyle(cell).textAlign));
        if (left && numbers.length === filled.length) found.push(`numbers not on the right: ${this.words(left)}`);
      }
      for (const cell of table.querySelectorAll("td")) if (/(^|[^\d.,])\d{5,}/.test(cell.textContent)) found.push(`no separator of thousands: ${this.words(cell)}`);
    }
    return found;
  },

  // A table has a head. (Sphinx sets its index in two columns with a table that is none.)
  tables() {
    return [...this.article().querySelectorAll("table:not(.indextable)")].filter((table) => !table.querySelector("th")).map((table) => `table without a head: ${this.words(table)}`);
  },

  // A long output does not push the text away: folded, or in a box that scrolls.
  outputs() {
    const long = [...this.article().querySelectorAll(".cell_output pre")].filter((output) => this.seen(output) && output.clientHeight > 640);
    return long.map((output) => `output of ${output.clientHeight} pixels: ${this.words(output)}`);
  },
})

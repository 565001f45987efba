// On every page: boxes that hide a part of what they hold say so, and the keyboard can scroll them.
(() => {
  "use strict";
  const BOXES = ".pst-scrollable-table-container, .cell_output .text_html, mjx-container[display=true], .bd-article pre, .figure-box";

  const phone = matchMedia("(max-width: 600px)");

  function stacks(table) {                // words are read cell by cell, numbers down a column
    const words = table && !table.querySelector("td.text-right") && !table.closest(".cell_output");  // nor what spans rows
    return words || table?.matches(".few-rows");
  }

  function name(table) {                  // what each cell is called once its row has become a card
    const headings = [...table.querySelectorAll("thead th")].map((heading) => heading.textContent.trim());
    table.setAttribute("role", "table");
    table.querySelectorAll("tr").forEach((row) => {
      row.setAttribute("role", "row");
      [...row.cells].forEach((cell, i) => {
        cell.setAttribute("role", cell.tagName === "TH" ? "columnheader" : "cell");
        if (headings[i]) cell.dataset.heading = headings[i];
        cell.toggleAttribute("data-empty", !cell.textContent.trim() && !cell.querySelector("img, svg"));
      });
    });
  }

  function mark(box) {
    box.classList.remove("scrolls", "stacks");      // what it says below would be measured too
    box.style.overflow = "";
    const table = box.querySelector(":scope > table");
    if (phone.matches && stacks(table) && (table.rows[0].cells.length > 3 || box.scrollWidth - box.clientWidth > 1)) {
      if (!table.hasAttribute("role")) name(table);
      box.classList.add("stacks");
    }
    const scrolls = getComputedStyle(box).overflowX !== "visible";   // a slanted letter leans out of its box, no more
    const hides = scrolls && box.scrollWidth - box.clientWidth > 1;
    box.classList.toggle("scrolls", hides);
    if (!hides) {
      if (box.matches("mjx-container")) box.style.overflow = "visible";      // or a pixel of a letter makes a region
      return box.removeAttribute("tabindex");
    }
    box.tabIndex = 0;
    if (box.tagName === "DIV") {
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", "Table that scrolls sideways");
    }
  }

  function stretch(formula) {             // within a line, and wider than that
    formula.classList.remove("wide");
    const line = formula.closest("p, li, dd, td, figcaption") ?? formula.parentElement;
    formula.classList.toggle("wide", formula.getBoundingClientRect().width > line.clientWidth + 1);
  }

  function hold(formula) {                // brackets, stops and commas stay on the line of their formula
    const span = formula.parentElement;
    const [before, after] = [span.previousSibling, span.nextSibling];
    const [opens, closes] = [/[([]$/.exec(before?.data ?? ""), /^[.,;:)?]+/.exec(after?.data ?? "")];
    if (opens) { formula.before(opens[0]); before.data = before.data.slice(0, -1); }
    if (closes) { formula.after(closes[0]); after.data = after.data.slice(closes[0].length); }
  }

  function whole(code) {                  // the options of a command are not broken at their dashes
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT), found = [];
    while (texts.nextNode()) found.push(texts.currentNode);
    found.forEach((text) => {
      const parts = text.data.split(/(?<=^|\s)(--?[\w-]+)/);
      if (parts.length > 1) text.replaceWith(...parts.map((part, i) => (i % 2 ? option(part) : part)));
    });
  }

  function option(name) {
    return Object.assign(document.createElement("span"), { className: "option", textContent: name });
  }

  function watch() {
    document.querySelectorAll("article :is(.highlight-bash pre, :is(p, li, dd) code)").forEach(whole);
    document.querySelectorAll("article td:not(.text-right)").forEach((cell) => {
      cell.classList.toggle("long", cell.textContent.trim().length > 20);
    });
    const formulas = document.querySelectorAll("span.math > mjx-container");
    formulas.forEach(hold);
    formulas.forEach(stretch);
    const resized = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
    const boxes = [...document.querySelectorAll(BOXES), ...formulas];
    boxes.forEach((box) => resized.observe(box));
    addEventListener("resize", () => requestAnimationFrame(() => { formulas.forEach(stretch); boxes.forEach(mark); }));
  }

  addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(watch));
})();

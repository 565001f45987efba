/* What a citation, an equation, a figure or a symbol means, beside the pointer: of this site alone, nothing from outside.
   Other pages are fetched where the site is served; opened from a file, links to them have no preview. */
(() => {
  "use strict";
  const root = document.documentElement.dataset.content_root || "./";
  const kinds = /#(equation-|fig-|thm-|theorem-|ex|id\d|[a-z]+\d{4})/;
  const pages = {};
  let timer = 0, shown = null;

  const note = document.createElement("div");
  note.className = "hover-note";
  note.id = "hover-note";
  note.setAttribute("role", "tooltip");
  note.hidden = true;

  function hide() {
    clearTimeout(timer);
    note.hidden = true;
    if (shown) shown.removeAttribute("aria-describedby");
    shown = null;
  }

  async function show(over, content) {
    const made = await content();
    if (!made || shown !== over) return;
    note.replaceChildren(...made);
    note.hidden = false;
    if (over.tagName === "A") over.setAttribute("aria-describedby", note.id);
    place(over);
    if (window.MathJax && MathJax.typesetPromise && /\\[([]/.test(note.textContent)) {
      await MathJax.typesetPromise([note]);
      place(over);
    }
  }

  function place(over) {
    const box = over.getBoundingClientRect(), width = note.offsetWidth, below = box.bottom + note.offsetHeight + 8 < innerHeight;
    note.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
    note.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - note.offsetHeight - 6)}px`;
  }

  function begin(over, content) {
    if (shown === over) return;
    hide();
    shown = over;
    timer = setTimeout(() => show(over, content).catch(hide), 150);
  }

  async function target(link) {
    const address = new URL(link.href), id = decodeURIComponent(address.hash.slice(1)), page = address.href.split("#")[0];
    let whole = document;
    if (page !== location.href.split("#")[0]) {
      if (address.protocol === "file:") return null;
      pages[page] = pages[page] || fetch(page).then((got) => got.text()).then((text) => new DOMParser().parseFromString(text, "text/html"));
      whole = await pages[page];
    }
    const found = whole.getElementById(id);
    if (!found || /^(H\d|SECTION|BODY)$/.test(found.tagName)) return null;
    const copy = found.cloneNode(true);
    copy.querySelectorAll(".headerlink, .backrefs, script, .controls, [id]").forEach((part) => {
      if (part.matches(".headerlink, .backrefs, script, .controls")) part.remove();
      else if (!part.closest("mjx-container")) part.removeAttribute("id");
    });
    copy.removeAttribute("id");
    copy.querySelectorAll("img").forEach((image) => { image.src = new URL(image.getAttribute("src"), page).href; });
    copy.querySelectorAll("a").forEach((one) => one.removeAttribute("href"));
    return [copy];
  }

  const letters = (part) => [...part.querySelectorAll("[data-c]")].map((one) => String.fromCodePoint(parseInt(one.dataset.c, 16))).join("").normalize("NFKC");

  function symbol(part) {
    let found = null;
    for (let one = part.closest("g[data-mml-node]"); one; one = one.parentElement.closest("g[data-mml-node]")) {
      const kind = one.dataset.mmlNode;
      if (!/^(mi|mn|mtext|TeXAtom|mrow|msub|msubsup|texatom)$/.test(kind)) break;
      const key = kind === "msubsup" ? letters(one.children[0]) + letters(one.children[2] || one.children[1]) : letters(one);
      const sure = Object.hasOwn(SYMBOLS, key) ? key : /^msub/.test(kind) && Object.hasOwn(SYMBOLS, letters(one.children[0])) ? letters(one.children[0]) : "";
      if (sure) found = [sure, one];
    }
    return found;
  }

  const symbols = () => window.SYMBOLS ? Promise.resolve() : new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = `${root}_static/vendor/symbols.js`;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });

  async function overFormula(formula, x, y) {  // ink alone is thin: what counts is the box around a letter
    await symbols();
    const inside = (box) => x >= box.left - 1 && x <= box.right + 1 && y >= box.top - 1 && y <= box.bottom + 1;
    const under = (kind) => [...formula.querySelectorAll(`g[data-mml-node=${kind}]`)].find((one) => inside(one.getBoundingClientRect()));
    const part = under("mi") || under("msub");
    const found = part && symbol(part);
    if (!found) return hide();
    begin(found[1], async () => SYMBOLS[found[0]].map(([section, meaning]) => {
      const line = document.createElement("p"), title = document.createElement("b");
      title.textContent = `${section}: `;
      line.append(title, meaning);
      return line;
    }));
  }

  function over(event) {
    const link = event.target.closest("article a[href*='#']:not(.headerlink)");
    if (link && kinds.test(link.hash)) return begin(link, () => target(link));
    const formula = event.target.closest("article mjx-container");
    if (formula && event.type !== "focusin") return overFormula(formula, event.clientX, event.clientY).catch(hide);
    if (event.type === "pointermove") return undefined;
    if (!event.target.closest(".hover-note")) hide();
    return undefined;
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(note);
    document.addEventListener("pointerover", over);
    document.addEventListener("pointermove", over);
    document.addEventListener("focusin", over);
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
    document.addEventListener("scroll", () => note.hidden || hide(), { passive: true });
  });
})();

// The explorer page. built/data.js has set window.xmlibExplorer (made by book/make/explorer); everything else is here.
// Views are 0 and 1; way 0 asks with view 0 and finds view 1, way 1 the other way round.
(() => {
  "use strict";
  const root = document.getElementById("explorer");
  const built = new URL("built/", document.currentScript.src);
  const { sets, missing } = window.xmlibExplorer ?? { sets: [], missing: [] };
  const state = { set: 0, way: 0, query: 0, runs: [0, 0] };
  const player = el("audio", { id: "explorer-player", preload: "none" });
  let playing = null;      // the button whose sound is on
  let parts = {};          // elements that are filled again when the state changes

  function el(tag, attributes = {}, ...children) {
    const svg = ["svg", "circle", "path", "line", "title"].includes(tag);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child != null));
    return made;
  }
  const set = () => sets[state.set];
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const isText = (view) => set().views[view].kind === "text";
  const named = (item) => (isText(0) || isText(1) ? set().labels[item] : capital(set().labels[item]));
  const wayName = (way) => `${set().views[way].name} → ${set().views[1 - way].name}`;
  const has = (view, item) => item < set().views[view].count;
  const runName = (run) => `${run.title} (${run.profile}${run.ending ? `, ${run.ending}` : ""})`;
  const shownRank = (rank) => Number.isInteger(rank) ? rank.toLocaleString("en") : `${rank.toLocaleString("en")} (tied)`;

  // ---- one item -----------------------------------------------------------------------------------------------
  function words(view, item) {
    const v = set().views[view];
    if (v.kind === "text") return v.words[item];
    if (v.kind === "picture") return `Picture described as: ${v.words[item]}`;
    const what = v.kind === "sound" ? "Spectrogram" : "Sheet music";
    return `${what} around ${set().labels[item]}. Notes: ${v.words[item]}.`;
  }

  function picture(view, item) {   // one tile of a sheet; its size comes from the style sheet
    const v = set().views[view];
    if (v.kind === "text") return el("span", { class: "x-text" }, v.words[item]);
    const columns = set().columns, tile = item % (columns * columns);
    const url = new URL(`${set().name}/view${view + 1}-${Math.floor(item / (columns * columns))}.${v.suffix}`, built);
    const made = el("span", { class: `x-tile x-${v.kind}`, role: "img", "aria-label": words(view, item) });
    const place = (n) => `${(100 * n) / (columns - 1)}%`;
    made.style.aspectRatio = `${v.tile[0]} / ${v.tile[1]}`;
    made.style.backgroundSize = `${columns * 100}% ${columns * 100}%`;
    made.style.backgroundPosition = `${place(tile % columns)} ${place(Math.floor(tile / columns))}`;
    made.style.backgroundImage = `url("${url}")`;
    return made;
  }

  function playButton(item) {
    if (!set().sounds.includes(item)) return null;
    const label = `Play the sound around ${set().labels[item]}`;
    return el("button", {
      type: "button", class: "x-play", "data-item": item, "aria-label": label, "aria-pressed": "false", title: "Play",
      onclick: (event) => play(item, event.currentTarget),
    });
  }

  function sound(view, item) {   // a spectrogram with its button and the line that moves while it sounds
    return el("span", { class: "x-sounding" }, picture(view, item), playButton(item), el("span", { class: "x-head" }));
  }

  const media = (view, item) => (set().views[view].kind === "sound" ? sound(view, item) : picture(view, item));

  // ---- sound --------------------------------------------------------------------------------------------------
  function play(item, button) {
    const again = playing === button;
    stop();
    if (again || !set().sounds.includes(item)) return;
    playing = button;
    button?.setAttribute("aria-pressed", "true");
    player.src = new URL(`${set().name}/${item}.mp3`, built);
    player.play().catch((error) => {
      if (error.name !== "AbortError") parts.said.textContent = "This browser cannot play the sound.";
    });
    requestAnimationFrame(moveHead);
  }

  function stop() {
    player.pause();
    playing?.setAttribute("aria-pressed", "false");
    playing?.parentElement?.style.removeProperty("--played");
    playing = null;
  }

  function moveHead() {
    if (!playing) return;
    const share = player.duration ? player.currentTime / player.duration : 0;
    playing.parentElement?.style.setProperty("--played", share);
    requestAnimationFrame(moveHead);
  }

  // ---- controls -----------------------------------------------------------------------------------------------
  function chooser(label, options, chosen, change) {
    const select = el("select", { onchange: (event) => change(Number(event.target.value)) },
      ...options.map((name, i) => el("option", { value: i, selected: i === chosen }, name)));
    return el("label", { class: "x-choice" }, el("span", {}, label), select);
  }

  function directions() {
    const radio = (way) => el("label", {}, el("input", {
      type: "radio", name: "explorer-way", value: way, checked: way === state.way, onchange: () => go({ way }),
    }), wayName(way));
    return el("fieldset", { class: "x-ways" }, el("legend", {}, "Direction"), radio(0), radio(1));
  }

  function controls() {
    const names = set().runs.map(runName);
    const choice = (i) => chooser(`Method ${"AB"[i]}`, names, state.runs[i], (run) => {
      go({ runs: state.runs.map((old, j) => (j === i ? run : old)) });
    });
    const which = sets.length > 1
      ? chooser("Pairs", sets.map((s) => s.title), state.set, (chosen) => { start(chosen); build(); go({}); }) : null;
    return el("div", { class: "x-controls" }, ...[which, directions(), choice(0), choice(1)].filter(Boolean));
  }

  // ---- list of queries: one stop of the tab key, arrows move, the space bar plays ----------------------------------
  function queryList() {
    return el("div", {
      id: "explorer-queries", class: "x-queries", role: "listbox", tabindex: 0, "aria-label": "Queries",
      "aria-describedby": "explorer-keys", onkeydown: queryKey,
    });
  }

  function option(item) {
    return el("div", {
      id: `explorer-query-${item}`, role: "option", class: "x-option", "aria-selected": "false",
      title: set().labels[item], onclick: () => go({ query: item }),
    }, picture(state.way, item), el("span", { class: "x-ranks" }));
  }

  function queryKey(event) {
    const last = set().queries - 1, options = [...parts.queries.children];
    const across = Math.max(1, options.findIndex((o) => o.offsetTop > options[0].offsetTop));
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -last, End: last,
      PageDown: 3 * across, PageUp: -3 * across };
    if (event.key === " ") play(state.query, parts.queryCard.querySelector(".x-play"));
    else if (event.key in steps) go({ query: Math.min(last, Math.max(0, state.query + steps[event.key])) });
    else return;
    event.preventDefault();
  }

  function markQuery() {
    for (const [item, made] of [...parts.queries.children].entries()) {
      const ranks = state.runs.map((run) => set().runs[run].ways[state.way].ranks[item]);
      const chosen = item === state.query;
      made.setAttribute("aria-selected", chosen);
      made.setAttribute("aria-label", `${named(item)}; rank ${ranks.map(shownRank).join(" and ")}`);
      made.lastChild.textContent = ranks.map((rank) => rank.toLocaleString("en")).join(" · ");
      if (!chosen) continue;
      parts.queries.setAttribute("aria-activedescendant", made.id);
      const box = parts.queries, top = made.offsetTop;       // scrolls the list and never the page
      box.scrollTop = Math.min(box.scrollTop, top);
      box.scrollTop = Math.max(box.scrollTop, top + made.offsetHeight - box.clientHeight);
    }
  }

  // ---- the query and what was found ---------------------------------------------------------------------------
  function fillQuery() {
    const view = state.way, answer = 1 - view;
    parts.queryCard.replaceChildren(
      isText(0) || isText(1) ? "" : el("p", {}, named(state.query)),
      el("figure", {}, el("figcaption", {}, `The query: ${set().views[view].one}`), media(view, state.query)),
      el("figure", { class: "x-right" }, el("figcaption", {}, `The right answer: ${set().views[answer].one}`),
        media(answer, state.query)));
  }

  function card(item, rank, score) {
    const view = 1 - state.way, right = item === state.query;
    const both = set().views[view].kind === "sound";        // a sound is shown with the snippet that it belongs to
    return el("li", { class: right ? "x-card x-right" : "x-card", "data-item": item, value: Math.floor(rank) },
      el("span", { class: "x-rank" }, shownRank(rank), right ? el("strong", {}, " ✓ right answer") : null,
        score == null ? null : el("span", { class: "x-score", title: "cosine" }, score.toFixed(2).replace("-", "−"))),
      el("span", { class: "x-media" }, has(view, item) ? media(view, item) : null,
        both && has(state.way, item) ? picture(state.way, item) : null),
      isText(view) ? null : el("span", { class: "x-label" }, named(item)));
  }

  function fillColumn(column, i) {
    const run = set().runs[state.runs[i]], way = run.ways[state.way];
    const rank = way.ranks[state.query], top = way.top[state.query];
    const cards = top.map((item, j) => card(item, item === state.query ? rank : j + 1, way.scores[state.query][j]));
    const late = top.includes(state.query) ? null
      : el("div", { class: "x-late" }, el("p", {}, "Further down the list:"), el("ol", {}, card(state.query, rank)));
    column.replaceChildren(
      el("h3", {}, `${"AB"[i]}: ${run.title}`),
      el("p", { class: "x-about" }, `Profile ${run.profile}, seed ${run.seed}, ${run.epochs} epochs`,
        run.ending ? el("strong", {}, `, ${run.ending}`) : "", `. MRR over all queries: ${way.mrr.toFixed(3)}`),
      el("p", { class: "x-verdict" }, "The right answer has rank ",
        el("strong", { class: "x-answer-rank", "data-rank": rank }, shownRank(rank)),
        ` of ${set().candidates.toLocaleString("en")}`),
      el("ol", { class: "x-found", "aria-label": `The ten best with ${run.title}` }, ...cards), ...(late ? [late] : []));
  }

  // ---- map: one stop of the tab key, arrows go to the next point in that direction, Enter asks with it --------------
  const SIDE = 1000, EDGE = 40;    // of the drawing's units; a mark is about 26 of them wide
  const spot = (i, point) => set().runs[state.runs[i]].map[point.view][point.item];
  const points = () => [0, 1].flatMap((view) => Array.from({ length: set().queries }, (_, item) => ({ view, item })));

  function fillMap(map, i) {
    const run = set().runs[state.runs[i]];
    const mark = (point) => {
      const [x, y] = spot(i, point);
      const own = point.item === state.query ? " x-chosen" : "", size = own ? 1.5 : 1;
      return point.view === 0 ? el("circle", { class: `x-point x-view0${own}`, cx: x, cy: y, r: 13 * size })
        : el("path", { class: `x-point x-view1${own}`,
          d: `M${x} ${y - 16 * size}l${15 * size} ${27 * size}h${-30 * size}z` });
    };
    const [a, b] = [0, 1].map((view) => spot(i, { view, item: state.query }));
    const all = points(), chosen = all.filter((point) => point.item === state.query);
    const svg = el("svg", {
      viewBox: `${-EDGE} ${-EDGE} ${SIDE + 2 * EDGE} ${SIDE + 2 * EDGE}`, role: "application", tabindex: 0,
      "aria-label": `Map of ${all.length} items as ${run.title} places them. Arrow keys move, Enter asks, Space plays.`,
      onpointermove: (event) => show(nearest(event)), onpointerleave: () => show(null),
      onclick: (event) => ask(nearest(event)), onfocus: () => show(map.at ?? { view: state.way, item: state.query }),
      onblur: () => show(null), onkeydown: key,
    }, el("line", { class: "x-pair", x1: a[0], y1: a[1], x2: b[0], y2: b[1] }),
    ...all.filter((point) => point.item !== state.query).map(mark), ...chosen.map(mark),
    el("circle", { class: "x-cursor", r: 34, visibility: "hidden" }));
    const bubble = el("div", { class: "x-bubble", "aria-live": "polite" });
    map.replaceChildren(el("h3", {}, `Map, ${"AB"[i]}: ${run.title}`), el("div", { class: "x-plot" }, svg, bubble));

    function nearest(event) {
      const box = svg.getBoundingClientRect(), unit = (SIDE + 2 * EDGE) / box.width;
      const x = (event.clientX - box.left) * unit - EDGE, y = (event.clientY - box.top) * unit - EDGE;
      const away = (point) => Math.hypot(spot(i, point)[0] - x, spot(i, point)[1] - y);
      const best = all.reduce((p, q) => (away(q) < away(p) ? q : p));
      return away(best) < 28 * unit ? best : null;                     // 28 pixels: a fingertip
    }
    function show(point) {
      map.at = point ?? map.at;
      svg.lastChild.setAttribute("visibility", point ? "visible" : "hidden");
      bubble.hidden = !point;
      if (!point) return;
      const [x, y] = spot(i, point);
      svg.lastChild.setAttribute("cx", x);
      svg.lastChild.setAttribute("cy", y);
      bubble.classList.toggle("x-left", x > SIDE / 2);
      bubble.classList.toggle("x-above", y > SIDE / 2);
      bubble.style.setProperty("--x", `${(100 * (x + EDGE)) / (SIDE + 2 * EDGE)}%`);
      bubble.style.setProperty("--y", `${(100 * (y + EDGE)) / (SIDE + 2 * EDGE)}%`);
      const v = set().views[point.view], text = v.kind === "text" ? "" : set().labels[point.item];
      bubble.replaceChildren(picture(point.view, point.item), el("span", {}, text ? `${capital(v.one)}: ${text}` : v.one));
    }
    function ask(point) {
      if (!point) return;
      const focused = document.activeElement === svg;
      go({ query: point.item, way: point.view });
      map.at = point;
      if (focused) map.querySelector("svg").focus({ preventScroll: true });
    }
    function key(event) {
      const at = map.at ?? { view: state.way, item: state.query };
      const toward = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (toward) show(next(at, toward) ?? at);
      else if (event.key === "Enter") ask(at);
      else if (event.key === " ") play(at.item, null);
      else return;
      event.preventDefault();
    }
    function next(at, [right, down]) {       // the nearest point on that side, what lies off the line counting double
      const [x0, y0] = spot(i, at);
      const cost = (point) => {
        const [x, y] = [spot(i, point)[0] - x0, spot(i, point)[1] - y0];
        const ahead = x * right + y * down;
        return ahead > 0 ? ahead + 2 * Math.abs(x * down) + 2 * Math.abs(y * right) : Infinity;
      };
      const found = all.reduce((p, q) => (cost(q) < cost(p) ? q : p));
      return cost(found) < Infinity ? found : null;
    }
  }

  // ---- the whole page -----------------------------------------------------------------------------------------
  function start(chosen) {                 // two different methods of the same profile, where there are such
    const runs = sets[chosen].runs;
    const other = (test) => runs.findIndex((run) => run.method !== runs[0].method && test(run));
    const [same, any] = [other((run) => run.profile === runs[0].profile), other(() => true)];
    Object.assign(state, { set: chosen, way: 0, query: 0, runs: [0, Math.max(0, same >= 0 ? same : any)] });
  }

  function build() {
    parts = {
      queries: queryList(), queryCard: el("div", { class: "x-query" }),
      said: el("p", { class: "x-said", role: "status" }),
      columns: [0, 1].map(() => el("section", { class: "x-column" })),
      maps: [0, 1].map(() => el("section", { class: "x-map" })),
    };
    const [one, other] = set().views;
    root.replaceChildren(controls(),
      el("p", { id: "explorer-keys", class: "x-keys" }, "Choose a query. ",
        set().sounds.length ? "Arrow keys move, the space bar plays. " : "Arrow keys move. ",
        "Below each stand the ranks of its right answer with A and B."),
      parts.queries, parts.queryCard, parts.said, el("div", { class: "x-sides" }, ...parts.columns),
      el("p", { class: "x-legend" }, el("span", { class: "x-dot" }, "●"), ` ${one.one} `, el("span", { class: "x-tip" }, "▲"),
        ` ${other.one}; the line joins the query and its right answer.`),
      el("div", { class: "x-sides" }, ...parts.maps), player);
    const absent = `Not shown, since their runs are not on the machine that built this page: ${missing.join("; ")}.`;
    if (missing.length) root.append(el("p", { class: "x-missing" }, absent));
  }

  function go(change) {
    const turned = change.way !== undefined && change.way !== state.way;
    Object.assign(state, change);
    stop();
    if (turned) root.querySelector(`[name="explorer-way"][value="${state.way}"]`).checked = true;
    if (turned || !parts.queries.children.length) {
      parts.queries.replaceChildren(...Array.from({ length: set().queries }, (_, item) => option(item)));
    }
    markQuery();
    fillQuery();
    parts.columns.forEach(fillColumn);
    parts.maps.forEach(fillMap);
    const ranks = state.runs.map((run) => shownRank(set().runs[run].ways[state.way].ranks[state.query]));
    parts.said.textContent = `${named(state.query)}: rank ${ranks[0]} with A, ${ranks[1]} with B.`;
    remember();
  }

  function remember() {                    // in the address, so that a view can be sent to somebody
    const { set: s, way, query, runs } = state;
    history.replaceState(null, "", `#set=${s}&way=${way}&query=${query}&a=${runs[0]}&b=${runs[1]}`);
  }

  function recall() {
    const said = new URLSearchParams(location.hash.slice(1));
    const number = (name, count, otherwise) => {
      const value = Number.parseInt(said.get(name), 10);
      return value >= 0 && value < count ? value : otherwise;
    };
    start(number("set", sets.length, 0));
    const { queries, runs } = set();
    Object.assign(state, { way: number("way", 2, 0), query: number("query", queries, 0),
      runs: [number("a", runs.length, state.runs[0]), number("b", runs.length, state.runs[1])] });
  }

  player.addEventListener("ended", stop);
  if (sets.length) {
    recall();
    build();
    go({});
  } else {
    const these = missing.length ? ` There are records of ${missing.join("; ")}, but not their embeddings.` : "";
    root.replaceChildren(el("p", { class: "x-missing" },
      `The explorer needs finished runs, and there are none on the machine that built this page.${these}`));
  }
})();

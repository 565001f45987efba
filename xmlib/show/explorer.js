// The explorer. A script before this has set window.xmlibExplorer, or an element #explorer-data holds the same as JSON.
// Views are 0 and 1; way 0 asks with view 0 and finds view 1, way 1 the other way round. Whatever comes from outside
// becomes text of a node or a value of an attribute, never markup.
(() => {
  "use strict";
  const root = document.getElementById("explorer");
  const built = new URL(".", document.currentScript.src || location.href);
  const inside = document.getElementById("explorer-data");
  const { sets, missing } = window.xmlibExplorer ?? JSON.parse(inside?.textContent ?? '{"sets": [], "missing": []}');
  const state = { set: 0, way: 0, query: 0, runs: [0, 0], show: 0 };
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
  const named = (item) => (isText(0) || isText(1) || set().own ? set().labels[item] : capital(set().labels[item]));
  const about = (item) => set().about?.[item] ?? "";        // what it was played on, and how fast
  const spoken = (item) => about(item).replace(/♩ = (\d+)/, "$1 quarter notes a minute");
  const wayName = (way) => `${set().views[way].name} → ${set().views[1 - way].name}`;
  const has = (view, item) => item < set().views[view].count;
  const many = (n) => n.toLocaleString("en");
  const runName = (run) => `${run.title} (${[run.profile, `${many(run.pairs)} pairs`, run.ending].filter(Boolean).join(", ")})`;
  const shownRank = (rank) => Number.isInteger(rank) ? many(rank) : `${many(rank)} (tied)`;
  const rankOf = (i, query, way = state.way) => set().runs[state.runs[i]].ways[way].ranks[query];
  const rightOf = (query, way = state.way) => set().right?.[way][query] ?? [query];
  const candidates = (way = state.way) => [set().candidates].flat().at(way) ?? set().candidates;

  function unequal(a, b) {         // in what two runs differ besides the method; linear CCA has no seed and no epochs
    const facts = [["profile", (run) => run.profile], ["training pairs", (run) => run.pairs], ["seed", (run) => run.seed],
      ["planned epochs", (run) => run.planned], ["", (run) => (run.ending === "not converged" ? run.ending : "ended as planned")]];
    const trained = a.epochs != null && b.epochs != null;
    return facts.filter(([name, of]) => of(a) != null && of(b) != null && of(a) !== of(b) && (name || trained))
      .map(([name, of]) => `${name ? `${name} ` : ""}${[a, b].map((run) => of(run).toLocaleString("en")).join(" and ")}`);
  }

  // ---- one item -----------------------------------------------------------------------------------------------
  function words(view, item) {
    const v = set().views[view];
    if (v.kind === "text" || set().own) return v.words[item];
    if (v.kind === "picture") return `Picture described as: ${v.words[item]}`;
    const what = v.kind === "sound" ? "Spectrogram" : "Sheet music";
    return `${what} around ${set().labels[item]}. Notes: ${v.words[item]}. ${capital(spoken(item))}.`;
  }

  function picture(view, item) {   // one tile of a sheet; its size comes from the style sheet
    const v = set().views[view];
    if (v.pictures?.[item]) return el("img", { class: "x-img", src: v.pictures[item], alt: words(view, item) });
    if (v.kind === "text" || set().own) return el("span", { class: "x-text" }, v.words[item]);
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

  function address(view, item) {   // of the sound of an item, if it has one
    const v = set().views[view];
    if (v.kind !== "sound") return null;
    return v.audio ? v.audio[item] : set().sounds.includes(item) ? new URL(`${set().name}/${item}.mp3`, built) : null;
  }

  function playButton(view, item) {
    if (!address(view, item)) return null;
    const label = set().own ? `Play ${words(view, item)}` : `Play the sound around ${set().labels[item]}`;
    return el("button", {
      type: "button", class: "x-play", "data-item": item, "aria-label": label, "aria-pressed": "false", title: "Play",
      onclick: (event) => play(view, item, event.currentTarget),
    });
  }

  function sound(view, item) {   // a spectrogram with its button and the line that moves while it sounds
    return el("span", { class: "x-sounding" }, picture(view, item), playButton(view, item), el("span", { class: "x-head" }));
  }

  const media = (view, item) => (set().views[view].kind === "sound" ? sound(view, item) : picture(view, item));

  // ---- sound --------------------------------------------------------------------------------------------------
  function play(view, item, button) {
    const again = playing === button, from = address(view, item);
    stop();
    if (again || !from) return;
    playing = button;
    button?.setAttribute("aria-pressed", "true");
    player.src = from;
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
    const kinds = chooser("Show", shown().map(({ name }) => name), state.show, (show) => go({ show }));
    parts.show = kinds.querySelector("select");
    return el("div", { class: "x-controls" }, which, ...state.runs.map((_, i) => choice(i)), kinds, directions());
  }

  // ---- which queries are listed: all, or those that one of the two methods has right and the other has not -----------
  function shown() {
    const all = Array.from({ length: set().queries }, (_, query) => query);
    const right = (i, query) => rankOf(i, query) === 1;
    const kinds = state.runs.length > 1
      ? [["A right, B wrong", (q) => right(0, q) && !right(1, q)], ["B right, A wrong", (q) => right(1, q) && !right(0, q)]]
      : [["right", (q) => right(0, q)], ["wrong", (q) => !right(0, q)]];
    return [{ name: `all ${all.length} queries`, queries: all },
      ...kinds.map(([name, test]) => ({ name: `${name}: ${all.filter(test).length}`, queries: all.filter(test) }))];
  }

  function fillShown() {
    const kinds = shown(), [a, b] = state.runs;
    [...parts.show.options].forEach((made, i) => { made.textContent = kinds[i].name; });
    parts.show.value = state.show;
    const listed = kinds[state.show].queries, whole = candidates(1 - state.way).toLocaleString("en");
    const alone = b == null || !set().alone || !state.show ? ""
      : `; ${many(set().alone[state.way][state.show === 1 ? a : b][state.show === 1 ? b : a])} of all ${whole}${set().own ? "" : " test"} queries`;
    parts.count.textContent = state.show ? `${listed.length} of these ${set().queries} queries${alone}.` : "";
    const facts = b == null ? [] : unequal(set().runs[a], set().runs[b]);
    parts.unequal.replaceChildren(...(facts.length ? [el("strong", {}, "Unequal runs: "), `A and B have ${facts.join("; ")}.`] : []));
    if (!listed.length) parts.count.textContent += " Choose other methods, or all queries.";
    return listed;
  }

  // ---- list of queries: one stop of the tab key, arrows move, the space bar plays ----------------------------------
  function queryList() {
    return el("div", {
      id: "explorer-queries", class: "x-queries scrolls", role: "listbox", tabindex: 0, "aria-label": "Queries",
      "aria-describedby": "explorer-keys", onkeydown: queryKey,
    });
  }

  function option(item) {
    return el("div", {
      id: `explorer-query-${item}`, role: "option", class: "x-option", "aria-selected": "false",
      "data-query": item, title: set().labels[item], onclick: () => { go({ query: item }); reveal(); },
    }, picture(state.way, item), el("span", { class: "x-ranks" }));
  }

  const listed = () => [...parts.queries.children].map((made) => Number(made.dataset.query));

  function queryKey(event) {
    const options = [...parts.queries.children], last = options.length - 1, queries = listed();
    const below = options.findIndex((o) => o.offsetTop > options[0].offsetTop), across = below > 0 ? below : 1;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -last, End: last,
      PageDown: 3 * across, PageUp: -3 * across };
    const at = Math.max(0, queries.indexOf(state.query));
    if (event.key === " ") play(state.way, state.query, parts.queryCard.querySelector(".x-play"));
    else if (event.key in steps && options.length) {
      go({ query: queries[Math.min(last, Math.max(0, at + steps[event.key]))] });
      reveal();
    } else return;
    event.preventDefault();
  }

  function markQuery() {
    for (const made of parts.queries.children) {
      const item = Number(made.dataset.query), chosen = item === state.query;
      const ranks = state.runs.map((_, i) => rankOf(i, item));
      made.setAttribute("aria-selected", chosen);
      made.setAttribute("aria-label", `${named(item)}; rank ${ranks.map(shownRank).join(" and ")}`);
      made.lastChild.textContent = ranks.map(many).join(" · ");
      if (!chosen) continue;
      parts.queries.setAttribute("aria-activedescendant", made.id);
      const box = parts.queries;                             // scrolls the list and never the page
      for (const [edge, size, at] of [["offsetTop", "Height", "scrollTop"], ["offsetLeft", "Width", "scrollLeft"]]) {
        box[at] = Math.min(box[at], made[edge]);
        box[at] = Math.max(box[at], made[edge] + made[`offset${size}`] - box[`client${size}`]);
      }
    }
  }

  // ---- the query and what was found ---------------------------------------------------------------------------
  function fillQuery() {
    const view = state.way, answer = 1 - view;
    parts.queryCard.replaceChildren(
      isText(0) || isText(1) ? "" : el("p", {}, el("span", {}, named(state.query)),
        about(state.query) ? el("span", { class: "x-played" }, ` ${about(state.query)}`) : ""),
      el("figure", {}, el("figcaption", {}, `The query: ${set().views[view].one}`), media(view, state.query)),
      el("figure", { class: "x-right" }, el("figcaption", {}, `The right answer: ${set().views[answer].one}`),
        media(answer, rightOf(state.query)[0])));
  }

  function card(item, rank, score) {
    const view = 1 - state.way, right = rightOf(state.query).includes(item);
    const both = set().views[view].kind === "sound" && !set().own;   // a sound is shown with the snippet that it belongs to
    return el("li", { class: right ? "x-card x-right" : "x-card", "data-item": item, value: Math.floor(rank) },
      el("span", { class: "x-rank" }, shownRank(rank),
        right ? el("strong", {}, "✓ ", el("span", { class: "x-long" }, "right answer")) : null,
        score == null ? null : el("span", { class: "x-score", title: "cosine" }, score.toFixed(2).replace("-", "−"))),
      el("span", { class: "x-media" }, has(view, item) ? media(view, item) : null,
        both && has(state.way, item) ? picture(state.way, item) : null),
      isText(view) ? null : el("span", { class: "x-label" }, named(item),
        about(item) ? el("span", { class: "x-played" }, ` ${about(item)}`) : null));
  }

  function fillColumn(column, i) {
    const run = set().runs[state.runs[i]], way = run.ways[state.way], first = way.first?.[state.query] ?? state.query;
    const rank = way.ranks[state.query], top = way.top[state.query];
    const cards = top.map((item, j) => card(item, item === first ? rank : j + 1, way.scores[state.query][j]));
    const late = top.includes(first) ? null
      : el("div", { class: "x-late" }, el("p", {}, "Further down the list:"), el("ol", {}, card(first, rank)));
    const said = [run.profile && `Profile ${run.profile}`, run.seed != null && `seed ${run.seed}`,
      `${many(run.pairs)} training pairs`,
      run.epochs && !run.ending.endsWith("epochs") && `${many(run.epochs)} epoch${run.epochs === 1 ? "" : "s"}`];
    column.replaceChildren(
      el("h3", {}, state.runs.length > 1 ? `${"AB"[i]}: ${parts.unequal.textContent ? runName(run) : run.title}` : run.title),
      el("p", { class: "x-verdict" }, el("span", { class: "x-long" }, "The right answer has "), "rank ",
        el("strong", { class: "x-answer-rank", "data-rank": rank }, shownRank(rank)), ` of ${many(candidates())}`),
      el("p", { class: "x-about" }, capital(said.filter(Boolean).join(", ")), run.ending ? el("strong", {}, `, ${run.ending}`) : "",
        `. MRR over all queries: ${way.mrr.toFixed(3)}`),
      el("ol", { class: "x-found", "aria-label": `The ${top.length} best with ${run.title}` }, ...cards), ...(late ? [late] : []));
  }

  // ---- map: one stop of the tab key, arrows go to the next point in that direction, Enter asks with it --------------
  const SIDE = 1000, EDGE = 40;    // of the drawing's units; a mark is about 36 of them wide
  const spot = (i, point) => set().runs[state.runs[i]].map[point.view][point.item];
  const points = () => [0, 1].flatMap((view) => Array.from({ length: set().queries }, (_, item) => ({ view, item })));

  function fillMap(map, i) {
    const run = set().runs[state.runs[i]];
    const mark = (point) => {
      const [x, y] = spot(i, point);
      const own = point.item === state.query ? " x-chosen" : "", size = own ? 1.5 : 1;
      return point.view === 0 ? el("circle", { class: `x-point x-view0${own}`, cx: x, cy: y, r: 18 * size })
        : el("path", { class: `x-point x-view1${own}`,
          d: `M${x} ${y - 21 * size}l${20 * size} ${36 * size}h${-40 * size}z` });
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
    const standing = () => {
      const ranks = state.runs.map((_, j) => `${shownRank(rankOf(j, state.query))}${state.runs.length > 1 ? ` with ${"AB"[j]}` : ""}`);
      return el("strong", {}, `The right answer has rank ${ranks.join(", ")}`);
    };
    const title = `Map${state.runs.length > 1 ? `, ${"AB"[i]}` : ""}: ${run.title}`;
    map.replaceChildren(el("h3", {}, title), el("div", { class: "x-plot" }, svg, bubble));

    if (map.asked) show(map.at);
    map.asked = false;

    function nearest(event) {
      const box = svg.getBoundingClientRect(), unit = (SIDE + 2 * EDGE) / box.width;
      const x = (event.clientX - box.left) * unit - EDGE, y = (event.clientY - box.top) * unit - EDGE;
      const away = (point) => Math.hypot(spot(i, point)[0] - x, spot(i, point)[1] - y);
      const best = all.reduce((p, q) => (away(q) < away(p) ? q : p));
      return away(best) < 28 * unit ? best : null;                     // 28 pixels: a fingertip
    }
    function show(point) {         // with the answer, if that is what was asked
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
      bubble.replaceChildren(picture(point.view, point.item), el("span", {}, text ? `${capital(v.one)}: ${text}` : v.one),
        ...(point.item === state.query ? [standing()] : []));
    }
    function ask(point) {
      if (!point) return;
      const focused = document.activeElement === svg;
      Object.assign(map, { at: point, asked: true });
      go({ query: point.item, way: point.view });
      if (focused) map.querySelector("svg").focus({ preventScroll: true });
    }
    function key(event) {
      const at = map.at ?? { view: state.way, item: state.query };
      const toward = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (toward) show(next(at, toward) ?? at);
      else if (event.key === "Enter") ask(at);
      else if (event.key === " ") play(address(at.view, at.item) ? at.view : 1 - at.view, at.item, null);
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
  function start(chosen) {                 // the first run, and of the others of its profile the one that ranks best
    const runs = sets[chosen].runs, mrr = (i) => runs[i].ways[0].mrr;
    const others = runs.map((_, i) => i).filter((i) => i && runs[i].method !== runs[0].method);
    const same = others.filter((i) => runs[i].profile === runs[0].profile);
    const best = (same.length ? same : others).reduce((p, q) => (p == null || mrr(q) > mrr(p) ? q : p), null);
    Object.assign(state, { set: chosen, way: 0, query: 0, show: 0, runs: runs.length > 1 ? [0, best ?? 1] : [0] });
  }

  function build() {
    parts = {
      queries: queryList(), queryCard: el("div", { class: "x-query" }),
      said: el("p", { class: "x-said", role: "status" }), count: el("p", { class: "x-count", role: "status" }),
      unequal: el("p", { class: "x-unequal", role: "status" }), answer: el("div", { class: "x-answer" }),
      columns: state.runs.map(() => el("section", { class: "x-column" })),
      maps: state.runs.map(() => el("section", { class: "x-map" })), listed: "",
    };
    const [one, other] = set().views, sounding = set().views.some((view) => view.kind === "sound");
    const sides = state.runs.length > 1 ? "x-sides" : "x-sides x-single";
    parts.answer.append(parts.queryCard, parts.said, el("div", { class: sides }, ...parts.columns));
    parts.desk = el("div", { class: "x-desk" }, parts.queries, parts.answer);
    root.replaceChildren(controls(), parts.unequal, parts.count,
      el("p", { id: "explorer-keys", class: "x-keys" }, "Choose a query. ",
        el("span", { class: "x-short" }, "The row scrolls → "),
        el("span", { class: "x-long" }, sounding ? "Arrow keys move, the space bar plays. " : "Arrow keys move. "),
        state.runs.length > 1 ? "Below each stand the ranks of its right answer with A and B."
          : "Below each stands the rank of its right answer."),
      parts.desk,
      el("p", { class: "x-legend" }, el("span", { class: "x-dot" }, "●"), ` ${one.one} `, el("span", { class: "x-tip" }, "▲"),
        ` ${other.one}; the line joins the query and its right answer.`),
      el("div", { class: `${sides} x-maps` }, ...parts.maps), player);
    const absent = `Not shown, since only the records of these runs are kept, not their embeddings: ${missing.join("; ")}.`;
    if (missing.length) root.append(el("p", { class: "x-missing" }, absent));
  }

  function go(change) {
    const way = state.way;
    Object.assign(state, change);
    stop();
    if (change.query != null && !shown()[state.show].queries.includes(state.query)) state.show = 0;
    const queries = fillShown();
    if (queries.length && !queries.includes(state.query)) [state.query] = queries;
    if (state.way !== way) root.querySelector(`[name="explorer-way"][value="${state.way}"]`).checked = true;
    if (parts.listed !== `${state.way}: ${queries}`) parts.queries.replaceChildren(...queries.map(option));
    parts.listed = `${state.way}: ${queries}`;
    if (!queries.length) parts.queries.removeAttribute("aria-activedescendant");
    markQuery();
    fillQuery();
    parts.columns.forEach(fillColumn);
    parts.maps.forEach(fillMap);
    const ranks = state.runs.map((_, i) => `${shownRank(rankOf(i, state.query))}${state.runs.length > 1 ? ` with ${"AB"[i]}` : ""}`);
    parts.said.textContent = `${named(state.query)}: rank ${ranks.join(", ")}.`;
    remember();
  }

  function reveal() {                      // what was tapped is answered on the screen where it was tapped
    const [list, answer] = [parts.queries, parts.answer].map((part) => part.getBoundingClientRect());
    const third = parts.columns.map((column) => [...column.querySelectorAll(".x-card")].at(2) ?? column);
    const low = Math.max(...third.map((card) => card.getBoundingClientRect().bottom));
    const over = answer.top < (answer.left >= list.right ? 0 : list.bottom - 8);
    if (low > innerHeight || over) parts.desk.scrollIntoView({ block: "start" });
  }

  function remember() {                    // in the address, so that a view can be sent to somebody
    const { set: s, way, query, runs, show } = state;
    const methods = runs.map((run, i) => `&${"ab"[i]}=${run}`).join("");
    history.replaceState(null, "", `#set=${s}&way=${way}&query=${query}${methods}&show=${show}`);
  }

  function recall() {
    const said = new URLSearchParams(location.hash.slice(1));
    const number = (name, count, otherwise) => {
      const value = Number.parseInt(said.get(name), 10);
      return value >= 0 && value < count ? value : otherwise;
    };
    start(number("set", sets.length, 0));
    const { queries, runs } = set();
    Object.assign(state, { way: number("way", 2, 0), query: number("query", queries, 0), show: number("show", 3, 0),
      runs: state.runs.map((run, i) => number("ab"[i], runs.length, run)) });
  }

  player.addEventListener("ended", stop);
  if (sets.length) {
    recall();
    build();
    go({});
  } else {
    const these = missing.length ? ` Of these runs only the records are kept: ${missing.join("; ")}.` : "";
    root.replaceChildren(el("p", { class: "x-missing" },
      `The explorer needs the embeddings of a finished run, and there are none.${these}`));
  }
})();

/* Three small figures that answer to the reader: no library, nothing fetched. Each page that has one loads this file.
   A figure draws into the <svg> that it finds, which holds a still of its beginning for print and without scripts,
   and leaves its numbers in data-values, where tests read them. */
(() => {
  "use strict";
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const degrees = (angle) => (angle * 180) / Math.PI;
  const fixed = (value, digits = 3) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
  const at = (angle) => [Math.cos(radians(angle)), Math.sin(radians(angle))];
  const node = (name, attributes = {}, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.textContent = text;
    return made;
  };
  const round = (value) => Math.round(value * 100) / 100;
  const line = (from, to, kind) => node("path", { d: `M${round(from[0])} ${round(from[1])}L${round(to[0])} ${round(to[1])}`, class: kind });
  const disc = (place, r, kind) => node("circle", { cx: round(place[0]), cy: round(place[1]), r, class: kind });
  const words = (text, x, y, kind = "") => node("text", { x: round(x), y: round(y), class: kind }, text);

  /* Two correlations approach each other. */
  const ITEMS = [[35, 1], [100, 0.8], [165, 1], [230, 0.9], [310, 0.7]];
  const OTHERS = [[28, 0.9], [112, 1], [150, 0.8], [238, 0.9], [318, 1]];
  const points = (polar) => polar.map(([angle, r]) => at(angle).map((part) => r * part));

  function approach(gap) {
    const [[p, q], [r, s]] = [[0.6 + gap, 0.05], [0.02, 0.6 - gap]];
    const a = p * p + q * q, b = p * r + q * s, c = r * r + s * s;
    const angle = Math.atan2(2 * b, a - c) / 2, half = Math.hypot((a - c) / 2, b);
    const corr = [Math.sqrt((a + c) / 2 + half), Math.sqrt((a + c) / 2 - half)];
    const u = [[Math.cos(angle), Math.sin(angle)], [-Math.sin(angle), Math.cos(angle)]].map((one) => {
      const largest = Math.abs(one[0]) >= Math.abs(one[1]) ? one[0] : one[1];
      return one.map((part) => part * Math.sign(largest));
    });
    const v = u.map((one, i) => [(p * one[0] + r * one[1]) / corr[i], (q * one[0] + s * one[1]) / corr[i]]);
    const seen = (item, basis) => [dot(item, basis[0]), dot(item, basis[1])];
    const unit = (one) => one.map((part) => part / Math.hypot(...one));
    const query = unit(seen(points(ITEMS)[0], u));
    return { corr, u, v, scores: points(OTHERS).map((one) => dot(query, unit(seen(one, v)))) };
  }

  function drawApproach(figure) {
    const svg = figure.querySelector("svg"), found = approach(Number(figure.querySelector("input").value));
    const plane = (centre, items, basis, name) => {
      const place = (one, size) => [centre + size * one[0], 84 - size * one[1]];
      const parts = [disc([centre, 84], 62, "circle"), words(name, centre, 170)];
      basis.forEach((one, i) => parts.push(line(place(one, -72), place(one, 72), `direction d${i + 1}`)));
      basis.forEach((one, i) => parts.push(words(String(i + 1), ...place(one, 79).map((x, k) => x + 4 * k), `d${i + 1}`)));
      return [...parts, ...items.map((one, i) => disc(place(one, 62), i || centre > 170 ? 4 : 6, i || centre > 170 ? "item" : "item query"))];
    };
    const bars = found.scores.flatMap((score, i) => {
      const x = 44 + 63 * i, zero = 222, end = zero - 36 * score;
      return [
        node("rect", { x, y: round(Math.min(zero, end)), width: 30, height: round(Math.abs(end - zero)), class: "bar" }),
        words(fixed(score, 2), x + 15, score > 0 ? end - 4 : end + 13),
      ];
    });
    svg.replaceChildren(...svg.querySelectorAll("title, desc"),
      ...plane(85, points(ITEMS), found.u, "view 1, whitened"), ...plane(255, points(OTHERS), found.v, "view 2, whitened"),
      line([20, 222], [330, 222], "axis"), ...bars, words("scores of the large point with the five of view 2", 175, 280));
    const [one, two] = found.corr.map((value) => fixed(value));
    tell(figure, found, `Correlations ${one} and ${two}. In view 1 direction 1 points to ${fixed(degrees(Math.atan2(found.u[0][1], found.u[0][0])), 0)}°. ` +
      `Scores: ${found.scores.map((score) => fixed(score)).join(", ")}.`);
  }

  /* What three losses pull and push. */
  const WRONG = [140, 62, 5, 215], MARGIN = 0.5, TEMPERATURE = 0.2;
  const LOSSES = {  // the gradient with respect to the query and to each answer, the right one first
    ranking: (x, ys) => byScore(x, ys, (scores) => {
      const count = scores.length - 1, wrong = scores.slice(1).map((s) => (MARGIN - scores[0] + s > 0 ? 1 / count : 0));
      return [-wrong.reduce((sum, g) => sum + g, 0), ...wrong];
    }),
    infonce: (x, ys) => byScore(x, ys, (scores) => {
      const weights = scores.map((s) => Math.exp(s / TEMPERATURE)), all = weights.reduce((sum, w) => sum + w, 0);
      return weights.map((w, j) => (w / all - (j ? 0 : 1)) / TEMPERATURE);
    }),
    angular: (a, [p, ...negatives]) => {
      const weights = negatives.map((m) => Math.exp(4 * (dot(m, a) + dot(m, p)) - 4 * dot(a, p)));
      const all = 1 + weights.reduce((sum, w) => sum + w, 0);
      const sum = (other) => [0, 1].map((k) => negatives.reduce((s, m, i) => s + (weights[i] / all) * (4 * m[k] - 4 * other[k]), 0));
      return [sum(p), [sum(a), ...weights.map((w) => [0, 1].map((k) => (4 * w * (a[k] + p[k])) / all))]];
    },
  };
  function byScore(x, ys, gradient) {
    const g = gradient(ys.map((y) => dot(x, y)));
    return [[0, 1].map((k) => ys.reduce((sum, y, j) => sum + g[j] * y[k], 0)), g.map((weight) => x.map((part) => weight * part))];
  }

  function forces(loss, query, right) {
    const places = [query, right, ...WRONG].map(at), [first, others] = LOSSES[loss](places[0], places.slice(1));
    return [first, ...others].map((g, i) => {
      const radial = dot(g, places[i]);
      return g.map((part, k) => radial * places[i][k] - part);
    });
  }

  function drawLosses(figure) {
    const svg = figure.querySelector("svg"), loss = figure.querySelector("input:checked").value;
    const [query, right] = ["query", "right"].map((name) => Number(figure.querySelector(`[name=${name}]`).value));
    const found = forces(loss, query, right), longest = Math.max(...found.map((one) => Math.hypot(...one)), 1e-9);
    const place = (one) => [170 + 95 * one[0], 145 - 95 * one[1]];
    const parts = [disc([170, 145], 95, "circle")];
    [query, right, ...WRONG].forEach((angle, i) => {
      const kind = i > 1 ? "wrong" : i ? "right" : "query", from = at(angle), length = Math.hypot(...found[i]);
      if (length > 0.01 * longest) {
        const end = [0, 1].map((k) => from[k] + (0.6 * found[i][k]) / longest);
        parts.push(line(place(from), place(end), `arrow ${kind}`), head(place(from), place(end), kind));
      }
      const mark = disc(place(from), i > 1 ? 6 : 10, `mark ${kind}`);
      if (i < 2) mark.dataset.drags = i ? "right" : "query";
      parts.push(mark, words(i > 1 ? "" : i ? "right answer" : "query", 170 + 138 * from[0], 149 - 118 * from[1]));
    });
    const grip = svg.querySelector(":scope > .grip") || node("g", { class: "grip" });
    grip.replaceChildren(...parts);
    svg.replaceChildren(...svg.querySelectorAll("title, desc"), grip);
    const [pull, ...push] = found.slice(1).map((one) => Math.hypot(...one));
    tell(figure, { forces: found }, `The right answer is pulled with ${fixed(pull)}, the wrong ones are pushed with ${push.map((one) => fixed(one)).join(", ")}.`);
  }
  function head(from, to, kind) {
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1, [dx, dy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
    const corner = (side) => `${round(to[0] - 7 * dx + 4 * side * dy)} ${round(to[1] - 7 * dy - 4 * side * dx)}`;
    return node("path", { d: `M${round(to[0])} ${round(to[1])}L${corner(1)}L${corner(-1)}Z`, class: `tip ${kind}` });
  }
  function dragged(figure) {
    const svg = figure.querySelector("svg");
    let name = "";
    const move = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const input = figure.querySelector(`[name=${name}]`);
      input.value = Math.round(degrees(Math.atan2(145 - point.y, point.x - 170)) + 360) % 360;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      event.preventDefault();
    };
    svg.addEventListener("pointerdown", (event) => {
      name = event.target.dataset.drags || "";
      if (name) { svg.setPointerCapture(event.pointerId); event.preventDefault(); }
    });
    svg.addEventListener("pointermove", (event) => name && move(event));
    ["pointerup", "pointercancel"].forEach((kind) => svg.addEventListener(kind, () => { name = ""; }));
  }

  /* Correlations of two views that have nothing in common. */
  function noise(n, d) {
    const c = d / (n - 1), ones = Math.max(0, Math.min(d, 2 * d - (n - 1)));
    const edge = c >= 0.5 ? 1 : 2 * Math.sqrt(c * (1 - c));
    return { n, d, ones, edge, rms: n > d ? Math.sqrt(c) : 1 };
  }
  function density(sigma, c) {  // of Wachter's law for two views of one width, where c ≤ 1/2
    const square = sigma * sigma, top = 4 * c * (1 - c);
    return square >= top || square >= 1 ? 0 : Math.sqrt(top - square) / (Math.PI * c * (1 - square));
  }

  function drawNoise(figure) {
    const svg = figure.querySelector("svg");
    const [n, d] = ["n", "d"].map((name) => Number(figure.querySelector(`[name=${name}]`).value));
    const pairs = Math.round(10 ** n), found = noise(pairs, d), c = d / (pairs - 1);
    const x = (sigma) => 20 + 300 * sigma, heights = Array.from({ length: 151 }, (_, i) => density(i / 150, Math.min(c, 0.5)));
    const most = Math.max(...heights), parts = [line([20, 150], [320, 150], "axis")];
    [0, 0.25, 0.5, 0.75, 1].forEach((tick) => parts.push(line([x(tick), 150], [x(tick), 154], "axis"), words(String(tick), x(tick), 167)));
    if (found.ones < d) {
      const path = heights.map((height, i) => `${round(x(i / 150))} ${round(150 - (110 * height) / most)}`).join("L");
      parts.push(node("path", { d: `M20 150L${path}L320 150Z`, class: "hill" }));
    }
    if (found.ones) parts.push(node("rect", { x: 314, y: round(150 - (130 * found.ones) / d), width: 12, height: round((130 * found.ones) / d), class: "bar" }));
    [[found.rms, "root mean square", 28], [found.edge, "largest", 12]].forEach(([sigma, name, y]) => {
      parts.push(line([x(sigma), y + 4], [x(sigma), 150], "mean"), words(name, Math.min(Math.max(x(sigma), 60), 285), y));
    });
    svg.replaceChildren(...svg.querySelectorAll("title, desc"), ...parts, words("correlation of pure noise", 170, 186));
    tell(figure, found, pairs <= d ? `${pairs} pairs, ${d} dimensions: no more pairs than dimensions, so every correlation can be 1. The layer refuses such a batch.`
      : `${pairs} pairs, ${d} dimensions: the root mean square is ${fixed(found.rms)}, the largest about ${fixed(found.edge)}` + (found.ones ? `, and ${found.ones} of ${d} are exactly 1.` : "."));
  }

  function tell(figure, values, text) {
    figure.dataset.values = JSON.stringify(values);
    figure.querySelector("output").textContent = text;
  }
  const FIGURES = { approach: drawApproach, losses: drawLosses, noise: drawNoise };
  document.querySelectorAll("figure[data-moving]").forEach((figure) => {
    const draw = FIGURES[figure.dataset.moving];
    figure.addEventListener("input", () => draw(figure));
    if (figure.dataset.moving === "losses") dragged(figure);
    draw(figure);
  });
})();

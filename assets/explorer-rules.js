// The rules of the frontier chart, without a page: the same as scripts/figures/{theme,labels,frontier_chart,display_frontier}.py has for the
// pictures. Rows are {id, name, arch, family, kind, pretrain, size, top1, speed, params}; pixels run rightwards and downwards.
window.explorerRules = (() => {
  "use strict";
  // 0.05, 7, 200, 1k, 20k, 1.5M
  const short = (value) => {
    for (const [size, suffix] of [[1e6, "M"], [1e3, "k"]]) if (Math.abs(value) >= size) return Number((value / size).toPrecision(3)) + suffix;
    return String(Number(value.toPrecision(3)));
  };
  const plain = (value, digits = 3) => Number(Number(value).toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 8 });
  const duration = (ms) => ms < 999.5 ? `${plain(ms)} ms` : `${plain(ms / 1000)} s`;
  const listing = (names, last = "and") => names.length > 1 ? `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}` : names[0] ?? "";

  // 1-2-5 ticks between low and high on `room` pixels of a log axis, fewer per decade where their labels would touch.
  function logTicks(low, high, room, widthOf) {
    let values = [];
    for (const digits of [[1, 2, 5], [1, 3], [1]]) {
      values = [];
      for (let decade = Math.floor(Math.log10(low)) - 1; decade <= Math.ceil(Math.log10(high)); decade++)
        for (const digit of digits) { const value = digit * 10 ** decade; if (value >= low * 0.999 && value <= high * 1.001) values.push(value); }
      const at = values.map((value) => Math.log(value / low) / Math.log(high / low) * room), half = values.map((value) => widthOf(short(value)) / 2 + 6);
      if (values.length > 1 && at.every((x, i) => !i || x - at[i - 1] >= half[i] + half[i - 1])) return values;
    }
    return values.length > 1 ? values : linearTicks(low, high, room, 80); // zoomed in between two decades
  }
  function linearTicks(low, high, room, apart = 56) {
    const span = high - low, steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5, 1e6];
    const step = steps.find((one) => span / one <= Math.max(2, room / apart)) ?? span;
    const values = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step) values.push(Number(value.toFixed(6)));
    return values;
  }

  // The rows that no other beats in speed and accuracy, most accurate first; one row for each place.
  function frontier(rows) {
    const order = [...rows].sort((a, b) => b.speed - a.speed || b.top1 - a.top1), kept = [];
    for (const row of order) if (!kept.length || row.top1 > kept.at(-1).top1) kept.push(row);
    return kept.reverse();
  }

  // Up to `number` frontier rows worth naming: both ends, then those that hold the largest area of the frontier alone.
  function leaders(edge, low, number, first = []) {
    const speed = edge.map((row) => Math.log10(row.speed)), n = edge.length;
    if (!n) return [];
    const area = edge.map((row, i) => (row.top1 - (i + 1 < n ? edge[i + 1].top1 : low)) * (speed[i] - (i ? speed[i - 1] : speed[0] - 0.15)));
    area[0] = area[n - 1] = Infinity;
    for (const family of first) {
      const own = edge.flatMap((row, i) => row.family === family ? [i] : []);
      if (own.length) area[own.reduce((a, b) => area[b] > area[a] ? b : a)] = Infinity;
    }
    const apart = 0.06 * (speed[n - 1] - speed[0]), keep = [];
    for (const i of [...area.keys()].sort((a, b) => (area[b] === area[a] ? a - b : area[b] - area[a]))) {
      const again = keep.filter((k) => edge[k].family === edge[i].family).length;
      if (keep.length < number && again < 2 && keep.every((k) => Math.abs(speed[i] - speed[k]) > apart)) keep.push(i);
    }
    return keep.sort((a, b) => a - b).map((i) => edge[i]);
  }

  // Which of the notebook's families hold a place on the frontier (by the name of their successor, where only that one does).
  function headline(where, rows, edge, theme, labels) {
    const on = new Set(edge.map((row) => row.family)), timed = new Set(rows.map((row) => row.family));
    const claims = Object.entries(theme.claims).filter(([, names]) => names.some((name) => timed.has(name)));
    const found = claims.map(([claim, names]) => [claim, names.find((name) => on.has(name))]);
    const there = found.filter(([, name]) => name).map(([, name]) => labels[name] ?? name), gone = found.filter(([, name]) => !name).map(([claim]) => claim);
    if (found.length < 2) return `On ${where}, ${edge.length} of ${rows.length.toLocaleString("en")} models are beaten by none`;
    if (!gone.length) return `On ${where}, ${listing(there)} are all on the frontier`;
    if (!there.length) return `On ${where}, none of ${listing(gone)} is on the frontier any more`;
    return `On ${where}, ${listing(there)} ${there.length > 1 ? "reach" : "reaches"} the frontier; ${listing(gone)} no longer ${gone.length > 1 ? "do" : "does"}`;
  }

  // --- labels that neither overlap nor leave the area; greedy, in order of importance, each at its cheapest place
  const overlaps = (a, b, gap = 3) => a.left < b.right + gap && b.left < a.right + gap && a.top < b.bottom + gap && b.top < a.bottom + gap;
  const DISTANCES = [0, 5, 11, 18, 27, 38, 52, 70, 92], ANGLES = [...Array(24).keys()].map((i) => i * Math.PI / 12);
  function* candidates(label) {
    for (const distance of DISTANCES) for (const angle of ANGLES) {
      const reach = label.radius + 3 + distance, cos = Math.cos(angle), sin = Math.sin(angle);
      const x = label.x + reach * cos + cos * label.width / (Math.abs(cos) > 0.3 ? 2 : 3), y = label.y - reach * sin - sin * label.height / 2;
      yield { left: x - label.width / 2, right: x + label.width / 2, top: y - label.height / 2, bottom: y + label.height / 2,
        distance, lean: 0.6 * (1 - cos) + 0.4 * (1 - sin) };
    }
  }
  const crosses = (box, line) => Math.min(line[0], line[2]) < box.right + 2 && Math.max(line[0], line[2]) > box.left - 2
    && Math.min(line[1], line[3]) < box.bottom + 1 && Math.max(line[1], line[3]) > box.top - 1;
  // labels: {x, y, width, height, radius, …}; points: [x, y, weight]; lines: horizontal and vertical [x0, y0, x1, y1]. Returns those placed, with `box`.
  function place(labels, area, points, lines, taken = []) {
    const boxes = [...taken], placed = [];
    for (const label of labels) {
      let best = null;
      const far = DISTANCES.at(-1) + label.radius + 12, near = points.filter((point) => Math.abs(point[0] - label.x) < far + label.width && Math.abs(point[1] - label.y) < far + label.height);
      for (const box of candidates(label)) {
        if ((best && box.distance * 0.35 >= best.cost) || box.distance > (label.furthest ?? Infinity)) break;
        if (box.left < area.left || box.right > area.right || box.top < area.top || box.bottom > area.bottom || boxes.some((other) => overlaps(box, other))) continue;
        let cost = box.distance * 0.35 + box.lean + (box.distance > 15 ? 6 : 0);
        for (let i = 0; i < near.length && !(best && cost >= best.cost); i++) {
          const point = near[i];
          if (point[0] > box.left - 3 && point[0] < box.right + 3 && point[1] > box.top - 2 && point[1] < box.bottom + 2) cost += point[2];
        }
        for (let i = 0; i < lines.length && !(best && cost >= best.cost); i++) if (crosses(box, lines[i])) cost += 25;
        for (const other of labels) if (other !== label && other.x > box.left - 4 && other.x < box.right + 4 && other.y > box.top - 4 && other.y < box.bottom + 4) cost += 12;
        if (!best || cost < best.cost) best = { cost, box };
      }
      if (best) { boxes.push(best.box); placed.push({ ...label, box: best.box }); }
    }
    return placed;
  }
  return { short, plain, duration, listing, logTicks, linearTicks, frontier, leaders, headline, place, overlaps };
})();

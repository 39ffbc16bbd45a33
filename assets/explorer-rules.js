// The rules of the frontier chart, without a page: the same as
// scripts/figures/{theme,labels,frontier_chart,display_frontier}.py has for the pictures. Rows are {id, name, arch,
// family, kind, pretrain, size, top1, speed, params}; pixels run rightwards and downwards.
window.explorerRules = (() => {
  "use strict";
  const { short } = window.sharedRules,
    labels = () => window.explorerTheme.labels;
  const plain = (value, digits = 3) =>
    Number(Number(value).toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 8 });
  const duration = (ms) => (ms < 999.5 ? `${plain(ms)} ms` : `${plain(ms / 1000)} s`);
  const listing = (names, last = "and") =>
    names.length > 1 ? `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}` : (names[0] ?? "");

  // 1-2-5 ticks between low and high on `room` pixels of a log axis, fewer per decade where their labels would touch.
  function logTicks(low, high, room, widthOf) {
    let values = [];
    for (const digits of [[1, 2, 5], [1, 3], [1]]) {
      values = [];
      for (let decade = Math.floor(Math.log10(low)) - 1; decade <= Math.ceil(Math.log10(high)); decade++)
        for (const digit of digits) {
          const value = digit * 10 ** decade;
          if (value >= low * 0.999 && value <= high * 1.001) values.push(value);
        }
      const at = values.map((value) => (Math.log(value / low) / Math.log(high / low)) * room),
        half = values.map((value) => widthOf(short(value)) / 2 + labels().tickPad);
      if (values.length > 1 && at.every((x, i) => !i || x - at[i - 1] >= half[i] + half[i - 1])) return values;
    }
    return values.length > 1 ? values : linearTicks(low, high, room, 80); // zoomed in between two decades
  }
  function linearTicks(low, high, room, apart = 56) {
    const span = high - low,
      steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5, 1e6];
    const step = steps.find((one) => span / one <= Math.max(2, room / apart)) ?? span;
    const values = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step)
      values.push(Number(value.toFixed(6)));
    return values;
  }

  // The rows that no other beats in speed and accuracy, most accurate first; one row for each place.
  const frontier = (rows) =>
    window.sharedRules
      .frontier(rows)
      .filter((row, i, all) => !i || row.speed !== all[i - 1].speed || row.top1 !== all[i - 1].top1)
      .reverse();

  // Up to `number` frontier rows worth naming: both ends, then those that hold the largest area of the frontier alone.
  function leaders(edge, low, number, first = []) {
    const speed = edge.map((row) => Math.log10(row.speed)),
      n = edge.length;
    if (!n) return [];
    const area = edge.map(
      (row, i) => (row.top1 - (i + 1 < n ? edge[i + 1].top1 : low)) * (speed[i] - (i ? speed[i - 1] : speed[0] - 0.15)),
    );
    area[0] = area[n - 1] = Infinity;
    for (const family of first) {
      const own = edge.flatMap((row, i) => (row.family === family ? [i] : []));
      if (own.length) area[own.reduce((a, b) => (area[b] > area[a] ? b : a))] = Infinity;
    }
    const apart = 0.06 * (speed[n - 1] - speed[0]),
      keep = [];
    for (const i of [...area.keys()].sort((a, b) => (area[b] === area[a] ? a - b : area[b] - area[a]))) {
      const again = keep.filter((k) => edge[k].family === edge[i].family).length;
      if (keep.length < number && again < 2 && keep.every((k) => Math.abs(speed[i] - speed[k]) > apart)) keep.push(i);
    }
    return keep.sort((a, b) => a - b).map((i) => edge[i]);
  }

  // Which of the notebook's families hold a place on the frontier (by the name of their successor, where only that one
  // does).
  function headline(where, rows, edge, theme, labels) {
    const on = new Set(edge.map((row) => row.family)),
      timed = new Set(rows.map((row) => row.family));
    const claims = Object.entries(theme.claims).filter(([, names]) => names.some((name) => timed.has(name)));
    const found = claims.map(([claim, names]) => [claim, names.find((name) => on.has(name))]);
    const there = found.filter(([, name]) => name).map(([, name]) => labels[name] ?? name),
      gone = found.filter(([, name]) => !name).map(([claim]) => claim);
    if (found.length < 2)
      return `On ${where}, ${edge.length} of ${rows.length.toLocaleString("en")} models are beaten by none`;
    if (!gone.length) return `On ${where}, ${listing(there)} are all on the frontier`;
    if (!there.length) return `On ${where}, none of ${listing(gone)} is on the frontier any more`;
    return (
      `On ${where}, ${listing(there)} ${there.length > 1 ? "reach" : "reaches"} the frontier; ` +
      `${listing(gone)} no longer ${gone.length > 1 ? "do" : "does"}`
    );
  }

  // --- labels that neither overlap nor leave the area; greedy, in order of importance, each at its cheapest place:
  // scripts/figures/labels.py, whose distances, angles and costs come with the theme
  const overlaps = (a, b, gap = labels().gap) =>
    a.left < b.right + gap && b.left < a.right + gap && a.top < b.bottom + gap && b.top < a.bottom + gap;
  function* candidates(label) {
    const { distances, angles } = labels();
    for (const distance of distances)
      for (const angle of angles) {
        const reach = label.radius + 3 + distance,
          cos = Math.cos(angle),
          sin = Math.sin(angle);
        const x = label.x + reach * cos + (cos * label.width) / (Math.abs(cos) > 0.3 ? 2 : 3),
          y = label.y - reach * sin - (sin * label.height) / 2;
        yield {
          left: x - label.width / 2,
          right: x + label.width / 2,
          top: y - label.height / 2,
          bottom: y + label.height / 2,
          distance,
          lean: 0.6 * (1 - cos) + 0.4 * (1 - sin),
        };
      }
  }
  const within = (box, x, y, across, down = across) =>
    x > box.left - across && x < box.right + across && y > box.top - down && y < box.bottom + down;
  function crosses(box, [x0, y0, x1, y1]) {
    // a horizontal or vertical line by its ends, another one by 25 points of it
    if (x0 === x1 || y0 === y1)
      return (
        Math.min(x0, x1) < box.right + 2 &&
        Math.max(x0, x1) > box.left - 2 &&
        Math.min(y0, y1) < box.bottom + 1 &&
        Math.max(y0, y1) > box.top - 1
      );
    for (let i = 0; i < 25; i++)
      if (within(box, x0 + ((x1 - x0) * i) / 24, y0 + ((y1 - y0) * i) / 24, 2, 1)) return true;
    return false;
  }
  const away = (box, x, y) =>
    Math.hypot(Math.max(box.left - x, x - box.right, 0), Math.max(box.top - y, y - box.bottom, 0));
  // labels: {x, y, width, height, radius, …}; points: [x, y, weight]; lines: [x0, y0, x1, y1]. Returns those placed,
  // with `box` and `leader`: whether a line ties it to its point.
  function place(wanted, area, points, lines, taken = []) {
    const { costs, leaderFrom, distances } = labels(),
      boxes = [...taken],
      placed = [],
      strong = points.filter((point) => point[2] >= 1);
    for (const label of wanted) {
      let best = null;
      const far = distances.at(-1) + label.radius + 12,
        others = wanted.filter((other) => other.x !== label.x || other.y !== label.y);
      const near = points.filter(
        (point) =>
          Math.abs(point[0] - label.x) < far + label.width && Math.abs(point[1] - label.y) < far + label.height,
      );
      for (const box of candidates(label)) {
        // none further out can be cheaper
        if ((best && box.distance * costs.distance >= best.cost) || box.distance > (label.furthest ?? Infinity)) break;
        if (
          box.left < area.left ||
          box.right > area.right ||
          box.top < area.top ||
          box.bottom > area.bottom ||
          boxes.some((other) => overlaps(box, other))
        )
          continue;
        const leader = box.distance > leaderFrom,
          own = away(box, label.x, label.y) - 1;
        let cost = box.distance * costs.distance + box.lean;
        for (const point of near) if (within(box, point[0], point[1], 3, 2)) cost += point[2];
        for (const line of lines) if (crosses(box, line)) cost += costs.line;
        for (const point of strong) if (away(box, point[0], point[1]) < own) cost += costs.nearer;
        for (const other of others) if (within(box, other.x, other.y, 4)) cost += costs.anchor;
        if (leader) {
          const tie = [label.x, label.y, (box.left + box.right) / 2, (box.top + box.bottom) / 2];
          cost += costs.leader;
          for (const other of boxes) if (crosses(other, tie)) cost += costs.through;
          for (const { x, y } of others)
            if (crosses({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 }, tie)) cost += costs.past;
        }
        if (!best || cost < best.cost) best = { cost, box, leader };
      }
      if (best) {
        boxes.push(best.box);
        placed.push({ ...label, box: best.box, leader: best.leader });
      }
    }
    return placed;
  }
  return { short, plain, duration, listing, logTicks, linearTicks, frontier, leaders, headline, place, overlaps };
})();

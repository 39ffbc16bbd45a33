// Rules that the picker and the frontier chart share with the command line and the pictures; each stands once here and
// once in Python, and a test (tests/test_common_rules_in_js.py) runs both on the same cases. Rows are {speed, top1,
// …}; no page is needed.
window.sharedRules = (() => {
  "use strict";
  // The rows that no other beats: none is at least as fast and more accurate, or faster and as accurate; equals are all
  // kept. Fastest first. scripts/common/frontier.py: on_frontier
  function frontier(rows) {
    const kept = [];
    for (const row of [...rows].sort((a, b) => b.speed - a.speed || b.top1 - a.top1)) {
      const last = kept.at(-1);
      if (!last || row.top1 > last.top1 || (row.top1 === last.top1 && row.speed === last.speed)) kept.push(row);
    }
    return kept;
  }
  // Points by which two accuracies (percent) must differ to be told apart. scripts/common/uncertainty.py:
  // top1_uncertainty
  const doubt = (a, b, { images, sigmas }) => sigmas * Math.sqrt((a * (100 - a) + b * (100 - b)) / images);
  // 0.05, 7, 200, 1k, 20k, 1.5M. scripts/common/words.py: short
  const short = (value) => {
    for (const [size, suffix] of [
      [1e6, "M"],
      [1e3, "k"],
    ])
      if (Math.abs(value) >= size) return Number((value / size).toPrecision(3)) + suffix;
    return String(Number(value.toPrecision(3)));
  };
  // The fastest of several ways to run a network: the first of those with the highest speed, null where none is known.
  // speeds: a number or null for each. scripts/choose/rules.py: fastest_way
  const fastestWay = (speeds) =>
    speeds.reduce((best, speed, i) => (speed !== null && (best === null || speed > speeds[best]) ? i : best), null);
  // A speed after so many steps of gain; null: not known there. scripts/choose/rules.py: with_ways
  const gained = (speed, steps, step) => (steps === null ? null : speed * step ** steps);
  // A line with each {name} that `values` has replaced. scripts/runtimes/lines.py: filled
  const filled = (template, values) => template.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  // US dollars for a million images. scripts/cloud/prices.py: per_million
  const perMillion = (usdPerHour, speed) => (usdPerHour / 3600 / speed) * 1e6;
  return { frontier, doubt, short, fastestWay, gained, filled, perMillion };
})();

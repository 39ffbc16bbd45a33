// What the frontier chart's horizontal axis may be. Each row gets `x`, the value, `rate`, its images per second, and
// `speed`, on which everything else works: a number that is larger where the row is better. A row whose value is not
// known is left out, never guessed. about: the machine as models.js has it, with `usd`, dollars an hour.
window.explorerAxes = (() => {
  "use strict";
  const R = window.explorerRules,
    WEIGHTS = 2000; // years are counted from here, so that earlier is a larger power of ten
  const year = (day) => {
    const [y, m, d] = day.split("-").map(Number);
    return y + (m - 1) / 12 + (d - 1) / 372;
  };
  const axes = {
    speed: {
      name: "Speed",
      value: (row) => row.rate,
      words: (part) => ["images per second", ` in ${part === "train" ? "training" : "inference"}`, " (log scale)"],
      best: "is faster",
    },
    usd: {
      name: "Money",
      value: (row, about) => (about.usd > 0 ? (row.rate * 3600) / about.usd : 0),
      words: () => ["images per US dollar", " (log scale)"],
      best: "is cheaper",
      said: (row) => `${R.plain(row.x)} images per US dollar`,
    },
    energy: {
      name: "Energy",
      value: (row) => row.energy,
      less: true,
      words: () => ["joules an image", ", measured", " (log scale)"],
      best: "takes less energy",
      said: (row) => `${R.plain(row.x)} J an image`,
    },
    memory: {
      name: "Memory",
      value: (row) => row.memory,
      less: true,
      words: () => ["peak memory in MB", ", measured", " (log scale)"],
      best: "takes less memory",
      said: (row) => `${R.plain(row.x)} MB of memory`,
    },
    params: {
      name: "Parameters",
      value: (row) => row.params,
      less: true,
      words: () => ["parameters in millions", " (log scale)"],
      best: "is smaller",
    },
    since: {
      name: "Date",
      value: (row) => row.since && year(row.since),
      date: true,
      words: () => ["first in one of timm’s tables"],
      best: "is earlier",
      said: (row) => `in timm’s tables since ${row.since}`,
    },
  };
  const score = (axis, value) => (axis.date ? 10 ** (WEIGHTS - value) : axis.less ? 1 / value : value);

  // rows of one machine, as `tableOf` made them, on an axis
  function on(key, rows, about) {
    const axis = axes[key];
    return rows.flatMap((row) => {
      const mine = { ...row, rate: row.speed },
        x = axis.value(mine, about);
      return x > 0 ? [Object.assign(mine, { x, speed: score(axis, x) })] : [];
    });
  }
  // [place, text]: places are log10 of `speed` between low and high
  function ticks(key, [low, high], room, widthOf) {
    const axis = axes[key];
    if (axis.date)
      return R.linearTicks(WEIGHTS - high, WEIGHTS - low, room, 70)
        .filter((value) => Number.isInteger(value))
        .map((value) => [WEIGHTS - value, String(value)]);
    const sign = axis.less ? -1 : 1,
      [from, to] = axis.less ? [-high, -low] : [low, high];
    return R.logTicks(10 ** from, 10 ** to, room, widthOf).map((value) => [sign * Math.log10(value), R.short(value)]);
  }
  // why an axis can't be chosen for a machine; "" where it can
  function missing(key, rows, about) {
    if (on(key, rows, about).length) return "";
    return key === "usd" ? "no price known" : key === "since" ? "no table at hand" : "not measured here";
  }
  // ends of a row's interval: [lower, upper] as `speed`, or null where nothing is known of it on this axis
  function across(key, row, rules) {
    if (key !== "speed" && key !== "usd") return null;
    const factor = row.within || (rules.timing_spread ?? 1) ** Math.SQRT1_2;
    return factor > 1 ? [row.speed / factor, row.speed * factor] : null;
  }
  // twice the standard error of its accuracy, in points
  const upright = (row, { sigmas, images }) =>
    sigmas && images ? sigmas * Math.sqrt((row.top1 * (100 - row.top1)) / images) : 0;
  // what a rival has over a row, in words
  function ahead(key, row, rival) {
    if (key === "speed") return `at ${R.plain(rival.speed / row.speed)}× the speed`;
    const said = axes[key].said;
    return said ? `${said(rival)}, not ${said(row)}` : `with ${R.plain(rival.x)} M parameters, not ${R.plain(row.x)} M`;
  }
  return { axes, on, ticks, missing, across, upright, ahead };
})();

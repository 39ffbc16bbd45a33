// Up to four machines side by side, below the models: #machines=rtx5090,rtx3090 in the address. Each is held against
// the first, over the models that both have timed; what timing can't tell is a tie. Figures:
// data/v1/machines/<key>.json.
(() => {
  "use strict";
  const box = document.getElementById("compare-machines");
  if (!box) return;
  const LEAST = 5, // models in common
    C = window.comparing(/(?<=_)|(?<=\.)(?=[a-z])/),
    { MOST, about, make, number } = C,
    { images, sigmas, timing_spread: spread } = about.uncertainty,
    said = document.getElementById("compare-machines-said"),
    add = document.getElementById("compare-machines-add"),
    files = new Map();
  let chosen = [],
    turn = 0;

  // --- the address
  function recall() {
    const wrong = [],
      found = [];
    for (const key of C.asked("machines")) {
      if (!Object.hasOwn(about.machines, key))
        wrong.push(`“${key.slice(0, 60)}” is no machine that this report knows.`);
      else if (found.length === MOST) {
        wrong.push(C.many);
        break;
      } else if (!found.includes(key)) found.push(key);
    }
    chosen = found;
    show(wrong);
  }
  function keep() {
    C.address({ machines: chosen.join() });
    show();
  }

  // --- figures
  async function load(key) {
    if (!files.has(key)) {
      const file = await C.figures("machines", key),
        at = Object.fromEntries(file.columns.map((name, i) => [name, i]));
      const rows = file.rows
        .map((row) => ({
          id: `${row[at.model]}@${row[at.img_size]}`,
          model: row[at.model],
          top1: row[at.top1],
          speed: row[at.images_per_second],
          frontier: row[at.frontier],
        }))
        .filter((row) => row.speed > 0);
      files.set(key, { ...file, rows, by: new Map(rows.map((row) => [row.id, row])) });
    }
    return files.get(key);
  }
  const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  function ranks(values) {
    const order = [...values.keys()].sort((a, b) => values[a] - values[b]),
      found = [];
    order.forEach((at, place) => (found[at] = place));
    return found;
  }
  // a machine beside the first: over the models of both
  function beside(mine, first) {
    const pairs = mine.rows.flatMap((row) => (first.by.has(row.id) ? [[row.speed, first.by.get(row.id).speed]] : []));
    if (pairs.length < LEAST) return { count: pairs.length };
    const ratios = pairs.map(([a, b]) => a / b).sort((a, b) => a - b),
      [a, b] = [0, 1].map((i) => ranks(pairs.map((pair) => pair[i]))),
      n = pairs.length,
      apart = a.reduce((sum, place, i) => sum + (place - b[i]) ** 2, 0);
    return {
      count: n,
      median: quantile(ratios, 0.5),
      low: quantile(ratios, 0.05),
      high: quantile(ratios, 0.95),
      faster: ratios.filter((ratio) => ratio > spread).length,
      slower: ratios.filter((ratio) => ratio < 1 / spread).length,
      rho: 1 - (6 * apart) / (n * (n * n - 1)),
    };
  }
  const tied = (ratio) => ratio <= spread && ratio >= 1 / spread;
  const few = ({ count }) => `only ${count} model${count === 1 ? "" : "s"} in common`;
  const best = (file, floor) =>
    file.rows
      .filter((row) => row.speed >= floor && row.top1 > 0)
      .reduce((one, row) => (!one || row.top1 > one.top1 ? row : one), null);
  const se = (top1) => Math.sqrt((top1 * (100 - top1)) / images);
  function reached(file, first, floor) {
    const mine = best(file, floor),
      theirs = file === first ? null : best(first, floor);
    if (!mine) return "none is that fast";
    const value = `${mine.top1.toFixed(2)}%, ${mine.model}`;
    if (!theirs) return value;
    return `${value} (${C.gapOf(mine.top1 - theirs.top1, sigmas * Math.hypot(se(mine.top1), se(theirs.top1)))})`;
  }

  // --- the page
  function table(all) {
    const [first] = all,
      against = all.map((file) => (file === first ? null : beside(file, first))),
      columns = all.map(({ name }) => [name, ...C.parts(name)]),
      [made, row] = C.framed("The machines side by side", columns, away);
    const line = (name, cell) =>
      row(
        name,
        all.map((file, i) => cell(file, against[i])),
      );
    line("Kind", (file) => ({ gpu: "graphics card", cpu: "processor", phone: "phone" })[file.kind] ?? "–");
    line("Launched", (file) => (file.year > 0 ? String(file.year) : "–"));
    line("Timed", (file) => `${file.precision}, ${file.compiled ? "compiled" : "eager"}, PyTorch ${file.torch}`);
    line("Models", (file) => file.models.toLocaleString("en"));
    line("Speed over all models in common", (_, one) =>
      !one
        ? "–"
        : one.median === undefined
          ? few(one)
          : `${tied(one.median) ? "a tie, " : ""}${number(one.median)}× ` +
            `(nine in ten ${number(one.low)} to ${number(one.high)}; ${one.count.toLocaleString("en")} models)`,
    );
    line("Models faster, slower, tied", (_, one) =>
      one?.median === undefined
        ? "–"
        : [one.faster, one.slower, one.count - one.faster - one.slower].map((n) => n.toLocaleString("en")).join(", "),
    );
    line("Same order of models", (_, one) => (one?.median === undefined ? "–" : `ρ ${one.rho.toFixed(3)}`));
    line("On the frontier", (file) => {
      const own = file.rows.filter((row) => row.frontier),
        both = own.filter((row) => first.by.get(row.id)?.frontier);
      return `${own.length}${file === first ? "" : `, ${both.length} of them on the first’s`}`;
    });
    for (const floor of [10, 100, 1000, 10000])
      if (all.some((file) => best(file, floor)))
        line(`Most accurate at ${floor.toLocaleString("en")} images/s`, (file) => reached(file, first, floor));
    return made;
  }
  function away(i) {
    chosen.splice(i, 1);
    keep();
    add.focus();
  }
  function verdict(mine, first) {
    const one = beside(mine, first);
    if (one.median === undefined) return `${mine.name} and ${first.name}: ${few(one)}, too few to compare.`;
    return tied(one.median)
      ? `${mine.name} and ${first.name} are a tie over ${one.count.toLocaleString("en")} models.`
      : `${mine.name} is ${number(Math.max(one.median, 1 / one.median))} times ` +
          `${one.median > 1 ? "faster" : "slower"} than ${first.name}.`;
  }
  async function show(wrong = []) {
    const mine = ++turn;
    for (const option of add.options) option.disabled = option.value !== "" && chosen.includes(option.value);
    add.disabled = chosen.length >= MOST;
    if (!chosen.length) {
      box.replaceChildren();
      said.textContent = wrong.join(" ");
      return;
    }
    let all;
    try {
      all = await Promise.all(chosen.map(load));
    } catch {
      said.textContent = C.unread;
      return;
    }
    if (mine !== turn) return;
    C.put(box, table(all), all.length);
    said.textContent = [...wrong, ...all.slice(1).map((file) => verdict(file, all[0]))].join(" ");
  }
  for (const [key, name] of Object.entries(about.machines)) add.append(make("option", name, { value: key }));
  add.addEventListener("change", () => {
    if (add.value && chosen.length < MOST && !chosen.includes(add.value)) {
      chosen.push(add.value);
      keep();
    }
    add.value = "";
  });
  addEventListener("hashchange", recall);
  recall();
})();

// Up to four machines side by side, below the models: #machines=rtx5090,rtx3090 in the address. Each is held against
// the first, over the models that both have timed; what timing can't tell is a tie. Figures:
// data/v1/machines/<key>.json.
(() => {
  "use strict";
  const box = document.getElementById("compare-machines");
  if (!box) return;
  const MOST = 4,
    LONGEST = 800,
    LEAST = 5; // models in common
  const about = JSON.parse(document.getElementById("compare-about").textContent),
    { images, sigmas, timing_spread: spread } = about.uncertainty,
    said = document.getElementById("compare-machines-said"),
    add = document.getElementById("compare-machines-add"),
    base = new URL("../data/v1/machines/", document.currentScript.src),
    files = new Map();
  let chosen = [],
    turn = 0;
  const make = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    const parts = String(text).split(/(?<=_)|(?<=\.)(?=[a-z])/); // where a name may break
    made.append(...parts.flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part])));
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const number = (value, digits = 3) =>
    Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6 });

  // --- the address
  function recall() {
    const wrong = [],
      found = [];
    const given = new URLSearchParams(location.hash.slice(1, LONGEST)).get("machines") ?? "";
    for (const key of given.split(",").filter(Boolean)) {
      if (!Object.hasOwn(about.machines, key))
        wrong.push(`“${key.slice(0, 60)}” is no machine that this report knows.`);
      else if (found.length === MOST) {
        wrong.push(`More than ${MOST} were asked for; the first ${MOST} are shown.`);
        break;
      } else if (!found.includes(key)) found.push(key);
    }
    chosen = found;
    show(wrong);
  }
  function keep() {
    window.compareAddress({ machines: chosen.join() });
  }

  // --- figures
  async function load(key) {
    if (!files.has(key)) {
      const answer = await fetch(new URL(`${encodeURIComponent(key)}.json`, base));
      if (!answer.ok) throw new Error(key);
      const file = await answer.json(),
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
    const gap = mine.top1 - theirs.top1,
      doubt = sigmas * Math.hypot(se(mine.top1), se(theirs.top1));
    return Math.abs(gap) <= doubt
      ? `${value} (a tie)`
      : `${value} (${gap > 0 ? "+" : "−"}${Math.abs(gap).toFixed(2)} ± ${doubt.toFixed(2)})`;
  }

  // --- the page
  function table(all) {
    const [first] = all,
      against = all.map((file) => (file === first ? null : beside(file, first))),
      head = make("tr"),
      body = make("tbody");
    head.append(make("td"));
    all.forEach((file, i) => {
      const cell = make("th", file.name, { scope: "col" }),
        away = make("button", "Remove", { type: "button", "aria-label": `Remove ${file.name}` });
      away.addEventListener("click", () => {
        chosen.splice(i, 1);
        keep();
        show();
        add.focus();
      });
      cell.append(make("br"), away);
      head.append(cell);
    });
    const line = (name, cell) => {
      const row = make("tr");
      row.append(make("th", name, { scope: "row" }), ...all.map((file, i) => make("td", cell(file, against[i]))));
      body.append(row);
    };
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
    const made = make("table", "", { class: "table compared fixed" }),
      top = make("thead"),
      scroll = make("div", "", {
        class: "table-scroll",
        tabindex: "0",
        role: "region",
        "aria-label": "The machines side by side",
      });
    top.append(head);
    made.append(top, body);
    scroll.append(made);
    return scroll;
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
      said.textContent =
        location.protocol === "file:"
          ? "From a folder a browser reads no figures; serve it: python3 -m http.server."
          : "The figures could not be loaded; reload the page.";
      return;
    }
    if (mine !== turn) return;
    box.replaceChildren(table(all));
    window.savableTable?.(box.querySelector("table"));
    said.textContent = [...wrong, ...all.slice(1).map((file) => verdict(file, all[0]))].join(" ");
    box.dataset.shown = String(all.length);
  }
  for (const [key, name] of Object.entries(about.machines)) add.append(make("option", name, { value: key }));
  add.addEventListener("change", () => {
    if (add.value && chosen.length < MOST && !chosen.includes(add.value)) {
      chosen.push(add.value);
      keep();
      show();
    }
    add.value = "";
  });
  addEventListener("hashchange", recall);
  recall();
})();

// Up to four models side by side. The address holds them: #m=resnet50.a1_in1k,convnext_tiny.in12k_ft_in1k@384 (@: the
// size in pixels; else the most accurate one). Each difference is to the first model, with its uncertainty; one that is
// smaller is a tie. Figures: data/v1/models/<file>.json.

// What this comparison and that of the machines (compare-machines.js) do alike. breaks: where a name may break.
window.comparing = (breaks) => {
  "use strict";
  const MOST = 4,
    LONGEST = 800,
    about = JSON.parse(document.getElementById("compare-about").textContent),
    data = new URL("../data/v1/", document.currentScript.src);
  const parts = (text) =>
    String(text)
      .split(breaks)
      .flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
  const make = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    made.append(...parts(text));
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const asked = (key) =>
    (new URLSearchParams(location.hash.slice(1, LONGEST)).get(key) ?? "")
      .split(",")
      .map((one) => one.trim())
      .filter(Boolean);
  // both share the page's address: {m: …} or {machines: …} changes one and keeps the other
  const address = (changed) => {
    const asIs = {};
    for (const key of ["m", "machines"]) {
      const own =
        location.hash
          .slice(1, LONGEST)
          .split("&")
          .find((part) => part.startsWith(`${key}=`)) ?? "";
      asIs[key] = changed[key] ?? own.slice(key.length + 1); // as it stands: decoded, a name may hold an &
    }
    const text = Object.entries(asIs)
      .filter(([, value]) => value)
      .map(([key, value]) => `${key}=${value}`)
      .join("&");
    history.replaceState(null, "", text ? `#${text}` : location.pathname);
  };
  const figures = async (folder, name) => {
    const answer = await fetch(new URL(`${folder}/${encodeURIComponent(name)}.json`, data));
    if (!answer.ok) throw new Error(name);
    return answer.json();
  };
  const number = (value, digits = 3) =>
    Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6 });
  // two accuracies, in points
  const gapOf = (gap, doubt) =>
    Math.abs(gap) <= doubt ? "a tie" : `${gap > 0 ? "+" : "−"}${Math.abs(gap).toFixed(2)} ± ${doubt.toFixed(2)}`;
  // A table in its frame, and what adds a line to it. columns: [name, its nodes]; away(i) takes one out.
  function framed(label, columns, away) {
    const made = make("table", "", { class: "table compared fixed" }),
      [top, head, body] = ["thead", "tr", "tbody"].map((tag) => make(tag)),
      scroll = make("div", "", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": label });
    head.append(make("td"));
    columns.forEach(([name, ...nodes], i) => {
      const cell = make("th", "", { scope: "col" }),
        button = make("button", "Remove", { type: "button", "aria-label": `Remove ${name}` });
      button.addEventListener("click", () => away(i));
      cell.append(...nodes, make("br"), button);
      head.append(cell);
    });
    top.append(head);
    made.append(top, body);
    scroll.append(made);
    const line = (name, texts) => {
      const row = make("tr");
      row.append(make("th", name, { scope: "row" }), ...texts.map((text) => make("td", text)));
      body.append(row);
    };
    return [scroll, line];
  }
  function put(box, table, count) {
    box.replaceChildren(table);
    window.savableTable?.(box.querySelector("table"));
    box.dataset.shown = String(count);
  }
  const unread =
    location.protocol === "file:"
      ? "From a folder a browser reads no figures; serve it: python3 -m http.server."
      : "The figures could not be loaded; reload the page.";
  const many = `More than ${MOST} were asked for; the first ${MOST} are shown.`;
  return { MOST, about, parts, make, asked, address, figures, number, gapOf, framed, put, unread, many };
};

(() => {
  "use strict";
  const box = document.getElementById("compare");
  if (!box) return;
  const C = window.comparing(/(?<=_)/),
    { MOST, about, make, number, gapOf } = C,
    { sigmas, timing_spread: spread } = about.uncertainty;
  const said = document.getElementById("compare-said"),
    add = document.getElementById("compare-add"),
    files = new Map();
  let chosen = [],
    names = new Map(),
    old = new Map(),
    turn = 0;

  // --- the address
  function recall() {
    const wrong = [],
      found = [];
    for (const part of C.asked("m")) {
      const cut = part.lastIndexOf("@"),
        size = cut > 0 && /^\d{1,5}$/.test(part.slice(cut + 1)) ? Number(part.slice(cut + 1)) : null;
      const asked = size === null ? part : part.slice(0, cut),
        name = names.has(asked) ? asked : old.get(asked);
      if (!name) wrong.push(`“${asked.slice(0, 60)}” is no model that this report knows, and was left out.`);
      else if (found.length === MOST) {
        wrong.push(C.many);
        break;
      } else if (!found.some((one) => one.name === name && one.size === size)) found.push({ name, size });
    }
    chosen = found;
    show(wrong);
  }
  // what was chosen into the address and on the page
  function keep() {
    const written = chosen.map(({ name, size }) => encodeURIComponent(name) + (size ? `@${size}` : ""));
    C.address({ m: written.join(",") });
    show();
  }

  // --- figures
  async function load(name) {
    if (!files.has(name)) files.set(name, await C.figures("models", names.get(name)));
  }
  const rows = ({ columns, rows: all }) =>
    all.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]])));
  function facts({ name, size }) {
    const file = files.get(name),
      scores = rows(file.accuracies),
      speeds = rows(file.speeds);
    const best = scores.filter((one) => one.set === "imagenet").sort((a, b) => b.top1 - a.top1)[0];
    const pixels = size ?? best?.img_size ?? file.sizes[0]?.img_size;
    const pick = (all, key) => new Map(all.filter((one) => one.img_size === pixels).map((one) => [one[key], one]));
    return {
      file,
      pixels,
      size: file.sizes.find((one) => one.img_size === pixels) ?? {},
      scores: pick(scores, "set"),
      speeds: pick(speeds, "machine"),
    };
  }
  // of the logarithm of a speed
  const half = (row) => (row.low && row.high ? Math.log(row.high / row.low) / 2 : Math.log(spread) / Math.SQRT2);
  function score(mine, first) {
    if (!mine) return "–";
    const value = `${mine.top1.toFixed(2)}%`;
    if (!first || mine === first) return `${value} ± ${(sigmas * mine.se).toFixed(2)}`;
    return `${value} (${gapOf(mine.top1 - first.top1, sigmas * Math.hypot(mine.se, first.se))})`;
  }
  function speed(mine, first) {
    if (!mine) return "not timed";
    const value =
      number(mine.images_per_second) +
      (mine.status === "predicted" ? ", predicted" : "") +
      (mine.frontier ? ", on the frontier" : "");
    if (!first || mine === first) return value + (mine.low ? ` (${number(mine.low)} to ${number(mine.high)})` : "");
    const gap = Math.log(mine.images_per_second / first.images_per_second),
      doubt = Math.hypot(half(mine), half(first));
    return Math.abs(gap) <= doubt
      ? `${value} (a tie)`
      : `${value} (${number(Math.exp(gap))}×, ${number(Math.exp(gap - doubt))} to ${number(Math.exp(gap + doubt))})`;
  }
  function verdict(mine, first) {
    // one sentence on a model beside the first
    const a = mine.scores.get("imagenet"),
      b = first.scores.get("imagenet"),
      parts = [];
    if (a && b) {
      const gap = a.top1 - b.top1,
        doubt = sigmas * Math.hypot(a.se, b.se);
      parts.push(
        Math.abs(gap) <= doubt
          ? "as accurate, as far as ImageNet can tell"
          : `${Math.abs(gap).toFixed(2)} ± ${doubt.toFixed(2)} points ${gap > 0 ? "more" : "less"} accurate`,
      );
    }
    const counts = { faster: 0, slower: 0, tie: 0 };
    for (const [key, row] of mine.speeds) {
      const other = first.speeds.get(key);
      if (!other) continue;
      const gap = Math.log(row.images_per_second / other.images_per_second);
      counts[Math.abs(gap) <= Math.hypot(half(row), half(other)) ? "tie" : gap > 0 ? "faster" : "slower"]++;
    }
    const all = counts.faster + counts.slower + counts.tie;
    if (all)
      parts.push(
        `faster on ${counts.faster} of ${all} machines, slower on ${counts.slower}` +
          `${counts.tie ? `, a tie on ${counts.tie}` : ""}`,
      );
    return parts.length
      ? `${mine.file.model} beside ${first.file.model}: ${parts.join("; ")}.`
      : `Nothing of ${mine.file.model} can be compared with ${first.file.model}.`;
  }

  // --- the page
  function table(all) {
    const [first] = all;
    const columns = all.map(({ file }) => [
      file.model,
      make("a", file.model, { href: `${encodeURIComponent(names.get(file.model))}.html` }),
    ]);
    const [made, row] = C.framed("The models side by side", columns, away);
    const line = (name, cell, none = "–") => {
      const cells = all.map((one) => cell(one, one === first ? null : first));
      if (cells.some((text) => text !== none)) row(name, cells);
    };
    const plain = (value, digits = 4) => (value === undefined ? "–" : number(value, digits));
    line("Pixels", (one) => String(one.pixels ?? "–"));
    for (const [key, { name }] of Object.entries(about.sets))
      line(`${name} top-1`, (one, other) => score(one.scores.get(key), other?.scores.get(key)));
    for (const [key, name] of Object.entries(about.machines))
      line(`${name}, images/s`, (one, other) => speed(one.speeds.get(key), other?.speeds.get(key)), "not timed");
    line("Parameters (M)", (one) => plain(one.size.params_m));
    line("GMACs", (one) => plain(one.size.gmacs));
    line("Family", (one) => one.file.family || "–");
    line("Pretraining", (one) => about.pretraining[one.file.pretraining]);
    line("Licence, as timm states it", (one) => one.file.licence);
    return made;
  }
  function away(i) {
    chosen.splice(i, 1);
    keep();
    add.focus();
  }
  async function show(wrong = []) {
    const mine = ++turn;
    add.disabled = chosen.length >= MOST;
    if (!chosen.length) {
      box.replaceChildren();
      said.textContent = [...wrong, "Nothing is chosen yet. Add a model."].join(" ");
      return;
    }
    try {
      await Promise.all(chosen.map(({ name }) => load(name)));
    } catch {
      said.textContent = C.unread;
      return;
    }
    if (mine !== turn) return;
    const all = chosen.map(facts);
    for (const [i, one] of all.entries()) {
      if (chosen[i].size && !one.file.sizes.some((size) => size.img_size === chosen[i].size)) {
        wrong.push(`${one.file.model} is not known at ${chosen[i].size} pixels; its most accurate size is shown.`);
        chosen[i] = { name: one.file.model, size: null };
        all[i] = facts(chosen[i]);
      }
    }
    C.put(box, table(all), all.length);
    said.textContent =
      [...wrong, ...all.slice(1).map((one) => verdict(one, all[0]))].join(" ") || "Add another to compare it with.";
  }
  add.addEventListener("click", () =>
    window.openSearch((name) => {
      if (chosen.length >= MOST) return;
      chosen.push({ name, size: null });
      keep();
    }),
  );
  const script = make("script", "", { src: new URL("../data/v1/names.js", document.currentScript.src) });
  window.modelNames = (data) => {
    if (names.size) return; // the search loads them, too
    names = new Map(data.models.map(([name, file]) => [name, file || name]));
    old = new Map(data.old.map(([was, at]) => [was, data.models[at][0]]));
    addEventListener("hashchange", recall);
    recall();
  };
  script.onerror = () => {
    said.textContent = "The models’ names could not be loaded; reload the page.";
  };
  document.head.append(script);
})();

// The picker: which model fits your needs on a machine. Data come from charts/picker/*.js (scripts/choose/files.py says
// what is in them and gives the rules, which scripts/choose/rules.py applies on the command line). Works from file://;
// the state is in the address.
(() => {
  "use strict";
  const form = document.getElementById("picker");
  if (!form) return;
  const base = new URL("../charts/picker/", document.currentScript.src);
  const list = document.getElementById("picks"),
    said = document.getElementById("picker-said");
  const LIMITS = {
    min_throughput: ["speed", "least", "throughput (images/s)"],
    min_training: ["training", "least", "training throughput (images/s)"],
    max_latency: ["latency", "most", "latency (ms)"],
    max_params: ["params", "most", "parameters (M)"],
    max_size: ["size", "most", "image size (pixels)"],
    min_top1: ["top1", "least", "top-1 (%)"],
  };
  const loaded = {},
    waiting = {};
  let models,
    rows = [],
    turn = 0;

  // --- data
  window.pickerData = (key, value) => {
    loaded[key] = value;
    (waiting[key] || []).forEach(([done]) => done(value));
    delete waiting[key];
  };
  function load(key) {
    if (loaded[key]) return Promise.resolve(loaded[key]);
    return new Promise((done, failed) => {
      (waiting[key] = waiting[key] || []).push([done, failed]);
      if (waiting[key].length > 1) return;
      const script = document.createElement("script");
      script.src = new URL(`${encodeURIComponent(key)}.js`, base);
      script.onerror = () => {
        waiting[key].forEach(([, no]) => no(new Error(key)));
        delete waiting[key];
      };
      document.head.append(script);
    });
  }
  function table(columns) {
    const { name, size, top1, params } = models.rows;
    const all = name.map((n, i) => ({
      i,
      n,
      name: models.names[n],
      arch: models.names[n].split(".")[0],
      size: size[i],
      top1: top1[i],
      params: columns.params[i] ?? params[i],
      speed: columns.speed[i],
      latency: columns.latency_ms ? columns.latency_ms[i] : null,
      training: columns.training ? columns.training[i] : null,
      pretrain: models.pretrains[models.pretrain[n]][0],
      commercial: models.commercials[models.commercial[n]],
      licence: models.licences[models.licence[n]],
      family: models.families[models.family[n]][1],
    }));
    return all.filter((row) => row.speed !== null);
  }
  // the runtimes and precisions of a machine; the first is what its table is of
  const waysOf = (columns) => [{ runtime: "eager", precision: "fp32" }, ...(columns.runtimes ?? [])];
  function inRuntime(some, columns, runtime, precision) {
    const asked = (one, name) => one === "any" || one === name;
    const ways = waysOf(columns).filter((way) => asked(runtime, way.runtime) && asked(precision, way.precision));
    if (ways.length === 1 && !ways[0].steps) return some;
    return some
      .map((row) => {
        const speeds = ways.map(({ steps }) => gained(row.speed, steps ? steps[row.i] : 0, models.rules.step));
        const best = fastestWay(speeds);
        return best === null ? null : { ...row, speed: speeds[best], latency: null, way: ways[best] };
      })
      .filter(Boolean);
  }

  // --- rules
  const { frontier, fastestWay, filled, gained, perMillion } = window.sharedRules,
    doubt = (a, b) => window.sharedRules.doubt(a, b, models.rules);
  const none = (note) => ({ picks: [], note, fitting: 0 });
  const better = (a, b) => b.top1 - a.top1 || b.speed - a.speed;
  const oncePerName = (some) => {
    const seen = new Set();
    return some.filter((row) => !seen.has(row.n) && seen.add(row.n));
  };
  function misses(row, needs) {
    const missed = [];
    for (const [key, bound] of Object.entries(needs.limits)) {
      const [column, sense] = LIMITS[key],
        value = row[column];
      if (value === null || (sense === "least" ? value < bound : value > bound)) missed.push(key);
    }
    if (needs.pretrain.size && !needs.pretrain.has(row.pretrain)) missed.push("pretrain");
    if (needs.commercial && row.commercial !== "yes") missed.push("commercial");
    return missed;
  }
  function pick(some, needs) {
    const good = some.filter((row) => !misses(row, needs).length);
    if (!good.length) return none(nearest(some, needs));
    const front = oncePerName(frontier(good).sort(better)),
      names = new Set(front.map((row) => row.n));
    const others = oncePerName(good.filter((row) => !names.has(row.n)).sort(better));
    const picks = [...front, ...others].slice(0, models.rules.picks).map((row, position, chosen) => {
      const reason =
        position === 0
          ? good.length > 1
            ? `the most accurate of the ${good.length.toLocaleString("en")} that fit`
            : "the only one that fits"
          : names.has(row.n)
            ? `${short(row.speed / chosen[0].speed)}× as fast for ` +
              `${(chosen[0].top1 - row.top1).toFixed(2)} points less`
            : "next in accuracy; a pick above beats it on both counts";
      const close = good.filter(
        (other) => other.n !== row.n && Math.abs(other.top1 - row.top1) <= doubt(other.top1, row.top1),
      );
      const ties = oncePerName(close.sort((a, b) => b.speed - a.speed))
        .slice(0, models.rules.ties)
        .map((other) => other.name);
      return { row, reason, ties };
    });
    return { picks, note: "", fitting: good.length };
  }
  function nearest(some, needs) {
    const far = (row) =>
      misses(row, needs).reduce((sum, key) => {
        if (!LIMITS[key]) return sum;
        const value = row[LIMITS[key][0]];
        return sum + (value > 0 ? Math.abs(Math.log(value / needs.limits[key])) : 50);
      }, 0);
    const row = some
      .map((one) => [misses(one, needs).length, far(one), -one.top1, one])
      .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])[0][3];
    const why = misses(row, needs).map((key) => {
      if (key === "pretrain")
        return `its pretraining is ${models.pretrains.find(([name]) => name === row.pretrain)[1]}`;
      if (key === "commercial") return `its licence is ${row.licence}`;
      const [column, sense, words] = LIMITS[key];
      return (
        `${words} is ${row[column] === null ? "not measured here" : short(row[column], 4)}, ` +
        `asked for at ${sense} ${needs.limits[key]}`
      );
    });
    return `Nothing fits; the nearest is ${row.name} at ${row.size} pixels: ${why.join("; ")}.`;
  }
  function replace(some, wanted, needs) {
    const old = Object.hasOwn(models.old, wanted) ? models.names[models.old[wanted]] : "";
    const mine = [wanted, old, old.split(".")[0]]
      .map((name) => name && some.filter((row) => row.name === name || row.arch === name).sort(better)[0])
      .find(Boolean);
    if (!mine) return none(`“${wanted}” was not timed on this machine under that name; choose one from the list.`);
    const beat = some.filter(
      (row) =>
        row.arch !== mine.arch &&
        row.speed * models.rules.timing_spread >= mine.speed &&
        row.top1 - mine.top1 > doubt(row.top1, mine.top1),
    );
    const about = `${mine.name} (${mine.top1.toFixed(2)}% at ${mine.size} pixels, ${short(mine.speed, 3)} images/s)`;
    if (!beat.length) return none(`Nothing here beats ${about} on both accuracy and speed.`);
    const found = pick(beat, needs);
    found.picks.forEach((one) => {
      one.reason =
        `${(one.row.top1 - mine.top1).toFixed(2)} points more accurate ` +
        `and ${short(one.row.speed / mine.speed)}× as fast as ${about}`;
    });
    return found;
  }

  // --- the page
  const short = (value, digits = 2) =>
    Number(Number(value).toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6 });
  const parts = (names) =>
    // names may go on in the next line after _
    names.split(/(?<=_)/).flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
  const make = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    Object.assign(made, attributes);
    return made;
  };
  function needsOf() {
    const limits = {},
      bad = [];
    for (const key of Object.keys(LIMITS)) {
      const field = form.elements[key],
        text = field.value.trim(),
        value = Number(text),
        wrong = field.validity.badInput || (text !== "" && !(value > 0 && value < Infinity));
      field.setAttribute("aria-invalid", String(wrong));
      if (wrong) bad.push(`“${field.labels[0].textContent.trim()}” is not a number above 0 and was left out.`);
      else if (text && !field.disabled) limits[key] = value;
    }
    return {
      limits,
      bad,
      pretrain: new Set([...form.querySelectorAll("[name=pretrain]:checked")].map((box) => box.value)),
      commercial: form.elements.commercial.checked,
    };
  }
  // how a row is run: its runtime and precision, whether that was timed, and the lines
  function run(row, columns) {
    const way = row.way ?? waysOf(columns)[0],
      values = { ...models.precisions[way.precision], model: row.name, size: row.size, input: "pixels" };
    Object.assign(values, { runtime: way.runtime, precision: way.precision });
    values.folder = filled(models.folder, values);
    const lines = models.lines[way.runtime].map((line) => filled(line, values)).join("\n");
    if (!way.steps) return { lines, words: "" };
    const known = way.measured.includes(row.i)
      ? "measured"
      : `predicted, 90%: ${short(row.speed / way.within, 3)} to ${short(row.speed * way.within, 3)}`;
    return { lines, words: ` in ${models.runtimes[way.runtime]} ${way.precision} (${known})` };
  }
  function show({ picks, note, fitting }, about, machine, columns) {
    list.replaceChildren(
      ...picks.map(({ row, reason, ties }) => {
        const item = document.createElement("li"),
          { lines, words } = run(row, columns),
          joules = columns.joules && columns.joules[row.i];
        const head = make("p", "", { className: "pick" });
        const name = make("strong", "");
        const page = /^[a-z0-9][a-z0-9_.-]{0,79}$/.test(row.name)
          ? make("a", "", { href: new URL(`../../model/${row.name}.html`, base).href })
          : document.createElement("span"); // an odd name's page is called otherwise
        page.append(...parts(row.name));
        name.append(page);
        head.append(
          name,
          ` ${row.family}, ${row.top1.toFixed(2)}% top-1 at ${row.size} pixels, ${short(row.speed, 3)} images/s` +
            words +
            (row.latency ? `, ${short(row.latency, 3)} ms for one` : "") +
            (machine.usd ? `, $${short(perMillion(machine.usd, row.speed))} for a million images` : "") +
            (joules && !row.way ? `, ${short(joules)} joules an image` : "") +
            `, ${short(row.params, 3)} M parameters, licence ${row.licence}`,
        );
        item.append(head, make("p", `${reason[0].toUpperCase()}${reason.slice(1)}.`));
        if (ties.length) {
          const told = `As accurate, as far as ${models.rules.images.toLocaleString("en")} pictures can tell: `,
            tied = make("p", told, { className: "source" });
          tied.append(...parts(`${ties.join(", ")}.`));
          item.append(tied);
        }
        const line = make("pre", "");
        line.tabIndex = 0;
        line.append(make("code", lines));
        item.append(line);
        return item;
      }),
    );
    const fit = `${fitting.toLocaleString("en")} of ${rows.length.toLocaleString("en")} fit.`;
    said.textContent = `${note || fit} ${about}`;
  }
  async function answer() {
    const mine = ++turn,
      machine = models.machines.find((one) => one.key === form.elements.machine.value) || models.machines[0];
    remember();
    let columns;
    try {
      columns = await load(machine.key);
    } catch {
      said.textContent = `The data of ${machine.name} could not be loaded; reload the page.`;
      return;
    }
    if (mine !== turn) return;
    const runtime = form.elements.runtime.value || "eager",
      precision = form.elements.precision.value || "fp32";
    const unknown = offer(machine, columns);
    rows = columns.runtimes ? inRuntime(table(columns), columns, runtime, precision) : table(columns);
    for (const [name, there] of [
      ["max_latency", machine.latency && !rows[0]?.way],
      ["min_training", machine.training],
    ]) {
      const field = form.elements[name],
        where = `measured ${rows[0]?.way ? "in this runtime " : ""}on ${machine.name}`;
      field.disabled = !there; // what was typed stays, for another machine
      field.title = field.placeholder = there ? "" : `Not ${where}`;
      if (!there && field.value.trim())
        unknown.push(`“${field.labels[0].textContent.trim()}” was not ${where} and was left out.`);
    }
    const wanted = form.elements.replace.value.trim(),
      needs = needsOf(),
      any = wanted || Object.keys(needs.limits).length || needs.pretrain.size || needs.commercial;
    if (!any) unknown.push("Nothing is asked for yet, so these are the most accurate at any speed.");
    const unfit = "No network is known in this runtime at this precision; choose another.";
    const open = [machine.usd ? "" : "money", columns.joules ? "" : "energy"].filter(Boolean);
    show(
      !rows.length ? none(unfit) : wanted ? replace(rows, wanted, needs) : pick(rows, needs),
      [
        ...unknown,
        ...needs.bad,
        `${machine.name}: ${machine.source}.`,
        rows.some((row) => row.way && row.way.precision !== "fp32")
          ? "Accuracies are those of fp32; bf16 and int8 change some answers."
          : "",
        machine.usd ? `Price: ${machine.price}.` : "",
        open.length ? `What an image costs in ${open.join(" and ")} is not known of it.` : "",
        needs.limits.min_training ? `Training: ${machine.training_source}.` : "",
      ].join(" "),
      machine,
      columns,
    );
    form.dataset.answered = String(mine);
  }
  // Offers the runtimes and precisions that the machine has; returns what was asked for and can't be had.
  function offer(machine, columns) {
    const { runtime, precision } = form.elements,
      ways = waysOf(columns),
      there = ways.length > 1;
    runtime.closest("label").hidden = precision.closest("label").hidden = !there;
    for (const option of runtime.options)
      option.disabled =
        there && !["", "any"].includes(option.value) && !ways.some((way) => way.runtime === option.value);
    const some = ways.filter((way) => runtime.value === "any" || way.runtime === (runtime.value || "eager"));
    for (const option of precision.options)
      option.disabled =
        there && option.value !== "any" && !some.some((way) => way.precision === (option.value || "fp32"));
    return there || !(runtime.value || precision.value)
      ? []
      : [`Other runtimes and precisions are not known on ${machine.name} and were left out.`];
  }
  function remember() {
    const state = new URLSearchParams();
    for (const field of form.elements) {
      // also those that this machine has no use for
      if (field.name && field.value.trim() && (field.type !== "checkbox" || field.checked))
        state.append(field.name, field.value.trim());
    }
    history.replaceState(null, "", `#${state}`);
  }
  function recall() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") field.checked = state.getAll(field.name).includes(field.value);
      else if (field.name !== "machine" || state.has("machine")) field.value = state.get(field.name) ?? "";
    }
    if (!models.machines.some((one) => one.key === form.elements.machine.value))
      form.elements.machine.value = models.machines[0].key;
  }
  function fill() {
    const chosen = form.elements.machine,
      first = models.machines
        .filter((one) => one.kind === "gpu" && !one.compiled && !/^measured/.test(one.source))
        .at(-1); // the newest card
    for (const kind of [...new Set(models.machines.map((one) => one.kind))]) {
      const label = { gpu: "Graphics cards", cpu: "Processors", phone: "Phones and boards" }[kind] ?? "Other",
        group = make("optgroup", "", { label });
      for (const one of models.machines.filter((one) => one.kind === kind)) {
        const words = `${one.name} (${one.models.toLocaleString("en")} models)`;
        group.append(make("option", words, { value: one.key, defaultSelected: one === first }));
      }
      chosen.append(group);
    }
    for (const [value, words] of Object.entries(models.runtimes))
      if (value !== "eager") form.elements.runtime.append(make("option", words, { value }));
    form.elements.runtime.append(make("option", "the fastest", { value: "any" }));
    for (const [value, words] of models.pretrains.filter(([name]) => name !== "unknown")) {
      const label = document.createElement("label");
      label.append(make("input", "", { type: "checkbox", name: "pretrain", value }), ` ${words}`);
      document.getElementById("picker-pretrain").append(label);
    }
    const names = [...new Set(models.names.map((name) => name.split(".")[0]))].sort();
    document.getElementById("picker-names").append(...names.map((value) => make("option", "", { value })));
  }
  load("models")
    .then((value) => {
      models = value;
      fill();
      recall();
      form.hidden = false;
      let pause;
      form.addEventListener("input", () => {
        clearTimeout(pause);
        pause = setTimeout(answer, 30);
      });
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        answer();
      });
      form.addEventListener("reset", () => setTimeout(answer));
      window.addEventListener("hashchange", () => {
        recall();
        answer();
      });
      answer();
    })
    .catch(() => {
      said.textContent =
        "The picker’s data are not in this copy of the site: run “make data” and “make site”.";
    });
})();

// The frontier chart on the reader's choice: machine, inference or training, what a model was trained on, families.
// Hover or arrow keys name a model; a click or Enter pins it with its figures, its other weights and its line of code;
// dragging or two fingers zoom; the state is in the address. Speeds come from charts/picker/*.js, colours from
// explorer-theme.js, rules from explorer-rules.js; explorer-draw.js draws. All text from data is textContent.
window.explorerChart = (() => {
  "use strict";
  const R = window.explorerRules,
    T = window.explorerTheme,
    P = window.explorerPanel,
    A = window.explorerAxes,
    { make, button, numbers } = P,
    { svg, kin, style, font, BASE, FEW, brush } = window.explorerDraw;
  const HERE = document.currentScript.src;
  let saving = null;
  const NARROW = 720,
    MOVE_MS = 420;
  const cut = (name) => (name.length <= T.longest ? name : name.slice(0, T.longest - 1) + "…");
  const article = (name) => (/^([AEIO]|R[TX])/.test(name) ? "an " : "a ") + name;

  // models: charts/picker/models.js; columns: one machine's file; sure: rows that were measured where the others are
  // predicted
  function tableOf(models, columns, part, sure) {
    const speeds = part === "train" ? columns.training : columns.speed,
      { name, size, top1, params = [] } = models.rows;
    return (speeds ?? []).flatMap((speed, i) => {
      if (!(speed > 0) || !(top1[i] > 0)) return [];
      const n = name[i],
        full = String(models.names[n]);
      return [
        {
          i,
          id: `${full}@${size[i]}`,
          name: full,
          arch: full.split(".")[0],
          size: size[i],
          top1: top1[i],
          speed,
          params: columns.params?.[i] ?? params[i],
          family: models.families[models.family[n]][0],
          kind: models.kinds[models.kind[n]],
          pretrain: models.pretrains[models.pretrain?.[n]]?.[0] ?? "unknown",
          licence: models.licences?.[models.licence?.[n]],
          since: models.since?.days[models.since.name[n]],
          ...(part !== "train" && {
            within: columns.within?.[i],
            memory: columns.memory_mb?.[i],
            energy: columns.joules?.[i],
          }),
          sure: !sure || sure[i] > 0,
        },
      ];
    });
  }

  async function start(chart, models, { load, dark, alt }) {
    const figure = chart.dataset.figure,
      labels = Object.fromEntries(models.families),
      pretrains = models.pretrains;
    const state = {
      machine: chart.dataset.explore,
      part: chart.dataset.part || "infer",
      pretrain: new Set(),
      families: new Set(),
      alone: "",
      zoom: null,
      pins: [],
      axis: "speed",
      over: "",
      intervals: false,
      usd: [0, 0], // dollars an hour as the reader says, of the machine and of the one laid over it
    };
    const home = state.machine;
    recall();
    let rows = [],
      shown = [],
      edge = [],
      ownEdge = [],
      laid = { name: "", rows: new Map(), edge: [] }, // the machine laid over
      domain = null,
      area = null,
      here = new Map(),
      hovered = null,
      found = new Set(),
      frame = 0,
      turn = 0,
      box = null,
      onShow = "";

    const change = (values) => {
      Object.assign(state, values);
      update();
    };
    const toggle = (set, value) => {
      if (!set.delete(value)) set.add(value);
      update();
    };

    // --- the frame
    const group = (tag, className, ariaLabel, ...inside) =>
      make(tag, { className, role: "group", ariaLabel }, ...inside);
    const title = make("p", { className: "explorer-title" });
    const machines = make("select", { className: "explorer-machine", ariaLabel: "Machine" });
    const groups = {
      gpu: "Graphics cards",
      cpu: "Processors",
      phone: "Phones and boards",
      ours: "Measured by this project",
      "": "Others",
    };
    for (const [kind, words] of Object.entries(groups)) {
      const own = models.machines.filter(
        (one) => (/^measured/.test(one.source) ? "ours" : groups[one.kind] ? one.kind : "") === kind,
      );
      if (own.length)
        machines.append(
          make("optgroup", { label: words }, ...own.map((one) => make("option", { value: one.key }, one.name))),
        );
    }
    const parts = segment(
      "What is timed",
      [
        ["infer", "Inference"],
        ["train", "Training"],
      ],
      (part) => change({ part }),
    );
    const more = button("Filter", toggleFilters, { className: "explorer-more", ariaExpanded: "false" });
    const reset = () => {
      found.clear();
      search.value = "";
      for (const set of [state.families, state.pretrain]) set.clear();
      change({ zoom: null, alone: "", axis: "speed", over: "", intervals: false });
    };
    const zooms = group(
      "span",
      "explorer-zooms",
      "Zoom",
      ...[
        ["+", "Zoom in", () => zoom(0.6)],
        ["−", "Zoom out", () => zoom(1 / 0.6)],
        ["Reset", "Show everything", reset],
      ].map(([text, words, go]) => button(text, go, { title: words, ariaLabel: words })),
    );
    const trained = group(
      "div",
      "explorer-chips",
      "Trained on",
      make("span", {}, "Trained on"),
      ...pretrains.map(([value, words]) => button(words, () => toggle(state.pretrain, value), { value })),
    );
    const chips = group("div", "explorer-chips", "Families", make("span", {}, "Families"));
    const axis = make(
      "select",
      { ariaLabel: "Horizontal axis" },
      ...Object.entries(A.axes).map(([key, { name }]) => make("option", { value: key }, name)),
    );
    const overlaid = make(
      "select",
      { ariaLabel: "Lay another machine over it" },
      make("option", { value: "" }, "none"),
      ...models.machines.map((one) => make("option", { value: one.key }, one.name)),
    );
    const intervals = button("Intervals", () => change({ intervals: !state.intervals }), { ariaPressed: "false" });
    const costs = ["Dollars an hour", "Dollars an hour of the other"].map((words) =>
      make("input", { type: "number", min: "0", step: "any", ariaLabel: words, placeholder: "$ an hour" }),
    );
    const axisRow = group(
      "div",
      "explorer-chips explorer-axis",
      "Axis and overlay",
      make("span", {}, "Across"),
      axis,
      costs[0],
      make("span", {}, "Laid over"),
      overlaid,
      costs[1],
      intervals,
    );
    const unknown = make("p", { className: "source explorer-unknown" });
    const search = make("input", {
      type: "search",
      placeholder: "Find a model",
      ariaLabel: "Find a model; Enter pins the best match",
    });
    const filters = make("div", { className: "explorer-filters" }, axisRow, trained, chips);
    const canvas = make("canvas"),
      under = svg("svg", { "aria-hidden": "true" }),
      over = svg("svg", { class: "explorer-over", "aria-hidden": "true" });
    const tip = make("div", { className: "explorer-tip", hidden: true });
    const help = make(
      "span",
      { className: "visually-hidden", id: `explorer-help-${figure}` },
      "Left and right walk along the frontier, with Shift through all models; Enter pins; plus, minus and 0 zoom.",
    );
    const plot = make(
      "div",
      { className: "explorer-plot", tabIndex: 0, role: "application" },
      under,
      canvas,
      over,
      tip,
    );
    plot.setAttribute("aria-describedby", help.id);
    const source = make("span"),
      said = make("span", { className: "visually-hidden", role: "status" });
    const list = () => {
      panel.list = !panel.list;
      fill();
    };
    const listed = button("Table", list, { ariaExpanded: "false" });
    const share = button("Copy link", copyLink);
    const saves = [
      ["CSV", "Save what is shown as CSV", (save) => save.csv({ ...now(), machine: onShow, laid, name: figure })],
      [
        "SVG",
        "Save the chart as SVG",
        (save) => {
          const { paper, ink } = T.colours,
            colours = [paper, ink].map((pair) => pair[Number(dark())]);
          save.svg({ under, canvas, over, colours, title: title.textContent, name: figure });
        },
      ],
    ].map(([text, words, go]) => button(text, () => saver().then(go), { title: words, ariaLabel: words }));
    const foot = make("div", { className: "explorer-foot" }, source, make("span", {}, listed, ...saves, share));
    const stage = make(
      "div",
      { className: "drawing explorer", role: "group", ariaLabel: "Interactive chart" },
      title,
      make("div", { className: "explorer-bar" }, machines, parts, search, more, zooms),
      filters,
      plot,
      help,
      foot,
      unknown,
      said,
    );
    const panel = Object.assign(make("div", { className: "drawing explorer-panel" }), { list: false });

    machines.onchange = () => change({ machine: machines.value });
    axis.onchange = () => change({ axis: axis.value, zoom: null }); // which is a share of another axis
    overlaid.onchange = () => change({ over: overlaid.value });
    costs.forEach((field, i) => {
      field.onchange = () => {
        state.usd[i] = price(field.value);
        update();
      };
    });
    search.oninput = () => {
      const asked = search.value.trim().toLowerCase();
      found = new Set(
        asked.length < 2 ? [] : shown.filter((row) => row.name.toLowerCase().includes(asked)).map((row) => row.id),
      );
      said.textContent = asked.length < 2 ? "" : `${found.size} found`;
      marks();
    };
    search.onkeydown = (event) => {
      if (event.key !== "Enter") return;
      const best = shown.filter((row) => found.has(row.id)).sort((a, b) => b.top1 - a.top1)[0];
      if (best) {
        pin(best, true);
        search.value = "";
        found.clear();
        overlay();
      }
    };

    function toggleFilters() {
      more.ariaExpanded = String(filters.classList.toggle("open"));
    }
    function segment(words, items, chosen) {
      const parts = items.map(([value, text]) => button(text, () => chosen(value), { value }));
      return group("span", "explorer-segment", words, ...parts);
    }
    const press = (group, on) => {
      for (const button of group.querySelectorAll("button")) button.ariaPressed = String(on(button.value));
    };

    // --- the state and the address
    function price(text) {
      return Number(text) > 0 && Number(text) < 1e6 ? Number(text) : 0;
    }
    function recall() {
      const text = new URLSearchParams(location.search).get(figure);
      if (!text) return;
      const kept = Object.fromEntries(
        text.split(";").map((item) => [item.slice(0, item.indexOf(":")), item.slice(item.indexOf(":") + 1)]),
      );
      if (models.machines.some((one) => one.key === kept.m)) state.machine = kept.m;
      if (kept.t === "train" || kept.t === "infer") state.part = kept.t;
      state.pretrain = new Set((kept.p ?? "").split(",").filter((key) => pretrains.some(([name]) => name === key)));
      state.families = new Set((kept.f ?? "").split(",").filter((key) => T.key.includes(key) || key === "others"));
      // one family by its own name, whatever colour it shares
      if (Object.hasOwn(labels, kept.a ?? "")) state.alone = kept.a;
      if (Object.hasOwn(A.axes, kept.x ?? "")) state.axis = kept.x;
      if (models.machines.some((one) => one.key === kept.o)) state.over = kept.o;
      state.intervals = kept.i === "1";
      state.usd = [0, 1].map((i) => price((kept.usd ?? "").split(",")[i]));
      state.pins = (kept.pin ?? "").split(",").filter(Boolean).slice(0, 12);
      const numbers = (kept.z ?? "").split(",").map(Number);
      if (numbers.length === 4 && numbers.every(Number.isFinite) && numbers[0] < numbers[1] && numbers[2] < numbers[3])
        state.zoom = { x: numbers.slice(0, 2), y: numbers.slice(2) };
    }
    function remember() {
      const items = [
        ["m", state.machine === home ? "" : state.machine],
        ["t", state.part === (chart.dataset.part || "infer") ? "" : state.part],
        ["p", [...state.pretrain].join()],
        ["f", [...state.families].join()],
        ["a", state.alone],
        ["x", state.axis === "speed" ? "" : state.axis],
        ["o", state.over],
        ["i", state.intervals ? "1" : ""],
        ["usd", state.usd.some(Boolean) ? state.usd.join() : ""],
        ["pin", state.pins.join()],
        ["z", state.zoom ? [...state.zoom.x, ...state.zoom.y].join() : ""],
      ];
      const query = new URLSearchParams(location.search),
        text = items
          .filter(([, value]) => value)
          .map(([key, value]) => `${key}:${value}`)
          .join(";");
      if (text) query.set(figure, text);
      else query.delete(figure);
      try {
        history.replaceState(null, "", `${location.pathname}${String(query) && "?" + query}${location.hash}`);
      } catch {
        /* file:// in some browsers */
      }
    }
    const saver = () =>
      (saving ??= new Promise((done, failed) => {
        const src = new URL("explorer-save.js", HERE);
        document.head.append(
          make("script", { src: src.href, onload: () => done(window.explorerSave), onerror: failed }),
        );
      }));
    function copyLink() {
      const link = new URL(location.href);
      link.hash = chart.closest("[id]")?.id ?? "";
      P.copied(share, link.href);
    }

    // --- what is shown
    async function update() {
      const mine = ++turn,
        machine = models.machines.find((one) => one.key === state.machine);
      if (!machine) throw new Error(`${state.machine}: no such machine in the data`);
      // ours: beside timm's of the same card, or alone
      const measured = machine.key.endsWith("-predicted") ? machine.key.replace(/-predicted$/, "") : null;
      const own =
        measured && [`${measured}-measured`, measured].find((key) => models.machines.some((one) => one.key === key));
      let columns, sure, second;
      const other = state.over !== state.machine && models.machines.find((one) => one.key === state.over);
      try {
        [columns, sure, second] = await Promise.all([
          load(machine.key),
          own ? load(own) : null,
          other ? load(other.key) : null,
        ]);
      } catch (error) {
        if (mine !== turn) return;
        if (!onShow) throw error; // nothing is drawn yet
        state.machine = machines.value = onShow;
        state.over = overlaid.value = "";
        source.textContent = said.textContent =
          `The speeds of ${machine.name} could not be loaded, so the chart is as it was. ` +
          `Choose the machine again to try once more.`;
        return;
      }
      if (mine !== turn) return;
      onShow = machine.key;
      if (!columns.training) state.part = "infer";
      const known = sure && (state.part === "train" ? (sure.training ?? []) : sure.speed),
        timed = tableOf(models, columns, state.part, known);
      const about = { ...machine, usd: state.usd[0] || machine.usd || 0 },
        why = choices(timed, about);
      const all = A.on(state.axis, timed, about);
      const high = all.filter((row) => row.top1 >= T.floor);
      rows = high.length ? high : all;
      shown = state.pretrain.size ? rows.filter((row) => state.pretrain.has(row.pretrain)) : rows;
      edge = R.frontier(shown);
      laid = lay(other, second);
      const drawn = [...rows, ...laid.edge],
        span = (value, least) => range(drawn.map(value), least);
      domain = rows.length ? { x: span((row) => Math.log10(row.speed), 0.3), y: span((row) => row.top1, 1) } : null;
      machines.value = state.machine;
      parts.hidden = !columns.training;
      press(parts, (value) => value === state.part);
      press(trained, (value) => state.pretrain.has(value));
      for (const button of trained.querySelectorAll("button"))
        button.hidden = !rows.some((row) => row.pretrain === button.value);
      const where =
        article(machine.name.replace(", compiled", "").replace(", mostly predicted", "")) +
        (machine.compiled ? " with compiled models" : "");
      const found =
          state.axis === "speed"
            ? R.headline(where, shown, edge, T, labels)
            : `On ${where}, ${edge.length} of ${shown.length.toLocaleString("en")} models are beaten by none ` +
              `in accuracy and ${A.axes[state.axis].name.toLowerCase()}`,
        among = R.listing(pretrains.filter(([key]) => state.pretrain.has(key)).map(([, words]) => words));
      title.textContent =
        (among ? `${among}: ${found[0].toLowerCase()}${found.slice(1)}` : found) +
        (state.part === "train" ? " (training)" : "");
      source.textContent =
        `${machine.name}: ${(state.part === "train" && machine.training_source) || machine.source}` +
        `${measured ? "; hollow: predicted" : ""}` +
        (laid.edge.length
          ? `; dotted line: ${laid.name}, ${laid.source}`
          : laid.name && `; of ${laid.name} this is not known`);
      unknown.textContent = why;
      const end = (row) => `${row.name} (${row.top1.toFixed(1)}%, ${R.plain(row.rate)} images/s)`,
        ends = edge.length ? `, from ${end(edge[0])} to ${end(edge.at(-1))}` : "";
      plot.ariaLabel =
        `${title.textContent}. Scatter chart of ${shown.length.toLocaleString("en")} sets of weights ` +
        `on ${machine.name}: ${A.axes[state.axis].words(state.part).join("")} against ImageNet top-1 accuracy; ` +
        `the frontier is a falling step line of ${edge.length} models${ends}.`;
      familyChips();
      if (hovered && !shown.some((row) => row.id === hovered.id)) hovered = null;
      ownEdge = filtering() ? R.frontier(shown.filter(chosen)) : [];
      remember();
      fill();
      layout(true);
    }
    // The axes that this machine has, each other one with why not; returns what to know of the chosen one.
    function choices(timed, about) {
      for (const option of axis.options) {
        const { name } = A.axes[option.value],
          why = timed.length ? A.missing(option.value, timed, about) : "";
        option.disabled = Boolean(why) && option.value !== "usd"; // the reader may know the price
        option.textContent = why ? `${name} (${why})` : name;
      }
      if ([...axis.options].some((one) => one.value === state.axis && one.disabled)) state.axis = "speed";
      axis.value = state.axis;
      overlaid.value = state.over;
      for (const option of overlaid.options) option.disabled = option.value === state.machine;
      intervals.ariaPressed = String(state.intervals);
      costs.forEach((field, i) => {
        field.hidden = state.axis !== "usd" || (i > 0 && !state.over);
        field.value = state.usd[i] || "";
      });
      if (state.axis === "usd" && !about.usd)
        return "No price of this machine is known. Type what an hour of it costs in US dollars.";
      if (state.axis === "usd") return state.usd[0] ? "By the price that you gave." : `Price: ${about.price}.`;
      if (state.axis === "since")
        return (
          "The day of the first of timm’s tables that has the network: it was published by then. " +
          "When it was published stands in no table."
        );
      return "";
    }
    // The other machine's rows on the same axis, by their id, and its frontier.
    function lay(other, columns) {
      if (!other || !columns) return { name: "", rows: new Map(), edge: [], source: "" };
      const price = { ...other, usd: state.usd[1] || other.usd || 0 },
        all = A.on(state.axis, tableOf(models, columns, state.part, null), price).filter(
          (row) => row.top1 >= T.floor && (!state.pretrain.size || state.pretrain.has(row.pretrain)),
        );
      return {
        name: other.name,
        rows: new Map(all.map((row) => [row.id, row])),
        edge: R.frontier(filtering() ? all.filter(chosen) : all),
        source: (state.part === "train" && other.training_source) || other.source,
      };
    }
    const onOther = (row) => {
      const same = laid.rows.get(row.id);
      return same ? [`${R.plain(same.rate, 4)} images/s on ${laid.name}`] : [];
    };
    const told = (row) => [...numbers(row, state.axis), ...onOther(row)];
    function range(values, least) {
      let low = Math.min(...values),
        high = Math.max(...values);
      if (high - low < 1e-9) return [low - least, high + least];
      const span = high - low;
      return [low - 0.03 * span, high + 0.07 * span];
    }
    const groupOf = (family) => (kin(family) in T.families && T.key.includes(family) ? kin(family) : "others");
    const filtering = () => state.alone !== "" || state.families.size > 0;
    const chosen = (row) =>
      state.alone ? row.family === state.alone : !state.families.size || state.families.has(groupOf(row.family));
    function groupName(group) {
      if (group === "others") return group;
      const names = T.key
        .filter((name) => kin(name) === group && shown.some((row) => row.family === name))
        .map((name) => labels[name] ?? name);
      return names
        .map((name, i) => (i && name.startsWith(names[0]) ? name.slice(names[0].length).trim() : name))
        .join(" / ");
    }
    const groupsShown = () =>
      [...new Set([...T.key.map(kin), "others"])].filter((group) => shown.some((row) => groupOf(row.family) === group));
    const filterFamily = (group) => {
      state.alone = "";
      toggle(state.families, group);
    };
    function familyChips() {
      const held = document.activeElement?.parentElement === chips ? document.activeElement.value : null;
      for (const old of [...chips.querySelectorAll("button")]) old.remove();
      const chip = (value, family, words, on, of, go) => {
        const swatch = make("i", { ariaHidden: "true" }),
          title = `${shown.filter(of).length} of ${shown.length.toLocaleString("en")}`,
          made = button(words, go, { value, ariaPressed: String(on), title });
        swatch.style.background = style(family).strong[Number(dark())];
        made.prepend(swatch);
        chips.append(made);
      };
      if (state.alone)
        chip("alone", state.alone, `Only ${labels[state.alone]}`, true, chosen, () => change({ alone: "" }));
      for (const group of groupsShown())
        chip(
          group,
          group === "others" ? "" : group,
          groupName(group),
          !state.alone && state.families.has(group),
          (row) => groupOf(row.family) === group,
          () => filterFamily(group),
        );
      if (held) [...chips.querySelectorAll("button")].find((button) => button.value === held)?.focus();
    }

    // --- drawing
    const view = () =>
      state.zoom
        ? { x: state.zoom.x.map((share) => domain.x[0] + share * (domain.x[1] - domain.x[0])), y: state.zoom.y }
        : domain;
    const flip = () => Boolean(A.axes[state.axis].date); // time runs rightwards, though earlier is better
    const across = (place) => {
      const { x } = view(),
        share = (place - x[0]) / (x[1] - x[0]);
      return area.left + (flip() ? 1 - share : share) * area.width;
    };
    const px = (row) => {
      const { y } = view();
      return [across(Math.log10(row.speed)), area.bottom - ((row.top1 - y[0]) / (y[1] - y[0])) * area.height];
    };
    const narrow = () => chart.clientWidth < NARROW;
    const now = () => ({
      area,
      shown,
      edge,
      line: ownEdge.length ? ownEdge : edge,
      hovered,
      ready: Boolean(domain),
      part: state.part,
      axis: state.axis,
      flip: flip(),
      better: area && (flip() ? area.right : area.left),
      narrow: narrow(),
      d: Number(dark()),
    });
    const draw = brush(canvas, under, { px, across, view, chosen, filtered: filtering, now });
    const inside = ([x, y]) => x >= area.left - 1 && x <= area.right + 1 && y >= area.top - 1 && y <= area.bottom + 1;

    function layout(move = false) {
      frameFor(narrow());
      const wide = plot.clientWidth,
        high = plot.clientHeight,
        scale = Math.min(3, devicePixelRatio || 1);
      if (!wide || !high) return;
      draw.resize(wide, high, scale);
      for (const sheet of [under, over]) {
        sheet.setAttribute("viewBox", `0 0 ${wide} ${high}`);
        sheet.setAttribute("width", wide);
        sheet.setAttribute("height", high);
      }
      const marks = domain ? R.linearTicks(...view().y, high - 48) : [],
        left = 8 + Math.ceil(Math.max(...marks.map((value) => draw.widthOf(`${value}%`)), 30));
      area = { left, top: 8, right: wide - 10, bottom: high - 40, width: wide - 10 - left, height: high - 48 };
      const before = here;
      here = new Map();
      for (const row of shown) here.set(row.id, [...px(row), 1]);
      cancelAnimationFrame(frame);
      draw.axes();
      over.classList.remove("moving");
      if (!move || !before.size || matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) {
        draw.paint(here);
        return overlay();
      }
      over.classList.add("moving");
      const began = performance.now();
      const tick = (now) => {
        const t = Math.min(1, (now - began) / MOVE_MS),
          ease = 1 - (1 - t) ** 3;
        const between = new Map();
        for (const [id, [x, y]] of here) {
          const from = before.get(id);
          between.set(id, from ? [from[0] + (x - from[0]) * ease, from[1] + (y - from[1]) * ease, 1] : [x, y, ease]);
        }
        draw.paint(between);
        if (t < 1) frame = requestAnimationFrame(tick);
        else {
          over.classList.remove("moving");
          overlay();
        }
      };
      frame = requestAnimationFrame(tick);
    }

    function overlay() {
      const d = Number(dark()),
        { ink, paper, leader, muted } = T.colours;
      over.replaceChildren();
      if (!area) return;
      const note = !domain
        ? "Nothing was timed on this machine."
        : !shown.length
          ? "No model of this kind was timed here; widen the filter."
          : "";
      if (note) {
        const [x, y] = [area.left + area.width / 2, area.top + area.height / 2];
        over.append(svg("text", { x, y, "text-anchor": "middle", "font-size": 15, fill: ink[d] }, note));
        return;
      }
      const clip = svg("clipPath", { id: `clip-${figure}` });
      clip.append(svg("rect", { x: area.left - 6, y: area.top - 6, width: area.width + 12, height: area.height + 12 }));
      over.append(clip);
      const lines = svg("g", { "clip-path": `url(#clip-${figure})`, fill: "none" });
      const trace = (kind, rows, stroke, width, more) =>
        lines.append(
          svg("path", { class: `explorer-${kind}`, d: draw.path(rows), stroke, "stroke-width": width, ...more }),
        );
      trace("frontier", edge, ownEdge.length ? leader[d] : ink[d], 1.6);
      if (ownEdge.length) trace("own", ownEdge, ink[d], 1.8, { "stroke-dasharray": "5 3" });
      if (laid.edge.length) trace("laid", laid.edge, muted[d], 2, { "stroke-dasharray": "2 4" });
      if (state.intervals) for (const row of ownEdge.length ? ownEdge : edge) lines.append(cross(row, leader[d]));
      over.append(lines);
      const pinned = state.pins.map((id) => shown.find((row) => row.id === id)).filter(Boolean),
        line = ownEdge.length ? ownEdge : edge;
      const seen = line.filter((row) => inside(px(row)));
      const { y } = view(),
        claims = Object.values(T.claims).flat();
      const few = shown.length <= FEW ? shown.filter((row) => chosen(row) && inside(px(row))) : [];
      const named = [...new Set([...pinned, ...R.leaders(seen, y[0], narrow() ? 5 : T.named, claims), ...few])];
      const front = new Set(edge),
        at = new Map(shown.map((row) => [row, px(row)]).filter(([, place]) => inside(place))),
        held = draw.steps(line);
      const points = [...at].map(([row, [a, b]]) => [a, b, chosen(row) && front.has(row) ? 3 : 0.3]);
      const twice = named.map((row) => row.arch).filter((arch, i, all) => all.indexOf(arch) !== i);
      const room = { left: area.left + 2, right: area.right + 8, top: area.top - 6, bottom: area.bottom - 2 };
      const label = (row, text, size, more) => {
        const [x, y] = px(row),
          width = draw.widthOf(text, 600, size) + 2;
        return { x, y, text, size, width, height: size * 1.3, radius: 7, ...more };
      };
      const nameOf = (row) =>
        cut(row.arch) + (twice.includes(row.arch) && !row.arch.includes(row.size) ? `, ${row.size} px` : "");
      const wanted = named.filter((row) => inside(px(row))).map((row) => label(row, nameOf(row), BASE));
      const placed = R.place(wanted, room, points, held);
      const families = [],
        within = ([a, b], [c, d], reach) => (a - c) ** 2 + (b - d) ** 2 < reach ** 2,
        crowded = (place, places, reach) => places.filter((other) => within(place, other, reach)).length;
      for (const group of few.length || state.alone ? [] : groupsShown()) {
        const own = [...at].filter(([row]) => groupOf(row.family) === group);
        if (group === "others" || (state.families.size && !state.families.has(group)) || !own.length) continue;
        // amid the family's marks, and away from others' on the frontier
        const places = own.map(([, place]) => place),
          rivals = seen.filter((row) => groupOf(row.family) !== group).map((row) => at.get(row)),
          [, best] = own
            .map(([row, place]) => [crowded(place, places, 45) - 3 * crowded(place, rivals, 50), row])
            .reduce((one, other) => (other[0] > one[0] ? other : one));
        families.push(label(best, groupName(group), BASE + 1, { group, furthest: 18 }));
      }
      const taken = placed.map((one) => one.box);
      for (const one of [...placed, ...R.place(families, room, points, held, taken)]) {
        const [x, y] = [(one.box.left + one.box.right) / 2, (one.box.top + one.box.bottom) / 2],
          end = y > one.y ? one.box.top : one.box.bottom,
          type = { "text-anchor": "middle", "font-size": one.size, "font-weight": 600 },
          halo = { stroke: paper[d], "stroke-width": 4, "paint-order": "stroke", "stroke-linejoin": "round" },
          look = { fill: one.group ? style(one.group).text[d] : ink[d], ...type, ...halo };
        if (one.leader) over.append(svg("line", { x1: one.x, y1: one.y, x2: x, y2: end, stroke: leader[d] }));
        const kind = one.group ? "explorer-family" : "explorer-name",
          made = svg("text", { class: kind, x, y: y + one.size * 0.34, ...look }, one.text);
        if (one.group) {
          made.dataset.group = one.group;
          made.append(svg("title", {}, `Only ${one.text}`));
        }
        over.append(made);
      }
      over.append(rings);
      marks();
    }
    // A row's interval in speed and in accuracy, as far as each is known.
    function cross(row, colour) {
      const rules = models.rules ?? {},
        [x, y] = px(row),
        points = A.upright(row, rules),
        wide = (A.across(state.axis, row, rules) ?? [row.speed, row.speed]).map((speed) => px({ ...row, speed })[0]),
        high = [points, -points].map((more) => px({ ...row, top1: row.top1 + more })[1]);
      return svg("path", {
        class: "explorer-interval",
        d: `M${wide[0]},${y}H${wide[1]}M${x},${high[0]}V${high[1]}`,
        stroke: colour,
        "stroke-width": 1.4,
      });
    }
    // What moves with the pointer: rings around what is found, pinned and named, and the box that is being drawn.
    const rings = svg("g", {});
    function marks() {
      const d = Number(dark()),
        { ink, muted } = T.colours;
      rings.replaceChildren();
      if (!area || !domain) return;
      const ring = (row, r, stroke, width) => {
        const [cx, cy] = px(row),
          look = { class: "explorer-ring", fill: "none", stroke, "stroke-width": width };
        if (inside([cx, cy])) rings.append(svg("circle", { cx, cy, r, ...look }));
      };
      for (const row of shown) {
        if (found.has(row.id)) ring(row, 6, muted[d], 1.5);
        if (state.pins.includes(row.id)) ring(row, 8.5, ink[d], 2);
      }
      if (hovered) ring(hovered, 7.5, ink[d], 2);
      if (hovered && inside(px(hovered))) rings.append(cross(hovered, ink[d]));
      if (!box) return;
      const [x, right, y, bottom] = box,
        look = { class: "explorer-box", stroke: muted[d] };
      rings.append(svg("rect", { x, y, width: right - x, height: bottom - y, ...look }));
    }

    // --- one model
    const familyOf = (row) => `${labels[row.family] ?? row.family}, ${row.kind}`;
    const trainedOn = (row) => `trained on: ${pretrains.find(([key]) => key === row.pretrain)?.[1] ?? "not known"}`;
    function hover(row, spoken = false) {
      if (hovered === row && !spoken) return;
      hovered = row;
      tip.hidden = !row;
      if (row) {
        tip.replaceChildren(
          make("strong", {}, row.name),
          make("span", {}, familyOf(row)),
          ...told(row).map((text) => make("span", {}, text)),
          make("span", {}, trainedOn(row)),
        );
        const [x, y] = px(row),
          wide = tip.offsetWidth,
          high = tip.offsetHeight;
        const left = x + 14 + wide > plot.clientWidth ? x - wide - 14 : x + 14;
        tip.style.left = `${Math.max(0, Math.min(plot.clientWidth - wide, left))}px`;
        tip.style.top = `${Math.max(0, Math.min(plot.clientHeight - high, y - high / 2))}px`;
        if (spoken) said.textContent = `${row.name}: ${familyOf(row)}, ${told(row).join(", ")}.`;
      }
      marks();
    }
    function pin(row, only = false) {
      const there = state.pins.includes(row.id);
      if (there && only) return;
      said.textContent = `${row.name} ${there ? "is no longer pinned" : "is pinned below the chart"}`;
      setPins(there ? state.pins.filter((id) => id !== row.id) : [...state.pins, row.id].slice(-12));
    }
    function setPins(pins) {
      state.pins = pins;
      remember();
      fill();
      overlay();
    }
    function fill() {
      listed.ariaExpanded = String(panel.list);
      const facts = {
        rows,
        shown,
        edge,
        axis: state.axis,
        first: rows.find((row) => row.id === state.pins[0]),
        colour: (row) => style(row.family).strong[Number(dark())],
        about: (row) => [familyOf(row), ...told(row), trainedOn(row), row.licence ? `licence: ${row.licence}` : ""],
        remove: (id) => setPins(state.pins.filter((one) => one !== id)),
      };
      panel.replaceChildren(...state.pins.map((id) => P.card(id, facts)));
      if (panel.list) panel.append(P.table(edge, shown.length, (row) => labels[row.family] ?? row.family));
    }

    // --- zoom
    function zoom(factor, centre) {
      if (!domain) return;
      const { x, y } = view(),
        [cx, cy] =
          centre ?? (hovered ? [Math.log10(hovered.speed), hovered.top1] : [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2]);
      const around = (ends, middle) => ends.map((end) => middle + (end - middle) * factor);
      setView(around(x, cx), around(y, cy));
    }
    function setView(x, y, move = true) {
      const wide = domain.x[1] - domain.x[0],
        share = x.map((value) => (value - domain.x[0]) / wide);
      const whole = share[1] - share[0] >= 1 || y[1] - y[0] >= domain.y[1] - domain.y[0];
      if (!whole && (share[1] - share[0] < 0.005 || y[1] - y[0] < 0.05)) return;
      state.zoom = whole
        ? null
        : // as the address has it
          { x: share.map((one) => Number(one.toFixed(4))), y: y.map((one) => Number(one.toFixed(3))) };
      hover(null);
      remember();
      layout(move);
    }
    const value = ([a, b]) => {
      const { x, y } = view(),
        share = (a - area.left) / area.width;
      return [
        x[0] + (flip() ? 1 - share : share) * (x[1] - x[0]),
        y[0] + ((area.bottom - b) / area.height) * (y[1] - y[0]),
      ];
    };
    const whole = () => {
      state.zoom = null;
      remember();
      layout(true);
    };
    window.explorerInput(plot, {
      px,
      inside,
      view,
      setView,
      zoom,
      whole,
      value,
      hover,
      pin,
      filterFamily,
      chosen,
      filtered: filtering,
      now,
      setBox: (edges) => {
        box = edges;
        marks();
      },
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && filters.classList.contains("open")) {
        more.click();
        more.focus();
      }
    });

    // --- on the page
    function frameFor(small) {
      if (stage.classList.toggle("narrow", small) === (search.parentElement === filters)) return;
      if (small) filters.append(search);
      else parts.after(search);
    }
    const picture = chart.querySelector("picture");
    function size() {
      const source = chart.querySelector("source"),
        of = source && matchMedia(source.media).matches ? source : chart.querySelector("img");
      const ratio = (Number(of?.getAttribute("height")) || 7) / (Number(of?.getAttribute("width")) || 10);
      stage.style.height = `${Math.max(440, Math.round(chart.clientWidth * ratio))}px`;
    }
    chart.append(stage, panel);
    size();
    frameFor(narrow());
    stage.style.cssText += ";position:absolute;inset:0 0 auto 0;visibility:hidden";
    try {
      await Promise.race([document.fonts?.load(font(600, 13)) ?? 0, new Promise((done) => setTimeout(done, 800))]);
      await update();
    } catch (error) {
      stage.remove();
      panel.remove();
      throw error;
    }
    stage.style.position = stage.style.inset = stage.style.visibility = "";
    chart.dataset.drawn = "true";
    return {
      refresh: () => {
        size();
        familyChips();
        fill();
        layout();
      },
    };
  }
  return { start, tableOf };
})();

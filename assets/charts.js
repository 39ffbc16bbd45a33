// Puts the interactive chart in the place of its picture: <div class="chart" data-figure="NAME"
// data-src="charts/NAME.json"><picture>…, or, with data-explore="MACHINE", the frontier chart of explorer.js. A chart
// is fetched when it comes near the screen, and what it needs once, with the first: plotly.js, or the explorer's
// scripts. All files are scripts, so that the site works from file:// too. Whatever fails, the picture stays.
(() => {
  const ROOT = new URL("..", document.currentScript.src); // this script lies in assets/ of the site
  const PHONE = 600;
  const charts = [...document.querySelectorAll(".chart:is([data-src], [data-explore])")];
  if (!charts.length || !("IntersectionObserver" in window)) return;

  const element = (tag, values) => Object.assign(document.createElement(tag), values);
  const scripts = new Map();
  const script = (path, ordered = false) => {
    if (!scripts.has(path))
      scripts.set(
        path,
        new Promise((resolve, reject) => {
          const onerror = () => {
            scripts.delete(path); // asked for again, it is tried again
            made.remove();
            reject(new Error(`${path} cannot be fetched`));
          };
          // fetched side by side in any case
          const made = element("script", { src: new URL(path, ROOT), async: !ordered, onload: resolve, onerror });
          document.head.append(made);
        }),
      );
    return scripts.get(path);
  };
  const plotly = () =>
    script("assets/plotly.min.js").then(() => {
      if (!window.Plotly) throw new Error("plotly.js did not load");
      return window.Plotly;
    });

  const figures = {}; // charts/NAME.js says chartData("NAME", figure)
  window.chartData = (name, figure) => {
    figures[name] = figure;
  };
  const figureOf = (path) =>
    script(path.replace(/\.json$/, ".js")).then(() => {
      const figure = figures[path.replace(/^.*\/|\.json$/g, "")];
      if (!Array.isArray(figure?.data) || typeof figure.layout !== "object") throw new Error(`${path}: not a figure`);
      return figure;
    });

  const speeds = {}; // charts/picker/KEY.js says pickerData("KEY", columns); the picker's page listens too
  const listen = () => {
    const other = window.pickerData;
    window.pickerData = Object.assign(
      (key, value) => {
        speeds[key] = value;
        if (other && !other.ours) other(key, value);
      },
      { ours: true },
    );
  };
  const speedsOf = async (key) => {
    if (!window.pickerData?.ours) listen();
    await script(`charts/picker/${encodeURIComponent(key)}.js`);
    if (!speeds[key]) throw new Error(`${key}: no data`);
    return speeds[key];
  };
  let explorer, sheet;
  const styles = () =>
    (sheet ??= new Promise((resolve) => {
      const href = new URL("assets/explorer.css", ROOT);
      document.head.append(element("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve }));
    }));
  const explorerParts = () =>
    (explorer ??= (async () => {
      const names = ["-rules", "-theme", "-axes", "-panel", "-draw", "-input", ""].map((part) => `explorer${part}`);
      const parts = ["rules", ...names].map((name) => script(`assets/${name}.js`, true));
      await Promise.all([speedsOf("models"), styles(), ...parts]);
      if (speeds.models.schema !== 1) throw new Error(`models.js has schema ${speeds.models.schema}`);
      return [window.explorerChart, speeds.models];
    })());
  const explorers = new Map();
  async function explore(chart) {
    if (explorers.has(chart)) return explorers.get(chart).refresh();
    speedsOf(chart.dataset.explore).catch(() => {}); // at once, beside the scripts
    const [made, models] = await explorerParts();
    explorers.set(chart, await made.start(chart, models, { load: speedsOf, dark: isDark }));
  }

  const isDark = () => {
    const { classList } = document.documentElement;
    if (classList.contains("quarto-dark")) return true;
    return !classList.contains("quarto-light") && matchMedia("(prefers-color-scheme: dark)").matches;
  };

  // Every colour of the figure that layout.meta.dark names is exchanged; a figure without it is `darkened`.
  const recoloured = (value, map) => {
    if (typeof value === "string") return map[value.toLowerCase()] ?? value;
    if (Array.isArray(value)) return value.map((item) => recoloured(item, map));
    if (value && typeof value === "object") {
      if ("bdata" in value) return value;
      const own = ([key, item]) => [key, ["meta", "customdata", "text"].includes(key) ? item : recoloured(item, map)];
      return Object.fromEntries(Object.entries(value).map(own));
    }
    return value;
  };

  // A figure that names no dark colours of its own (a replica of the notebook's) gets dark paper and light ink; its
  // marks stay what they are, or as much lighter as they need to be seen (3 to 1 on the plot's ground).
  const lighter = (colour) => {
    const found = /^#([0-9a-f]{6})$/i.exec(colour);
    if (!found) return colour;
    let parts = found[1].match(/../g).map((part) => parseInt(part, 16));
    const light = (rgb) =>
      rgb
        .map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4))
        .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
    while (light(parts) < 0.15) parts = parts.map((one) => Math.min(255, one + Math.ceil((255 - one) / 12)));
    return `#${parts.map((one) => Math.round(one).toString(16).padStart(2, "0")).join("")}`;
  };
  const lightened = (value) =>
    typeof value === "string" ? lighter(value) : Array.isArray(value) ? value.map(lightened) : value;
  const darkened = (data, layout) => {
    const axes = Object.fromEntries(
      Object.entries(layout)
        .filter(([key]) => /^[xy]axis\d*$/.test(key))
        .map(([key, axis]) => [key, { ...axis, gridcolor: "#363c44", zerolinecolor: "#363c44", linecolor: "#57606a" }]),
    );
    if (layout.coloraxis?.colorscale)
      axes.coloraxis = { ...layout.coloraxis, colorscale: lightened(layout.coloraxis.colorscale) };
    const lit = (part) => (part?.color ? { ...part, color: lightened(part.color) } : part);
    const marks = data.map((trace) => ({
      ...trace,
      ...("marker" in trace && { marker: lit(trace.marker) }),
      ...("line" in trace && { line: lit(trace.line) }),
    }));
    const font = { ...layout.font, color: "#e8eaed" };
    return [marks, { ...layout, ...axes, paper_bgcolor: "#15181c", plot_bgcolor: "#1f242a", font }];
  };

  // A click on a mark keeps its words below the chart, and a model's line of code; a second one takes them away.
  function pin(chart, point) {
    const html = String(point.text ?? point.hovertext ?? point.data.name ?? ""),
      lines = html.split("<br>").map((line) => new DOMParser().parseFromString(line, "text/html").body.textContent);
    const panel =
      chart.querySelector(".explorer-panel") ?? chart.appendChild(element("div", { className: "explorer-panel" }));
    const there = [...panel.children].find((card) => card.dataset.of === html);
    if (there || !lines.join("")) return there?.remove();
    styles();
    const add = (tag, textContent, to) => to.appendChild(element(tag, { textContent }));
    const card = add("section", "", panel),
      head = add("p", "", card),
      name = point.data.meta?.family && Array.isArray(point.customdata) ? String(point.customdata[0]) : "";
    card.className = "explorer-pin";
    card.dataset.of = html;
    add("strong", lines[0], head);
    Object.assign(add("button", "Remove", head), {
      type: "button",
      ariaLabel: `Remove ${lines[0]}`,
      onclick: () => card.remove(),
    });
    if (lines.length > 1) add("p", lines.slice(1).join(" · "), card);
    if (name) {
      const code = add("pre", "", card);
      code.tabIndex = 0;
      add("code", `timm.create_model("${name.replace(/["\\]/g, "")}", pretrained=True)`, code);
    }
  }

  async function draw(chart) {
    if (chart.dataset.explore) {
      try {
        return await explore(chart);
      } catch (error) {
        delete chart.dataset.explore; // the chart of the default machine takes its place
        if (!chart.dataset.src) throw error;
      }
    }
    const width = Math.floor(chart.clientWidth);
    const narrow = width < PHONE;
    const own = narrow && chart.dataset.phone;
    const [Plotly, figure] = await Promise.all([plotly(), figureOf(own || chart.dataset.src)]);
    const dark = isDark(),
      swap = figure.layout.meta?.dark;
    const state = [width, own, dark].join();
    if (chart.dataset.state === state) return;
    let { data, layout } = structuredClone(figure);
    if (dark && swap) {
      const map = Object.fromEntries(Object.entries(swap).map(([light, other]) => [light.toLowerCase(), other]));
      [data, layout] = [recoloured(data, map), recoloured(layout, map)];
    } else if (dark) [data, layout] = darkened(data, layout);
    const natural = layout.width ?? width,
      height = layout.height ?? Math.round(width * 0.7);
    const scale = Math.min(1, width / natural);
    const stage = element("div", { className: "drawing" }),
      plot = element("div");
    stage.style.cssText = `height:${Math.ceil(height * scale)}px;position:absolute;visibility:hidden`;
    plot.style.cssText = `width:${natural}px;height:${height}px;transform-origin:0 0;transform:scale(${scale})`;
    stage.append(plot);
    stage.setAttribute("role", "img");
    // the picture, and its text with it, is hidden now
    stage.setAttribute("aria-label", chart.querySelector("img")?.alt ?? "");
    chart.append(stage);
    try {
      await Plotly.newPlot(
        plot,
        data,
        { ...layout, width: natural, height },
        { displayModeBar: false, displaylogo: false, responsive: false, scrollZoom: false },
      );
    } catch (error) {
      stage.remove();
      throw error;
    }
    plot.on("plotly_click", (event) => event.points[0] && pin(chart, event.points[0]));
    for (const old of chart.querySelectorAll(".drawing"))
      if (old !== stage) {
        Plotly.purge(old.firstChild);
        old.remove();
      }
    stage.style.position = stage.style.visibility = "";
    chart.dataset.state = state;
    chart.dataset.drawn = "true";
    savable(chart, () => Plotly.toImage(plot, { format: "svg", width: natural, height }));
  }

  // The chart as it stands, as an SVG file: a button behind the links to its data.
  const images = new WeakMap();
  function savable(chart, image) {
    const source = chart.closest("figure, .chart-figure")?.querySelector("figcaption .source"),
      known = images.has(chart);
    images.set(chart, image);
    if (!source || known) return;
    const onclick = async () =>
      element("a", { href: await images.get(chart)(), download: `${chart.dataset.figure}.svg` }).click();
    const save = { type: "button", className: "save", textContent: "save as SVG", onclick };
    source.append(" · ", element("button", save));
  }

  const again = new Map();
  const attempt = (chart) => {
    // one drawing at a time for each chart
    const next = (again.get(chart) ?? Promise.resolve())
      .then(() => draw(chart))
      .catch((error) => console.warn(`chart ${chart.dataset.figure}: ${error.message}; the picture stays`));
    again.set(chart, next);
  };
  const watch = new IntersectionObserver(
    (seen) => {
      for (const one of seen)
        if (one.isIntersecting) {
          watch.unobserve(one.target);
          attempt(one.target);
        }
    },
    { rootMargin: "300px" },
  );
  for (const chart of charts) watch.observe(chart);

  const redraw = () => {
    for (const chart of charts) if (again.has(chart)) attempt(chart);
  };
  let timer;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(redraw, 150);
  });
  new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();

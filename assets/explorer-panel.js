// What the frontier chart says of one model, and its cards below the chart; all of it as text nodes. Used by
// explorer.js.
window.explorerPanel = (() => {
  "use strict";
  const R = window.explorerRules,
    A = window.explorerAxes;
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes))
      if (key in made && key !== "list") made[key] = value;
      else made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  };

  const button = (words, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, words);

  const numbers = (row, axis = "speed") =>
    [
      `${row.top1.toFixed(2)}% top-1 at ${row.size} px`,
      `${R.plain(row.rate, 4)} images/s${row.sure ? "" : " (predicted)"}`,
      `${R.duration(1000 / row.rate)} an image`,
      row.params > 0 ? `${R.plain(row.params)} M parameters` : "parameters not known",
      A.axes[axis].said?.(row),
    ].filter(Boolean);

  // Where the row stands among those shown.
  function standing(row, shown, edge, axis) {
    if (edge.some((one) => one.id === row.id))
      return `On the frontier: none of these ${A.axes[axis].best} and at least as accurate.`;
    const rival = shown.filter((one) => one !== row && one.speed >= row.speed).sort((a, b) => b.top1 - a.top1)[0];
    return rival && rival.top1 >= row.top1
      ? `Beaten by ${rival.name}: ${(rival.top1 - row.top1).toFixed(2)} points more ` + `${A.ahead(axis, row, rival)}.`
      : "";
  }

  // The row against the first pinned one.
  const against = (row, first) =>
    !first || first === row
      ? ""
      : ` Against ${first.name}: ${R.plain(row.rate / first.rate)}× the speed, ` +
        `${Math.abs(row.top1 - first.top1).toFixed(2)} points ${row.top1 >= first.top1 ? "more" : "less"}.`;

  function copied(button, text) {
    const words = button.textContent;
    navigator.clipboard?.writeText(text).then(
      () => {
        button.textContent = "Copied";
        setTimeout(() => {
          button.textContent = words;
        }, 1500);
      },
      () => prompt("To copy:", text),
    );
  }

  // The card of the pinned `id` ('name@size'). chart: rows, shown, edge, first (row), colour(row), about(row) ->
  // [texts], remove(id).
  function card(id, chart) {
    const row = chart.rows.find((one) => one.id === id),
      [name, size] = [id.slice(0, id.lastIndexOf("@")), id.slice(id.lastIndexOf("@") + 1)];
    const swatch = make("i", { ariaHidden: "true" });
    const made = make(
      "section",
      { className: "explorer-pin" },
      make(
        "p",
        {},
        swatch,
        make("strong", {}, name),
        button("Remove", () => chart.remove(id), { ariaLabel: `Remove ${name}` }),
      ),
    );
    if (!row) {
      made.append(make("p", {}, "Not timed on this machine at this size."));
      return made;
    }
    swatch.style.background = chart.colour(row);
    made.append(
      make("p", {}, chart.about(row).filter(Boolean).join(" · ")),
      make("p", {}, standing(row, chart.shown, chart.edge, chart.axis) + against(row, chart.first)),
    );
    const most = 6,
      others = chart.rows
        .filter((one) => one.arch === row.arch && one.id !== row.id)
        .sort((a, b) => b.top1 - a.top1)
        .map((one) => `${one.name.slice(row.arch.length + 1) || one.name} at ${one.size} px (${one.top1.toFixed(2)}%)`),
      more = others.length > most ? ` and ${others.length - most} more` : "";
    if (others.length)
      made.append(
        make("p", { className: "source" }, `Other weights of ${row.arch}: ${others.slice(0, most).join(", ")}${more}`),
      );
    const code = `timm.create_model("${name.replace(/["\\]/g, "")}", pretrained=True)  # ${size}×${size} pixels`;
    const copy = button("Copy", () => copied(copy, code));
    made.append(
      make("div", { className: "explorer-code" }, make("pre", { tabIndex: 0 }, make("code", {}, code)), copy),
    );
    return made;
  }

  // The frontier as a table; family(row) writes its name.
  function table(edge, number, family) {
    const head = ["Model", "Family", "Pixels", "Top-1 (%)", "Images/s", "Parameters (M)"],
      of = (i) => ({ className: i > 1 ? "number" : "" }),
      params = (row) => (row.params > 0 ? R.plain(row.params) : "–"),
      cells = (row) =>
        [family(row), String(row.size), row.top1.toFixed(2), R.plain(row.rate, 4), params(row)].map((value, i) =>
          make("td", of(i + 1), value),
        );
    return make(
      "div",
      { className: "table-scroll", tabIndex: 0, role: "region", ariaLabel: "The frontier as a table" },
      make(
        "table",
        { className: "table" },
        make("caption", {}, `The frontier: ${edge.length} of ${number.toLocaleString("en")}`),
        make("thead", {}, make("tr", {}, ...head.map((text, i) => make("th", { scope: "col", ...of(i) }, text)))),
        make("tbody", {}, ...edge.map((row) => make("tr", {}, make("th", { scope: "row" }, row.name), ...cells(row)))),
      ),
    );
  }
  return { make, button, numbers, copied, card, table };
})();

// The frontier chart as it stands, as a file: its rows as CSV, its picture as SVG (points as a picture in it, lines and
// names as text). Loaded by explorer.js when it is first asked for.
window.explorerSave = (() => {
  "use strict";
  const A = window.explorerAxes,
    TITLE = 34; // pixels of the title's line
  function keep(content, type, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  // a spreadsheet runs what begins with one of these signs
  const cell = (value) =>
    `"${String(value ?? "")
      .replace(/^(?=[=+@\t\r-])(?![+-]?[\d.])/, "'")
      .replaceAll('"', '""')}"`;

  // chart: {name, machine, axis, part, shown, edge, laid}
  function csv({ name, machine, axis, part, shown, edge, laid }) {
    const on = new Set(edge),
      own = axis === "speed" ? [] : [A.axes[axis].name.toLowerCase()],
      other = laid.name ? [`images_per_second_${laid.name}`] : [];
    const head = ["model", "img_size", "family", "top1", "images_per_second", "status", "machine", "part", "frontier"];
    const lines = [...shown]
      .sort((a, b) => b.top1 - a.top1)
      .map((row) => [
        ...[row.name, row.size, row.family, row.top1, row.rate, row.sure ? "timed" : "predicted", machine, part],
        on.has(row),
        ...(own.length ? [axis === "since" ? row.since : row.x] : []),
        ...(other.length ? [laid.rows.get(row.id)?.rate] : []),
      ]);
    const text = [[...head, ...own, ...other], ...lines].map((line) => line.map(cell).join(",")).join("\n");
    keep(`${text}\n`, "text/csv", `${name}.csv`);
  }

  // chart: {name, title, under, canvas, over, colours: [paper, ink]}
  function svg({ name, title, under, canvas, over, colours: [paper, ink] }) {
    const [wide, high] = ["width", "height"].map((side) => Number(under.getAttribute(side)));
    const made = document.createElementNS("http://www.w3.org/2000/svg", "svg"),
      part = (tag, attributes, inside = "") => {
        const one = document.createElementNS(made.namespaceURI, tag);
        for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
        one.append(...inside);
        made.append(one);
      };
    for (const [key, value] of Object.entries({
      width: wide,
      height: high + TITLE,
      "font-family": "Source Sans Pro, Arial, sans-serif",
    }))
      made.setAttribute(key, value);
    part("rect", { width: "100%", height: "100%", fill: paper });
    part("text", { x: 8, y: 22, "font-size": 17, "font-weight": 600, fill: ink }, [title]);
    const down = `translate(0 ${TITLE})`,
      copies = (sheet) => [...sheet.children].map((one) => one.cloneNode(true));
    part("g", { transform: down }, copies(under));
    part("image", { transform: down, width: wide, height: high, href: canvas.toDataURL("image/png") });
    part("g", { transform: down }, copies(over));
    keep(new XMLSerializer().serializeToString(made), "image/svg+xml", `${name}.svg`);
  }
  return { csv, svg };
})();

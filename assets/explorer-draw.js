// Draws the frontier chart's axes (SVG) and marks (canvas). Used by explorer.js, which says what is where
// (`chart.now()`, `px`, `view`) and lays names and lines over it. Colours and symbols come from explorer-theme.js.
window.explorerDraw = (() => {
  "use strict";
  const R = window.explorerRules,
    T = window.explorerTheme,
    A = window.explorerAxes,
    FEW = 24,
    BASE = 13; // models up to which each is drawn large; pixels of text
  const svg = (tag, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const kin = (family) => T.shared[family] ?? family;
  const style = (family) => T.families[kin(family)] ?? T.families[""];
  const font = (weight, size) => `${weight} ${size}px "Source Sans Pro", Arial, sans-serif`;

  function brush(canvas, under, chart) {
    const pen = canvas.getContext("2d");
    const widthOf = (text, weight = 400, size = BASE) => {
      pen.font = font(weight, size);
      return pen.measureText(text).width;
    };
    function resize(wide, high, scale) {
      const [width, height] = [Math.round(wide * scale), Math.round(high * scale)];
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
      }
      pen.setTransform(scale, 0, 0, scale, 0, 0);
    }

    function axes() {
      const { area, ready, part, narrow, d, axis } = chart.now(),
        { grid, muted } = T.colours;
      under.replaceChildren();
      if (!ready) return;
      const { x, y } = chart.view(),
        text = (attributes, words) =>
          under.append(svg("text", { fill: muted[d], "font-size": BASE, ...attributes }, words));
      for (const [place, words] of A.ticks(axis, x, area.width, widthOf)) {
        const at = chart.across(place),
          half = widthOf(words) / 2;
        under.append(svg("line", { x1: at, x2: at, y1: area.top, y2: area.bottom, stroke: grid[d] }));
        if (at - half >= area.left - 20 && at + half <= area.right + 8)
          text({ x: at, y: area.bottom + 17, "text-anchor": "middle" }, words);
      }
      for (const value of R.linearTicks(y[0], y[1], area.height)) {
        const at = area.bottom - ((value - y[0]) / (y[1] - y[0])) * area.height;
        under.append(svg("line", { x1: area.left, x2: area.right, y1: at, y2: at, stroke: grid[d] }));
        text({ x: area.left - 6, y: at + 4, "text-anchor": "end" }, `${value}%`);
      }
      const { less, words } = A.axes[axis],
        told = words(part).reduce((all, more) => (widthOf(`${all}${more}, less →`) <= area.width ? all + more : all));
      text({ x: area.right, y: area.bottom + 35, "text-anchor": "end" }, `${told}${less ? ", less" : ""} →`);
      if (!narrow) text({ x: area.left + 4, y: area.bottom + 35 }, "ImageNet top-1 accuracy ↑");
    }

    function symbol(x, y, radius, kind) {
      pen.beginPath();
      const form = T.symbols[kind];
      if (form === "diamond") {
        const r = radius * 1.25;
        pen.moveTo(x, y - r);
        pen.lineTo(x + r, y);
        pen.lineTo(x, y + r);
        pen.lineTo(x - r, y);
        pen.closePath();
      } else if (form === "square") pen.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
      else pen.arc(x, y, radius, 0, 7);
    }
    function paint(at) {
      const { area, shown, edge, narrow, d } = chart.now(),
        on = new Set(edge.map((row) => row.id)),
        key = new Set(T.key),
        context = T.colours.context[d];
      const few = shown.length <= FEW,
        small = (narrow ? 0.8 : 1) * (few ? 1.3 : 1),
        filtered = chart.filtered() || few;
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.save();
      pen.beginPath();
      pen.rect(area.left - 6, area.top - 6, area.width + 12, area.height + 12);
      pen.clip();
      const layers = [[], [], [], []];
      for (const row of shown) {
        const own = chart.chosen(row),
          front = on.has(row.id);
        layers[!own ? 0 : front ? 3 : filtered ? 2 : key.has(row.family) ? 1 : 0].push([row, own, front]);
      }
      for (const layer of layers)
        for (const [row, own, front] of layer) {
          const [x, y, alpha] = at.get(row.id) ?? [];
          if (x === undefined || x < area.left - 20 || x > area.right + 20 || y < area.top - 20 || y > area.bottom + 20)
            continue;
          const colour = !own
            ? context
            : front || filtered
              ? style(row.family).strong[d]
              : key.has(row.family)
                ? style(row.family).pale[d]
                : context;
          pen.globalAlpha = alpha * (own || !filtered ? 1 : 0.55);
          symbol(
            x,
            y,
            small * (front && own ? 5 : filtered && own ? 3.6 : key.has(row.family) && own ? 3 : 2.3),
            row.kind,
          );
          if (row.sure) {
            pen.fillStyle = colour;
            pen.fill();
            if (front && own) {
              pen.lineWidth = 1.2;
              pen.strokeStyle = T.colours.paper[d];
              pen.stroke();
            }
          } else {
            pen.lineWidth = front && own ? 1.8 : 1;
            pen.strokeStyle = colour;
            pen.stroke();
          }
        }
      pen.restore();
    }

    function steps(line) {
      const { area, better } = chart.now(),
        right = [],
        at = line.map((row) => chart.px(row));
      at.forEach(([a, b], i) => {
        if (i) right.push([a, at[i - 1][1], a, b]);
        right.push([i ? at[i - 1][0] : better, b, a, b]);
      });
      if (at.length) right.push([at.at(-1)[0], at.at(-1)[1], at.at(-1)[0], area.bottom]);
      return right;
    }
    function path(line) {
      const { area, better } = chart.now(),
        at = line.map((row) => chart.px(row));
      if (!at.length) return "";
      return (
        `M${better > area.left ? Math.max(better, at[0][0]) : Math.min(better, at[0][0])},${at[0][1]}` +
        at.map(([a, b], i) => `${i ? `V${b}` : ""}H${a}`).join("") +
        `V${Math.max(area.bottom, at.at(-1)[1])}`
      );
    }
    return { resize, axes, paint, steps, path, widthOf };
  }
  return { svg, kin, style, font, BASE, FEW, brush };
})();

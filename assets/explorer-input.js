// Mouse, fingers and keys of the frontier chart: hover, click and tap, dragging a box, two fingers, the wheel with
// Ctrl, arrow keys. Used by explorer.js, which says what is where (`chart.now()`) and does what is asked for.
window.explorerInput = (plot, chart) => {
  "use strict";
  const MOUSE = 18,
    FINGER = 26; // pixels from a mark within which it is meant
  const fingers = new Map();
  let grip = null,
    pressed = null,
    box = null;
  const local = (event) => {
    const rect = plot.getBoundingClientRect();
    return [event.clientX - rect.left, event.clientY - rect.top];
  };
  const away = ([a, b], [c, d]) => Math.hypot(a - c, b - d);
  // the edges of a box by two corners: left, right, top, bottom
  const between = ([a, b], [c, d]) => [Math.min(a, c), Math.max(a, c), Math.min(b, d), Math.max(b, d)];
  const draw = (edges) => {
    box = edges;
    chart.setBox(edges);
  };

  function nearest(point, reach) {
    const { shown, edge } = chart.now(),
      on = new Set(edge);
    let best = null,
      least = reach;
    for (const row of shown) {
      if (chart.filtered() && !chart.chosen(row)) continue;
      const at = chart.px(row);
      if (!chart.inside(at)) continue;
      const distance = away(at, point) - (on.has(row) ? 4 : 0);
      if (distance < least) {
        least = distance;
        best = row;
      }
    }
    return best;
  }

  plot.addEventListener("pointerdown", (event) => {
    if (event.button > 0 || !chart.now().ready) return;
    const at = local(event);
    fingers.set(event.pointerId, at);
    pressed = fingers.size === 1 ? { at, group: event.target.dataset?.group, type: event.pointerType } : null;
    if (fingers.size === 2) {
      const two = [...fingers.values()];
      grip = { at: two, value: two.map(chart.value) };
      if (box) draw(null);
    }
    if (event.pointerType === "mouse") plot.setPointerCapture?.(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    if (!chart.now().ready) return;
    const at = local(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
    if (grip) {
      if (fingers.size === 2) pinch([...fingers.values()]);
      return;
    }
    if (pressed?.type === "mouse" && fingers.size && away(at, pressed.at) > 6) {
      chart.hover(null);
      return draw(between(pressed.at, at));
    }
    if (event.pointerType === "mouse" && !fingers.size) chart.hover(nearest(at, MOUSE));
  });

  function pinch(two) {
    // what lay under the fingers stays under them
    const { area } = chart.now(),
      { x, y } = chart.view();
    const stretch = (i, low, high, [from, to], size, upwards) => {
      const apart = Math.abs(two[0][i] - two[1][i]),
        was = Math.abs(grip.at[0][i] - grip.at[1][i]);
      const per = apart > 30 && was > 30 ? Math.abs(grip.value[0][i] - grip.value[1][i]) / apart : (to - from) / size;
      const middle = (two[0][i] + two[1][i]) / 2,
        centre = (grip.value[0][i] + grip.value[1][i]) / 2;
      return upwards
        ? [centre - (high - middle) * per, centre + (middle - low) * per]
        : [centre - (middle - low) * per, centre + (high - middle) * per];
    };
    chart.setView(
      stretch(0, area.left, area.right, x, area.width, chart.now().flip),
      stretch(1, area.top, area.bottom, y, area.height, true),
      false,
    );
  }

  function up(event) {
    fingers.delete(event.pointerId);
    if (grip) {
      if (!fingers.size) grip = null;
      pressed = null;
      return;
    }
    if (event.type === "pointercancel" || !pressed) {
      pressed = null;
      if (box) draw(null);
      return;
    }
    const { at, group, type } = pressed;
    pressed = null;
    if (box) {
      const [left, right, top, bottom] = box;
      draw(null);
      if (right - left < 12 || bottom - top < 12) return;
      const [low, high, from, to] = between(chart.value([left, bottom]), chart.value([right, top]));
      return chart.setView([low, high], [from, to]);
    }
    const row = nearest(at, type === "mouse" ? MOUSE : FINGER);
    if (group && (!row || away(chart.px(row), at) > 6)) return chart.filterFamily(group);
    if (row) chart.pin(row);
    if (type !== "mouse" || !row) chart.hover(row);
  }
  plot.addEventListener("pointerup", up);
  plot.addEventListener("pointercancel", up);
  plot.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") chart.hover(null);
  });
  plot.addEventListener("dblclick", chart.whole);
  plot.addEventListener(
    "wheel",
    (event) => {
      // without Ctrl the page scrolls
      if (!(event.ctrlKey || event.metaKey) || !chart.now().ready) return;
      event.preventDefault();
      chart.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, chart.value(local(event)));
    },
    { passive: false },
  );

  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== plot) return;
    const { shown, line, hovered } = chart.now();
    const walk = event.shiftKey ? shown.filter(chart.chosen).sort((a, b) => a.speed - b.speed) : line,
      last = walk.length - 1;
    const at = hovered ? walk.findIndex((row) => row.id === hovered.id) : -1,
      go = (i) => chart.hover(walk[i] ?? null, true);
    const keys = {
      ArrowRight: () => go(Math.min(last, at + 1)),
      ArrowLeft: () => go(at < 0 ? last : Math.max(0, at - 1)),
      Home: () => go(0),
      End: () => go(last),
      Enter: () => hovered && chart.pin(hovered),
      " ": () => hovered && chart.pin(hovered),
      Escape: () => chart.hover(null),
      "+": () => chart.zoom(0.6),
      "=": () => chart.zoom(0.6),
      "-": () => chart.zoom(1 / 0.6),
      0: chart.whole,
    };
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  plot.addEventListener("blur", () => {
    if (!plot.matches(":hover")) chart.hover(null);
  });
};

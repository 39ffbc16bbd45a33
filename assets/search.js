// Search over the names of all models, old names too: "/" or Ctrl-K on any page (assets/shell.js loads this on first
// use, and this the names). modelSearch.open(pick): pick(name, file) is called with the chosen one; without it, its
// page opens.
window.modelSearch = (() => {
  "use strict";
  const here = document.currentScript.src,
    SHOWN = 12;
  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };

  // --- the names, loaded once: {name, file, top1, was (the old name), words}
  let waiting = null,
    names = null;
  const before = window.modelNames; // the comparison waits for the same names
  window.modelNames = (data) => {
    names = data;
    before?.(data);
  };
  const load = () =>
    (waiting ??= new Promise((done, failed) => {
      const script = make("script", { src: new URL("../data/v1/names.js", here) });
      script.onload = () => {
        const { models, old } = names;
        const entries = models.map(([name, file, top1]) => ({ name, file: file || name, top1, was: "" }));
        done(
          [...entries, ...old.map(([was, at]) => ({ ...entries[at], was }))]
            .map((one) => ({ ...one, words: plain(one.was || one.name) }))
            .sort((a, b) => (b.top1 ?? 0) - (a.top1 ?? 0)),
        );
      };
      script.onerror = () => {
        waiting = null;
        failed(new Error("names"));
      };
      document.head.append(script);
    }));
  const plain = (text) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, " ")
      .trim();

  // --- every word asked for must be in the name; whole names first, then beginnings, then what is more accurate (in
  // which order the names are). No sorting: with ten times the names it took 0.2 s a key on a slow phone.
  function find(entries, asked) {
    const wanted = plain(asked.slice(0, 200)),
      words = wanted.split(" ").filter(Boolean),
      ranks = Array.from({ length: 10 }, () => []);
    let count = 0;
    for (const one of words.length ? entries : []) {
      if (!words.every((word) => one.words.includes(word))) continue;
      const rank =
        one.words === wanted
          ? 0
          : `${one.words} `.startsWith(`${wanted} `)
            ? 1
            : one.words.startsWith(wanted)
              ? 2
              : ` ${one.words}`.includes(` ${wanted}`)
                ? 3
                : 4;
      const alike = ranks[2 * rank + (one.was ? 1 : 0)];
      if (alike.length < SHOWN) alike.push(one);
      count++;
    }
    return { first: ranks.flat().slice(0, SHOWN), count };
  }

  // --- the dialog: a combobox as ARIA describes it
  const list = make("ul", { role: "listbox", id: "model-search-list", "aria-label": "Models" });
  const said = make("p", { role: "status" });
  const field = make("input", {
    type: "text",
    role: "combobox",
    "aria-controls": list.id,
    "aria-expanded": "false",
    "aria-autocomplete": "list",
    "aria-label": "Search all models by name",
    placeholder: "A model’s name, old or new",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    maxlength: "200",
  });
  const shut = make("button", { type: "button", class: "search-close" }, "Close");
  const box = make(
    "dialog",
    { class: "model-search", "aria-label": "Search models" },
    make("div", { class: "search-head" }, field, shut),
    list,
    said,
  );
  let found = [],
    at = -1,
    entries = [],
    pick = null;

  const mark = (to) => {
    at = to;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    if (at < 0) field.removeAttribute("aria-activedescendant");
    else {
      field.setAttribute("aria-activedescendant", list.children[at].id);
      list.children[at].scrollIntoView({ block: "nearest" });
    }
  };
  const show = () => {
    const { first, count } = find(entries, field.value);
    found = first;
    list.replaceChildren(
      ...found.map((one, i) => {
        const option = make(
          "li",
          { role: "option", id: `model-search-${i}`, "aria-selected": "false" },
          make("span", {}, one.was || one.name),
        );
        option.append(
          make(
            "small",
            {},
            one.was ? `today’s ${one.name}` : one.top1 === null ? "no accuracy" : `${one.top1.toFixed(1)}%`,
          ),
        );
        return option;
      }),
    );
    field.setAttribute("aria-expanded", String(found.length > 0));
    said.textContent = !plain(field.value)
      ? `${entries.length.toLocaleString("en")} names, old ones too`
      : !count
        ? "No model has such a name."
        : count > SHOWN
          ? `The first ${SHOWN} of ${count.toLocaleString("en")}`
          : `${count} found`;
    mark(found.length ? 0 : -1);
  };
  const choose = (i) => {
    const one = found[i];
    if (!one) return;
    box.close();
    if (pick) pick(one.name, one.file);
    else location.href = new URL(`../model/${encodeURIComponent(one.file)}.html`, here);
  };
  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => {
    const last = found.length - 1,
      to = { ArrowDown: at >= last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1 }[event.key];
    if (event.key === "Enter") {
      event.preventDefault();
      choose(at);
    } else if (to !== undefined && last >= 0) {
      event.preventDefault();
      mark(to);
    }
  });
  list.addEventListener("click", (event) => choose([...list.children].indexOf(event.target.closest("li"))));
  shut.addEventListener("click", () => box.close());
  box.addEventListener("click", (event) => {
    if (event.target === box) box.close();
  });

  async function open(then = null) {
    pick = then;
    if (!box.isConnected) {
      const style = make("link", { rel: "stylesheet", href: new URL("search.css", here) });
      const styled = new Promise((done) => {
        style.onload = style.onerror = done;
      });
      document.head.append(style);
      document.body.append(box);
      await styled;
    }
    if (!box.open) box.showModal();
    field.value = "";
    field.focus();
    said.textContent = "Loading the names …";
    try {
      entries = await load();
      show();
    } catch {
      said.textContent = "The names could not be loaded; reload the page.";
    }
  }
  return { open, find, load, plain };
})();

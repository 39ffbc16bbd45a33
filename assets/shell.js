// The frame's manners: dark and light, the menu on a phone, tabs, copying code, where one is in the contents.
(() => {
  const root = document.documentElement;
  // what the reader chose before; now `value`, where one is given. In a private window nothing is kept beyond the page.
  const kept = (name, value) => {
    try {
      if (value !== undefined) localStorage.setItem(name, value);
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  };
  const show = (dark) => {
    root.classList.toggle("quarto-dark", dark);
    root.classList.toggle("quarto-light", !dark);
  };
  document.querySelector(".quarto-color-scheme-toggle")?.addEventListener("click", () => {
    const dark = !root.classList.contains("quarto-dark");
    show(dark);
    kept("colour-scheme", dark ? "dark" : "light");
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    if (!kept("colour-scheme")) show(event.matches);
  });

  const menu = document.querySelector(".navbar-toggler");
  menu?.addEventListener("click", () => {
    const open = document.getElementById("navbar-links").classList.toggle("open");
    menu.setAttribute("aria-expanded", String(open));
  });

  // Search over all models by "/" or Ctrl-K; nothing of it is loaded before it is asked for.
  const me = document.currentScript.src;
  let searching = null;
  window.openSearch = (pick) => {
    searching ??= new Promise((done) => {
      const script = document.createElement("script");
      script.src = new URL("search.js", me);
      script.onload = () => done(window.modelSearch);
      script.onerror = () => (searching = null); // offline: nothing to search in
      document.head.append(script);
    });
    searching.then((found) => found.open(pick));
  };
  document.querySelector(".search-open")?.addEventListener("click", () => window.openSearch());
  addEventListener("keydown", (event) => {
    const typing =
      event.target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]");
    const asked =
      event.key === "/"
        ? !typing && !event.ctrlKey && !event.metaKey && !event.altKey
        : event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    if (!asked || event.isComposing) return;
    event.preventDefault();
    window.openSearch();
  });

  const menus = [...document.querySelectorAll(".dropdown")];
  addEventListener("click", (event) => {
    for (const one of menus) if (!one.contains(event.target)) one.open = false;
  });
  addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && menus.find((one) => one.open);
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  const tabsOf = (list) => [...list.querySelectorAll('[role="tab"]')];
  const choose = (tab, focus) => {
    for (const other of tabsOf(tab.closest('[role="tablist"]'))) {
      const active = other === tab;
      other.classList.toggle("active", active);
      other.setAttribute("aria-selected", String(active));
      other.tabIndex = active ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).classList.toggle("active", active);
    }
    if (focus) tab.focus();
  };
  const chosen = (tab) => {
    // tabsets of one group change together
    const group = tab.closest(".panel-tabset").dataset.group;
    if (!group) return;
    for (const set of document.querySelectorAll(`.panel-tabset[data-group="${CSS.escape(group)}"]`)) {
      const twin = tabsOf(set.querySelector('[role="tablist"]')).find((other) => other.textContent === tab.textContent);
      if (twin && twin !== tab) choose(twin, false);
    }
  };
  for (const list of document.querySelectorAll('.panel-tabset [role="tablist"]')) {
    list.addEventListener("click", (event) => {
      const tab = event.target.closest('[role="tab"]');
      if (tab) {
        choose(tab, true);
        chosen(tab);
      }
    });
    list.addEventListener("keydown", (event) => {
      const tabs = tabsOf(list),
        at = tabs.indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined || at < 0) return;
      event.preventDefault();
      const tab = tabs[(to + tabs.length) % tabs.length];
      choose(tab, true);
      chosen(tab);
    });
  }

  if (navigator.clipboard)
    for (const block of document.querySelectorAll("main div.sourceCode")) {
      const look = { type: "button", className: "code-copy-button", textContent: "Copy" },
        button = Object.assign(document.createElement("button"), look);
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      });
      block.append(button);
    }

  const answer = document.querySelector(".answer"),
    machine = answer?.querySelector("select"); // the home page's cards
  if (machine) {
    const turn = () => {
      for (const cards of answer.querySelectorAll("[data-machine]"))
        cards.hidden = cards.dataset.machine !== machine.value;
    };
    const before = kept("machine");
    if ([...machine.options].some((option) => option.value === before)) machine.value = before;
    machine.addEventListener("change", () => {
      turn();
      kept("machine", machine.value);
    });
    turn();
  }

  const entries = new Map(
    [...document.querySelectorAll("#TOC a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]),
  );
  const targets = [...entries.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  let asked = false;
  const mark = () => {
    // the last section whose head has come into the upper fifth of the screen
    asked = false;
    const here = targets.filter((target) => target.getBoundingClientRect().top < innerHeight / 5).pop();
    for (const [id, link] of entries) link.classList.toggle("active", id === here?.id);
  };
  const soon = () => {
    if (!asked) requestAnimationFrame(mark);
    asked = true;
  };
  if (targets.length) {
    addEventListener("scroll", soon, { passive: true });
    mark();
  }
})();

"use strict";
// View modes, filters by cause, and the keyboard of the figure report. Without it the page still shows all pictures
// side by side.
(() => {
  const all = [...document.querySelectorAll("article")];
  const modes = [...document.querySelectorAll("[data-set-mode]")];
  const filters = [...document.querySelectorAll("[data-filter]")];
  const status = document.getElementById("status");
  const dialog = document.querySelector("dialog");
  let current = -1;

  const shown = () => all.filter((article) => !article.hidden);
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));

  function setMode(mode) {
    document.body.dataset.mode = mode;
    modes.forEach((button) => press(button, button.dataset.setMode === mode));
  }

  function filter(cause) {
    filters.forEach((button) => press(button, button.dataset.filter === cause));
    all.forEach((article) => {
      article.hidden = cause !== "" && article.dataset.cause !== cause;
    });
    document.querySelectorAll("section").forEach((section) => {
      section.hidden = !section.querySelector("article:not([hidden])");
    });
    document.querySelectorAll(".toc li").forEach((item) => {
      item.hidden = cause !== "" && item.dataset.cause !== cause;
    });
    const count = shown().length;
    status.textContent = `${count} shown`;
    select(-1);
  }

  function select(index, scroll = true) {
    const list = shown();
    all.forEach((article) => article.classList.remove("current"));
    current = Math.min(index, list.length - 1);
    if (current < 0) return;
    list[current].classList.add("current");
    if (scroll) list[current].scrollIntoView({ block: "start" });
    list[current].focus({ preventScroll: true });
  }

  function slide(input, value) {
    input.value = value;
    input.closest("article").style.setProperty("--at", `${input.value}%`);
  }

  function slider() {
    const article = shown()[Math.max(current, 0)];
    return article && article.querySelector(".slide");
  }

  const toggle = (name) => {
    const on = document.body.classList.toggle(name);
    document
      .querySelectorAll(`[data-toggle="${name}"]`)
      .forEach((button) => press(button, name === "noboxes" ? !on : on));
  };

  modes.forEach((button) => button.addEventListener("click", () => setMode(button.dataset.setMode)));
  filters.forEach((button) => button.addEventListener("click", () => filter(button.dataset.filter)));
  document
    .querySelectorAll("[data-toggle]")
    .forEach((button) => button.addEventListener("click", () => toggle(button.dataset.toggle)));
  document
    .querySelectorAll(".slide")
    .forEach((input) => input.addEventListener("input", () => slide(input, input.value)));
  document.querySelector("[data-help]")?.addEventListener("click", () => dialog.showModal());
  all.forEach((article) => article.addEventListener("pointerdown", () => select(shown().indexOf(article), false)));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    const typing = event.target.matches("input, summary, a, button");
    const input = slider();
    const actions = {
      j: () => select(current + 1),
      k: () => select(Math.max(0, current - 1)),
      1: () => setMode("side"),
      2: () => setMode("swipe"),
      3: () => setMode("onion"),
      4: () => setMode("difference"),
      z: () => toggle("full"),
      b: () => toggle("noboxes"),
      0: () => filter(""),
      "?": () => dialog.showModal(),
    };
    if (!typing && input && ["swipe", "onion"].includes(document.body.dataset.mode)) {
      actions.ArrowLeft = () => slide(input, Number(input.value) - 5);
      actions.ArrowRight = () => slide(input, Number(input.value) + 5);
      actions[" "] = () => slide(input, Number(input.value) > 50 ? 0 : 100);
    }
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
})();

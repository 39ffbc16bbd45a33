// Tables that sort by a click on a column's head (once: the most useful order, twice: the other way, a third time: as
// it was) and that are filtered by words where they are long; on a phone a long one shows its first dozen until all are
// asked for. Keyboard and screen reader: the heads are buttons, aria-sort says the order, a status line the rows left.
(() => {
  "use strict";
  const said = document.createElement("p");
  said.className = "visually-hidden";
  said.setAttribute("role", "status");

  // --- what a cell is worth: a number where it starts with one, else its text; what is missing comes last either way
  const worth = (cell) => {
    const text = cell.textContent.replace(/[\s\u2007\u2008,]+/g, " ").trim();
    if (!text || text === "–") return null;
    const bare = cell.textContent.replace(/[\s\u2007\u2008,]/g, "").replace("−", "-");
    const number = parseFloat(bare);
    return cell.matches(".number, .speeds td:not(:last-child)") && !Number.isNaN(number)
      ? number * ({ k: 1e3, M: 1e6, G: 1e9 }[bare.match(/^[-+\d.]+([kMG])/)?.[1]] ?? 1)
      : text;
  };
  const order = (a, b) =>
    typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });

  function button(className, words, go) {
    const made = Object.assign(document.createElement("button"), { type: "button", className });
    made.append(...words);
    made.addEventListener("click", () => go(made));
    return made;
  }
  const below = (table, made) => (table.closest(".table-scroll") ?? table).after(made);

  function sortable(table) {
    const body = table.tBodies[0],
      natural = [...body.rows],
      heads = [...table.tHead.rows[0].cells];
    const sort = (at, direction) => {
      const rows = [...natural];
      if (direction !== "none") {
        const value = new Map(rows.map((row) => [row, worth(row.cells[at])])),
          sign = direction === "ascending" ? 1 : -1;
        rows.sort((a, b) => {
          const [x, y] = [value.get(a), value.get(b)];
          return x === null || y === null ? (x === null) - (y === null) : sign * order(x, y);
        });
      }
      body.append(...rows);
      heads.forEach((head, i) => {
        if (i === at && direction !== "none") head.setAttribute("aria-sort", direction);
        else head.removeAttribute("aria-sort");
      });
      said.textContent =
        direction === "none" ? "In the first order again" : `Sorted by ${heads[at].textContent}, ${direction}`;
    };
    heads.forEach((head, at) => {
      if (!head.textContent.trim()) return;
      const first = head.classList.contains("number") ? "descending" : "ascending",
        second = first === "ascending" ? "descending" : "ascending";
      const next = () => {
        const now = head.getAttribute("aria-sort");
        sort(at, now === null ? first : now === first ? second : "none");
      };
      head.append(button("sort", head.childNodes, next));
    });
  }

  function filtered(tools, table) {
    const field = tools.querySelector("input"),
      status = tools.querySelector("[role=status]"),
      rows = [...table.tBodies[0].rows];
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      table.classList.toggle("filtered", words.length > 0);
      for (const row of rows) row.hidden = !words.every((word) => texts.get(row).includes(word));
      const left = rows.filter((row) => !row.hidden).length;
      status.textContent = words.length
        ? `${left.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`
        : `${rows.length.toLocaleString("en")} rows`;
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && field.value) {
        field.value = "";
        field.dispatchEvent(new Event("input"));
        event.preventDefault();
      }
    });
  }

  const LONG = 18; // rows, from which a phone shows the first twelve (site.css)
  function folded(table) {
    const rows = table.tBodies[0].rows.length,
      words = (on) => (on ? "Show the first twelve rows" : `Show all ${rows.toLocaleString("en")} rows`);
    const turn = (made) => {
      made.textContent = words(!table.classList.toggle("folded"));
    };
    table.classList.add("folded");
    below(table, button("show-all", [words(false)], turn));
  }

  // --- the table as a CSV file: what is read on the page, numbers without their thousands' commas
  function saved(table) {
    const value = (cell) => {
      const bare = cell.textContent.replace(/[\u2007\u2008]/g, "");
      const text = bare.replace(/\s+/g, " ").trim();
      if (text === "–") return "";
      return /^[+−-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text;
    };
    // a spreadsheet runs what begins with one of these signs; a number may
    const safe = (one) => (/^[=+@\t\r-]/.test(one) && !/^[+-]?[\d.]/.test(one) ? `'${one}` : one);
    const csv = [...table.rows]
      .map((row) => [...row.cells].map((cell) => `"${safe(value(cell)).replaceAll('"', '""')}"`).join(","))
      .join("\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${csv}\n`], { type: "text/csv" }));
    link.download = `${(document.title.split(" – ")[0] || "table").replace(/[^\w.-]+/g, "-").slice(0, 80)}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  function savable(table) {
    below(
      table,
      button("save", ["Save as CSV"], () => saved(table)),
    );
  }

  window.savableTable = savable; // for tables that are made later

  for (const table of document.querySelectorAll("main table.table")) {
    if (!table.tHead?.rows.length || !table.tBodies.length) continue;
    if (!table.classList.contains("fixed") && table.tBodies[0].rows.length > 2) sortable(table);
    const tools = table.closest(".table-scroll")?.previousElementSibling;
    if (tools?.classList.contains("table-tools")) filtered(tools, table);
    if (table.tBodies[0].rows.length > 2) savable(table);
    if (table.tBodies[0].rows.length > LONG) folded(table);
    if (table.classList.contains("cards")) {
      // set as cards on a phone, where some browsers else forget that it is a table
      const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
      for (const part of [table, ...table.querySelectorAll("thead, tbody, tr, td, th")])
        part.setAttribute("role", roles[part.tagName] ?? (part.scope === "row" ? "rowheader" : "columnheader"));
    }
  }
  document.body.append(said);
})();

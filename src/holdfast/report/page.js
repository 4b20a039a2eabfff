"use strict";
// Tables are complete without this script; with it, their columns can be sorted.
const { compare: order } = new Intl.Collator(undefined, { numeric: true });  // "width = 4" before "width = 16"
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
  const body = table.tBodies[0];
  [...heads].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.dataset.first || "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = head.getAttribute("aria-sort") === first ? other : first;
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const value = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === undefined) return order(a.cells[column].textContent, b.cells[column].textContent) * sign;
        if (x === "" || y === "") return (x === "") - (y === "");  // missing values stay at the end
        return (Number(x) - Number(y)) * sign;
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}

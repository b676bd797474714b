for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.querySelectorAll("thead button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), place = head.cellIndex, body = table.tBodies[0];
      const up = head.getAttribute("aria-sort") === "descending";
      for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();
      const order = (a, b) => {
        const one = value(a), other = value(b), x = Number(one), y = Number(other);
        if (one === "" || other === "") return (one === "") - (other === "");
        return (up ? 1 : -1) * (isNaN(x) || isNaN(y) ? one.localeCompare(other) : x - y);
      };
      body.append(...[...body.rows].sort(order));
    });
  }
}
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open]):not(.bulk)")];
  for (const item of closed) item.open = true;
});
addEventListener("afterprint", () => { for (const item of closed) item.open = false; });

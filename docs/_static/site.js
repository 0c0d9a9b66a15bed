// Tables that are too wide for a phone become lists (see site.css), and a picture leads to its full size.
"use strict";

function name_cells(table) {
  const names = [...table.querySelectorAll("thead th")].map((cell) => cell.innerText.trim());
  for (const row of table.querySelectorAll("tbody tr"))
    [...row.children].forEach((cell, index) => {
      if (names[index] && (cell.innerText.trim() || cell.querySelector("img"))) cell.dataset.label = names[index];
    });
}

function stack() {
  for (const table of document.querySelectorAll(".bd-article table:not(.genindextable)")) {
    table.classList.remove("stacked");
    const room = (table.closest(".pst-scrollable-table-container") || table.parentElement).clientWidth;
    if (window.innerWidth <= 640 && table.offsetWidth > room + 1 && room > 0) {
      name_cells(table);
      table.classList.add("stacked");
    }
  }
}

function link_pictures() {
  for (const image of document.querySelectorAll(".bd-article img")) {
    if (image.closest("a")) continue;
    const link = document.createElement("a");
    link.href = image.src;
    link.setAttribute("aria-label", `${image.alt || "picture"}, full size`);
    image.replaceWith(link);
    link.append(image);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  link_pictures();
  stack();
  for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", stack);
});
window.addEventListener("load", stack);
window.addEventListener("resize", stack);

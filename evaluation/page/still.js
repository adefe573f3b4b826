// A page that is one file.

document.documentElement.classList.add("scripted");
for (const figure of document.querySelectorAll("figure[data-grid]")) {
  const grids = data.runs[figure.dataset.run]?.grids ?? [];
  for (const grid of grids) grid[1] ??= figure.querySelector("img").src; // is in the page already
}
document.querySelectorAll("main section").forEach(refresh);

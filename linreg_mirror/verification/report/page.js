// Shows the theorems that are asked for, in the form or in the page's address: ?q=rate&paper=MM&verdict=holds.
const form = document.getElementById("filter");
const articles = [...document.querySelectorAll("article")].map((article) => {
  const written = [...article.querySelectorAll("[title]")].map((one) => one.title);
  return [article, [article.id, article.textContent, ...written].join(" ").toLowerCase()];
});
const asked = new URLSearchParams(location.search);
for (const field of form.elements) if (asked.has(field.name)) field.value = asked.get(field.name);

function show() {
  const wanted = Object.fromEntries(new FormData(form));
  const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const [article, text] of articles) {
    article.hidden =
      (wanted.paper && article.dataset.paper !== wanted.paper) ||
      (wanted.verdict && article.dataset.verdict !== wanted.verdict) ||
      !words.every((word) => text.includes(word));
    shown += !article.hidden;
  }
  for (const group of document.querySelectorAll("section.group")) {
    group.hidden = !group.querySelector("article:not([hidden])");
  }
  form.querySelector("output").textContent = `${shown} of ${articles.length} shown`;
}

form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
show();

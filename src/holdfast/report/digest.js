"use strict";
// Everything can be read without this script; with it, entries can be searched and the language is remembered.
const find = (id) => document.getElementById(id);
const [search, count, nothing] = ["the-search", "the-count", "no-match"].map(find);
const [controls, openAll, closeAll] = ["the-controls", "open-all", "close-all"].map(find);
const entries = [...document.querySelectorAll("details.entry")];
const tasks = [...document.querySelectorAll("section.task")];
const areas = [...document.querySelectorAll("input[name=area]")];

// ----------------------------------------------------------------------------------------------- language
const MEMORY = "holdfast-language";
const titles = { en: document.title, zh: "holdfast：" + document.querySelector("h1 .zh").textContent };

function remembered() {
  try { return localStorage.getItem(MEMORY); } catch { return null; }  // storage may be forbidden; then nothing is kept
}
function remember(language) {
  try { localStorage.setItem(MEMORY, language); } catch { return; }
}
function speak(language) {
  find(`lang-${language}`).checked = true;
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  document.title = titles[language];
}
const wanted = [remembered(), ...navigator.languages].map((tag) => (tag || "").slice(0, 2).toLowerCase());
speak(wanted.find((language) => language in titles) || "en");
for (const language of Object.keys(titles)) {
  find(`lang-${language}`).addEventListener("change", () => { speak(language); remember(language); });
}

// ------------------------------------------------------------------------------------------------- search
const plain = (text) => text.normalize("NFKC").toLowerCase();
function wordsOf(entry) {
  const copy = entry.cloneNode(true);
  for (const figure of copy.querySelectorAll("figure")) figure.remove();
  return plain(`${entry.id} ${entry.closest(".task").querySelector("h2").textContent} ${copy.textContent}`);
}
const words = new Map(entries.map((entry) => [entry, wordsOf(entry)]));

function filter() {
  const sought = plain(search.value).split(/\s+/).filter(Boolean);
  const area = areas.find((choice) => choice.checked).value;
  for (const entry of entries) {
    const inArea = !area || entry.dataset.areas.split(" ").includes(area);
    entry.hidden = !inArea || !sought.every((word) => words.get(entry).includes(word));
  }
  for (const task of tasks) task.hidden = !task.querySelector("details.entry:not([hidden])");
  const shown = entries.filter((entry) => !entry.hidden).length;
  count.textContent = shown;
  nothing.hidden = shown > 0 || entries.length === 0;
}
function clear() {
  search.value = "";
  areas[0].checked = true;
  filter();
}
search.addEventListener("input", filter);
for (const choice of areas) choice.addEventListener("change", filter);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "/" && event.target !== search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape") {
    if (!search.value && document.activeElement === search) search.blur();
    clear();
  }
});

// ------------------------------------------------------------------------------------------------ folding
function fold(open) {
  for (const entry of entries) if (!entry.hidden) entry.open = open;
}
openAll.addEventListener("click", () => fold(true));
closeAll.addEventListener("click", () => fold(false));

function follow() {
  const entry = entries.find((each) => each.id === location.hash.slice(1));
  if (!entry) return;
  if (entry.hidden) clear();
  entry.open = true;
  entry.scrollIntoView();
}
addEventListener("hashchange", follow);

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => { for (const each of closed) each.open = false; });

controls.hidden = false;
filter();
follow();

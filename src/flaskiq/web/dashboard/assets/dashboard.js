// What a page does by itself: it renews its regions, asks before what cannot be undone, goes on with
// what takes long, lets ranges be ticked, and listens to keys. Everything else works without it.
"use strict";

const all = (what, from = document) => [...from.querySelectorAll(what)];
const byId = (id) => document.getElementById(id);

// --- Renewing -----------------------------------------------------------------------------------

const interval = byId("interval");
let timer = 0;

// Nothing moves under the eyes of somebody who reads, selects or types.
const isInUse = (region) =>
  document.hidden ||
  region.contains(document.activeElement) ||
  (!getSelection().isCollapsed && region.contains(getSelection().anchorNode)) ||
  document.querySelector("main input[type=checkbox]:checked") !== null;

const renew = async (asked = false) => {
  const isFree = (region) => asked || !isInUse(region);
  const regions = all("[data-live]").filter(isFree);
  if (regions.length && !document.hidden) {
    try {
      const address = new URL(location.href);
      for (const name of ["did", "place", "left", "of"]) address.searchParams.delete(name);
      const answer = await fetch(address, {headers: {Accept: "text/html"}});
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const region of regions) {
        const fresh = page.getElementById(region.id);
        if (fresh && isFree(region)) replace(region, document.adoptNode(fresh));
      }
      document.body.classList.remove("away");
    } catch {
      document.body.classList.add("away");
    }
  }
  plan();
};

// What was opened or ticked stays so, and what was scrolled stays where it is.
const replace = (region, fresh) => {
  const open = new Set(all("details[open]", region).map((each) => each.id));
  for (const each of all("details", fresh)) each.open = open.has(each.id);
  const ticked = new Set(all("input:checked", region).map(nameOf));
  for (const each of all("input[type=checkbox]", fresh)) each.checked = ticked.has(nameOf(each));
  const places = all(".scroll, pre", region).map((each) => [each.scrollLeft, each.scrollTop]);
  region.replaceWith(fresh);
  all(".scroll, pre", fresh).forEach((each, n) => {
    [each.scrollLeft, each.scrollTop] = places[n] ?? [0, 0];
  });
  follow();
};

const nameOf = (box) => `${box.name}=${box.value}`;

const plan = () => {
  clearTimeout(timer);
  const seconds = Number(interval.value);
  if (seconds) timer = setTimeout(renew, seconds * 1000);
};

// --- What is remembered -------------------------------------------------------------------------

const remember = (choice, name, initial, act) => {
  choice.value = localStorage.getItem(name) ?? initial;
  if (choice.selectedIndex < 0) choice.value = initial;
  choice.addEventListener("change", () => {
    localStorage.setItem(name, choice.value);
    act();
  });
};

interval.closest("[hidden]").hidden = false;
remember(interval, "flaskiq.interval", "5", plan);
remember(byId("theme"), "flaskiq.theme", "", () => {
  document.documentElement.dataset.theme = byId("theme").value;
});
document.addEventListener("visibilitychange", () => document.hidden || plan());
plan();

// --- Acting -------------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  const whole = event.target.querySelector("input[name=all]:checked");
  const verb = event.submitter?.textContent;
  if (question && !confirm(question)) event.preventDefault();
  if (whole && !confirm(`${verb}${whole.closest("label").textContent}?`)) event.preventDefault();
});
document.querySelector("form[data-go-on]")?.requestSubmit();

let last = null;
document.addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches?.("input[type=checkbox]")) return;
  const boxes = all("#jobs input[name=id]");
  if ("all" in box.dataset) for (const each of boxes) each.checked = box.checked;
  if (box.name !== "id") return;
  if (event.shiftKey && boxes.includes(last)) {
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
  }
  last = box;
});

// --- Keys ---------------------------------------------------------------------------------------

let at = -1;
let chosen;
let isGoing = false;

const rows = () => all("main tbody tr");
const linkOf = (row) => all("a", row).at(-1)?.href;
const mark = (found) => found.forEach((row, n) => row.classList.toggle("at", n === at));
const move = (by) => {
  const found = rows();
  if (!found.length) return;
  at = Math.min(Math.max(at + by, 0), found.length - 1);
  chosen = linkOf(found[at]);
  mark(found);
  found[at].scrollIntoView({block: "nearest"});
};

// The row that was chosen may have moved.
const follow = () => {
  const found = rows();
  const now = found.findIndex((row) => chosen && linkOf(row) === chosen);
  if (now >= 0) at = now;
  mark(found);
};
const keys = {
  "j": () => move(1),
  "k": () => move(-1),
  "x": (shiftKey) => rows()[at]?.querySelector("input[name=id]")
    ?.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, shiftKey})),
  "o": () => all("a", rows()[at] ?? document.createElement("p")).at(-1)?.click(),
  "/": () => document.querySelector(".filter input")?.focus(),
  "r": () => renew(true),
  "?": () => byId("keys").showModal(),
};

byId("help").addEventListener("click", keys["?"]);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = isGoing ? () => document.querySelector(`nav [data-key="${CSS.escape(key)}"]`)?.click() : keys[key];
  isGoing = !isGoing && key === "g";
  if (!act) return;
  event.preventDefault();
  act(event.shiftKey);
});

// What a page does by itself: it renews its regions, asks before what cannot be undone, and lets
// ranges be ticked. Everything else works without it.
"use strict";

const KEPT = "flaskiq.interval";
const choice = document.getElementById("interval");
let timer = 0;

// Nothing moves under the eyes of somebody who reads, selects or types.
const isBusy = (region) =>
  document.hidden ||
  region.contains(document.activeElement) ||
  region.matches(":hover") && String(getSelection()) !== "" ||
  document.querySelector("main input[type=checkbox]:checked") !== null;

const renew = async () => {
  const regions = [...document.querySelectorAll("[data-live]")].filter((each) => !isBusy(each));
  if (regions.length && !document.hidden) {
    try {
      const address = new URL(location.href);
      address.searchParams.delete("did");
      const answer = await fetch(address, {headers: {Accept: "text/html"}});
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const region of regions) {
        const fresh = page.getElementById(region.id);
        if (!fresh || isBusy(region)) continue;
        const open = new Set([...region.querySelectorAll("details[open]")].map((each) => each.id));
        for (const each of fresh.querySelectorAll("details")) each.open = open.has(each.id);
        region.replaceWith(document.adoptNode(fresh));
      }
      document.body.classList.remove("away");
    } catch {
      document.body.classList.add("away");
    }
  }
  plan();
};

const plan = () => {
  clearTimeout(timer);
  const seconds = Number(choice.value);
  if (seconds) timer = setTimeout(renew, seconds * 1000);
};

if (choice) {
  choice.closest("label").hidden = false;
  choice.value = localStorage.getItem(KEPT) ?? "5";
  if (!choice.value) choice.value = "5";
  choice.addEventListener("change", () => {
    localStorage.setItem(KEPT, choice.value);
    plan();
  });
  document.addEventListener("visibilitychange", () => document.hidden || plan());
  plan();
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  const all = event.target.querySelector("input[name=all]:checked");
  const verb = event.submitter?.textContent;
  if (question && !confirm(question)) event.preventDefault();
  if (all && !confirm(`${verb}${all.closest("label").textContent}?`)) event.preventDefault();
});

let last = null;
document.addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches?.("input[type=checkbox]")) return;
  const boxes = [...document.querySelectorAll("#jobs input[name=id]")];
  if ("all" in box.dataset) for (const each of boxes) each.checked = box.checked;
  if (box.name !== "id") return;
  if (event.shiftKey && last) {
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
  }
  last = box;
});

"use strict";

const find = (id) => document.getElementById(id);
const form = find("upload");
const input = find("file");
const POLL = 250; // milliseconds between two looks at a job
const RETRY = 2000; // milliseconds before the next look when the server does not answer
const OPEN = ["scheduled", "queued", "running", "retrying", "queued or unknown"];
const WORDS = {
  scheduled: "Waiting for its time.",
  queued: "Waiting for a free worker.",
  "queued or unknown": "Waiting in a long queue.",
  running: "A worker has started.",
  retrying: "The last attempt failed; the next one is on its way.",
  done: "Finished.",
  dead: "The job failed for good.",
  discarded: "The job was discarded.",
  cancelled: "The job was cancelled.",
  unknown: "Nobody remembers this job any more.",
};
let watched = null; // the id of the job on the page

function text(id, value) {
  // A live region speaks on every write, so write changes only.
  if (find(id).textContent !== value) find(id).textContent = value;
}

function alertIn(id, message) {
  find(id).hidden = !message;
  text(id, message || "");
}

function number(value, digits = 3) {
  const distance = Math.abs(value);
  if (distance >= 1e15 || (distance > 0 && distance < 1e-3)) return value.toExponential(digits);
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

const size = (bytes) =>
  bytes < 1024 ? `${bytes} bytes` : `${number(bytes / 1024, 0)} KiB`;

// --- upload ---------------------------------------------------------------------------------

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error || `The server answered ${response.status}.`);
  return body;
}

async function upload(file) {
  const limit = Number(form.dataset.maxBytes);
  if (file.size >= limit) {
    throw new Error(`${file.name} is larger than ${limit / 1048576} MiB; split it.`);
  }
  const body = new FormData();
  body.append("file", file);
  const { job_id } = await answer(await fetch(form.dataset.action, { method: "POST", body }));
  history.pushState(null, "", `?job=${encodeURIComponent(job_id)}`);
  watch(job_id);
  find("job").scrollIntoView({ block: "nearest" });
}

async function submit(getFile) {
  const buttons = form.querySelectorAll("button");
  alertIn("refused", "");
  buttons.forEach((button) => (button.disabled = true));
  try {
    await upload(await getFile());
  } catch (error) {
    const lost = error instanceof TypeError; // what fetch throws when nobody answers
    alertIn("refused", lost ? "The server does not answer; is it running?" : error.message);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

async function sampleFile() {
  const response = await fetch(find("sample").dataset.url);
  if (!response.ok) throw new Error("The sample is missing.");
  return new File([await response.blob()], "weather.csv", { type: "text/csv" });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(() => input.files[0]);
});
find("sample").addEventListener("click", () => submit(sampleFile));
input.addEventListener("change", () => {
  const file = input.files[0];
  if (file) text("chosen", `${file.name}, ${size(file.size)}`);
});
for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  input.addEventListener(event, () => input.parentElement.classList.toggle("over", over));
}

// --- watch ----------------------------------------------------------------------------------

function watch(id) {
  watched = id;
  find("job").hidden = !id;
  find("result").hidden = true;
  alertIn("error", "");
  if (!id) return;
  text("job-id", id);
  show({ state: "queued", progress: null });
  look(id);
}

async function look(id) {
  let next = RETRY;
  try {
    const response = await fetch(find("job").dataset.url + encodeURIComponent(id));
    if (id !== watched) return;
    if (response.status === 404) return forget((await response.json()).error);
    const job = await answer(response);
    if (id !== watched) return;
    show(job);
    next = OPEN.includes(job.state) ? POLL : 0;
  } catch (error) {
    text("status", "The server does not answer; trying again.");
  }
  if (next && id === watched) setTimeout(() => id === watched && look(id), next);
}

function forget(reason) {
  watched = null;
  find("job").hidden = true;
  alertIn("refused", reason);
}

function show(job) {
  const { state, progress, error, result } = job;
  text("state", state);
  find("state").dataset.state = state;
  text("status", progress ? progressWords(progress) : WORDS[state]);
  showBar(state, progress);
  alertIn("error", error ? `${error.type}: ${error.message}` : "");
  if (state === "done" && result) showResult(result);
}

function progressWords({ done, total, note }) {
  const rows = total ? `${number(done)} of ${number(total)} rows` : `${number(done)} rows`;
  return note ? `${rows}, ${note}` : rows;
}

function showBar(state, progress) {
  const bar = find("bar");
  bar.hidden = state === "dead" || state === "cancelled";
  if (state === "done") bar.value = bar.max;
  else if (progress && progress.total) {
    bar.max = progress.total;
    bar.value = progress.done;
  } else bar.removeAttribute("value");
}

// --- result ---------------------------------------------------------------------------------

function cell(tag, value, className) {
  const element = document.createElement(tag);
  if (tag === "th") element.scope = "row";
  if (className) element.className = className;
  element.append(value);
  return element;
}

function figure(label, value) {
  const shown = typeof value === "number" ? number(value) : value;
  const element = cell("td", shown ?? "–", value === null ? "n none" : "n");
  element.dataset.label = label;
  if (typeof value === "number") element.title = value;
  return element;
}

function fill(id, rows) {
  find(id).tBodies[0].replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      row.append(...cells);
      return row;
    }),
  );
}

function showResult({ rows, bad_row_count, bad_rows, columns }) {
  const listed = Object.entries(columns);
  text("good", number(rows));
  text("bad", number(bad_row_count));
  text("width", number(listed.length));
  find("bad").parentElement.classList.toggle("alarm", bad_row_count > 0);
  fill("columns", listed.map(([name, c]) => [
    cell("th", name),
    cell("td", cell("span", c.type, "type")),
    figure("Values", c.count), figure("Missing", c.missing),
    figure("Min", c.min), figure("Max", c.max), figure("Mean", c.mean),
  ]));
  fill("bad-rows", bad_rows.map(({ line, reason }) => [cell("th", String(line), "n"), cell("td", reason)]));
  find("bad-box").hidden = !bad_row_count;
  text("bad-note", badNote(bad_row_count, bad_rows.length));
  find("result").hidden = false;
}

function badNote(count, listed) {
  if (!count) return "None: every row fits its columns.";
  const some = count > listed ? ` These are the first ${number(listed)} of ${number(count)}.` : "";
  return `Left out of the statistics above.${some}`;
}

// --- the address names the job, so that a reload keeps watching -------------------------------

const jobInAddress = () => new URLSearchParams(location.search).get("job");
addEventListener("popstate", () => watch(jobInAddress()));
watch(jobInAddress());

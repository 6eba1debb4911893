"use strict";
// The Problems of the data page in the browser of browser.js: which filters there are, what stands
// in the list, and which instance of the open Problem is drawn.
// The address: #problem=ID&task=ir&finding=KIND&split=NAME&find=WORDS&instance=NAME.
(async () => {
  if (!document.getElementById("problems-gz")) return;
  const { element, visible } = common;
  const at = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  const setting = JSON.parse(at("settings").textContent);
  const { tasks, splits } = setting;

  let data;
  try {
    data = JSON.parse(await common.unpacked("problems-gz"));
  } catch (error) {
    console.error(error);
    at("shown").textContent = "This browser cannot unpack the Problems; they are in the run folder under problems/ and instances/.";
    return;
  }
  const { strings } = data;
  const { unpack, tabs, drawn } = dataProblem(strings, setting);
  // A Problem as data_pack.py writes it: the places of its fields.
  const ID = 0, QUESTION = 1, RATIONALE = 2, ANSWER = 3, SPLIT = 6, INSTANCES = 8, FINDINGS = 9;
  const rows = data.problems;
  const rowKinds = rows.map((row) => new Set(row[FINDINGS].map((f) => strings[f[0]])));
  const rowTasks = rows.map((row) => new Set(row[INSTANCES].map((i) => tasks[i[0]].name)));

  const lets = {
    task: (i, task) => !task || rowTasks[i].has(task),
    finding: (i, finding) => !finding ||
      (finding === "any" ? rowKinds[i].size > 0 : finding === "none" ? !rowKinds[i].size : rowKinds[i].has(finding)),
    split: (i, split) => !split || splits[rows[i][SPLIT]].name === split,
  };

  function findingMark(row) {
    const many = row[FINDINGS].length;
    if (!many) return null;
    const worst = ["error", "warning", "note"].find((s) => row[FINDINGS].some((f) => strings[f[1]] === s));
    return { name: `s-${worst}`, text: many === 1 ? "1 finding" : `${many} findings` };
  }

  function chosenInstance(problem, state) {
    const all = problem.instances;
    const ofTask = (one) => !state.task || one.task.name === state.task;
    return all.find((one) => one.name === state.instance && ofTask(one)) ||
      all.find((one) => ofTask(one) && one.masked.length) || all.find(ofTask) || all[0];
  }

  function draw(row, state, remember) {
    const problem = unpack(row);
    const answer = problem.answer ? `answer ${visible(problem.answer)}` : "no answer stated";
    at("about").textContent = [problem.source && visible(problem.source), problem.split.title, answer].filter(Boolean).join(" · ");
    const instance = chosenInstance(problem, state);
    const choose = (other) => {
      state.instance = other.name;
      remember();
      at("texts").replaceChildren(...drawn(problem, other));
    };
    at("tabs").replaceChildren(...(problem.instances.length ? [tabs(problem, instance, choose)] : [element("p", "dim", "No instance was derived from this Problem.")]));
    at("texts").replaceChildren(...drawn(problem, instance));
  }

  const counted = (keep) => number.format(rows.reduce((sum, _, i) => sum + (keep(i) ? 1 : 0), 0));
  for (const input of at("tasks").querySelectorAll("input")) input.after(counted((i) => lets.task(i, input.value)));
  for (const name of ["finding", "split"]) {
    for (const option of at(name) ? at(name).options : []) option.textContent += ` (${counted((i) => lets[name](i, option.value))})`;
  }

  browse({
    rows, id: (row) => row[ID], key: "problem", noun: "Problem",
    filters: { task: "", finding: "", split: "", find: "" }, extra: ["instance"],
    keep: (row, i, state) => Object.entries(lets).every(([name, lets]) => lets(i, state[name])),
    haystack: (row) => [row[ID], row[QUESTION], row[RATIONALE], row[ANSWER]].join("\n"),
    entry: (row) => ({ id: row[ID], words: row[QUESTION], mark: findingMark(row) }),
    draw,
    absent: (id) => `This page holds no Problem ${id}.` + (setting.all ? "" : " It holds only a part of the run's Problems; see the note above."),
  });
})();

"use strict";
// One Problem of the data page: its texts side by side with the masks of an instance and the
// findings marked, then the prompt and the target as they are trained on.
function dataProblem(strings, { tasks, splits, kinds }) {
  const { element, visible } = common;
  const { joined, marked, prompted } = dataText;

  function unpack(row) {
    const [id, question, rationale, answer, kind, source, split, options, instances, findings] = row;
    const where = ["question", "rationale"];
    const problem = { id, question, rationale, answer, kind: strings[kind], source: strings[source], split: splits[split], options };
    problem.instances = instances.map(([task, name, turns, target, masks]) => {
      const masked = masks.map(([start, end, side, what, marker]) =>
        ({ start, end, where: where[side], kind: strings[what], marker: strings[marker] }));
      return {
        task: tasks[task], name: strings[name], masked,
        turns: turns.map(([role, parts]) => [strings[role], joined(parts, strings, problem, masked)]),
        target: joined(target, strings, problem, masked),
      };
    });
    problem.findings = findings.map(([what, severity, evidence, side, start, end, step]) =>
      ({ kind: strings[what], severity: strings[severity], evidence, where: where[side], start, end, step }));
    return problem;
  }

  function marksIn(side, problem, instance) {
    const masks = (instance ? instance.masked : []).filter((m) => m.where === side).map((m) =>
      ({ start: m.start, end: m.end, name: "mask", label: instance.masked.length > 1 ? m.marker.replace(/\D/g, "") : "" }));
    const findings = problem.findings.map((f, k) =>
      ({ start: f.start, end: f.end, where: f.where, name: `finding s-${f.severity}`, label: `f${k + 1}` }));
    return [...masks, ...findings.filter((f) => f.where === side && f.start !== null)];
  }

  function side(title, name, problem, instance) {
    const made = element("section", "side");
    made.append(element("h4", "", title));
    const text = element("div", problem.kind === "pot" && name === "rationale" ? "text program" : "text");
    text.dir = "auto";
    text.append(marked(problem[name], marksIn(name, problem, instance)));
    made.append(text);
    return made;
  }

  function options(problem) {
    const list = element("ul", "options");
    list.append(element("li", "dim", "Options"));
    problem.options.forEach((option, k) => {
      const letter = String.fromCharCode(65 + k);
      const item = element("li", letter === problem.answer.trim().toUpperCase() ? "right" : "");
      item.append(element("b", "", letter), " ", visible(option));
      if (item.className) item.append(element("span", "", "the answer"));
      list.append(item);
    });
    return list;
  }

  // Findings of one kind stand under one heading, each by the number that it has in the texts.
  function findingList(problem) {
    const made = element("section", "found");
    made.append(element("h4", "", "What the audit found"));
    const list = element("ol");
    let group = null, heading = "";
    problem.findings.forEach((finding, k) => {
      if (heading !== finding.severity + finding.kind) {
        heading = finding.severity + finding.kind;
        group = element("li", `s-${finding.severity}`);
        group.append(element("span", `severity s-${finding.severity}`, finding.severity),
          element("b", "", kinds[finding.kind] || finding.kind.replaceAll("_", " ")));
        list.append(group);
      }
      const step = finding.step === null ? "" : `step ${finding.step + 1}: `;
      const evidence = element("p", "evidence");
      evidence.dir = "auto";
      evidence.append(element("span", "number", `f${k + 1}`), step + visible(finding.evidence));
      group.append(evidence);
    });
    made.append(list);
    return made;
  }

  // One button an instance; those of the same task are numbered.
  function tabs(problem, chosen, choose) {
    const set = element("fieldset", "tabs");
    set.append(element("legend", "", "Instance shown"));
    const many = (task) => problem.instances.filter((one) => one.task === task).length > 1;
    const seen = new Map();
    for (const instance of problem.instances) {
      const count = (seen.get(instance.task) || 0) + 1;
      seen.set(instance.task, count);
      const label = element("label", "", instance.task.short + (many(instance.task) ? ` ${count}` : ""));
      label.style.setProperty("--task", `var(--${instance.task.name})`);
      const input = element("input");
      Object.assign(input, { type: "radio", name: "instance", value: instance.name, checked: instance === chosen });
      input.addEventListener("change", () => choose(instance));
      label.append(input);
      set.append(label);
    }
    return set;
  }

  function trained(problem, instance) {
    const made = element("section", problem.kind === "pot" ? "trained code" : "trained");
    made.style.setProperty("--task", `var(--${instance.task.name})`);
    const masked = [...new Set(instance.masked.map((m) => m.kind))].join(", ");
    made.append(element("h4", "", `${instance.task.title}${masked ? `, masked: ${masked}` : ""}`));
    const given = element("div", "given");
    for (const [role, content] of instance.turns) {
      const turn = element("p", "turn");
      turn.dir = "auto";
      turn.append(element("span", "role", `prompt, ${visible(role)}`), prompted(content));
      given.append(turn);
    }
    const target = element("p", "turn target");
    target.dir = "auto";
    target.append(element("span", "role", "target: what the model learns to write"), visible(instance.target));
    made.append(given, target);
    return made;
  }

  // The question and rationale side by side, the findings, and what is trained.
  function drawn(problem, instance) {
    const pair = element("div", "sides");
    pair.append(side("Question", "question", problem, instance),
      side(problem.kind === "pot" ? "Program" : "Rationale", "rationale", problem, instance));
    if (problem.options.length) pair.firstChild.append(options(problem));
    return [pair, ...(problem.findings.length ? [findingList(problem)] : []), ...(instance ? [trained(problem, instance)] : [])];
  }

  return { unpack, tabs, drawn };
}

"use strict";
// The test problems in the browser of browser.js: filters by benchmark, part, status, and by which of
// two models is right.
// The address: #row=BENCHMARK/ID&benchmark=KEY&part=level:5&status=tuned:wrong&show=only_b&find=WORDS.
(async () => {
  if (!document.getElementById("rows-gz")) return;
  const { element, visible } = common;
  const at = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  let data;
  try {
    data = JSON.parse(await common.unpacked("rows-gz"));
  } catch (error) {
    console.error(error);
    at("shown").textContent = "This browser cannot unpack the test problems; they are in the run folder under eval/.";
    document.dispatchEvent(new Event("rows-drawn"));
    return;
  }
  const { strings, models, benchmarks, parts, dimensions, rows } = data;
  const { unpack, drawn } = testRow(data);
  const BENCHMARK = 0, ID = 1, QUESTION = 2, GOLD = 3, PARTS = 6, ANSWERS = 9;
  const STATUSES = { correct: "Right", wrong: "Wrong", no_answer: "No answer", unparsed: "Unreadable", timed_out: "Timed out", error: "Grader error" };
  const names = models.map(([name]) => name);
  const titles = Object.fromEntries(models);

  // Of the first sample of each model; undefined where it has none.
  const status = (row, model) => {
    const answer = row[ANSWERS][model];
    return answer ? strings[answer[1][0][2]] : undefined;
  };
  const right = (row, model) => status(row, model) === "correct";

  const start = { benchmark: "", part: "", status: "", a: names[0], b: names[1] || "", show: "", find: "" };
  const pairOf = (state) => [names.indexOf(state.a), names.indexOf(state.b)];
  // A row that was not answered, or whose right answer cannot be read, is neither right nor wrong.
  const counts = (row, model) => ![undefined, "", "error"].includes(status(row, model));
  const outcome = (row, [a, b]) => {
    if (!counts(row, a)) return "";
    if (b < 0 || a === b) return right(row, a) ? "right" : "wrong";
    if (!counts(row, b)) return "";
    return right(row, a) ? (right(row, b) ? "both" : "only_a") : right(row, b) ? "only_b" : "neither";
  };

  const partPlace = new Map(parts.map(([name, value], place) => [`${name}:${value}`, place]));
  const keyPlace = new Map(benchmarks.map(({ key }, place) => [key, place]));

  // Whether a row is let through by every filter but those of the outcome and the search.
  function inView(row, state) {
    if (state.benchmark && row[BENCHMARK] !== keyPlace.get(state.benchmark)) return false;
    if (state.part && !row[PARTS].includes(partPlace.get(state.part))) return false;
    if (!state.status) return true;
    const split = state.status.lastIndexOf(":");
    return status(row, names.indexOf(state.status.slice(0, split))) === state.status.slice(split + 1);
  }

  // --- Controls -------------------------------------------------------------------------------

  function option(value, words, count) {
    const made = element("option", "", `${words} (${number.format(count)})`);
    made.value = value;
    return made;
  }

  function grouped(select, title, options) {
    const group = element("optgroup");
    group.label = title;
    group.append(...options);
    select.append(group);
  }

  function fillSelects() {
    const perPart = parts.map(() => 0);
    const perStatus = names.map(() => new Map());
    for (const row of rows) {
      for (const place of row[PARTS]) perPart[place]++;
      names.forEach((_, model) => {
        const found = status(row, model);
        if (found) perStatus[model].set(found, (perStatus[model].get(found) || 0) + 1);
      });
    }
    for (const [name, title] of Object.entries(dimensions)) {
      const values = parts.map(([dimension, value, words], place) => ({ dimension, value, words, count: perPart[place] }))
        .filter((one) => one.dimension === name)
        .sort((a, b) => a.value.localeCompare(b.value, "en", { numeric: true }));
      if (values.length) grouped(at("part"), title, values.map((one) => option(`${name}:${one.value}`, one.words, one.count)));
    }
    at("part").closest("label").hidden = !parts.length;
    names.forEach((name, model) => {
      const found = Object.keys(STATUSES).filter((one) => perStatus[model].has(one));
      grouped(at("status"), titles[name], found.map((one) => option(`${name}:${one}`, STATUSES[one], perStatus[model].get(one))));
    });
    if (at("benchmark")) {
      benchmarks.forEach(({ key }, place) => {
        const count = rows.reduce((sum, row) => sum + (row[BENCHMARK] === place ? 1 : 0), 0);
        at("benchmark").querySelector(`option[value="${CSS.escape(key)}"]`).textContent += ` (${number.format(count)})`;
      });
    }
  }

  function outcomeWords([a, b]) {
    if (b < 0 || a === b) return { "": "All", right: "Right", wrong: "Wrong" };
    const only = (model) => ({ base: "Right only before tuning", tuned: "Right only after tuning" })[names[model]] || `Only ${titles[names[model]]} right`;
    return { "": "All", both: "Both right", only_b: only(b), only_a: only(a), neither: "Both wrong" };
  }

  // The counts are of what the other filters keep.
  function countOutcomes(state) {
    const pair = pairOf(state);
    const words = outcomeWords(pair);
    const found = {};
    let all = 0;
    for (const row of rows) {
      if (!inView(row, state)) continue;
      all++;
      const one = outcome(row, pair);
      found[one] = (found[one] || 0) + 1;
    }
    for (const input of at("outcomes").querySelectorAll("input")) {
      const label = input.closest("label");
      label.hidden = !(input.value in words);
      label.firstChild.data = `${words[input.value]} `;
      input.nextSibling.data = number.format(input.value ? found[input.value] || 0 : all);
    }
    if (!(state.show in words)) state.show = "";
  }

  function makeOutcomes() {
    for (const value of ["", "both", "only_b", "only_a", "neither", "right", "wrong"]) {
      const label = element("label", "", " ");
      const input = element("input");
      Object.assign(input, { type: "radio", name: "show", value, checked: !value });
      label.append(input, "0");
      at("outcomes").append(label);
    }
  }

  function mark(row, state) {
    const signs = names.map((_, model) => {
      const found = status(row, model);
      return found === "correct" ? "✓" : counts(row, model) ? "✗" : "–";
    });
    const found = outcome(row, pairOf(state));
    const colour = { only_b: "gained", only_a: "lost" }[found] || "plain";
    return { name: colour, text: signs.join(" ") };
  }

  fillSelects();
  makeOutcomes();
  if (at("b")) at("b").value = start.b;

  let open = null;
  const redraw = () => open && at("texts").replaceChildren(...drawn(open));
  at("written").addEventListener("change", redraw);
  at("written").closest("label").hidden = !rows.some((row) => /\\[a-zA-Z([]|\$\S/.test(row[QUESTION] + row[GOLD]));

  const rowId = (row) => `${benchmarks[row[BENCHMARK]].key}/${row[ID]}`;
  browse({
    rows, id: rowId, key: "row", noun: "row", filters: start,
    keep: (row, i, state) => inView(row, state) && (!state.show || outcome(row, pairOf(state)) === state.show),
    haystack: (row) => [row[ID], row[QUESTION], row[GOLD],
      ...row[ANSWERS].flatMap((answer) => (answer ? answer[1].flatMap((sample) => [sample[0], sample[1]]) : []))].join("\n"),
    entry: (row, state) => ({
      id: benchmarks.length > 1 ? `${benchmarks[row[BENCHMARK]].title} · ${row[ID]}` : row[ID],
      words: latex.readable(row[QUESTION].slice(0, 300)), mark: mark(row, state),
    }),
    draw: (row) => {
      open = unpack(row);
      const known = open.parts.map(([, , words]) => words);
      at("about").textContent = visible([open.benchmark.domain, ...known].filter(Boolean).join(" · "));
      redraw();
    },
    recount: countOutcomes,
    absent: (id) => `This page holds no row ${id}.`,
  });
  document.dispatchEvent(new Event("rows-drawn"));
})();

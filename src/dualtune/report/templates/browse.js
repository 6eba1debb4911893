"use strict";
// The list of test problems: filters, search, pages, and links to single rows. Only one page of
// rows is ever in the document, so thousands of rows stay quick.
(() => {
  const source = document.getElementById("rows-data");
  if (!source) return;
  const PAGE = 20;
  const FIRST_ANSWER = 3;
  const WORDS = {
    correct: "✓ Right", wrong: "✗ Wrong", no_answer: "✗ No answer", unparsed: "✗ Unreadable",
    timed_out: "✗ Timed out", error: "✗ Grader error",
  };
  const benchmarks = JSON.parse(source.textContent);
  const at = (id) => document.getElementById(id);
  const right = (answer) => answer !== null && answer !== undefined && answer[2] === "correct";
  const state = { benchmark: benchmarks[0], filter: "all", words: "", page: 0, target: null };
  const haystacks = new WeakMap();
  const number = new Intl.NumberFormat("en");

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  }

  // With both models of a run the filters compare them; with one they only part right from wrong.
  function filters(benchmark) {
    const names = benchmark.models.map(([name]) => name);
    const base = names.indexOf("base"), tuned = names.indexOf("tuned");
    const all = ["all", "All", () => true];
    if (base < 0 || tuned < 0) {
      const answer = (row) => row[FIRST_ANSWER];
      return [all, ["right", "Right", (row) => right(answer(row))], ["wrong", "Wrong", (row) => !right(answer(row))]];
    }
    const pair = (want, other) => (row) => {
      const b = row[FIRST_ANSWER + base], t = row[FIRST_ANSWER + tuned];
      return b !== null && t !== null && right(b) === want && right(t) === other;
    };
    return [
      all,
      ["both", "Both right", pair(true, true)],
      ["tuned", "Right only after tuning", pair(false, true)],
      ["base", "Right only before tuning", pair(true, false)],
      ["neither", "Both wrong", pair(false, false)],
    ];
  }

  function haystack(row) {
    let text = haystacks.get(row);
    if (text === undefined) {
      text = [row[0], row[1], row[2], ...row.slice(FIRST_ANSWER).flatMap((a) => (a ? [a[0], a[1]] : []))]
        .join("\n").toLowerCase();
      haystacks.set(row, text);
    }
    return text;
  }

  function matching() {
    const keep = filters(state.benchmark).find(([name]) => name === state.filter)[2];
    const words = state.words.toLowerCase().trim();
    return state.benchmark.rows.filter((row) => keep(row) && (!words || haystack(row).includes(words)));
  }

  function answerBox(answer, title) {
    const box = element("section", "answer");
    const head = element("h4", "", title);
    box.append(head);
    if (!answer) {
      box.append(element("p", "read", "Not generated for this problem."));
      return box;
    }
    const [output, extracted, status, strict] = answer;
    box.classList.add(right(answer) ? "right" : "wrong");
    head.append(element("span", "mark", WORDS[status] || status || "Not graded"));
    const form = right(answer) && strict === false ? ", not in the asked form" : "";
    const short = extracted !== null && extracted.length > 60 ? extracted.slice(0, 60) + "…" : extracted;
    box.append(element("p", "read", extracted === null ? "No answer was found in it." : `Read as ${short}${form}`));
    const text = element("pre", "output clamped", output || "(nothing was generated)");
    text.dir = "auto";
    box.append(text);
    return box;
  }

  function clamp(box) {
    const text = box.querySelector(".output");
    if (!text) return;
    if (text.scrollHeight <= text.clientHeight + 24) {
      text.classList.remove("clamped");
      return;
    }
    const more = element("button", "more", "Show all of it");
    more.type = "button";
    more.addEventListener("click", () => {
      const clamped = text.classList.toggle("clamped");
      more.textContent = clamped ? "Show all of it" : "Show less";
    });
    box.append(more);
  }

  const address = (row) => `#row/${state.benchmark.key}/${encodeURIComponent(row[0])}`;

  function card(row) {
    const made = element("article", "row");
    made.dataset.id = row[0];
    const top = element("div", "top");
    const link = element("a", "", row[0]);
    link.href = address(row);
    link.title = "Link to this problem";
    const gold = element("span", "", "Right answer ");
    gold.append(element("b", "", row[2]));
    top.append(link, gold);
    const question = element("p", "question", row[1]);
    question.dir = "auto";
    const pair = element("div", "pair");
    state.benchmark.models.forEach(([, title], i) => pair.append(answerBox(row[FIRST_ANSWER + i], title)));
    made.append(top, question, pair);
    if (row[0] === state.target) made.classList.add("target");
    return made;
  }

  function render() {
    const rows = matching();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const first = state.page * PAGE;
    const shown = rows.slice(first, first + PAGE);
    at("rows").replaceChildren(...shown.map(card));
    at("rows").querySelectorAll(".answer").forEach(clamp);
    const all = state.benchmark.rows.length;
    at("shown").textContent = rows.length
      ? `Problems ${number.format(first + 1)} to ${number.format(first + shown.length)} of ${number.format(rows.length)}` +
        (rows.length < all ? ` (${number.format(all)} in all)` : "")
      : "No problem matches. Choose another filter or search for something else.";
    at("pager").hidden = pages === 1;
    at("page").value = state.page + 1;
    at("pages").textContent = `of ${number.format(pages)}`;
    at("previous").disabled = state.page === 0;
    at("next").disabled = state.page === pages - 1;
  }

  function choose(benchmark) {
    state.benchmark = benchmark;
    state.filter = "all";
    state.page = 0;
    at("benchmark").value = benchmark.key;
    at("prompt").hidden = !benchmark.prompt;
    at("prompt").querySelector("pre").textContent = benchmark.prompt || "";
    const set = at("filters");
    set.replaceChildren(set.querySelector("legend"));
    for (const [name, title, keep] of filters(benchmark)) {
      const label = element("label", "", `${title} `);
      const input = element("input");
      Object.assign(input, { type: "radio", name: "filter", value: name, checked: name === "all" });
      input.addEventListener("change", () => {
        state.filter = name;
        state.page = 0;
        render();
      });
      label.append(input, number.format(benchmark.rows.filter(keep).length));
      set.append(label);
    }
  }

  function turn(page) {
    state.page = page;
    render();
    at("shown").scrollIntoView();
  }

  // #row/<benchmark>/<id> opens the page that holds the row; filters give way if they hide it.
  function follow() {
    const [kind, key, ...rest] = location.hash.slice(1).split("/");
    if (kind !== "row") return false;
    let id = rest.join("/");
    try {
      id = decodeURIComponent(id);
    } catch {
      // A stray % sign: take the id as it stands.
    }
    const benchmark = benchmarks.find((one) => one.key === key);
    if (!benchmark || !benchmark.rows.some((row) => row[0] === id)) {
      at("shown").textContent = `This page holds no problem ${id} of ${key}.`;
      at("shown").scrollIntoView();
      return true;
    }
    if (benchmark !== state.benchmark) choose(benchmark);
    let place = matching().findIndex((row) => row[0] === id);
    if (place < 0) {
      at("search").value = state.words = "";
      choose(benchmark);
      place = matching().findIndex((row) => row[0] === id);
    }
    state.target = id;
    state.page = Math.floor(place / PAGE);
    render();
    at("rows").querySelector(".row.target").scrollIntoView();
    return true;
  }

  at("controls").hidden = false;
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("benchmark").addEventListener("change", (event) => {
    choose(benchmarks.find((one) => one.key === event.target.value));
    render();
  });
  let waiting = 0;
  at("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      state.words = event.target.value;
      state.page = 0;
      render();
    }, 120);
  });
  at("previous").addEventListener("click", () => turn(state.page - 1));
  at("next").addEventListener("click", () => turn(state.page + 1));
  at("page").addEventListener("change", (event) => turn((parseInt(event.target.value, 10) || 1) - 1));
  addEventListener("hashchange", follow);
  choose(benchmarks[0]);
  render();
  follow();
})();

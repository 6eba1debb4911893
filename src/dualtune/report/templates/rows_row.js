"use strict";
// One test problem: its question, and what each model wrote, what was read in it and its status.
function testRow({ strings, models, benchmarks, parts }) {
  const { element, visible } = common;
  const QUESTION = -1;
  const WORDS = {
    correct: "✓ Right", wrong: "✗ Wrong", no_answer: "✗ No answer", unparsed: "✗ Unreadable",
    timed_out: "✗ Timed out", error: "– Grader error",
  };
  const RAN = { ok: "ran", error: "failed", timed_out: "took too long", memory: "took too much memory", output: "wrote too much", refused: "was refused" };
  const SHORT = 80;
  const asWritten = document.getElementById("written");

  // A row as browse.py packs it.
  function unpack([benchmark, id, question, gold, reference, kind, inParts, options, prompt, answers]) {
    return {
      benchmark: benchmarks[benchmark], id, question, gold, reference, kind: strings[kind],
      parts: inParts.map((place) => parts[place]), options,
      prompt: prompt.map((part) => (part === QUESTION ? question : strings[part])).join(""),
      answers: answers.map((answer) => answer && {
        strict: answer[0],
        samples: answer[1].map(([output, extracted, status, cut, program, decoded]) =>
          ({ output, extracted, status: strings[status], cut, decoded: strings[decoded],
            program: program && { status: program[0], answer: program[1], error: program[2] } })),
      }),
    };
  }

  // What a reader sees of a text of the data: LaTeX put in plain signs unless they want it as written.
  const text = (value) => visible(asWritten.checked ? value : latex.readable(value));
  const answerText = (value) => visible(asWritten.checked ? value : latex.answer(value));

  function paragraph(name, value) {
    const made = element("p", name, value);
    made.dir = "auto";
    return made;
  }

  function folded(title, value, name = "code") {
    const made = element("details");
    const inner = element("pre", name, value);
    inner.dir = "auto";
    made.append(element("summary", "", title), inner);
    return made;
  }

  function options(row) {
    const list = element("ul", "options");
    row.options.forEach((option, k) => {
      const letter = String.fromCharCode(65 + k);
      const item = element("li", letter === row.gold.trim().toUpperCase() ? "right" : "");
      item.append(element("b", "", letter), " ", answerText(option));
      if (item.className) item.append(element("span", "", "right answer"));
      list.append(item);
    });
    return list;
  }

  function asked(row) {
    const made = element("section", "side asked");
    made.append(element("h4", "", "Question"), paragraph("text question", text(row.question)));
    if (row.options.length) made.append(options(row));
    const gold = element("p", "gold", "Right answer ");
    const shown = element("b", "", answerText(row.gold));
    shown.dir = "auto";
    gold.append(shown);
    made.append(gold);
    if (row.reference) made.append(folded("Reference solution", text(row.reference), "code prose"));
    if (row.prompt) made.append(folded("The prompt as the models were given it", visible(row.prompt)));
    return made;
  }

  const right = (sample) => sample.status === "correct";

  function reading(sample, strict) {
    const read = element("p", "read");
    if (sample.extracted === null) {
      read.append("No answer was found in it.");
    } else {
      const shown = answerText(sample.extracted);
      const value = element("b", "", shown.length > SHORT ? shown.slice(0, SHORT) + "…" : shown);
      value.dir = "auto";
      read.append("Read as ", value, right(sample) && strict === false ? ", not in the asked form" : "");
    }
    if (sample.cut) read.append(" · cut off at the length limit");
    return read;
  }

  // A program that was run; decoded says which of the two a hybrid output is.
  function ran(sample) {
    const { status, answer, error } = sample.program;
    const made = element("p", "read ran");
    made.append(`The program ${RAN[status] || status}`);
    if (answer !== null && answer !== undefined && answer !== "") made.append(" and gave ", element("b", "", visible(answer)));
    if (error) made.append(": ", element("span", "", visible(error.length > 300 ? error.slice(0, 300) + "…" : error)));
    return made;
  }

  function body(sample, strict) {
    const made = [reading(sample, strict)];
    if (sample.program) made.push(ran(sample));
    const code = sample.decoded === "pot" || (sample.program && sample.decoded !== "cot");
    const output = sample.output === null ? "(not generated)" : sample.output || "(nothing was generated)";
    const shown = element("div", code ? "text output program" : "text output", code ? visible(output) : text(output));
    shown.dir = "auto";
    shown.tabIndex = 0;
    shown.setAttribute("role", "region");
    shown.setAttribute("aria-label", "Output");
    made.push(shown);
    return made;
  }

  function answerBox(answer, title) {
    const box = element("section", "side answer");
    const head = element("h4", "", title);
    box.append(head);
    if (!answer) {
      box.append(element("p", "read", "Not generated for this row."));
      return box;
    }
    const [first, ...more] = answer.samples;
    box.classList.add(right(first) ? "right" : "wrong");
    head.append(element("span", "mark", WORDS[first.status] || first.status || "Not graded"));
    if (more.length) {
      const count = answer.samples.filter(right).length;
      box.append(element("p", "read", `${count} of ${answer.samples.length} samples right; the first:`));
    }
    box.append(...body(first, answer.strict));
    more.forEach((sample, k) => {
      const other = element("details", right(sample) ? "sample right" : "sample wrong");
      const summary = element("summary", "", `Sample ${k + 2} `);
      const read = sample.extracted === null ? "" : `, ${answerText(sample.extracted).slice(0, SHORT)}`;
      summary.append(element("span", "mark", (WORDS[sample.status] || sample.status) + read));
      other.append(summary);
      // Drawn when it is opened: of many samples most never are.
      other.addEventListener("toggle", () => {
        if (other.children.length === 1) other.append(...body(sample, null));
      });
      box.append(other);
    });
    return box;
  }

  function drawn(row) {
    const pair = element("div", "sides answers");
    models.forEach(([, title], i) => pair.append(answerBox(row.answers[i], title)));
    return [asked(row), pair];
  }

  return { unpack, drawn };
}

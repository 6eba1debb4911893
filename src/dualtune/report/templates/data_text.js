"use strict";
// The texts of the data page: put together from their parts, and drawn with what is marked in them.
// Whatever comes from the data becomes a text node: none of it is ever read as HTML.
const dataText = (() => {
  const { element, visible } = common;
  // The same numbers as in data_pack.py.
  const QUESTION = -1, RATIONALE = -2, MASKED = -3;
  const MARKER = /(<MASK(?:_\d+)?>)/;

  function maskedText(problem, masked) {
    if (!masked.length) return "";
    const text = masked[0].where === "question" ? problem.question : problem.rationale;
    let result = "", last = 0;
    for (const part of [...masked].sort((a, b) => a.start - b.start)) {
      result += text.slice(last, part.start) + part.marker;
      last = part.end;
    }
    return result + text.slice(last);
  }

  const maskedAnswers = (problem, masked) =>
    masked.map((m) => problem[m.where].slice(m.start, m.end)).join("\n");

  // Join the parts of a prompt or target: places in the table of texts, or references.
  function joined(parts, strings, problem, masked) {
    return parts.map((part) => {
      if (part >= 0) return strings[part];
      if (part === QUESTION) return problem.question;
      if (part === RATIONALE) return problem.rationale;
      return part === MASKED ? maskedText(problem, masked) : maskedAnswers(problem, masked);
    }).join("");
  }

  // Nothing was taken out here: the marker of an instance whose answer is that no step is missing.
  function gap(mark) {
    const made = element("mark", mark.name, `${mark.label ? `${mark.label}: ` : ""}nothing is missing here`);
    made.classList.add("gap");
    return made;
  }

  // Draw a text with marks that may overlap: {start, end, name (classes), label}.
  function marked(text, marks) {
    const drawn = document.createDocumentFragment();
    const inside = marks.filter((m) => m.start >= 0 && m.start <= m.end && m.end <= text.length);
    const edges = [...new Set([0, text.length, ...inside.flatMap((m) => [m.start, m.end])])].sort((a, b) => a - b);
    edges.forEach((from, i) => {
      for (const mark of inside) if (mark.start === from && mark.end === from) drawn.append(gap(mark));
      const to = edges[i + 1];
      if (to === undefined) return;
      const over = inside.filter((m) => m.start <= from && to <= m.end);
      const part = visible(text.slice(from, to));
      drawn.append(over.length ? element("mark", over.map((m) => m.name).join(" "), part) : part);
      for (const mark of over) if (mark.end === to && mark.label) drawn.append(element("sup", mark.name, mark.label));
    });
    return drawn;
  }

  // Draw a prompt with its markers set off.
  function prompted(text) {
    const drawn = document.createDocumentFragment();
    for (const part of text.split(MARKER)) {
      drawn.append(MARKER.test(part) ? element("mark", "marker", part) : visible(part));
    }
    return drawn;
  }

  return { joined, marked, prompted };
})();

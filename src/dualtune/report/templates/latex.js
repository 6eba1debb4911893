"use strict";
// LaTeX as plain text that can be read without a typesetter: \frac{1}{2} is 1/2, x^2 is x², \le is ≤.
// What is not known stays as it is written.
const latex = (() => {
  const SIGNS = {
    cdot: "·", times: "×", div: "÷", pm: "±", mp: "∓", le: "≤", leq: "≤", leqslant: "≤", ge: "≥", geq: "≥",
    geqslant: "≥", ne: "≠", neq: "≠", approx: "≈", equiv: "≡", sim: "∼", cong: "≅", infty: "∞", circ: "°",
    degree: "°", ldots: "…", dots: "…", cdots: "⋯", vdots: "⋮", to: "→", rightarrow: "→", Rightarrow: "⇒",
    implies: "⇒", iff: "⇔", Leftrightarrow: "⇔", leftarrow: "←", mapsto: "↦", in: "∈", notin: "∉", cup: "∪",
    cap: "∩", subset: "⊂", subseteq: "⊆", setminus: "∖", emptyset: "∅", varnothing: "∅", angle: "∠",
    triangle: "△", perp: "⊥", parallel: "∥", mid: "|", sum: "∑", prod: "∏", int: "∫", partial: "∂",
    nabla: "∇", forall: "∀", exists: "∃", neg: "¬", lnot: "¬", land: "∧", wedge: "∧", lor: "∨", vee: "∨",
    supset: "⊃", therefore: "∴", because: "∵", star: "⋆", bullet: "•", prime: "′", ell: "ℓ", Re: "Re", Im: "Im",
    lfloor: "⌊", rfloor: "⌋", lceil: "⌈", rceil: "⌉", langle: "⟨", rangle: "⟩", lbrace: "{", rbrace: "}",
    lvert: "|", rvert: "|", vert: "|", lVert: "‖", rVert: "‖", colon: ":", quad: "  ", qquad: "    ",
    alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ε", varepsilon: "ε", zeta: "ζ", eta: "η",
    theta: "θ", kappa: "κ", lambda: "λ", mu: "μ", nu: "ν", xi: "ξ", pi: "π", rho: "ρ", sigma: "σ", tau: "τ",
    phi: "φ", varphi: "φ", chi: "χ", psi: "ψ", omega: "ω", Gamma: "Γ", Delta: "Δ", Theta: "Θ", Lambda: "Λ",
    Pi: "Π", Sigma: "Σ", Phi: "Φ", Psi: "Ψ", Omega: "Ω",
    left: "", right: "", big: "", Big: "", bigl: "", bigr: "", Bigl: "", Bigr: "", displaystyle: "", limits: "",
    textstyle: "", nonumber: "", hline: "", allowbreak: "", rm: "", bf: "", cal: "", scriptsize: "",
    dotsb: "⋯", dotsm: "⋯", dotsc: "…", Longrightarrow: "⇒", longrightarrow: "→", downarrow: "↓", uparrow: "↑",
    Box: "□", square: "□", diamond: "◇", bigcirc: "○", ast: "*", oplus: "⊕", otimes: "⊗", propto: "∝",
    clubsuit: "♣", spadesuit: "♠", heartsuit: "♥", diamondsuit: "♦", arg: "arg",
    sin: "sin", cos: "cos", tan: "tan", cot: "cot", sec: "sec", csc: "csc", log: "log", ln: "ln", exp: "exp",
    gcd: "gcd", max: "max", min: "min", lim: "lim", arcsin: "arcsin", arccos: "arccos", arctan: "arctan",
    det: "det", mod: "mod", bmod: "mod", deg: "deg",
  };
  const WORDS = new Set(["text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathit", "mathcal", "mathbb", "mathsf",
    "operatorname", "mbox", "emph", "bold", "boldsymbol", "textnormal", "underline", "cancel"]);
  const DROPPED = new Set(["hspace", "vspace", "phantom", "hphantom", "vphantom", "color", "label", "cline"]);
  const OVER = { overline: "\u0305", bar: "\u0305", hat: "\u0302", vec: "\u20d7", widehat: "\u0302", overrightarrow: "\u20d7" };
  const RAISED = zip("0123456789+-=()n i", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ ⁱ");
  const LOWERED = zip("0123456789+-=() ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ ");
  const MATRIX = { pmatrix: "()", bmatrix: "[]", vmatrix: "||", matrix: "()", smallmatrix: "()", array: "()" };
  const MATH = /(\\begin\{(?:align|aligned|alignat|equation|eqnarray|gather|multline)(\*?)\}[\s\S]+?\\end\{[a-z]+\2\})|\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]|\\\(([\s\S]+?)\\\)|(?<!\\)\$(?=\S)((?:[^$\\]|\\[\s\S])+?)(?<=\S)\$(?!\d)/g;
  const DRAWING = /(\[asy\][\s\S]*?(?:\[\/asy\]|$))/;

  function zip(from, to) {
    const marks = [...to];
    return new Map([...from].map((char, i) => [char, marks[i]]));
  }

  // Where the group or the single token at a place ends: [its text, one past it].
  function argument(text, start) {
    let at = start;
    while (text[at] === " ") at++;
    if (text[at] !== "{") {
      const command = /^\\([a-zA-Z]+|.)/.exec(text.slice(at, at + 30));
      const size = command ? command[0].length : 1;
      return [text.slice(at, at + size), at + size];
    }
    let depth = 0;
    for (let end = at; end < text.length; end++) {
      if (text[end] === "\\") end++;
      else if (text[end] === "{") depth++;
      else if (text[end] === "}" && --depth === 0) return [text.slice(at + 1, end), end + 1];
    }
    return [text.slice(at + 1), text.length];
  }

  // Whether a text is one number, one name or one pair of brackets, so that a / beside it is clear.
  function simple(text) {
    if (/^-?[\p{L}\d.]+$/u.test(text)) return true;
    if (!/^\(.*\)$/s.test(text)) return false;
    let depth = 0;
    return [...text].every((char, i) => {
      depth += char === "(" ? 1 : char === ")" ? -1 : 0;
      return depth > 0 || i === text.length - 1;
    });
  }
  const wrapped = (text) => (simple(text) ? text : `(${text})`);

  function script(text, marks, sign) {
    if (text === "°" || text === "′") return text;
    return [...text].every((char) => marks.has(char)) ? [...text].map((char) => marks.get(char)).join("") : sign + wrapped(text);
  }

  function command(name, text, start) {
    const one = () => argument(text, start);
    if (/^[dtc]?frac$/.test(name)) {
      const [top, middle] = one();
      const [bottom, end] = argument(text, middle);
      return [`${wrapped(plain(top))}/${wrapped(plain(bottom))}`, end];
    }
    if (/^[dt]?binom$/.test(name)) {
      const [top, middle] = one();
      const [bottom, end] = argument(text, middle);
      return [`C(${plain(top)}, ${plain(bottom)})`, end];
    }
    if (name === "sqrt") {
      const root = /^\s*\[([^\]]*)\]/.exec(text.slice(start));
      const [inner, end] = argument(text, start + (root ? root[0].length : 0));
      return [(root ? script(plain(root[1]), RAISED, "^") : "") + "√" + wrapped(plain(inner)), end];
    }
    if (name === "begin" || name === "end") {
      const [kind, end] = one();
      const inside = MATRIX[kind.replace("*", "")];
      if (name === "end" || !inside) return ["", end];
      const close = text.indexOf(`\\end{${kind}}`, end);
      const body = text.slice(end, close < 0 ? undefined : close).replace(/^\{[lcr| ]*\}/, "");
      const cells = body.split(/\\\\/).map((row) => row.split("&").map((cell) => plain(cell).trim()).join(", "));
      return [inside[0] + cells.join("; ") + inside[1], close < 0 ? text.length : close + `\\end{${kind}}`.length];
    }
    if (name === "boxed" || name === "fbox") {
      const [inner, end] = one();
      return [`⟦${plain(inner)}⟧`, end];
    }
    if (name === "pmod") {
      const [inner, end] = one();
      return [` (mod ${plain(inner)})`, end];
    }
    if (DROPPED.has(name)) return ["", one()[1]];
    if (WORDS.has(name)) {
      const [inner, end] = one();
      return [plain(inner), end];
    }
    if (name in OVER) {
      const [inner, end] = one();
      return [[...plain(inner)].map((char) => char + OVER[name]).join(""), end];
    }
    return [name in SIGNS ? SIGNS[name] : `\\${name}`, start];
  }

  // Text of mathematics; in prose ^ and _ are what they are.
  function plain(text, math = true) {
    let result = "";
    for (let at = 0; at < text.length;) {
      const char = text[at];
      if (char === "\\") {
        const name = /^\\([a-zA-Z]+)\*?/.exec(text.slice(at, at + 40));
        if (name) {
          const [made, end] = command(name[1], text, at + name[0].length);
          const space = name[1] in SIGNS && /^[a-z]/i.test(SIGNS[name[1]]) && /[\p{L}\d]$/u.test(result) ? " " : "";
          result += space + made;
          at = end;
          continue;
        }
        const next = text[at + 1] || "";
        result += next === "\\" ? "\n" : ",;: ".includes(next) ? " " : next === "!" ? "" : next === "|" ? "‖" : "$%&#_{}".includes(next) ? next : char + next;
        at += 2;
      } else if (math && (char === "^" || char === "_")) {
        const [inner, end] = argument(text, at + 1);
        result += char === "^" ? script(plain(inner), RAISED, "^") : script(plain(inner), LOWERED, "_");
        at = end;
      } else {
        if (!(math && "{}&".includes(char))) result += math && char === "~" ? " " : char;
        at++;
      }
    }
    return result;
  }

  // What stands between two amounts of dollars, "$5, or 5$", is no mathematics.
  const isMath = (text) => /[\\^_{}=<>]/.test(text) || !/^\d/.test(text) || !/[a-zA-Z]{2}/.test(text);

  function prose(text) {
    return /\\[a-zA-Z]/.test(text) ? plain(text, false) : text.replace(/\\([$%])/g, "$1");
  }

  // The text as it can be read.
  function readable(text) {
    if (!/[\\$]/.test(text)) return text;
    return text.split(DRAWING).map((part, i) => {
      if (i % 2) return part;
      let result = "", last = 0;
      for (const found of part.matchAll(MATH)) {
        const inner = found[1] ?? found[3] ?? found[4] ?? found[5] ?? found[6];
        if (found[6] !== undefined && !isMath(inner)) continue;
        result += prose(part.slice(last, found.index)) + plain(inner);
        last = found.index + found[0].length;
      }
      return result + prose(part.slice(last));
    }).join("");
  }

  // An answer that stands alone: all of it is mathematics if any of it is.
  const answer = (text) => (/\\|[\^_]\S/.test(text) && !text.includes("$") ? plain(text) : readable(text));

  return { readable, answer };
})();

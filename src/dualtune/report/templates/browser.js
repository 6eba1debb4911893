"use strict";
// A list of rows and the one that is open: filters, search, pages, next and previous, links. Only
// one page of the list is ever in the document, so thousands of rows stay quick.
// The address holds what is chosen: #KEY=ID and each filter that is set.
function browse({
  rows, // the rows, whatever they are
  id, // a row's id, as links name it
  key, // the address's name of the open row
  noun, // what messages call a row
  filters, // filter name to its start value; elements with data-filter=NAME set them
  extra = [], // further names that the address keeps
  keep, // (row, its place, state) => whether the filters let it through, but for the search
  haystack, // a row's text to search in
  entry, // a row's link texts: {id, words, mark: {name, text}}
  draw, // draw the open row: (row, state, remember) => nothing
  recount = () => {}, // the filters changed: (state) => nothing
  absent, // what to say of an id that is not there
}) {
  const { element, visible } = common;
  const LIST = 25;
  const at = (name) => document.getElementById(name);
  const number = new Intl.NumberFormat("en");
  const names = Object.keys(filters);
  const places = new Map(rows.map((row, i) => [id(row), i]));
  const state = { ...filters, place: 0, matching: [] };
  for (const name of extra) state[name] = "";
  let haystacks = null;

  function matching() {
    const words = state.find.toLowerCase().trim();
    if (words && !haystacks) haystacks = rows.map((row) => haystack(row).toLowerCase());
    const found = [];
    for (let i = 0; i < rows.length; i++) {
      if (keep(rows[i], i, state) && (!words || haystacks[i].includes(words))) found.push(i);
    }
    return found;
  }

  // --- The address ----------------------------------------------------------------------------

  function address(more) {
    const parts = new URLSearchParams();
    for (const [name, value] of [...names.map((name) => [name, state[name]]), ...Object.entries(more)]) {
      if (value && value !== filters[name]) parts.set(name, value);
    }
    // A slash needs no escape there, and a link reads better without.
    return "#" + parts.toString().replaceAll("%2F", "/");
  }

  const current = () => state.matching[state.place];

  function remember() {
    if (current() === undefined) return;
    const more = Object.fromEntries(extra.map((name) => [name, state[name]]));
    history.replaceState(null, "", address({ [key]: id(rows[current()]), ...more }));
  }

  // Follow a link to a row or to what a filter keeps; a filter that hides the row gives way.
  function follow() {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (![key, ...names, ...extra].some((name) => parts.has(name))) return false;
    for (const name of names) state[name] = parts.get(name) || filters[name];
    for (const name of extra) state[name] = parts.get(name) || "";
    showFilters();
    const wanted = parts.get(key);
    const place = places.get(wanted);
    if (wanted && place === undefined) {
      refresh();
      say(absent(wanted));
    } else {
      if (place !== undefined && !matching().includes(place)) {
        Object.assign(state, filters);
        showFilters();
      }
      refresh(place);
    }
    at("problems").scrollIntoView();
    return true;
  }

  // --- The list -------------------------------------------------------------------------------

  function say(words) {
    at("shown").textContent = visible(words);
  }

  function listed(i, place) {
    const shown = entry(rows[i], state);
    const link = element("a");
    link.href = address({ [key]: id(rows[i]) });
    link.append(element("b", "", visible(shown.id)));
    const words = element("span", "", visible(shown.words.slice(0, 140)));
    words.dir = "auto";
    link.append(words);
    if (shown.mark) link.append(element("em", shown.mark.name, shown.mark.text));
    if (place === state.place) link.setAttribute("aria-current", "true");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(place);
      const top = at("problem").getBoundingClientRect().top;
      if (top < 0 || top > innerHeight * 0.6) at("problem").scrollIntoView();
    });
    const item = element("li");
    item.append(link);
    return item;
  }

  function drawList() {
    const first = Math.floor(state.place / LIST) * LIST;
    const shown = state.matching.slice(first, first + LIST);
    const list = at("list");
    const focused = list.contains(document.activeElement);
    list.replaceChildren(...shown.map((i, k) => listed(i, first + k)));
    list.start = first + 1;
    const chosen = list.querySelector("[aria-current]");
    if (chosen) list.scrollTop = chosen.offsetTop - list.offsetTop - list.clientHeight / 3;
    if (chosen && focused) chosen.focus({ preventScroll: true });
    const pages = Math.max(1, Math.ceil(state.matching.length / LIST));
    at("pager").hidden = pages === 1;
    at("page").value = first / LIST + 1;
    at("pages").textContent = `of ${number.format(pages)}`;
    at("first").disabled = first === 0;
    at("last").disabled = first / LIST === pages - 1;
  }

  // --- The row that is open -------------------------------------------------------------------

  function drawOpen() {
    const row = rows[current()];
    at("browser").hidden = row === undefined;
    if (row === undefined) return;
    const link = element("a", "", visible(entry(row, state).id));
    link.href = address({ [key]: id(row) });
    link.title = `Link to this ${noun}`;
    at("name").replaceChildren(link);
    draw(row, state, remember);
    at("previous").disabled = state.place === 0;
    at("next").disabled = state.place === state.matching.length - 1;
  }

  const many = (count, all) => number.format(count) + (count < all ? ` that match (${number.format(all)} in all)` : "");

  function show(place) {
    state.place = Math.min(Math.max(0, place), state.matching.length - 1);
    drawList();
    drawOpen();
    const kept = state.matching.length;
    say(kept
      ? `${noun[0].toUpperCase()}${noun.slice(1)} ${number.format(state.place + 1)} of ${many(kept, rows.length)}`
      : `No ${noun} matches. Choose another filter or search for something else.`);
  }

  function open(place) {
    show(place);
    remember();
  }

  // Match again, keep the row that was asked for (or was open) where it still matches.
  function refresh(wanted = current()) {
    recount(state);
    state.matching = matching();
    open(Math.max(0, state.matching.indexOf(wanted)));
  }

  // --- Controls -------------------------------------------------------------------------------

  const controls = [...document.querySelectorAll("[data-filter]")];

  // What an address asks for and the page does not know (a kind, a task) filters nothing.
  function showFilters() {
    for (const control of controls) {
      const name = control.dataset.filter;
      const choices = control.tagName === "FIELDSET" ? [...control.querySelectorAll("input")] : control.options;
      if (choices && ![...choices].some((choice) => choice.value === state[name])) state[name] = filters[name];
      if (control.tagName === "FIELDSET") {
        for (const input of choices) input.checked = input.value === state[name];
      } else {
        control.value = state[name];
      }
    }
    const held = new Set(controls.map((control) => control.dataset.filter));
    for (const name of names) if (!held.has(name)) state[name] = filters[name];
  }

  function changed(name, value) {
    state[name] = value;
    for (const other of extra) state[other] = "";
    refresh();
  }

  function setUp() {
    let waiting = 0;
    for (const control of controls) {
      const name = control.dataset.filter;
      if (control.type === "search") {
        control.addEventListener("input", () => {
          clearTimeout(waiting);
          waiting = setTimeout(() => changed(name, control.value), 150);
        });
      } else {
        control.addEventListener("change", (event) => changed(name, event.target.value));
      }
    }
    at("controls").addEventListener("submit", (event) => event.preventDefault());
    at("previous").addEventListener("click", () => open(state.place - 1));
    at("next").addEventListener("click", () => open(state.place + 1));
    const turn = (page) => open(page * LIST);
    at("first").addEventListener("click", () => turn(Math.floor(state.place / LIST) - 1));
    at("last").addEventListener("click", () => turn(Math.floor(state.place / LIST) + 1));
    at("page").addEventListener("change", (event) => turn((parseInt(event.target.value, 10) || 1) - 1));
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      if (event.target.closest("input, select, textarea")) return;
      if (event.key === "ArrowRight") open(state.place + 1);
      else if (event.key === "ArrowLeft") open(state.place - 1);
      else return;
      event.preventDefault();
    });
    addEventListener("hashchange", follow);
  }

  setUp();
  at("controls").hidden = false;
  if (!follow()) {
    recount(state);
    state.matching = matching();
    show(0);
  }
  document.documentElement.dataset.problems = "drawn";
}

"use strict";
// What the scripts of a page share. Whatever comes from the data becomes a text node: none of it is
// ever read as HTML.
const common = (() => {
  // Control characters, and those that turn the direction of what follows them.
  // eslint-disable-next-line no-control-regex
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  }

  // A character that shows nothing is shown by its sign, or by its number where it has none.
  function visible(text) {
    return text.replace(UNSEEN, (char) => {
      const code = char.charCodeAt(0);
      if (code < 0x20) return String.fromCharCode(0x2400 + code);
      return code === 0x7f ? "\u2421" : `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
    });
  }

  // Unpack what stands gzipped and in base64 in an element, and take the element away.
  async function unpacked(id) {
    const packed = document.getElementById(id);
    const text = atob(packed.textContent.trim());
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const found = await new Response(stream).text();
    packed.remove();
    return found;
  }

  return { element, visible, unpacked };
})();

"""What every page must keep to, as scripts for the browser."""

from __future__ import annotations

TOO_WIDE = """width => [...document.querySelectorAll('main *')].filter((e) =>
    e.getBoundingClientRect().right > width + 0.5 && !e.closest('legend, svg')
).map((e) => e.outerHTML.slice(0, 90))"""
"""Elements that stick out of the window; takes its width."""

CONTRAST = """() => {
    const light = (c) => {
        const [r, g, b] = c.map((v) => v / 255)
            .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const ground = (e) => {
        for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c.length === 3 || c[3] > 0) return c.slice(0, 3);
        }
        return [255, 255, 255];
    };
    return [...document.querySelectorAll('body *')].filter((e) =>
        !e.closest('script, style, noscript, .skip, legend, :disabled, svg') && e.checkVisibility()
        && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
    ).map((e) => {
        const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(ground(e))];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 80)];
    }).filter(([ratio]) => ratio < 4.5);
}"""
"""Texts with a contrast below 4.5 to 1 (WCAG AA)."""

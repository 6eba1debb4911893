"use strict";
// Unpacks Plotly after the first paint and the rows, and draws each figure in the colours of the style sheet.
(() => {
  if (!document.getElementById("plotly-gz")) return;
  const figures = JSON.parse(document.getElementById("charts-data").textContent);

  async function load() {
    const script = document.createElement("script");
    script.textContent = await common.unpacked("plotly-gz");
    document.head.append(script);
  }

  function dressed(figure) {
    const style = getComputedStyle(document.documentElement);
    const colour = (role) => style.getPropertyValue("--" + role).trim() || style.getPropertyValue("--other").trim();
    const { data, layout } = structuredClone(figure);
    for (const trace of data) {
      const meta = trace.meta || {};
      const main = colour(meta.role);
      if (trace.type === "bar") {
        trace.marker = { color: main };
        continue;
      }
      const validation = meta.role === "validation";
      trace.line = { color: main, width: meta.faint ? 1 : validation ? 1.5 : 2, dash: validation ? "dash" : "solid" };
      trace.opacity = meta.faint ? 0.4 : 1;
      trace.marker = { ...trace.marker, color: main, size: meta.size || 6 };
      if (meta.role === "base") {
        trace.marker.color = colour("paper");
        trace.marker.line = { color: main, width: 2 };
      }
      if (trace.error_x) trace.error_x.color = main;
    }
    for (const shape of layout.shapes || []) shape.line.color = colour("muted");
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") };
    Object.assign(layout, {
      font, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("rule"), font: { ...font, color: colour("ink") } },
    });
    for (const axis of [layout.xaxis, layout.yaxis]) {
      axis.title.font = font;
      Object.assign(axis, { gridcolor: colour("grid"), linecolor: colour("rule"), tickcolor: colour("rule") });
    }
    return { data, layout };
  }

  function draw() {
    for (const [id, figure] of Object.entries(figures)) {
      const { data, layout } = dressed(figure);
      Plotly.react(id, data, layout, { displayModeBar: false, responsive: true });
    }
    document.documentElement.dataset.charts = "drawn";
  }

  function fail(error) {
    console.error(error);
    for (const id of Object.keys(figures)) {
      const place = document.getElementById(id);
      place.classList.add("failed");
      place.textContent = "This browser cannot draw the chart; its figures are in the tables and files of the run.";
    }
  }

  // The library takes a second or two to read: the rows, which take less, are drawn before it.
  const rowsDrawn = new Promise((resolve) => {
    if (document.getElementById("rows-gz")) document.addEventListener("rows-drawn", resolve, { once: true });
    else resolve();
  });

  requestAnimationFrame(() => setTimeout(async () => {
    await rowsDrawn;
    try {
      await load();
      draw();
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    } catch (error) {
      fail(error);
    }
  }));
})();

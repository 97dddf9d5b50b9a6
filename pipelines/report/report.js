// Reads values off the line charts under the pointer, and keeps one player sounding at a time.
(() => {
  "use strict";
  const tip = document.getElementById("tip");

  const nearest = (xs, x) => {
    let best = 0;
    for (let i = 1; i < xs.length; i++) if (Math.abs(xs[i] - x) < Math.abs(xs[best] - x)) best = i;
    return best;
  };

  const guide = (svg, plot) => {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "guide");
    line.setAttribute("y1", plot.top);
    line.setAttribute("y2", plot.bottom);
    line.setAttribute("visibility", "hidden");
    svg.append(line);
    return line;
  };

  for (const svg of document.querySelectorAll("svg[data-plot]")) {
    const plot = JSON.parse(svg.dataset.plot);
    const line = guide(svg, plot);
    svg.querySelector(":scope > title").remove(); // its native tooltip would cover ours; aria-label says the same
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * plot.width;
      const share = Math.min(1, Math.max(0, (x - plot.left) / (plot.right - plot.left)));
      const step = plot.low + share * (plot.high - plot.low);
      const at = nearest(plot.series[0].x, step);
      const place = plot.left + ((plot.series[0].x[at] - plot.low) / (plot.high - plot.low)) * (plot.right - plot.left);
      line.setAttribute("x1", place);
      line.setAttribute("x2", place);
      line.setAttribute("visibility", "visible");
      const values = plot.series.map((one) => `${one.name} ${one.y[nearest(one.x, step)]}`);
      tip.textContent = [`step ${Math.round(plot.series[0].x[at])}`, ...values].join("\n");
      tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - 190)}px`;
      tip.style.top = `${event.clientY + 16}px`;
      tip.hidden = false;
    });
    svg.addEventListener("pointerleave", () => {
      line.setAttribute("visibility", "hidden");
      tip.hidden = true;
    });
  }

  document.addEventListener("play", (event) => {
    for (const player of document.querySelectorAll("audio")) if (player !== event.target) player.pause();
  }, true);
})();

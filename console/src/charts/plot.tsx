import type { PlotOptions } from "@observablehq/plot";
import { useEffect, useRef, useState } from "react";

type PlotModule = typeof import("@observablehq/plot");

/**
 * A figure by Observable Plot, which comes only when a chart is shown. Plot puts a <style> element into its figure and
 * our Content-Security-Policy lets none through: the figure is made in a document that shows nothing, and enters the
 * page without it; ui.css says the same.
 */
export function Chart({
  options,
  label,
  height,
}: {
  options: (plot: PlotModule, width: number) => PlotOptions;
  label: string;
  height: number;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    if (width === 0) return;
    let away = false;
    void import("@observablehq/plot").then((plot) => {
      if (away || !box.current) return;
      const paper = document.implementation.createHTMLDocument("");
      const figure = plot.plot({ ...options(plot, width), document: paper, width, height });
      for (const style of figure.querySelectorAll("style")) style.remove();
      // The figure has one name, given here; Plot names each of its groups, which no group of a picture may have.
      for (const named of figure.querySelectorAll("[aria-label]"))
        named.removeAttribute("aria-label");
      figure.setAttribute("role", "img");
      figure.setAttribute("aria-label", label);
      box.current.replaceChildren(document.adoptNode(figure));
    });
    return () => {
      away = true;
    };
  }, [options, label, height, width]);
  return <div ref={box} className={`chart chart-${height}`} />;
}

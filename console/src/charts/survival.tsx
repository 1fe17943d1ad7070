import { useCallback, useMemo } from "react";
import { useFormat, useWords } from "../ui/words.tsx";
import { Chart } from "./plot.tsx";

export type Curve = readonly { day: number; back: number; ofReturners: number }[];

/** How long people stay away: the share that has come back within so many days, with the days where stages begin. */
export function Survival({
  curve,
  marks,
}: {
  curve: Curve;
  marks: readonly { day: number; label: string }[];
}) {
  const { t } = useWords();
  const format = useFormat();
  const lines = useMemo(
    () => [
      ...curve.map(({ day, back }) => ({ day, share: back, of: t.lifecycle.ofAll })),
      ...curve.map(({ day, ofReturners }) => ({
        day,
        share: ofReturners,
        of: t.lifecycle.ofReturners,
      })),
    ],
    [curve, t],
  );
  const options = useCallback(
    (plot: typeof import("@observablehq/plot")) => ({
      className: "plot",
      marginLeft: 44,
      marginRight: 16,
      marginTop: 24,
      marginBottom: 36,
      x: {
        label: t.lifecycle.curveX,
        labelArrow: "none" as const,
        domain: [0, Math.max(1, curve.at(-1)?.day ?? 1)],
      },
      y: {
        label: t.lifecycle.curveY,
        labelArrow: "none" as const,
        domain: [0, 1],
        grid: true,
        ticks: 5,
        tickFormat: format.part,
      },
      marks: [
        plot.ruleX(marks, {
          x: "day",
          stroke: "currentColor",
          strokeDasharray: "3 3",
          strokeOpacity: 0.6,
        }),
        plot.text(marks, {
          x: "day",
          y: 1,
          text: "label",
          dy: -10,
          fill: "currentColor",
        }),
        // Told apart by the dash as well as by the colour.
        plot.lineY(
          lines.filter(({ of }) => of === t.lifecycle.ofAll),
          { x: "day", y: "share", stroke: "var(--accent)", strokeWidth: 2, curve: "step-after" },
        ),
        plot.lineY(
          lines.filter(({ of }) => of === t.lifecycle.ofReturners),
          {
            x: "day",
            y: "share",
            stroke: "var(--second)",
            strokeWidth: 2,
            strokeDasharray: "6 3",
            curve: "step-after",
          },
        ),
      ],
    }),
    [lines, marks, curve, format, t],
  );
  return (
    <figure className="charted">
      <ul className="legend">
        <li>
          <svg width="24" height="8" aria-hidden="true">
            <path d="M0 4h24" stroke="var(--accent)" strokeWidth="2" />
          </svg>
          {t.lifecycle.ofAll}
        </li>
        <li>
          <svg width="24" height="8" aria-hidden="true">
            <path d="M0 4h24" stroke="var(--second)" strokeWidth="2" strokeDasharray="6 3" />
          </svg>
          {t.lifecycle.ofReturners}
        </li>
      </ul>
      <Chart options={options} label={t.lifecycle.curve} height={280} />
      <details>
        <summary>{t.lifecycle.curveTable}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col" className="numeric">
                {t.lifecycle.curveX}
              </th>
              <th scope="col" className="numeric">
                {t.lifecycle.ofAll}
              </th>
              <th scope="col" className="numeric">
                {t.lifecycle.ofReturners}
              </th>
            </tr>
          </thead>
          <tbody>
            {sample(curve).map(({ day, back, ofReturners }) => (
              <tr key={day}>
                <td className="numeric">{format.number(day)}</td>
                <td className="numeric">{format.part(back)}</td>
                <td className="numeric">{format.part(ofReturners)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
/** Twelve rows tell as much as three hundred. */
const sample = (curve: Curve) => {
  const step = Math.max(1, Math.floor(curve.length / 12));
  return curve.filter((_, index) => index % step === 0 || index === curve.length - 1);
};

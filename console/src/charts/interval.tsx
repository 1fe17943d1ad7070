import { useFormat, useWords } from "../ui/words.tsx";

/**
 * A difference with its 95 % interval, drawn against zero and, where one is given, the rise worth having.
 * All in basis points. It is drawn on a scale that several of them may share.
 */
export function Interval({
  differenceBp,
  intervalBp: [low, high],
  worthBp,
  reachBp = reachOf([low, high], worthBp),
  small = false,
}: {
  differenceBp: number;
  intervalBp: readonly [number, number];
  worthBp?: number;
  reachBp?: number;
  small?: boolean;
}) {
  const { t } = useWords();
  const format = useFormat();
  const width = small ? 160 : 560;
  const height = small ? 24 : 88;
  const middle = small ? 12 : 40;
  const x = (bp: number) => width / 2 + (bp / reachBp) * (width / 2 - (small ? 4 : 36));
  const label = t.result.interval(
    format.points(differenceBp),
    format.points(low),
    format.points(high),
  );
  return (
    <svg
      className="interval"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      role="img"
      aria-label={label}
    >
      <path d={`M4 ${middle}H${width - 4}`} className="axis" />
      <path
        d={`M${x(0)} ${middle - (small ? 10 : 20)}V${middle + (small ? 10 : 20)}`}
        className="zero"
      />
      {worthBp !== undefined && !small && (
        <>
          <path d={`M${x(worthBp)} ${middle - 30}V${middle + 20}`} className="worth" />
          <text x={x(worthBp) + 4} y={middle - 24}>
            {t.result.worth(format.points(worthBp))}
          </text>
        </>
      )}
      <path d={`M${x(low)} ${middle}H${x(high)}`} className="reach" />
      <path d={`M${x(low)} ${middle - 6}v12M${x(high)} ${middle - 6}v12`} className="ends" />
      <circle cx={x(differenceBp)} cy={middle} r={small ? 4 : 6} className="point" />
      {!small && (
        <>
          <text x={x(0)} y={height - 8} textAnchor="middle">
            0
          </text>
          <text x={x(low)} y={height - 24} textAnchor="end" dx={-4} dy={-30}>
            {format.points(low)}
          </text>
          <text x={x(high)} y={height - 24} textAnchor="start" dx={4} dy={-30}>
            {format.points(high)}
          </text>
        </>
      )}
    </svg>
  );
}

/** The scale that shows an interval and zero with some air on both sides. */
export const reachOf = ([low, high]: readonly [number, number], worthBp = 0): number =>
  Math.max(100, Math.abs(low), Math.abs(high), worthBp) * 1.15;

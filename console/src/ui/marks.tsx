import { useWords } from "./words.tsx";

const stages = ["new", "active", "dormant", "lost"] as const;
export type Stage = (typeof stages)[number];
const isStage = (value: string): value is Stage => (stages as readonly string[]).includes(value);

/** A stage by shape and word, with colour only on top. */
export function StageMark({ stage }: { stage: string | null | undefined }) {
  const { t } = useWords();
  if (!stage) return <span className="quiet">{t.none}</span>;
  if (!isStage(stage)) return <>{stage}</>;
  return (
    <span className={`stage stage-${stage}`}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        {shapes[stage]}
      </svg>
      {t.stages[stage]}
    </span>
  );
}
const shapes = {
  new: <path d="M6 1v10M1 6h10" fill="none" stroke="currentColor" strokeWidth="2" />,
  active: <circle cx="6" cy="6" r="5" fill="currentColor" />,
  dormant: (
    <>
      <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M6 1.75a4.25 4.25 0 0 0 0 8.5z" fill="currentColor" />
    </>
  ),
  lost: (
    <circle
      cx="6"
      cy="6"
      r="4.25"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeDasharray="2 2"
    />
  ),
};

/** The word for a code, or the code itself where nobody has written one yet. */
export const wordFor = (words: Record<string, string>, code: string): string => words[code] ?? code;

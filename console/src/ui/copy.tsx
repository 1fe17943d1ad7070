import { useRef, useState } from "react";
import { useWords } from "./words.tsx";

/** A text to take along. Where the browser lends no clipboard (plain http), the text is marked for the hand to copy. */
export function Copy({ text, lines = false }: { text: string; lines?: boolean }) {
  const { t } = useWords();
  const shown = useRef<HTMLElement>(null);
  const [says, setSays] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSays(t.copied);
    } catch {
      if (shown.current) getSelection()?.selectAllChildren(shown.current);
      setSays(t.marked);
    }
  };
  const code = <code ref={shown}>{text}</code>;
  return (
    <div className="copy">
      {lines ? <pre>{code}</pre> : code}
      <button type="button" className="small" onClick={() => void copy()}>
        {t.copy}
      </button>
      <small role="status">{says}</small>
    </div>
  );
}

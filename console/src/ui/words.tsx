import { createContext, use, useCallback, useMemo, useState, type ReactNode } from "react";
import type { zh } from "../lang/zh.ts";
import { formats, type Format } from "./format.ts";
import { storedLanguage, storeLanguage, type Language } from "./language.ts";

export type Words = typeof zh;
/** Only the language that is read is loaded. */
export const loadWords = async (language: Language): Promise<Words> =>
  language === "zh" ? (await import("../lang/zh.ts")).zh : (await import("../lang/en.ts")).en;

type Spoken = {
  language: Language;
  t: Words;
  speak: (language: Language) => Promise<void>;
};
const Context = createContext<Spoken | null>(null);

export function WordsProvider({ first, children }: { first: Words; children: ReactNode }) {
  const [spoken, setSpoken] = useState({ language: storedLanguage(), t: first });
  const speak = useCallback(async (language: Language) => {
    const t = await loadWords(language);
    storeLanguage(language);
    setSpoken({ language, t });
  }, []);
  const value = useMemo(() => ({ ...spoken, speak }), [spoken, speak]);
  return <Context value={value}>{children}</Context>;
}

export function useWords(): Spoken {
  const spoken = use(Context);
  if (!spoken) throw new Error("useWords outside WordsProvider");
  return spoken;
}

/** Of a sentence in both languages, the one that is read. */
export const useSaid = () => {
  const { language } = useWords();
  return useCallback(
    (sentence: { zh: string; en: string }): string => sentence[language],
    [language],
  );
};

const FormatContext = createContext<Format | null>(null);
/** Until the house has said its time zone, the page shows skeletons: nothing is formatted in a guessed zone. */
export function FormatProvider({
  timeZone,
  currency,
  children,
}: {
  timeZone: string;
  currency: string;
  children: ReactNode;
}) {
  const { language } = useWords();
  const value = useMemo(
    () => formats(language, timeZone, currency),
    [language, timeZone, currency],
  );
  return <FormatContext value={value}>{children}</FormatContext>;
}
export function useFormat(): Format {
  const format = use(FormatContext);
  if (!format) throw new Error("useFormat outside FormatProvider");
  return format;
}

/** Chinese and English are equal. The choice is a setting of this browser; ?lang= in an address sets it. */
export type Language = "zh" | "en";
const key = "liuke.language";

export const isLanguage = (value: unknown): value is Language => value === "zh" || value === "en";

let chosen: Language | null = null;

/** What is chosen: by the address, by this browser before, or by what the browser asks for. */
export function storedLanguage(): Language {
  if (chosen) return chosen;
  const asked = new URLSearchParams(location.search).get("lang");
  if (isLanguage(asked)) return asked;
  try {
    const kept = localStorage.getItem(key);
    if (isLanguage(kept)) return kept;
  } catch {
    // A browser that keeps nothing still gets a console.
  }
  return navigator.languages.some((one) => one.startsWith("zh")) ? "zh" : "en";
}

/** Keeps the choice. An address that asked for a language has been heard: it would win over a later choice. */
export function storeLanguage(language: Language): void {
  chosen = language;
  const here = new URL(location.href);
  if (here.searchParams.has("lang")) {
    here.searchParams.delete("lang");
    history.replaceState(history.state, "", here);
  }
  try {
    localStorage.setItem(key, language);
  } catch {
    // see above
  }
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

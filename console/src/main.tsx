import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { storedLanguage, storeLanguage } from "./ui/language.ts";
import { loadWords } from "./ui/words.tsx";
import "./ui/ui.css";

const language = storedLanguage();
storeLanguage(language);
const words = await loadWords(language);
createRoot(document.querySelector("#root")!).render(
  <StrictMode>
    <App words={words} />
  </StrictMode>,
);

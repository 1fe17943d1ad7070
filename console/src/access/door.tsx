import { useEffect, useRef, type ReactNode } from "react";
import { LanguageSwitch } from "../ui/shell.tsx";
import { useWords } from "../ui/words.tsx";

/** The frame of pages that come before one is signed in. */
export function Door({
  title,
  says,
  children,
}: {
  title: string;
  says?: ReactNode;
  children: ReactNode;
}) {
  const { t } = useWords();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${t.product}`;
  }, [title, t]);
  return (
    <main className="door">
      <div className="door-head">
        <span className="brand">{t.product}</span>
        <LanguageSwitch />
      </div>
      <div className="card">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {says && <p className="says">{says}</p>}
        {children}
      </div>
    </main>
  );
}

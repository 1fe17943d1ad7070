import { useEffect, useRef, type ReactNode } from "react";
import { useQuery } from "@tanstack/react-query";
import { Link, useRouterState, type LinkProps } from "@tanstack/react-router";
import { Problem } from "./call.ts";
import { houseQuery } from "./session.tsx";
import { useFormat, useWords } from "./words.tsx";

/**
 * A page: its title, one line of what it says, the shop's time zone, and how fresh its data is.
 * The heading takes the focus when the page is come to, so that a screen reader says where one is.
 */
export function Page({
  title,
  says,
  actions,
  children,
}: {
  title: ReactNode;
  says?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  const { t } = useWords();
  const heading = useRef<HTMLHeadingElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const came = useRef(false);
  useEffect(() => {
    const first = !came.current && !document.body.dataset["walked"];
    came.current = true;
    document.body.dataset["walked"] = "yes";
    if (!first) heading.current?.focus({ preventScroll: true });
  }, [path]);
  useEffect(() => {
    const name = heading.current?.textContent ?? "";
    document.title = name ? `${name} · ${t.product}` : t.product;
  });
  return (
    <>
      <header className="page-head">
        <div className="page-title">
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {actions && <div className="actions">{actions}</div>}
        </div>
        {says && <p className="says">{says}</p>}
        <Fresh />
      </header>
      {children}
    </>
  );
}

function Fresh() {
  const { t } = useWords();
  const format = useFormat();
  const house = useQuery(houseQuery).data;
  if (!house) return <p className="fresh">&nbsp;</p>;
  const { clock, freshness, timeZone } = house;
  const behind = Math.max(freshness.profilesBehind, freshness.columnsBehind);
  return (
    <p className="fresh">
      <span>{t.fresh.zone(timeZone)}</span>
      <span>
        {clock.mode === "hand"
          ? t.fresh.handClock(format.at(clock.now))
          : t.fresh.realClock(format.at(clock.now))}
      </span>
      <span>
        {freshness.lastOrderAt ? t.fresh.until(format.at(freshness.lastOrderAt)) : t.fresh.nothing}
      </span>
      <span>{behind > 0 ? t.fresh.behind(format.number(behind)) : t.fresh.level}</span>
    </p>
  );
}

/** A part of a page under its own heading. */
export function Part({
  title,
  says,
  actions,
  className = "",
  children,
}: {
  title: ReactNode;
  says?: ReactNode;
  actions?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section className={`part ${className}`}>
      <div className="part-head">
        <h2>{title}</h2>
        {actions}
      </div>
      {says && <p className="says">{says}</p>}
      {children}
    </section>
  );
}

/** Empty: one sentence, one action. */
export function Empty({ says, children }: { says: ReactNode; children?: ReactNode }) {
  return (
    <div className="empty">
      <p>{says}</p>
      {children}
    </div>
  );
}

/** What is shown in place of something that did not come. `again` tries once more. */
export function Broken({ error, again }: { error: unknown; again?: () => unknown }) {
  const { t } = useWords();
  const known = error instanceof Problem;
  return (
    <div className="broken" role="alert">
      <p>{known && error.message ? error.message : t.broken.away}</p>
      {again && (
        <button type="button" onClick={() => void again()}>
          {t.broken.again}
        </button>
      )}
    </div>
  );
}

/** Holds the place of a text that is still loading: as wide as it will be, as high as a line. */
export function Wait({ width = 8 }: { width?: 3 | 5 | 8 | 16 | 32 }) {
  // Once it has come, the page is looked at anew: what waited for it comes into sight (ui.css).
  useEffect(
    () => () => {
      const main = document.querySelector("main");
      if (main) main.dataset["came"] = String(Number(main.dataset["came"] ?? 0) + 1);
    },
    [],
  );
  return <span className={`wait wait-${width}`} aria-hidden="true" />;
}

/** A number opens the people behind it. */
export function Figure({
  value,
  label,
  note,
  to,
}: {
  value: ReactNode;
  label: ReactNode;
  note?: ReactNode;
  to?: LinkProps;
}) {
  return (
    <div className="figure">
      <dt>{label}</dt>
      <dd>
        {value === undefined ? (
          <span>
            <Wait width={5} />
          </span>
        ) : to ? (
          <Link {...to} className="num">
            {value}
          </Link>
        ) : (
          <span>{value}</span>
        )}
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  );
}

/** An instant, readable by machines too. */
export function At({ at, day = false }: { at: string; day?: boolean }) {
  const format = useFormat();
  return <time dateTime={at}>{day ? format.dayOf(at) : format.at(at)}</time>;
}

import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useRouterState, type LinkProps } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { Broken } from "./page.tsx";
import { houseQuery, useSelf, type Self } from "./session.tsx";
import { FormatProvider, useWords, type Words } from "./words.tsx";

const Palette = lazy(() => import("./palette.tsx"));

export type Place = {
  to: NonNullable<LinkProps["to"]>;
  word: keyof Words["nav"];
  permission: string;
  /** Only for who sees the whole shop: its endpoints know no narrower scope. */
  whole?: true;
};
/** In the order in which an operator works: choose people, act, see what came of it. */
export const places: { group: "top" | "people" | "act" | "results" | "house"; places: Place[] }[] =
  [
    { group: "top", places: [{ to: "/", word: "today", permission: "today:read" }] },
    {
      group: "people",
      places: [
        { to: "/members", word: "members", permission: "members:read" },
        { to: "/lifecycle", word: "lifecycle", permission: "lifecycle:read" },
        { to: "/rfm", word: "rfm", permission: "lifecycle:read" },
        { to: "/segments", word: "segments", permission: "segments:read" },
        { to: "/traits", word: "traits", permission: "traits:read" },
        { to: "/attributes", word: "attributes", permission: "traits:read" },
        { to: "/tags", word: "tags", permission: "traits:read" },
        { to: "/companies", word: "companies", permission: "members:read", whole: true },
      ],
    },
    {
      group: "act",
      places: [
        { to: "/forms", word: "forms", permission: "forms:read" },
        { to: "/programmes", word: "programmes", permission: "programmes:read" },
        { to: "/outbox", word: "outbox", permission: "messages:read" },
      ],
    },
    {
      group: "results",
      places: [
        { to: "/retention", word: "retention", permission: "retention:read" },
        { to: "/results", word: "results", permission: "programmes:read" },
        { to: "/trace", word: "trace", permission: "trace:read" },
      ],
    },
    {
      group: "house",
      places: [
        { to: "/sources", word: "sources", permission: "house:read", whole: true },
        { to: "/refused", word: "refused", permission: "house:read", whole: true },
        { to: "/imports", word: "imports", permission: "house:read", whole: true },
        { to: "/exports", word: "exports", permission: "exports:read", whole: true },
        { to: "/webhooks", word: "webhooks", permission: "webhooks:read", whole: true },
        { to: "/tracking-plan", word: "plan", permission: "house:read", whole: true },
        { to: "/identity", word: "identity", permission: "house:read", whole: true },
        { to: "/products", word: "products", permission: "catalog:read" },
        { to: "/operators", word: "operators", permission: "operators:read" },
        { to: "/keys", word: "keys", permission: "keys:read" },
        { to: "/account", word: "account", permission: "session:own" },
      ],
    },
  ];

/** May one who is signed in go there? */
export const opens =
  (self: Self | undefined) =>
  ({ permission, whole }: Place): boolean =>
    self !== undefined &&
    self.permissions.includes(permission) &&
    (!whole || self.scope.kind === "all");

export function LanguageSwitch() {
  const { language, t, speak } = useWords();
  return (
    <div className="languages" role="group" aria-label={t.language}>
      {(["zh", "en"] as const).map((one) => (
        <button
          key={one}
          type="button"
          lang={one === "zh" ? "zh-CN" : "en"}
          aria-pressed={language === one}
          onClick={() => void speak(one)}
        >
          {one === "zh" ? "中文" : "English"}
        </button>
      ))}
    </div>
  );
}

export function Shell() {
  const house = useQuery(houseQuery).data;
  const { t } = useWords();
  const [palette, setPalette] = useState(false);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey) || event.altKey)
        return;
      event.preventDefault();
      setPalette((open) => !open);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  if (!house) return null;
  return (
    <FormatProvider timeZone={house.timeZone} currency={house.currency}>
      <a className="skip" href="#main">
        {t.skip}
      </a>
      {house.demo && (
        <div className="demo" role="note">
          <strong>{t.demo.mark}</strong> {t.demo.says}
        </div>
      )}
      <div className="shell">
        <Nav openPalette={() => setPalette(true)} />
        <main id="main" tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      {palette && (
        <Suspense>
          <Palette close={() => setPalette(false)} />
        </Suspense>
      )}
    </FormatProvider>
  );
}

function Nav({ openPalette }: { openPalette: () => void }) {
  const { t } = useWords();
  const self = useSelf();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  const mac = navigator.platform.startsWith("Mac");
  return (
    <div className={open ? "side open" : "side"}>
      <div className="side-head">
        <Link to="/" className="brand">
          {t.product}
        </Link>
        <button
          type="button"
          className="menu-button"
          aria-expanded={open}
          aria-controls="nav"
          onClick={() => setOpen(!open)}
        >
          {t.menu}
        </button>
      </div>
      <div className="side-body" id="nav">
        <button
          type="button"
          className="find"
          onClick={openPalette}
          aria-keyshortcuts="Control+K Meta+K"
        >
          <span>{t.palette.open}</span>
          <kbd>{mac ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        <nav aria-label={t.navigation}>
          {places.map(({ group, places: inGroup }) => {
            const allowed = inGroup.filter(opens(self));
            if (allowed.length === 0) return null;
            return (
              <div key={group} className="group">
                {group !== "top" && (
                  <h2>
                    <span aria-hidden="true" className="seal" lang="zh-CN">
                      {seals[group]}
                    </span>
                    {t.groups[group]}
                  </h2>
                )}
                <ul>
                  {allowed.map(({ to, word }) => (
                    <li key={to}>
                      <Link to={to} activeOptions={{ exact: to === "/" }}>
                        {t.nav[word]}
                      </Link>
                    </li>
                  ))}
                </ul>
              </div>
            );
          })}
        </nav>
        <div className="side-foot">
          <LanguageSwitch />
          {self && (
            <p>
              {self.name} · {t.roles[self.role]}
            </p>
          )}
        </div>
      </div>
    </div>
  );
}
const seals = { people: "人", act: "营", results: "效", house: "台" } as const;

export function Lost() {
  const { t } = useWords();
  return (
    <main className="door">
      <div className="card">
        <h1>{t.lost.title}</h1>
        <p>{t.lost.says}</p>
        <Link to="/" className="button">
          {t.lost.home}
        </Link>
      </div>
    </main>
  );
}

/** Neither session nor house could be asked for. */
export function Stopped({ error, reset }: { error: unknown; reset: () => void }) {
  return (
    <main className="door">
      <div className="card">
        <Broken error={error} again={reset} />
      </div>
    </main>
  );
}

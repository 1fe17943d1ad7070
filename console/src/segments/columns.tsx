import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { At } from "../ui/page.tsx";
import { Person } from "../ui/people.tsx";
import type { Column } from "../ui/table.tsx";
import { useSaid, useWords } from "../ui/words.tsx";

/** A person, or a company under its own name. */
export type Row = { personId: string; userId?: string | null; company?: string };
type Cause = {
  kind: "tag" | "event";
  id: string;
  name: { zh: string; en: string } | null;
} | null;

/** Whoever a row of a segment is: companies stand in the place of people. */
export const rowsOf = <
  P extends { personId: string },
  C extends { companyId: string; name: string },
>(
  people: readonly P[],
  companies: readonly C[],
): (Row & (P | C))[] => [
  ...people,
  ...companies.map((one) => ({ ...one, personId: one.companyId, company: one.name })),
];
export function useNaming<R extends Row>(level: "person" | "company" | undefined): Column<R> {
  const { t } = useWords();
  return useMemo(
    () => ({
      id: "who",
      names: true,
      header: level === "company" ? t.segments.company : t.member.number,
      cell: ({ company, personId, userId = null }) =>
        company === undefined ? (
          <Person personId={personId} userId={userId} />
        ) : (
          <Link to="/companies/$company" params={{ company: personId }}>
            {company}
          </Link>
        ),
    }),
    [t, level],
  );
}
/** What let somebody in or out. */
export function useCauses<R extends Row & { cause: Cause }>(): Column<R> {
  const { t } = useWords();
  const said = useSaid();
  return useMemo(
    () => ({
      id: "cause",
      width: "l",
      header: t.lifecycle.cause,
      cell: ({ cause, personId, company }) =>
        cause?.kind === "event" ? (
          <Link to="/trace" search={{ event: cause.id }}>
            {cause.name ? t.segments.byEvent(said(cause.name)) : t.trace.walk}
          </Link>
        ) : cause && company !== undefined ? (
          <Link to="/companies/$company" params={{ company: personId }}>
            {t.segments.byTag}
          </Link>
        ) : cause ? (
          <Link to="/members/$person/trace" params={{ person: personId }}>
            {cause.name ? t.segments.byTagNamed(said(cause.name)) : t.segments.byTag}
          </Link>
        ) : (
          t.segments.byTime
        ),
    }),
    [t, said],
  );
}
export function useChanges<
  R extends Row & { change: "entered" | "left"; at: string; cause: Cause },
>(): Column<R>[] {
  const { t } = useWords();
  const causes = useCauses<R>();
  return useMemo(
    () => [
      { id: "change", header: t.segments.change, cell: ({ change }) => t.segments[change] },
      { id: "at", width: "l", header: t.segments.when, cell: ({ at }) => <At at={at} /> },
      causes,
    ],
    [t, causes],
  );
}

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { StageMark, type Stage } from "../ui/marks.tsx";
import { At, Page } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import type { Column } from "../ui/table.tsx";
import { useSaid, useWords } from "../ui/words.tsx";

type Move = Answer<typeof api.predict.transitions>["transitions"][number];
const stages: readonly Stage[] = ["new", "active", "dormant", "lost"];
const rowsOf = (answer: Answer<typeof api.predict.transitions>) => answer.transitions;
const one = (value: string | undefined) => stages.find((stage) => stage === value);

/** The log of stages: who went from where to where, when and why. */
export function Moves() {
  const { t } = useWords();
  const said = useSaid();
  const navigate = useNavigate();
  const search = useSearch({ from: "/inside/lifecycle/moves" });
  const from = search.from === "none" ? ("none" as const) : one(search.from);
  const to = one(search.to);
  const set = (change: { from?: string; to?: string }) =>
    void navigate({ to: "/lifecycle/moves", search: { ...search, ...change }, replace: true });
  const columns = useMemo<Column<Move>[]>(
    () => [
      {
        id: "from",
        header: t.lifecycle.from,
        cell: (row) => (row.from ? <StageMark stage={row.from} /> : t.lifecycle.first),
      },
      { id: "to", header: t.lifecycle.into, cell: (row) => <StageMark stage={row.to} /> },
      { id: "at", width: "l", header: t.when, cell: ({ at }) => <At at={at} /> },
      {
        id: "why",
        width: "xl",
        header: t.why,
        cell: ({ sentence }) => said(sentence),
      },
      {
        id: "cause",
        width: "s",
        header: t.lifecycle.cause,
        cell: ({ cause }) =>
          cause ? (
            <Link to="/trace" search={{ event: cause }}>
              {t.trace.walk}
            </Link>
          ) : (
            t.lifecycle.byTime
          ),
      },
    ],
    [t, said],
  );
  const options = stages.map((stage) => ({ value: stage, label: t.stages[stage] }));
  const any = { value: "", label: t.any };
  return (
    <Page title={t.lifecycle.movesTitle} says={<Link to="/lifecycle">{t.lifecycle.back}</Link>}>
      <div className="filters">
        <Choice
          label={t.lifecycle.from}
          value={from ?? ""}
          onChange={(value) => set({ from: value })}
          options={[any, { value: "none", label: t.lifecycle.first }, ...options]}
        />
        <Choice
          label={t.lifecycle.into}
          value={to ?? ""}
          onChange={(value) => set({ to: value })}
          options={[any, ...options]}
        />
      </div>
      <PeopleList
        to={api.predict.transitions}
        input={{ from, to, days: search.days ?? "30" }}
        rowsOf={rowsOf}
        keyOf={({ id }) => id}
        columns={columns}
        caption={t.lifecycle.movesTitle}
        empty={{
          says: t.lifecycle.noMoves,
          action: <Link to="/lifecycle">{t.lifecycle.back}</Link>,
        }}
      />
    </Page>
  );
}

import { Link, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, type Answer } from "../ui/call.ts";
import { Page } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import type { Column } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

type Row = Answer<typeof api.insights.retentionPeople>["people"][number];
const rowsOf = (answer: Answer<typeof api.insights.retentionPeople>) => answer.people;
const isMonth = (text: string | undefined): text is string => /^\d{4}-\d{2}$/.test(text ?? "");

export function RetentionPeople() {
  const { t } = useWords();
  const format = useFormat();
  const { cohort, month } = useSearch({ from: "/inside/retention/people" });
  const columns = useMemo<Column<Row>[]>(
    () => [
      {
        id: "orders",
        header: t.member.orders,
        cell: ({ orders }) => format.number(orders),
        numeric: true,
      },
      {
        id: "revenue",
        header: t.today.revenue,
        cell: ({ revenueMinor }) => format.money(revenueMinor),
        numeric: true,
      },
    ],
    [t, format],
  );
  const back = <Link to="/retention">{t.retention.back}</Link>;
  if (!isMonth(cohort) || !isMonth(month))
    return (
      <Page title={t.nav.retention}>
        <p>{back}</p>
      </Page>
    );
  const title = t.retention.cellTitle(format.month(cohort), format.month(month));
  return (
    <Page title={title} says={back}>
      <PeopleList
        to={api.insights.retentionPeople}
        input={{ cohort, month }}
        rowsOf={rowsOf}
        columns={columns}
        caption={title}
        empty={{ says: t.list.nobody, action: back }}
      />
    </Page>
  );
}

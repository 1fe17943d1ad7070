import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useId, useMemo } from "react";
import { api, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Drifts } from "./drifts.tsx";

type Event = Answer<typeof api.plan.events>["events"][number];
const shows = ["all", "drift", "unknown"] as const;

/** Is what somebody looks for part of one of these names, in whichever language? */
const isNamed = (find: string, names: readonly (string | undefined)[]): boolean =>
  names.some((name) => name?.toLowerCase().includes(find.trim().toLowerCase()));

/** What each source sends, and what differs from what it used to send. */
export function TrackingPlan() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const findId = useId();
  const go = useNavigate({ from: "/tracking-plan" });
  const { source = "", show = "all", find = "" } = useSearch({ from: "/inside/tracking-plan" });
  const sources = useCall(api.collect.sources, {}).data?.sources;
  const { data, error, refetch } = useCall(api.plan.events, source ? { source } : {});
  const rows = useMemo(
    () =>
      data?.events.filter(
        ({ drift, status, name, label }) =>
          (show === "all" || (show === "drift" ? drift.length > 0 : status === "unknown")) &&
          isNamed(find, [name, label?.zh, label?.en]),
      ),
    [data, show, find],
  );
  const columns = useMemo<Column<Event>[]>(
    () => [
      {
        id: "name",
        header: t.planPage.name,
        width: "l",
        names: true,
        cell: ({ source: from, name, label, blocked }) => (
          <>
            {name === "" ? (
              t.planPage.others
            ) : (
              <Link to="/tracking-plan/event" search={{ source: from, name }}>
                {label ? said(label) : name}
              </Link>
            )}
            {label && said(label) !== name && <span className="quiet"> {name}</span>}
            {blocked && <span className="chip still">{t.planPage.blocked}</span>}
          </>
        ),
      },
      { id: "source", header: t.planPage.source, cell: ({ sourceName }) => sourceName },
      {
        id: "status",
        header: t.planPage.status,
        width: "s",
        cell: ({ status, name }) => (name === "" ? t.none : t.planPage.statuses[status]),
      },
      {
        id: "drift",
        header: t.planPage.drift,
        width: "l",
        cell: ({ drift }) => <Drifts of={drift} />,
      },
      {
        id: "day",
        header: t.planPage.perDay,
        numeric: true,
        cell: ({ days }) =>
          format.decimal(days.slice(-8, -1).reduce((sum, { events }) => sum + events, 0) / 7),
      },
      {
        id: "total",
        header: t.planPage.total,
        numeric: true,
        cell: ({ total }) => format.number(total),
      },
      { id: "last", header: t.planPage.last, cell: ({ lastAt }) => <At at={lastAt} /> },
    ],
    [t, format, said],
  );
  return (
    <Page title={t.nav.plan} says={t.planPage.says}>
      <Part title={t.planPage.all}>
        <div className="filters">
          <Choice
            label={t.planPage.source}
            value={source}
            options={[
              { value: "", label: t.planPage.allSources },
              ...(sources ?? []).map(({ id, name }) => ({ value: id, label: name })),
            ]}
            onChange={(to) => void go({ search: (had) => ({ ...had, source: to }), replace: true })}
          />
          <Choice
            label={t.planPage.show}
            value={show}
            options={shows.map((value) => ({ value, label: t.planPage.shows[value] }))}
            onChange={(to) => void go({ search: (had) => ({ ...had, show: to }), replace: true })}
          />
          <div className="field">
            <label htmlFor={findId}>{t.planPage.find}</label>
            <input
              id={findId}
              type="search"
              value={find}
              maxLength={200}
              autoComplete="off"
              onChange={(event) => {
                const to = event.target.value;
                void go({ search: (had) => ({ ...had, find: to }), replace: true });
              }}
            />
          </div>
        </div>
        {error ? (
          <Broken error={error} again={refetch} />
        ) : data?.events.length === 0 ? (
          <Empty says={t.planPage.empty}>
            {may("keys:read") && (
              <Link to="/keys" className="button">
                {t.nav.keys}
              </Link>
            )}
          </Empty>
        ) : rows?.length === 0 ? (
          <p className="quiet">{t.planPage.none}</p>
        ) : (
          <DataTable<Event>
            caption={t.planPage.all}
            rows={rows}
            keyOf={({ source: from, name }) => `${from} ${name}`}
            columns={columns}
          />
        )}
      </Part>
    </Page>
  );
}

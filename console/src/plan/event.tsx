import { useQueryClient } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { At, Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Drifts } from "./drifts.tsx";

type Event = Answer<typeof api.plan.ofEvent>;
type Property = Event["properties"][number];

/** One event of one source: its properties as they come, what differs, and what an operator says of it. */
export function PlanEvent() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const { source = "", name = "" } = useSearch({ from: "/inside/tracking-plan/event" });
  const { data, error, refetch } = useCall(api.plan.ofEvent, { source, name });
  return (
    <Page
      title={data?.label ? said(data.label) : name || t.planPage.titleAny}
      says={
        data ? (
          [
            ...(data.label && said(data.label) !== name ? [name] : []),
            ...[data.sourceName, t.planPage.statuses[data.status]],
          ].join(" · ")
        ) : (
          <Wait width={16} />
        )
      }
      actions={
        <Link to="/tracking-plan" search={{ source }} className="button">
          {t.nav.plan}
        </Link>
      }
    >
      {error ? (
        <Broken error={error} again={refetch} />
      ) : (
        <>
          <Part
            title={t.planPage.properties}
            says={data ? t.planPage.eventSays(format.number(data.looked)) : <Wait width={32} />}
          >
            <Properties rows={data?.properties} />
          </Part>
          {/* Below a table of unknown height nothing stands until its height is known. */}
          {data && (
            <>
              <Part title={t.planPage.drift}>
                <Drifts of={data.drift} all />
              </Part>
              <Acts of={data} />
              <Days of={data} />
            </>
          )}
        </>
      )}
    </Page>
  );
}

function Properties({ rows }: { rows: readonly Property[] | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  if (rows?.length === 0) return <p className="quiet">{t.planPage.noProperties}</p>;
  const when = (at: string | null) => (at ? <At at={at} /> : t.none);
  return (
    <DataTable<Property>
      caption={t.planPage.properties}
      rows={rows}
      keyOf={({ property }) => property}
      expect={5}
      columns={[
        {
          id: "property",
          header: t.planPage.property,
          width: "l",
          names: true,
          cell: ({ property }) => (property === "" ? t.planPage.restOf : <code>{property}</code>),
        },
        {
          id: "type",
          header: t.planPage.type,
          cell: ({ types }) => types.map((one) => t.planPage.types[one]).join(" / ") || t.none,
        },
        {
          id: "presence",
          header: t.planPage.presence,
          numeric: true,
          cell: ({ share }) => format.part(share),
        },
        {
          id: "odd",
          header: t.planPage.oddCount,
          numeric: true,
          cell: ({ odd }) => format.number(odd),
        },
        {
          id: "known",
          header: t.planPage.isKnown,
          width: "s",
          cell: ({ known }) => (known ? t.planPage.yes : t.planPage.no),
        },
        {
          id: "planned",
          header: t.planPage.planned,
          cell: ({ planned }) =>
            planned
              ? `${t.planPage.types[planned.type]} · ${planned.required ? t.planPage.required : t.planPage.optional}`
              : t.none,
        },
        { id: "first", header: t.planPage.first, cell: ({ firstAt }) => when(firstAt) },
        { id: "last", header: t.planPage.last, cell: ({ lastAt }) => when(lastAt) },
      ]}
    />
  );
}

/** Of the properties as they come, what every event should bring from now on. Those of many types have none to plan. */
const asItIs = ({ properties }: Event) =>
  Object.fromEntries(
    properties.flatMap(({ property, types, share }) => {
      const own = types.filter((one) => one !== "nothing");
      return property !== "" && own.length === 1
        ? [[property, { type: own[0]!, required: share === 1 }]]
        : [];
    }),
  );

function Acts({ of }: { of: Event }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const [sure, setSure] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  if (!may("house:write")) return null;
  const which = { source: of.source, name: of.name };
  const act = (done: Promise<unknown>) =>
    void done.then(
      () => {
        setWrong(null);
        setSure(false);
        return queries.invalidateQueries();
      },
      (thrown: unknown) => setWrong(thrown),
    );
  return (
    <Part title={t.planPage.planned} says={t.planPage.planSays}>
      {wrong !== null && <Broken error={wrong} />}
      <p className="actions">
        <button
          type="button"
          onClick={() => act(call(api.plan.plan, { ...which, properties: asItIs(of) }))}
        >
          {t.planPage.plan}
        </button>
        {of.status === "planned" && (
          <button
            type="button"
            onClick={() => act(call(api.plan.plan, { ...which, properties: null }))}
          >
            {t.planPage.unplan}
          </button>
        )}
        {of.blocked ? (
          <button
            type="button"
            onClick={() => act(call(api.plan.block, { ...which, blocked: false }))}
          >
            {t.planPage.unblock}
          </button>
        ) : sure ? (
          <button
            type="button"
            className="danger"
            // oxlint-disable-next-line jsx-a11y/no-autofocus -- it stands where the focus was
            autoFocus
            onBlur={() => setSure(false)}
            onClick={() => act(call(api.plan.block, { ...which, blocked: true }))}
          >
            {t.planPage.sure}
          </button>
        ) : (
          <button type="button" onClick={() => setSure(true)}>
            {t.planPage.block}
          </button>
        )}
      </p>
      <p className="quiet">{t.planPage.blockSays}</p>
    </Part>
  );
}

function Days({ of }: { of: Event }) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <Part title={t.planPage.days}>
      <DataTable<Event["days"][number]>
        caption={t.planPage.days}
        rows={of.days.toReversed()}
        keyOf={({ day }) => day}
        columns={[
          { id: "day", header: t.planPage.day, names: true, cell: ({ day }) => format.day(day) },
          {
            id: "events",
            header: t.planPage.events,
            numeric: true,
            cell: ({ events }) => format.number(events),
          },
        ]}
      />
    </Part>
  );
}

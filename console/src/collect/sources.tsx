import type { UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

type Sources = Answer<typeof api.collect.sources>;
type Source = Sources["sources"][number];

/** Where data comes from, and what became of it. */
export function SourcesPage() {
  const { t } = useWords();
  const sources = useCall(api.collect.sources, {});
  return (
    <Page title={t.nav.sources} says={t.sourcePage.says}>
      <All list={sources} />
    </Page>
  );
}

function All({ list: { data, error, refetch } }: { list: UseQueryResult<Sources> }) {
  const { t } = useWords();
  const format = useFormat();
  const may = useMay();
  const when = (at: string | null) => (at ? <At at={at} /> : t.sourcePage.never);
  return (
    <Part
      title={t.sourcePage.all}
      {...(data && data.strangers > 0
        ? { says: t.sourceSettings.strangers(format.number(data.strangers)) }
        : {})}
    >
      {error ? (
        <Broken error={error} again={refetch} />
      ) : data?.sources.length === 0 ? (
        <Empty says={t.sourcePage.empty}>
          {may("keys:read") && (
            <Link to="/keys" className="button">
              {t.nav.keys}
            </Link>
          )}
        </Empty>
      ) : (
        <DataTable<Source>
          caption={t.sourcePage.all}
          rows={data?.sources}
          keyOf={({ id }) => id}
          expect={2}
          columns={[
            {
              id: "name",
              header: t.sourcePage.name,
              names: true,
              cell: ({ id, name, demo, disabled }) => (
                <>
                  <Link to="/sources/$source" params={{ source: id }}>
                    {name}
                  </Link>
                  {demo && <span className="chip still">{t.sourcePage.demo}</span>}
                  {disabled && <span className="chip still">{t.sourceSettings.off}</span>}
                </>
              ),
            },
            { id: "kind", header: t.sourcePage.kind, cell: ({ kind }) => t.sourceKinds[kind] },
            {
              id: "protocol",
              header: t.sourceSettings.protocol,
              cell: ({ kind, protocol }) =>
                kind === "import" ? t.none : t.sourceSettings.protocols[protocol],
            },
            {
              id: "keys",
              width: "s",
              header: t.nav.keys,
              numeric: true,
              cell: ({ keys }) => (may("keys:read") ? <Link to="/keys">{keys}</Link> : keys),
            },
            {
              id: "events",
              header: t.sourcePage.events,
              numeric: true,
              cell: ({ events }) => format.number(events),
            },
            { id: "last", header: t.sourcePage.last, cell: ({ lastAt }) => when(lastAt) },
            {
              id: "refused",
              header: t.sourcePage.refused,
              numeric: true,
              cell: ({ id, rejected, refused, beyond }) => (
                <Link
                  to="/refused"
                  search={{ source: id }}
                  title={beyond > 0 ? t.sourceSettings.beyond(format.number(beyond)) : undefined}
                >
                  {format.number(Math.max(rejected, refused))}
                </Link>
              ),
            },
            {
              id: "lastError",
              width: "l",
              header: t.sourceSettings.lastError,
              cell: ({ lastRejectedAt, lastError }) => (
                <>
                  {lastError && <>{t.rejections[lastError.reason] ?? t.rejectionUnknown} </>}
                  <small className="quiet">{when(lastError?.at ?? lastRejectedAt)}</small>
                </>
              ),
            },
          ]}
        />
      )}
    </Part>
  );
}

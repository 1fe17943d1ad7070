import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { wordFor } from "../ui/marks.tsx";
import { At, Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useMay } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Remove } from "../ui/remove.tsx";

type Shown = Answer<typeof api.traits.showTag>;
type Change = Shown["changes"][number];
type Day = Shown["days"][number];

/** One tag: its rules, who has it, and every change of it. */
export function TagPage() {
  const { t } = useWords();
  const said = useSaid();
  const may = useMay();
  const { tag } = useParams({ from: "/inside/tags/of/$tag" });
  const list = useInfiniteQuery({
    queryKey: [api.traits.showTag.path, tag],
    queryFn: ({ pageParam, signal }) =>
      call(api.traits.showTag, pageParam ? { tag, after: pageParam } : { tag }, { signal }),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  const data = list.data?.pages[0];
  const changes = list.data?.pages.flatMap((page) => page.changes);
  const name = data?.label ? said(data.label) : wordFor(t.tags, tag);
  const hasRules = data && data.rules.length > 0;
  return (
    <Page
      title={t.tagPage.one(name)}
      says={<Link to="/tags">{t.tagPage.back}</Link>}
      actions={
        <>
          <Link to="/members" search={{ tag }} className="button">
            {t.tagPage.who}
          </Link>
          {may("traits:write") && hasRules && (
            <>
              <Link to="/tags/edit" search={{ tag }} className="button">
                {t.segments.edit}
              </Link>
              <Remove
                words={{ ask: t.tagPage.remove, sure: t.tagPage.removeSure }}
                act={(key) => call(api.traits.removeTag, { tag }, { key })}
                then="/tags"
              />
            </>
          )}
        </>
      }
    >
      {list.error ? (
        <Broken error={list.error} again={list.refetch} />
      ) : (
        <>
          <Part title={t.tagPage.rules} says={hasRules ? t.tagPage.rulesSay : undefined}>
            {data ? <Rules of={data} /> : <Wait width={32} />}
          </Part>
          {/* Below rules of unknown number nothing stands until they are known. */}
          {data && (
            <>
              <Part title={t.tagPage.days}>
                <Days rows={data.days} />
              </Part>
              <Part title={t.tagPage.changes}>
                <Changes rows={changes} />
                {list.hasNextPage && (
                  <button
                    type="button"
                    className="more"
                    onClick={() => {
                      if (!list.isFetchingNextPage) void list.fetchNextPage();
                    }}
                  >
                    {list.isFetchingNextPage ? t.busy : t.list.more}
                  </button>
                )}
              </Part>
            </>
          )}
        </>
      )}
    </Page>
  );
}

function Rules({ of }: { of: Shown }) {
  const { t } = useWords();
  const said = useSaid();
  if (of.rules.length === 0) return <p className="quiet">{t.tagPage.noRules}</p>;
  return (
    <ol className="rows">
      {of.rules.map(({ value, segment, name, sentence }) => (
        <li key={`${value} ${segment}`}>
          <div>
            <strong>{value}</strong>{" "}
            <Link to="/segments/$segment" params={{ segment }}>
              {said(name)}
            </Link>
            <p>{said(sentence)}</p>
          </div>
        </li>
      ))}
    </ol>
  );
}

/** Days on which something changed. */
function Days({ rows }: { rows: readonly Day[] }) {
  const { t } = useWords();
  const format = useFormat();
  const columns = useMemo<Column<Day>[]>(
    () => [
      { id: "day", names: true, header: t.segments.day, cell: ({ day }) => format.day(day) },
      {
        id: "given",
        header: t.tagPage.given,
        numeric: true,
        cell: ({ given }) => format.number(given),
      },
      {
        id: "gone",
        header: t.tagPage.gone,
        numeric: true,
        cell: ({ gone }) => format.number(gone),
      },
    ],
    [t, format],
  );
  const some = rows.filter(({ given, gone }) => given + gone > 0).toReversed();
  if (some.length === 0) return <p className="quiet">{t.tagPage.noChanges}</p>;
  return (
    <DataTable caption={t.tagPage.days} columns={columns} rows={some} keyOf={({ day }) => day} />
  );
}

function Changes({ rows }: { rows: readonly Change[] | undefined }) {
  const { t } = useWords();
  const said = useSaid();
  const columns = useMemo<Column<Change>[]>(
    () => [
      {
        id: "who",
        names: true,
        header: t.segments.who,
        cell: ({ personId, userId }) => (
          <Link to="/members/$person" params={{ person: personId }}>
            {userId ?? personId.slice(0, 8)}
          </Link>
        ),
      },
      {
        id: "change",
        width: "l",
        header: t.tagPage.change,
        cell: ({ sentence }) => said(sentence),
      },
      {
        id: "why",
        width: "l",
        header: t.tagPage.why,
        cell: ({ why, source }) => (
          <>
            {said(why)}
            <br />
            <small>{wordFor(t.sources, source)}</small>
          </>
        ),
      },
      { id: "at", width: "l", header: t.segments.when, cell: ({ at }) => <At at={at} /> },
      {
        id: "cause",
        header: t.lifecycle.cause,
        cell: ({ cause }) =>
          cause ? (
            <Link to="/trace" search={{ event: cause }} preload={false}>
              {t.trace.walk}
            </Link>
          ) : (
            t.none
          ),
      },
    ],
    [t, said],
  );
  if (rows?.length === 0) return <p className="quiet">{t.tagPage.noChanges}</p>;
  return (
    <DataTable
      caption={t.tagPage.changes}
      columns={columns}
      rows={rows}
      keyOf={({ id }) => id}
      expect={5}
    />
  );
}

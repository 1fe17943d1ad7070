import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { rfmSegmentName } from "../people/names.ts";
import { api, type Answer } from "../ui/call.ts";
import { wordFor } from "../ui/marks.tsx";
import { Broken, Empty, Page } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type Tag = Answer<typeof api.traits.tags>["tags"][number];

export function Tags() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const { data, error, refetch } = useCall(api.traits.tags, {}, { refetchMs: 5000 });
  const columns = useMemo<Column<Tag>[]>(() => {
    const stateOf = ({ declared }: Tag) => {
      if (!declared) return t.none;
      if (declared.circular) return t.tagPage.circular;
      const counts = [format.number(declared.done), format.number(declared.total)] as const;
      return declared.state === "ready" ? t.tagPage.hasRules : t.tagPage[declared.state](...counts);
    };
    return [
      {
        id: "tag",
        names: true,
        width: "l",
        header: t.tagPage.tag,
        cell: ({ tag, label }) => (
          <Link to="/tags/of/$tag" params={{ tag }}>
            {label ? said(label) : wordFor(t.tags, tag)}
          </Link>
        ),
      },
      {
        id: "kinds",
        header: t.tagPage.kinds,
        cell: ({ kinds }) => kinds.map((kind) => t.kinds[kind]).join(" / ") || t.none,
      },
      {
        id: "people",
        header: t.tagPage.people,
        numeric: true,
        cell: ({ tag, people }) => (
          <Link to="/members" search={{ tag }}>
            {format.number(people)}
          </Link>
        ),
      },
      {
        id: "values",
        width: "l",
        header: t.tagPage.values,
        cell: ({ tag, values }) => (
          <>
            {values.slice(0, 4).map(({ value, people }, i) => (
              <span key={value}>
                {i > 0 && " · "}
                {nameOf(t, said, tag, value)} {format.number(people)}
              </span>
            ))}
            {values.length > 4 && " …"}
          </>
        ),
      },
      { id: "state", width: "l", header: t.tagPage.state, cell: stateOf },
    ];
  }, [t, format, said]);
  return (
    <Page
      title={t.nav.tags}
      says={t.tagPage.says}
      actions={may("traits:write") && <Link to="/tags/edit">{t.tagPage.make}</Link>}
    >
      {error && <Broken error={error} again={refetch} />}
      {data?.tags.length === 0 ? (
        <Empty says={t.tagPage.empty}>
          {may("traits:write") && <Link to="/tags/edit">{t.tagPage.make}</Link>}
        </Empty>
      ) : (
        !error && (
          <DataTable
            caption={t.nav.tags}
            columns={columns}
            rows={data?.tags}
            keyOf={({ tag }) => tag}
            expect={4}
          />
        )
      )}
    </Page>
  );
}
/** The word for a value of a tag of our own, or the value itself. */
const nameOf = (
  t: ReturnType<typeof useWords>["t"],
  said: ReturnType<typeof useSaid>,
  tag: string,
  value: string,
): string =>
  tag === "lifecycle"
    ? wordFor(t.stages, value)
    : tag === "rfm_segment"
      ? said(rfmSegmentName(value))
      : ["price_sensitivity", "brand_loyalty", "share_willingness"].includes(tag)
        ? wordFor(t.levels, value)
        : value;

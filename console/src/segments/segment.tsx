import { Link, useParams } from "@tanstack/react-router";
import { Fragment, useMemo } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { rfmSegmentName } from "../people/names.ts";
import { StageMark } from "../ui/marks.tsx";
import { rowsOf, useCauses, useNaming } from "./columns.tsx";
import { Growth, Changes } from "./growth.tsx";
import { KeptLists } from "./lists.tsx";
import { At, Broken, Page, Part, Wait } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import { Remove } from "../ui/remove.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import type { Column } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type Shown = Answer<typeof api.segments.show>;
const all = ({ members, companies }: Shown) => rowsOf(members, companies);
type Row = ReturnType<typeof all>[number] & { tags?: Record<string, string> };

export function Segment() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const { segment } = useParams({ from: "/inside/segments/$segment" });
  const { data, error, refetch } = useCall(api.segments.show, { segment, limit: "1" });
  const level = data?.level;
  const naming = useNaming<Row>(level);
  const causes = useCauses<Row>();
  const columns = useMemo<Column<Row>[]>(() => {
    const all: Column<Row>[] = [
      {
        id: "stage",
        header: t.member.stage,
        cell: ({ tags }) => <StageMark stage={tags?.["lifecycle"]} />,
      },
      { id: "rfm", width: "s", header: "RFM", cell: ({ tags }) => tags?.["rfm"] ?? t.none },
      {
        id: "group",
        header: t.rfm.segment,
        cell: ({ tags }) =>
          tags?.["rfm_segment"] ? said(rfmSegmentName(tags["rfm_segment"])) : t.none,
      },
      { id: "since", width: "l", header: t.segments.since, cell: ({ since }) => <At at={since} /> },
      causes,
    ];
    // Of a company neither is known.
    return level === "company" ? all.slice(3) : all;
  }, [t, said, causes, level]);
  if (error)
    return (
      <Page title={t.nav.segments}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  return (
    <Page
      title={data ? said(data.name) : <Wait width={16} />}
      says={<Link to="/segments">{t.segments.back}</Link>}
      actions={
        may("segments:write") && (
          <>
            <Link to="/segments/edit" search={{ segment }}>
              {t.segments.edit}
            </Link>
            {data && (
              <Remove
                words={t.segments.remove}
                act={(key) => call(api.segments.remove, { segment }, { key })}
                then="/segments"
              />
            )}
          </>
        )
      }
    >
      <Part title={t.segments.rule} className="reserve-2 grows">
        <p>{data ? said(data.sentence) : <Wait width={32} />}</p>
        <p className="quiet">
          {data ? (
            <>
              {t.segments.ofLevel[data.level]} · {t.purposes[data.purpose]} ·{" "}
              {t.segments.version(format.number(data.version))}
            </>
          ) : (
            <Wait width={16} />
          )}
        </p>
        {data && data.uses.length > 0 && <Uses uses={data.uses} />}
      </Part>
      <Growth segment={segment} />
      <Changes segment={segment} level={level} />
      <KeptLists segment={segment} level={level ?? "person"} />
      <Part
        title={
          data ? (
            (level === "company" ? t.segments.inItCompanies : t.segments.inIt)(
              format.number(data.people),
            )
          ) : (
            <Wait width={16} />
          )
        }
      >
        <PeopleList
          to={api.segments.show}
          input={{ segment, limit: "100" }}
          rowsOf={all}
          columns={columns}
          naming={naming}
          caption={level === "company" ? t.segments.companies : t.segments.people}
          empty={{
            says: level === "company" ? t.segments.nobodyCompany : t.segments.nobody,
            action: <Link to="/lifecycle">{t.nav.lifecycle}</Link>,
          }}
        />
      </Part>
    </Page>
  );
}

/** What asks for a segment, each with the way to it: while there is anything, it cannot be deleted. */
function Uses({ uses }: Pick<Shown, "uses">) {
  const { t } = useWords();
  const said = useSaid();
  return (
    <p>
      {t.segments.usedBy}
      {uses.map(({ kind, id, name }, i) => (
        <Fragment key={`${kind} ${id}`}>
          {i > 0 && t.segments.comma}
          {t.segments.users[kind]}{" "}
          {kind === "segment" ? (
            <Link to="/segments/$segment" params={{ segment: id }}>
              {said(name)}
            </Link>
          ) : kind === "tag" ? (
            <Link to="/tags/of/$tag" params={{ tag: id }}>
              {said(name)}
            </Link>
          ) : kind === "programme" ? (
            <Link to="/programmes/$programme" params={{ programme: id }}>
              {said(name)}
            </Link>
          ) : kind === "webhook" ? (
            <Link to="/webhooks/$webhook" params={{ webhook: id }}>
              {said(name)}
            </Link>
          ) : (
            said(name)
          )}
        </Fragment>
      ))}
    </p>
  );
}

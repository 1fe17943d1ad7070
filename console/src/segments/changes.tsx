import { Link, useParams } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { Page, Part, Wait } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import { useCall } from "../ui/session.tsx";
import { useSaid, useWords } from "../ui/words.tsx";
import { rowsOf, useChanges, useNaming } from "./columns.tsx";
import { Nameless } from "./growth.tsx";

type Answered = Answer<typeof api.segments.changes>;
const all = ({ changes, companies }: Answered) => rowsOf(changes, companies);
type Row = ReturnType<typeof all>[number];

/** Everybody who ever came into a segment or left it, the latest first. */
export function SegmentChanges() {
  const { t } = useWords();
  const said = useSaid();
  const { segment } = useParams({ from: "/inside/segments/$segment/changes" });
  const { data } = useCall(api.segments.show, { segment, limit: "1" });
  const latest = useCall(api.segments.changes, { segment, limit: "1" }).data;
  const naming = useNaming<Row>(data?.level);
  const columns = useChanges<Row>();
  return (
    <Page
      title={data ? said(data.name) : <Wait width={16} />}
      says={
        <Link to="/segments/$segment" params={{ segment }}>
          {t.segments.lists.back}
        </Link>
      }
    >
      <Part title={t.segments.changesAll}>
        {latest && <Nameless recounts={latest.recounts} />}
        <PeopleList
          to={api.segments.changes}
          input={{ segment, limit: "100" }}
          rowsOf={all}
          keyOf={({ personId, at, change }) => `${personId} ${at} ${change}`}
          columns={columns}
          naming={naming}
          caption={t.segments.changesAll}
          empty={{ says: t.segments.noChanges }}
        />
      </Part>
    </Page>
  );
}

import { useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { At, Broken, Page, Part, Wait } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { rowsOf, useNaming } from "./columns.tsx";

type Listed = Answer<typeof api.segments.snapshots>["snapshots"][number];
const purposes = ["service", "analysis", "marketing", "transfer", "request"] as const;

/** The lists that were kept of a segment, and a way to keep another. */
export function KeptLists({ segment, level }: { segment: string; level: "person" | "company" }) {
  const { t } = useWords();
  const format = useFormat();
  const may = useMay();
  const queries = useQueryClient();
  const words = t.segments.lists;
  const { data, error, refetch } = useCall(api.segments.snapshots, { segment });
  return (
    <Part title={words.title} says={words.says} className="grows">
      {error && <Broken error={error} again={refetch} />}
      {data?.snapshots.length === 0 ? (
        <p className="quiet">{words.none}</p>
      ) : (
        <DataTable<Listed>
          caption={words.title}
          rows={data?.snapshots}
          keyOf={({ id }) => id}
          expect={1}
          columns={[
            {
              id: "name",
              header: words.name,
              names: true,
              cell: ({ id, name }) => (
                <Link to="/segments/$segment/lists/$list" params={{ segment, list: id }}>
                  {name}
                </Link>
              ),
            },
            {
              id: "taken",
              header: words.taken,
              width: "l",
              cell: ({ takenAt }) => <At at={takenAt} />,
            },
            {
              id: "people",
              header: level === "company" ? words.companies : words.people,
              numeric: true,
              cell: ({ people }) => format.number(people),
            },
            {
              id: "compare",
              header: t.segments.compareLink,
              cell: ({ id }) => (
                <Link
                  to="/segments/compare"
                  search={{ a: `snapshot:${id}`, b: `segment:${segment}`, of: segment }}
                >
                  {words.compareNow}
                </Link>
              ),
            },
          ]}
        />
      )}
      {may("segments:write") && (
        <Form
          className="form row"
          button={words.keep}
          act={async ({ name = "" }, key) => {
            await call(api.segments.freeze, { segment, name: name.trim() }, { key });
            await queries.invalidateQueries({ queryKey: [api.segments.snapshots.path] });
          }}
        >
          <Field name="name" label={words.name} required maxLength={80} />
        </Form>
      )}
    </Part>
  );
}

type Shown = Answer<typeof api.segments.snapshot>;
const all = ({ members, companies }: Shown) => rowsOf(members, companies);
type Row = ReturnType<typeof all>[number];

/** Who was in a segment when its list was kept. */
export function KeptList() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const words = t.segments.lists;
  const { segment, list } = useParams({ from: "/inside/segments/$segment/lists/$list" });
  const asked = { segment, snapshot: list };
  const { data, error, refetch } = useCall(api.segments.snapshot, { ...asked, limit: "1" });
  const naming = useNaming<Row>(data?.level);
  const back = (
    <Link to="/segments/$segment" params={{ segment }}>
      {words.back}
    </Link>
  );
  if (error)
    return (
      <Page title={words.title} says={back}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  const company = data?.level === "company";
  return (
    <Page
      title={data ? words.at(data.name) : <Wait width={16} />}
      says={back}
      actions={
        <Link
          to="/segments/compare"
          search={{ a: `snapshot:${list}`, b: `segment:${segment}`, of: segment }}
        >
          {words.compareNow}
        </Link>
      }
    >
      <Part title={words.ruleThen} className="reserve-2 grows">
        <p>{data ? said(data.sentence) : <Wait width={32} />}</p>
        <p className="quiet">
          {data ? (
            <>
              {words.taken} <At at={data.takenAt} /> ·{" "}
              {t.segments.version(format.number(data.version))} ·{" "}
              {company
                ? t.segments.countCompanies(format.number(data.people))
                : t.people(format.number(data.people))}
            </>
          ) : (
            <Wait width={16} />
          )}
        </p>
      </Part>
      {may("exports:read") && data && !company && <Download segment={segment} list={list} />}
      <Part title={company ? words.whoCompanies : words.who}>
        <PeopleList
          to={api.segments.snapshot}
          input={{ ...asked, limit: "100" }}
          rowsOf={all}
          columns={[]}
          naming={naming}
          caption={company ? words.whoCompanies : words.who}
          empty={{ says: words.gone }}
        />
      </Part>
    </Page>
  );
}

/** As a file, with a purpose that stands in the audit. */
function Download({ segment, list }: { segment: string; list: string }) {
  const { t } = useWords();
  const w = t.exportPage;
  const [purpose, setPurpose] = useState<(typeof purposes)[number] | "">("");
  const query = new URLSearchParams({ format: "csv", purpose, segment, snapshot: list });
  return (
    <Part title={t.segments.lists.download}>
      <div className="form row">
        <Choice
          label={w.purpose}
          value={purpose}
          options={[
            ...(purpose === "" ? [{ value: "", label: w.choosePurpose }] : []),
            ...purposes.map((value) => ({ value, label: w.purposes[value] })),
          ]}
          onChange={(to) => setPurpose(to as "service")}
        />
        {purpose === "" ? (
          <p className="hint">{w.notYet}</p>
        ) : (
          <a className="button primary" href={`/v1/exports/segment?${query}`} download>
            {t.segments.lists.download}
          </a>
        )}
      </div>
    </Part>
  );
}

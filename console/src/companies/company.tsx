import { useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { api, call, type Answer } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { wordFor } from "../ui/marks.tsx";
import { At, Broken, Figure, Page, Part, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type Shown = Answer<typeof api.companies.one>;
type Person = Shown["people"][number];

export function Company() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const { company } = useParams({ from: "/inside/companies/$company" });
  const { data, error, refetch } = useCall(api.companies.one, { company });
  const back = <Link to="/companies">{t.companies.back}</Link>;
  if (error)
    return (
      <Page title={t.companies.one} says={back}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  const roleName = (code: string) => {
    const role = data?.roles.find((one) => one.code === code);
    return role ? said(role) : code;
  };
  return (
    <Page title={data ? (data.name ?? data.ref) : <Wait width={8} />} says={back}>
      <dl className="figures">
        <Figure label={t.companies.members} value={data && format.number(data.members)} />
        <Figure label={t.companies.orders} value={data && format.number(Number(data.orders))} />
        <Figure
          label={t.companies.spent}
          value={data && (data.currency ? format.money(data.spentMinor, data.currency) : t.none)}
        />
        <Figure
          label={t.companies.lastOrder}
          value={data && (data.lastOrderAt ? format.dayOf(data.lastOrderAt) : t.none)}
        />
      </dl>
      <Part title={t.companies.people} says={t.companies.peopleSay}>
        <DataTable<Person>
          caption={t.companies.people}
          rows={data?.people}
          keyOf={({ person, role, since }) => `${person} ${role} ${since}`}
          expect={3}
          columns={[
            {
              id: "person",
              header: t.companies.person,
              names: true,
              cell: ({ person, userId }) => (
                <Link to="/members/$person" params={{ person }}>
                  {userId ?? person.slice(0, 8)}
                </Link>
              ),
            },
            { id: "role", header: t.companies.role, cell: ({ role }) => roleName(role) },
            { id: "since", header: t.companies.since, cell: ({ since }) => <At at={since} day /> },
            {
              id: "until",
              header: t.companies.until,
              cell: ({ until }) => (until ? <At at={until} day /> : t.companies.still),
            },
            {
              id: "orders",
              header: t.companies.orders,
              numeric: true,
              cell: ({ orders }) => format.number(orders),
            },
          ]}
        />
      </Part>
      <Tags data={data} company={company} />
      <Profile data={data} />
      <Timeline company={company} roleName={roleName} />
    </Page>
  );
}

function Tags({ data, company }: { data: Shown | undefined; company: string }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  return (
    <Part title={t.companies.tags}>
      {data?.tags.length === 0 && <p className="quiet">{t.companies.noTags}</p>}
      <ul className="rows">
        {data?.tags.map(({ tag, value, kind, at }) => (
          <li key={tag}>
            <div>
              <strong>{wordFor(t.companies.tagNames, tag)}</strong> {value}{" "}
              <small>
                {t.kinds[kind]} · <At at={at} />
              </small>
            </div>
          </li>
        ))}
      </ul>
      {may("segments:write") && data && (
        <Form
          className="form row"
          button={t.companies.setTag}
          act={async ({ tag = "", value = "" }, key) => {
            const set = { company, tag: tag.trim(), value: value.trim() === "" ? null : value };
            await call(api.companies.tag, set, { key });
            await queries.invalidateQueries();
          }}
        >
          <Field
            label={t.companies.tagCode}
            name="tag"
            required
            maxLength={40}
            hint={t.companies.tagCodeSays}
          />
          <Field label={t.companies.tagValue} name="value" maxLength={64} />
        </Form>
      )}
    </Part>
  );
}

function Profile({ data }: { data: Shown | undefined }) {
  const { t } = useWords();
  return (
    <Part title={t.companies.profile}>
      {data?.attributes.length === 0 && <p className="quiet">{t.companies.noProfile}</p>}
      <ul className="rows">
        {data?.attributes.map(({ name, value, source, at }) => (
          <li key={name}>
            <div>
              <strong>{wordFor(t.companies.attributes, name)}</strong> {String(value)}
              <p>
                <small>
                  {source} · <At at={at} />
                </small>
              </p>
            </div>
          </li>
        ))}
        {data?.external.map(({ type, value }) => (
          <li key={type + value}>
            <div>
              <strong>{wordFor(t.companies.attributes, type)}</strong> {value}
            </div>
          </li>
        ))}
      </ul>
      {data && data.contactFields.length > 0 && (
        <p className="quiet">{t.companies.contact(String(data.contactFields.length))}</p>
      )}
    </Part>
  );
}

function Timeline({ company, roleName }: { company: string; roleName: (code: string) => string }) {
  const { t } = useWords();
  const format = useFormat();
  const { data, error, refetch } = useCall(api.companies.timeline, { company });
  return (
    <Part title={t.companies.timeline}>
      {error && <Broken error={error} again={refetch} />}
      {data?.moments.length === 0 && <p className="quiet">{t.companies.nothing}</p>}
      <ul className="rows">
        {data?.moments.map(({ at, what, person, userId, detail, amountMinor, currency }) => (
          <li key={`${at} ${what} ${detail} ${person}`}>
            <div>
              <strong>{t.companies.moments[what]}</strong>{" "}
              {what === "joined" || what === "left"
                ? roleName(detail)
                : what === "tagged"
                  ? detail.replace(/^\w+/, (tag) => wordFor(t.companies.tagNames, tag))
                  : detail}
              {amountMinor && currency && ` · ${format.money(amountMinor, currency)}`}
              <p>
                <small>
                  <At at={at} />
                  {person && (
                    <>
                      {" · "}
                      <Link to="/members/$person" params={{ person }}>
                        {userId ?? person.slice(0, 8)}
                      </Link>
                    </>
                  )}
                </small>
              </p>
            </div>
          </li>
        ))}
      </ul>
    </Part>
  );
}

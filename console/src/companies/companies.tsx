import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

type Company = Answer<typeof api.companies.list>["companies"][number];

/** Every company, those who spent most first. */
export function Companies() {
  const { t } = useWords();
  const format = useFormat();
  const { search = "" } = useSearch({ from: "/inside/companies" });
  const go = useNavigate({ from: "/companies" });
  const { data, error, refetch } = useCall(api.companies.list, { search });
  const [more, setMore] = useState<{ of: string; rows: Company[]; next: string | null } | null>(
    null,
  );
  const further = more?.of === search ? more : null;
  const rows = data && [...data.companies, ...(further?.rows ?? [])];
  const next = further ? further.next : (data?.next ?? null);
  return (
    <Page title={t.nav.companies} says={t.companies.says}>
      <Form
        key={search}
        className="form row"
        button={t.companies.find}
        act={(values) => go({ search: { search: values["search"] ?? "" } })}
      >
        <Field
          label={t.companies.search}
          name="search"
          type="search"
          maxLength={100}
          defaultValue={search}
        />
      </Form>
      <Part title={t.companies.all}>
        {error ? (
          <Broken error={error} again={refetch} />
        ) : rows?.length === 0 ? (
          <Empty says={search === "" ? t.companies.empty : t.companies.none} />
        ) : (
          <DataTable<Company>
            caption={t.companies.all}
            rows={rows}
            keyOf={({ id }) => id}
            columns={[
              {
                id: "name",
                header: t.companies.name,
                names: true,
                cell: ({ id, name, ref }) => (
                  <Link to="/companies/$company" params={{ company: id }}>
                    {name ?? ref}
                  </Link>
                ),
              },
              {
                id: "industry",
                header: t.companies.industry,
                cell: ({ industry }) => industry ?? t.none,
              },
              {
                id: "members",
                header: t.companies.members,
                numeric: true,
                cell: ({ members }) => format.number(members),
              },
              {
                id: "orders",
                header: t.companies.orders,
                numeric: true,
                cell: ({ orders }) => format.number(Number(orders)),
              },
              {
                id: "spent",
                header: t.companies.spent,
                numeric: true,
                cell: ({ spentMinor, currency }) =>
                  currency ? format.money(spentMinor, currency) : t.none,
              },
              {
                id: "last",
                header: t.companies.lastOrder,
                cell: ({ lastOrderAt }) => (lastOrderAt ? <At at={lastOrderAt} day /> : t.none),
              },
            ]}
          />
        )}
        {next && (
          <button
            type="button"
            onClick={() =>
              void call(api.companies.list, { search, after: next }).then((page) =>
                setMore({
                  of: search,
                  rows: [...(further?.rows ?? []), ...page.companies],
                  next: page.next,
                }),
              )
            }
          >
            {t.companies.more}
          </button>
        )}
      </Part>
    </Page>
  );
}

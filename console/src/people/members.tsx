import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState, type FormEvent } from "react";
import { api, call, Problem, type Answer } from "../ui/call.ts";
import { Choice, Field } from "../ui/form.tsx";
import { StageMark } from "../ui/marks.tsx";
import { At, Page } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import type { Column } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { rfmSegmentName, rfmSegments } from "./names.ts";

type Listed = Answer<typeof api.people.list>;
type MemberRow = Listed["members"][number];
const rowsOf = (answer: Listed) => answer.members;
const sorts = ["last_order", "spent", "orders"] as const;
const stages = ["new", "active", "dormant", "lost"] as const;

export function Members() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const search = useSearch({ from: "/inside/members" });
  const columns = useMemo<Column<MemberRow>[]>(
    () => [
      {
        id: "stage",
        width: "s",
        header: t.member.stage,
        cell: ({ stage }) => <StageMark stage={stage} />,
      },
      { id: "rfm", width: "s", header: "RFM", cell: ({ rfm }) => rfm ?? t.none },
      {
        id: "group",
        header: t.rfm.segment,
        cell: ({ rfmSegment }) => (rfmSegment ? said(rfmSegmentName(rfmSegment)) : t.none),
      },
      {
        id: "orders",
        header: t.member.orders,
        cell: ({ orders }) => format.number(orders),
        numeric: true,
      },
      {
        id: "spent",
        header: t.member.spent,
        cell: ({ spentMinor, currency }) => format.money(spentMinor, currency ?? undefined),
        numeric: true,
      },
      {
        id: "last",
        header: t.member.lastOrder,
        cell: ({ lastOrderAt }) => (lastOrderAt ? <At at={lastOrderAt} day /> : t.none),
      },
      { id: "country", header: t.member.country, cell: ({ country }) => country ?? t.none },
    ],
    [t, format, said],
  );
  const input = useMemo(() => {
    const stage = stages.find((one) => one === search.stage);
    const sort = sorts.find((one) => one === search.sort);
    return { ...search, stage, sort, limit: "100" };
  }, [search]);
  return (
    <Page title={t.nav.members} says={t.members.says}>
      <Filters />
      <PeopleList
        to={api.people.list}
        input={input}
        rowsOf={rowsOf}
        columns={columns}
        caption={t.nav.members}
        empty={{
          says: t.members.empty,
          action: (
            <Link to="/members" search={{}} className="button">
              {t.members.all}
            </Link>
          ),
        }}
      />
    </Page>
  );
}

function Filters() {
  const { t } = useWords();
  const said = useSaid();
  const may = useMay();
  const navigate = useNavigate();
  const search = useSearch({ from: "/inside/members" });
  const segments = useCall(api.segments.list, may("segments:read") ? {} : undefined);
  const set = (change: { [K in keyof typeof search]?: string }) =>
    void navigate({ to: "/members", search: { ...search, ...change }, replace: true });
  const any = { value: "", label: t.any };
  const inSegment = segments.data?.segments ?? [];
  return (
    <div className="filters">
      <Choice
        label={t.member.stage}
        value={search.stage ?? ""}
        onChange={(stage) => set({ stage })}
        options={[any, ...stages.map((stage) => ({ value: stage, label: t.stages[stage] }))]}
      />
      <Choice
        label={t.members.rfmSegment}
        value={search.rfmSegment ?? ""}
        onChange={(rfmSegment) => set({ rfmSegment })}
        options={[any, ...rfmSegments.map(([value, name]) => ({ value, label: said(name) }))]}
      />
      {may("segments:read") && (
        <Choice
          label={t.nav.segments}
          value={search.segment ?? ""}
          onChange={(segment) => set({ segment })}
          options={[
            any,
            ...inSegment.map(({ id, name }) => ({ value: id, label: said(name) })),
            ...(search.segment && !inSegment.some(({ id }) => id === search.segment)
              ? [{ value: search.segment, label: "…" }]
              : []),
          ]}
        />
      )}
      <RfmField key={search.rfm ?? ""} rfm={search.rfm ?? ""} set={(rfm) => set({ rfm })} />
      <Choice
        label={t.members.sort}
        value={search.sort ?? "last_order"}
        onChange={(sort) => set({ sort })}
        options={sorts.map((sort) => ({ value: sort, label: t.members.sorts[sort] }))}
      />
      {search.tag && (
        <button type="button" className="chip" onClick={() => set({ tag: "", value: "" })}>
          {[search.tag, search.value].filter(Boolean).join(" = ")} <span aria-hidden="true">✕</span>
          <span className="unseen">{t.list.clear}</span>
        </button>
      )}
      {may("members:find") && <ByEmail />}
    </div>
  );
}

function RfmField({ rfm, set }: { rfm: string; set: (rfm: string) => void }) {
  const { t } = useWords();
  const [wrong, setWrong] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const asked = String(new FormData(event.currentTarget).get("rfm")).trim();
    if (asked !== "" && !/^[1-5]-[1-5](-[1-5])?$/.test(asked)) return setWrong(true);
    set(asked);
  };
  return (
    <form onSubmit={submit} className="inline">
      <Field
        label={t.members.rfmCell}
        name="rfm"
        defaultValue={rfm}
        placeholder="5-4-3"
        wrong={wrong ? t.members.rfmWrong : undefined}
        maxLength={5}
      />
    </form>
  );
}

/** Only the whole address finds anybody: it is compared by its blind index, on the server. */
function ByEmail() {
  const { t } = useWords();
  const navigate = useNavigate();
  const [says, setSays] = useState("");
  const look = async (form: HTMLFormElement) => {
    const email = String(new FormData(form).get("email")).trim();
    if (email === "") return;
    setSays("");
    try {
      const { personId } = await call(api.people.find, { email });
      await navigate({ to: "/members/$person", params: { person: personId } });
    } catch (thrown) {
      const unknown = thrown instanceof Problem && thrown.code === "people.unknown";
      setSays(
        unknown
          ? t.members.notFound
          : thrown instanceof Problem && thrown.message
            ? thrown.message
            : t.broken.away,
      );
    }
  };
  return (
    <form
      role="search"
      className="inline grow"
      onSubmit={(event) => {
        event.preventDefault();
        void look(event.currentTarget);
      }}
    >
      <Field
        label={t.members.email}
        name="email"
        type="email"
        autoComplete="off"
        placeholder="name@example.com"
      />
      <button type="submit">{t.members.find}</button>
      <p role="status" className="status">
        {says}
      </p>
    </form>
  );
}
